/** With the rule in place that `Quiet` makes, in a namespace with links of its own. */
import t from 'tap'
import type { Test } from 'tap'
import { spawn } from 'node:child_process'
import { Address, parseMac } from '../../src/address.ts'
import { OwnSolicitations } from '../../src/linux/own-solicitations.ts'
import { PacketSocket } from '../../src/linux/packet.ts'
import { Quiet } from '../../src/linux/quiet.ts'
import { Solicitor } from '../../src/linux/solicitor.ts'
import { acknowledgement, fakeKernel } from '../fixtures/fake-kernel.ts'
import { ownNamespace, sh, veth } from '../kit/namespace.ts'
import { until } from '../kit/until.ts'

await ownNamespace()
// Opt-in by each socket; 1, the default, is opt-out.
sh('sysctl -qw net.ipv6.auto_flowlabels=2')

const MAC = parseMac('02:00:00:00:00:01')!
const OTHER = parseMac('02:00:00:00:00:77')!
const TARGET = Address.parse('2001:db8::12:3456')!

/** `prefix`::/64 is on the link until the test ends; its other end has no IPv6. */
function link(t: Test, name: string, prefix = '2001:db8') {
  t.teardown(() => sh(`ip link del ${name} || true`))
  veth(`${name} address 02:00:00:00:00:01`, `${name}p`, `${name}p`)
  sh(`ip -6 addr flush dev ${name}
      ip -6 addr add fe80::1/64 dev ${name} nodad; ip -6 addr add ${prefix}::1/64 dev ${name} nodad`)
  return { name, ifindex: indexOf(name) }
}

const indexOf = (name: string): number => Number.parseInt(sh(`ip -o link show ${name}`))

function hear(t: Test, ...ifindexes: readonly number[]) {
  const told: string[] = []
  const links = new Set(ifindexes)
  const own = new OwnSolicitations(links, (ifindex, target) => told.push(`${ifindex} ${target}`))
  const quiet = new Quiet()
  t.equal(quiet.apply([], own.group), undefined)
  t.teardown(() => {
    quiet.close()
    own.close()
  })
  return { told, links, own }
}

const ask = (address: string) => sh(`ping -c 1 -W 0.05 ${address} || true`)

/** The kernel shows its packets at once: what was sent is told within a turn or two of the event loop. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 30))

t.test('the kernel\'s, and only those', async (t) => {
  const { name, ifindex } = link(t, 's0')
  const { told, own, links } = hear(t, ifindex)
  const solicitor = new Solicitor({ name, mac: MAC }, (error) => t.fail(error.message))
  const packets = new PacketSocket({ ifindex, mac: MAC, promiscuous: false, ring: false, cooked: false }, {
    begin: () => {}, packet: () => {}, end: () => {}, query: () => {}, failed: (error) => t.fail(error.message),
  })
  solicitor.solicit(TARGET)
  packets.solicit({ source: Address.parse('fe80::1')!, destination: TARGET, target: TARGET, to: OTHER })
  packets.flush()
  sh('ip -6 addr add 2001:db8::2/64 dev s0')
  await settle()
  t.strictSame(told, [], 'neither our probes, nor DAD')
  sh('ip -6 neigh add 2001:db8::6 lladdr 02:00:00:00:00:66 nud probe dev s0')
  ask('2001:db8::6')
  await settle()
  t.strictSame(told, [], 'nor a unicast reachability check')
  ask('2001:db8::7')
  await until(() => told.length > 0)
  await until(() => told.length === 3)
  t.strictSame(told, Array(3).fill(`${ifindex} 2001:db8::7`), 'three times')
  told.length = 0
  links.clear()
  ask('2001:db8::8')
  await settle()
  t.strictSame(told, [], 'of a link that is not wanted any more')
  links.add(ifindex)
  solicitor.close()
  packets.close()
  own.close()
  own.close()
  ask('2001:db8::9')
  await settle()
  t.strictSame(told, [])
})

t.test('two links; a device on top is another link, and what is heard is none of it', async (t) => {
  const [one, two] = [link(t, 's1'), link(t, 's2', '2001:db8:2')]
  sh(`ip link add link s1 name s1m type macvlan mode bridge; ip link set s1m up
      ip -6 addr add 2001:db8:5::1/64 dev s1m nodad
      ip netns add far; ip link set s1p netns far; ip -n far link set s1p up
      ip netns exec far sysctl -qw net.ipv6.conf.s1p.disable_ipv6=0; ip -n far -6 addr add 2001:db8::5/64 dev s1p nodad`)
  t.teardown(() => sh('ip netns del far'))
  const above = indexOf('s1m')
  const { told, links } = hear(t, one.ifindex, two.ifindex)
  sh('ip netns exec far ping -c 1 -W 0.05 2001:db8::99 || true')
  for (const address of ['2001:db8:5::2', '2001:db8::98', '2001:db8:2::97']) ask(address)
  await until(() => told.length > 1)
  t.strictSame(told, [`${one.ifindex} 2001:db8::98`, `${two.ifindex} 2001:db8:2::97`])
  links.clear()
  links.add(above)
  ask('2001:db8:5::3')
  await until(() => told.length > 2)
  t.equal(told[2], `${above} 2001:db8:5::3`)
})

t.test('a group that another process has bound is left to it', async (t) => {
  const { ifindex } = link(t, 's3')
  const url = new URL('../../src/linux/own-solicitations.js', import.meta.url).href
  const child = spawn(process.execPath, ['--input-type=module', '-e', `
    import { OwnSolicitations } from '${url}'
    console.log(new OwnSolicitations(new Set(), () => {}).group)`], { stdio: ['ignore', 'pipe', 'inherit'] })
  const taken = await new Promise((resolve) => child.stdout.once('data', (data: Buffer) => resolve(Number(data))))
  const { told, own } = hear(t, ifindex)
  t.equal(taken, 58135)
  t.equal(own.group, 58136)
  ask('2001:db8::7')
  await until(() => told.length > 0)
  const here = new OwnSolicitations(new Set(), () => {})
  t.equal(here.group, 58137, 'nor does it matter who has it')
  here.close()
  child.kill('SIGKILL')
  await new Promise((resolve) => child.once('exit', resolve))
  const again = new OwnSolicitations(new Set(), () => {})
  t.equal(again.group, 58135, 'free again')
  again.close()
})

t.test('no group is left, or nobody knows of groups', async (t) => {
  for (const [errno, code, requests] of [[1, 'EPERM', 16], [16, 'EBUSY', 16], [22, 'EINVAL', 1]] as const) {
    const kernel = fakeKernel((request) => [acknowledgement(request, errno)])
    t.throws(() => new OwnSolicitations(new Set(), () => {}, kernel.open), { code })
    t.equal(kernel.sent.length, requests)
  }
})
