/** With the rule of `KernelFilter` in place. */
import t, { type Test } from 'tap'
import { spawn } from 'node:child_process'
import { Address, parseMac, Prefix } from '../../src/address.ts'
import { OwnSolicitations } from '../../src/linux/own-solicitations.ts'
import { PacketSocket } from '../../src/linux/packet-socket.ts'
import { KernelFilter } from '../../src/linux/kernel-filter.ts'
import { IPPROTO_IPV6, IPV6_MULTICAST_IF, openIcmp, sendTo, setOption } from '../../src/linux/raw-icmp.ts'
import { acknowledgement, fakeKernel } from '../fixtures/fake-kernel.ts'
import { bytes } from '../fixtures/frames.ts'
import { ownNamespace, sh } from '../kit/namespace.ts'
import { until } from '../kit/until.ts'
import { ifindex, readPackets } from './kit/links.ts'

await ownNamespace()

const MAC = parseMac('02:00:00:00:00:01')!
const OTHER = parseMac('02:00:00:00:00:77')!
const GROUP = parseMac('33:33:ff:12:34:56')!
const TARGET = Address.parse('2001:db8::12:3456')!

/** `prefix`::/64 is on the link until the test ends; its other end has no IPv6. */
function link(t: Test, name: string, prefix = '2001:db8') {
  t.teardown(() => sh(`ip link del ${name} || true`))
  sh(`ip link add ${name} address 02:00:00:00:00:01 type veth peer name ${name}p; sysctl -qw net.ipv6.conf.${name}p.disable_ipv6=1
      ip link set ${name} up; ip link set ${name}p up; ip -6 addr flush dev ${name}
      ip -6 addr add fe80::1/64 dev ${name} nodad; ip -6 addr add ${prefix}::1/64 dev ${name} nodad`)
  return { name, ifindex: ifindex(name) }
}

function watch(t: Test, ...ifindexes: readonly number[]) {
  const events: string[] = []
  const links = new Set(ifindexes)
  const own = new OwnSolicitations(links, (ifindex, target) => events.push(`${ifindex} ${target}`))
  const filter = new KernelFilter()
  t.equal(filter.apply([], own.group), undefined)
  t.teardown(() => [filter, own].forEach((each) => each.close()))
  return { events, links, own }
}

const ping = (address: string) => sh(`ping -c 1 -W 0.05 ${address} || true`)

/** The kernel shows its packets at once: what was sent is events within a turn or two of the event loop. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 30))

t.test('the kernel\'s, and no others', async (t) => {
  const { ifindex } = link(t, 's0')
  const { events, own, links } = watch(t, ifindex)
  const program = openIcmp((socket) => setOption(socket, IPPROTO_IPV6, IPV6_MULTICAST_IF, ifindex))
  const packets = new PacketSocket({ ifindex, mac: MAC, promiscuous: false, ring: false }, readPackets(() => {}))
  sendTo(program, bytes('87000000 00000000 20010db8000000000000000000123456'), TARGET.solicitedNode)
  for (const [destination, to] of [[TARGET, OTHER], [TARGET.solicitedNode, GROUP]] as const) {
    packets.solicit({ source: Address.parse('fe80::1')!, destination, target: TARGET, to })
  }
  packets.flush()
  sh('ip -6 addr add 2001:db8::2/64 dev s0')
  await settle()
  t.strictSame(events, [], 'neither our probes, nor those of another program, nor DAD')
  sh('ip -6 neigh add 2001:db8::6 lladdr 02:00:00:00:00:66 nud probe dev s0')
  ping('2001:db8::6')
  await settle()
  t.strictSame(events, [], 'nor a unicast reachability check')
  ping('2001:db8::7')
  await until(() => events.length > 0)
  await until(() => events.length === 3)
  t.strictSame(events, Array(3).fill(`${ifindex} 2001:db8::7`), 'three times')
  events.length = 0
  links.clear()
  ping('2001:db8::8')
  await settle()
  t.strictSame(events, [], 'of a link that is not wanted any more')
  links.add(ifindex)
  program.close()
  packets.close()
  own.close()
  own.close()
  ping('2001:db8::9')
  await settle()
  t.strictSame(events, [])
})

t.test('two links; a device on top is another link, and received solicitations do not count', async (t) => {
  const [one, two] = [link(t, 's1'), link(t, 's2', '2001:db8:2')]
  sh(`ip link add link s1 name s1m type macvlan mode bridge; ip link set s1m up
      ip -6 addr add 2001:db8:5::1/64 dev s1m nodad
      ip netns add far; ip link set s1p netns far; ip -n far link set s1p up
      ip netns exec far sysctl -qw net.ipv6.conf.s1p.disable_ipv6=0; ip -n far -6 addr add 2001:db8::5/64 dev s1p nodad`)
  t.teardown(() => sh('ip netns del far'))
  const above = ifindex('s1m')
  const { events, links } = watch(t, one.ifindex, two.ifindex)
  sh('ip netns exec far ping -c 1 -W 0.05 2001:db8::99 || true')
  for (const address of ['2001:db8:5::2', '2001:db8::98', '2001:db8:2::97']) ping(address)
  await until(() => events.length > 1)
  t.strictSame(events, [`${one.ifindex} 2001:db8::98`, `${two.ifindex} 2001:db8:2::97`])
  links.clear()
  links.add(above)
  ping('2001:db8:5::3')
  await until(() => events.length > 2)
  t.equal(events[2], `${above} 2001:db8:5::3`)
})

t.test('packets that leave by a link without link-layer addresses', async (t) => {
  t.teardown(() => sh('ip link del s4'))
  // It has an address, but solicits nothing, and the rule does not look at the address.
  sh('ip link add s4 type veth peer name s4p; ip link set s4 arp off up; ip link set s4p up; ip -6 addr add 2001:db8:4::1/64 dev s4 nodad')
  const link = ifindex('s4')
  const events: string[] = []
  const own = new OwnSolicitations(new Set([link]), (ifindex, target) => events.push(`${ifindex} ${target}`))
  const filter = new KernelFilter()
  t.teardown(() => [filter, own].forEach((each) => each.close()))
  const excluded = [Prefix.parse('2001:db8:4::8000/113')!]
  const filters = [{ ifindex: link, mac: undefined, prefixes: [Prefix.parse('2001:db8:4::/64')!], excluded }]
  t.equal(filter.apply(filters, own.group, new Set([link])), undefined)
  sh('ip -6 route add 2001:db8:5::/64 dev s4')
  for (const address of ['2001:db8:5::1', '2001:db8:4::8001', '2001:db8:4::1', '2001:db8:4::7', '2001:db8:4::8']) ping(address)
  await until(() => events.length > 1)
  await settle()
  t.strictSame(events, [`${link} 2001:db8:4::7`, `${link} 2001:db8:4::8`])
})

t.test('a group that another process has bound is left to it', async (t) => {
  const { ifindex } = link(t, 's3')
  const url = new URL('../../src/linux/own-solicitations.js', import.meta.url).href
  const child = spawn(process.execPath, ['--input-type=module', '-e', `
    import { OwnSolicitations } from '${url}'
    console.log(new OwnSolicitations(new Set(), () => {}).group)`], { stdio: ['ignore', 'pipe', 'inherit'] })
  const taken = await new Promise((resolve) => child.stdout.once('data', (data: Buffer) => resolve(Number(data))))
  const { events, own } = watch(t, ifindex)
  t.equal(taken, 58135)
  t.equal(own.group, 58136)
  ping('2001:db8::7')
  await until(() => events.length > 0)
  const here = new OwnSolicitations(new Set(), () => {})
  t.equal(here.group, 58137, 'nor does it matter who has it')
  here.close()
  child.kill('SIGKILL')
  await new Promise((resolve) => child.once('exit', resolve))
  const again = new OwnSolicitations(new Set(), () => {})
  t.equal(again.group, 58135, 'free again')
  again.close()
})

t.test('no free group, or no groups at all', async (t) => {
  for (const [errno, code, requests] of [[1, 'EPERM', 16], [16, 'EBUSY', 16], [22, 'EINVAL', 1]] as const) {
    const kernel = fakeKernel((request) => [acknowledgement(request, errno)])
    t.throws(() => new OwnSolicitations(new Set(), () => {}, kernel.open), { code })
    t.equal(kernel.sent.length, requests)
  }
})
