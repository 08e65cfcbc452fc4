import t from 'tap'
import type { Test } from 'tap'
import { Address, parseMac } from '../../src/address.ts'
import type { Mac } from '../../src/address.ts'
import { OwnSolicitations } from '../../src/linux/own-solicitations.ts'
import { PacketSocket } from '../../src/linux/packet.ts'
import { Solicitor } from '../../src/linux/solicitor.ts'
import { ownNamespace, sh, until } from '../fixtures/own-namespace.ts'

await ownNamespace()
// Opt-in by each socket; 1, the default, is opt-out.
sh('sysctl -qw net.ipv6.auto_flowlabels=2')

const MAC = parseMac('02:00:00:00:00:01')!
const OTHER = parseMac('02:00:00:00:00:77')!
const TARGET = Address.parse('2001:db8::12:3456')!

/** 2001:db8::/64 is on the link until the test ends; its other end has no IPv6. */
function link(t: Test, name: string) {
  t.teardown(() => sh(`ip link del ${name} || true`))
  sh(`ip link add ${name} address 02:00:00:00:00:01 type veth peer name ${name}p; sysctl -qw net.ipv6.conf.${name}p.disable_ipv6=1
      ip link set ${name} up; ip link set ${name}p up; ip -6 addr flush dev ${name}
      ip -6 addr add fe80::1/64 dev ${name} nodad; ip -6 addr add 2001:db8::1/64 dev ${name} nodad`)
  return { name, ifindex: Number.parseInt(sh(`ip -o link show ${name}`)) }
}

function hear(ifindex: number, mac: Mac | undefined) {
  const told: string[] = []
  const own = new OwnSolicitations({ ifindex, mac }, {
    solicited: (target, source) => told.push(`${target} from ${source}`),
    failed: (error) => told.push((error as { code?: string }).code ?? error.message),
  })
  t.teardown(() => own.close())
  return { told, own }
}

const ask = (address: string) => sh(`ping -c 1 -W 0.05 ${address} || true`)

/** The kernel hands over its frames at once: what was sent is told within a turn or two of the event loop. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 30))

t.test('the kernel\'s, and only those', async (t) => {
  const { name, ifindex } = link(t, 's0')
  const { told, own } = hear(ifindex, MAC)
  const solicitor = new Solicitor({ name, mac: MAC }, (error) => t.fail(error.message))
  const packets = new PacketSocket({ ifindex, mac: MAC, promiscuous: false, ring: false, cooked: false }, {
    begin: () => {}, packet: () => {}, end: () => {}, query: () => {}, failed: (error) => t.fail(error.message),
  })
  t.match(sh('ip -d link show s0'), /allmulti 1/, 'by the other packet socket')
  solicitor.solicit(TARGET)
  packets.solicit({ source: Address.parse('fe80::1')!, destination: TARGET, target: TARGET, to: OTHER })
  packets.flush()
  sh('ip -6 addr add 2001:db8::2/64 dev s0')
  await settle()
  t.strictSame(told, [], 'neither our probes, nor DAD')
  ask('2001:db8::7')
  await until(() => told.length > 0)
  t.match(told[0], /^2001:db8::7 from 2001:db8::[12]$/)
  await until(() => told.length === 3)
  t.equal(new Set(told).size, 1, 'three times')
  told.length = 0
  own.mac = OTHER
  ask('2001:db8::8')
  await settle()
  t.strictSame(told, [], 'of a device on top')
  own.mac = MAC
  solicitor.close()
  packets.close()
  own.close()
  own.close()
  ask('2001:db8::9')
  await settle()
  t.strictSame(told, [])
})

t.test('what is heard, and what a device on top sends, is not', async (t) => {
  const { ifindex } = link(t, 's1')
  const { told } = hear(ifindex, MAC)
  t.match(sh('ip -d link show s1'), /promiscuity 0 .*allmulti 0/)
  sh(`ip netns add far; ip link set s1p netns far; ip -n far link set s1p up
      ip netns exec far sysctl -qw net.ipv6.conf.s1p.disable_ipv6=0; ip -n far -6 addr add 2001:db8::5/64 dev s1p nodad
      ip netns exec far ping -c 1 -W 0.05 2001:db8::99 || true
      ip link add link s1 name s1m type macvlan mode bridge; ip link set s1m up
      ip -6 addr add 2001:db8:5::1/64 dev s1m nodad; ping -c 1 -W 0.05 2001:db8:5::2 || true`)
  ask('2001:db8::98')
  await until(() => told.length > 0)
  t.match(told, [/^2001:db8::98 from /])
  sh('ip netns del far')
})

t.test('without Ethernet header', async (t) => {
  const { ifindex } = link(t, 's2')
  const { told } = hear(ifindex, undefined)
  ask('2001:db8::7')
  await until(() => told.length > 0)
  t.match(told[0], /^2001:db8::7 from 2001:db8::1$/)
})

t.test('a link that goes', async (t) => {
  const { ifindex } = link(t, 's3')
  const { told } = hear(ifindex, MAC)
  sh('ip link set s3 down')
  await until(() => told.length > 0)
  t.strictSame(told, ['ENETDOWN'])
  sh('ip link del s3')
  t.throws(() => hear(ifindex, MAC), { code: 'ENODEV' })
})
