import t from 'tap'
import { Address, formatMac, parseMac, readMac } from '../../src/address.ts'
import { Solicitor } from '../../src/linux/solicitor.ts'
import { ndiscFilter } from '../../src/wire/filter.ts'
import { NdiscView } from '../../src/wire/ndisc-decode.ts'
import { ownNamespace, sh } from '../kit/namespace.ts'
import { until } from '../kit/until.ts'
import { codeOf, ifindex, Wire } from './kit/links.ts'

await ownNamespace()

const MAC = parseMac('02:00:00:00:00:01')!
const TARGET = Address.parse('2001:db8::12:3456')!

/** Makes a link whose only address is fe80::1, with another end. */
function link(name: string) {
  sh(`ip link add ${name} address 02:00:00:00:00:01 type veth peer name ${name}p
      ip link set ${name} up; ip link set ${name}p up; ip -6 addr flush dev ${name}; ip -6 addr add fe80::1/64 dev ${name} nodad`)
  return { ifindex: ifindex(name), mac: MAC }
}

/** Packets that arrive at the other end of `name`: type, addresses, MACs of the frame, and the link-layer address option. */
function receive(name: string) {
  const packets: string[] = []
  const wire = new Wire(`${name}p`, { filter: ndiscFilter(14, [135, 136]) })
  const view = new NdiscView()
  wire.socket.start(() => packets.push(...wire.take().map((frame) => view.decode(frame, 0, frame.length, 14, false) ?? [
    view.type, view.source(), new Address(view.d0, view.d1, view.d2, view.d3), view.target(), formatMac(view.sourceMac),
    formatMac(readMac(frame, 0)), frame.length === 78 ? 'none' : formatMac(readMac(frame, 80)),
  ].join(' '))))
  t.teardown(() => wire.close())
  return packets
}

t.test('a valid solicitation, to the solicited-node group, from an address that the kernel chose', async (t) => {
  const failed: Error[] = []
  const solicitor = new Solicitor(link('s0'), (error) => failed.push(error))
  const packets = receive('s0')
  t.equal(solicitor.solicit(TARGET), true)
  await until(() => packets.length === 1)
  t.strictSame(packets.splice(0), [
    '135 fe80::1 ff02::1:ff12:3456 2001:db8::12:3456 02:00:00:00:00:01 33:33:ff:12:34:56 02:00:00:00:00:01'])
  sh('ip -6 addr add 2001:db8::9/64 dev s0 nodad')
  solicitor.mac = undefined
  solicitor.solicit(Address.parse('2001:db8::7')!)
  await until(() => packets.length === 1)
  t.match(packets.splice(0), [/ ff02::1:ff00:7 2001:db8::7 .* none$/])
  solicitor.mac = MAC
  for (let i = 1; i <= 500; i++) solicitor.solicit(new Address(0x20010db8, 0, 0, i))
  await until(() => packets.length === 500)
  t.match(packets[499], / 2001:db8::1f4 /, 'in order')
  t.strictSame(failed, [])
  solicitor.close()
  solicitor.close()
  t.equal(solicitor.solicit(TARGET), false)
  t.strictSame(failed, [])
})

t.test('each of two links has its own', async (t) => {
  const [one, two] = [link('s1'), link('s2')].map((link) => new Solicitor(link, (error) => t.fail(error.message)))
  const [first, second] = [receive('s1'), receive('s2')]
  two.solicit(TARGET)
  await until(() => second.length === 1)
  one.solicit(TARGET)
  await until(() => first.length === 1)
  t.equal(second.length, 1)
  one.close()
  two.close()
})

t.test('a link that is renamed stays the link', async (t) => {
  const solicitor = new Solicitor(link('s6'), (error) => t.fail(error.message))
  const packets = receive('s6')
  sh('ip link set s6 down; ip link set s6 name s7; ip link set s7 up; ip -6 addr add fe80::1/64 dev s7 nodad')
  await until(() => solicitor.solicit(TARGET) && packets.length > 0)
  t.match(packets[0], / 2001:db8::12:3456 /)
  solicitor.close()
})

t.test('it receives nothing', async (t) => {
  const solicitor = new Solicitor(link('s3'), (error) => t.fail(error.message))
  sh('ip -6 addr add fe80::2/64 dev s3p nodad; ip netns add far; ip link set s3p netns far; ' +
    'ip netns exec far sh -c "ip link set s3p up; ip -6 addr add fe80::2/64 dev s3p nodad"; ping -c 2 -i 0.1 fe80::2%s3')
  // raw6: local address:protocol is 3A; the last but four columns are queues.
  const rows = sh('cat /proc/self/net/raw6').split('\n').filter((row) => /:003A /.test(row))
  t.ok(rows.length > 0)
  for (const row of rows) t.match(row, / [0-9A-F]{8}:00000000 /, 'nothing waits to be read')
  solicitor.close()
  sh('ip netns del far')
})

t.test('errors have a code', async (t) => {
  const failed: string[] = []
  t.equal(new Solicitor({ ifindex: 9999, mac: MAC }, (error) => failed.push(codeOf(error))).solicit(TARGET), false)
  t.strictSame(failed.splice(0), ['ENETUNREACH'], 'no such link')
  const solicitor = new Solicitor(link('s4'), (error) => failed.push(codeOf(error)))
  const after = (command: string) => {
    sh(command)
    const isSent = solicitor.solicit(TARGET)
    t.equal(isSent, failed.length === 0)
    return failed.splice(0)
  }
  t.strictSame(after('true'), [])
  t.strictSame(after('ip -6 addr flush dev s4'), ['EADDRNOTAVAIL'])
  t.strictSame(after('ip link set s4 down'), ['ENETUNREACH'])
  t.strictSame(after('ip link set s4 up; ip -6 addr add fe80::1/64 dev s4 nodad'), [])
  t.strictSame(after('ip link del s4'), ['ENETUNREACH'])
  t.strictSame(after('ip link add s4 type veth peer name s4p'), ['ENETUNREACH'], 'another link of that name')
  solicitor.close()
})

t.test('a process with an open one may end', async (t) => {
  const url = new URL('../../src/linux/solicitor.js', import.meta.url).href
  const { ifindex } = link('s5')
  sh(`${process.execPath} --input-type=module -e "
    import { Solicitor } from '${url}'
    new Solicitor({ ifindex: ${ifindex}, mac: undefined }, () => {})"`)
  t.pass()
})
