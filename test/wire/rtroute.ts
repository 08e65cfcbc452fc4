/** The bytes are captured: messages of a Linux 6.18 kernel, and requests of iproute2. */
import t from 'tap'
import { Address } from '../../src/address.ts'
import type { MessageWriter } from '../../src/wire/netlink-encode.ts'
import { messages } from '../../src/wire/netlink.ts'
import {
  changeRoute, decodeDefaultRoutes, decodeOnLink, decodeRoute, dumpHostRoutes, dumpLinkRoutes, foreignRouteFilter, hostRouteFilter, lookupRoute,
  onLinkFilter, RTN_LOCAL, RTN_UNICAST,
} from '../../src/wire/rtroute.ts'
import { hex, sole, written } from '../fixtures/fake-kernel.ts'
import { run } from '../property/bpf.ts'

const address = (text: string): Address => Address.parse(text)!
const text = (value: Address | undefined): string | undefined => value?.toString()

t.test('routes', async (t) => {
  const show = (message: string) => {
    const decoded = decodeRoute(sole(message))
    return decoded && { ...decoded, destination: text(decoded.destination), gateway: text(decoded.gateway) }
  }
  const ours = { length: 128, ifindex: 2, protocol: 136, metric: 16, table: 254, type: RTN_UNICAST, expired: false }
  t.strictSame(show(`74000000 1800 2200 07000000 00000000 0a800000 fe880001 00000000 08000f00 fe000000
    14000100 20010db8000000000000000000000002 08000600 10000000 08000400 02000000
    24000c00 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 05001400 00 000000`),
  { ...ours, destination: '2001:db8::2', gateway: undefined })
  t.strictSame(show(`88000000 1800 2200 07000000 00000000 0a800000 fe880001 00000000 08000f00 fe000000
    14000100 20010db8000000000000000000000003 08000600 10000000 14000500 fe800000000000000000000000000001
    08000400 02000000 24000c00 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 05001400 00 000000`),
  { ...ours, destination: '2001:db8::3', gateway: 'fe80::1' })
  const expiring = (centiseconds: string) => show(`5c000000 1800 2200 07000000 00000000 0a800000 fe880001 00000000
    14000100 20010db8000000000000000000000002 24000c00 00000000 00000000 ${centiseconds} 00000000 00000000 00000000 00000000 00000000
    08000400 02000000`)?.expired
  t.equal(expiring('01000000'), false, 'in 10 ms')
  t.equal(expiring('ffffffff'), true, '10 ms ago')
  t.match(show(`9c000000 1800 0000 07000000 ca180000 0a808000 ff020002 00000000 08000f00 ff000000
    14000100 20010db800000000000000000000000a 14000200 00000000000000000000000000000000
    14000700 20010db800000000000000000000000a 08000600 00000000 08000400 01000000
    24000c00 02000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 05001400 00 000000`),
  { type: RTN_LOCAL, ifindex: 1, table: 255 }, 'a lookup of an own address')
  t.match(show('1c000000 1800 0000 00000000 00000000 0a000000 fe020001 00000000'), { length: 0, destination: undefined })
  t.equal(show('1c000000 1800 0000 00000000 00000000 02000000 fe020001 00000000'), undefined, 'IPv4')
  t.equal(show('18000000 1800 0000 00000000 00000000 0a000000 fe020001'), undefined, 'cut off')
})

t.test('gateways of default routes', async (t) => {
  const gateways = (header: string, attributes: string): readonly string[] | undefined => {
    const body = hex(`00000000 1800 0006 00000000 00000000 ${header} ${attributes}`)
    body[0] = body.length
    return decodeDefaultRoutes([...messages(body)][0])?.map(({ address, ifindex, protocol }) => `${address} ${ifindex} ${protocol}`)
  }
  const DEFAULT = '0a000000 fe030001 00000000'
  const VIA = '14000500 20010db8000000000000000000000001'
  const OTHER = '14000500 20010db8000000000000000000000009'
  const E3 = '08000400 03000000'
  t.strictSame(gateways(DEFAULT, `08000f00 fe000000 ${VIA} ${E3}`), ['2001:db8::1 3 3'])
  t.strictSame(gateways('0a000000 fe090001 00000000', `${VIA} ${E3}`), ['2001:db8::1 3 9'], 'of a Router Advertisement')
  t.strictSame(gateways('0a000000 58030001 00000000', `${VIA} ${E3}`), ['2001:db8::1 3 3'], 'of another table')
  t.strictSame(gateways(DEFAULT, `3c000900 1c000000 03000000 ${VIA} 1c000001 04000000 ${OTHER}`),
    ['2001:db8::1 3 3', '2001:db8::9 4 3'], 'several next hops')
  t.strictSame(gateways(DEFAULT, `2c000900 0c000000 03000000 00000000 1c000000 04000000 ${OTHER}`), ['undefined 3 3', '2001:db8::9 4 3'], 'one without a gateway')
  t.strictSame(gateways(DEFAULT, `20000900 ff000000 03000000 ${VIA}`), [], 'longer than its attribute')
  t.strictSame(gateways(DEFAULT, `20000900 00000000 03000000 ${VIA}`), [], 'of no length')
  t.strictSame(gateways(DEFAULT, `14000500 fe800000000000000000000000000001 ${E3}`), ['fe80::1 3 3'], 'link-local')
  t.strictSame(gateways(DEFAULT, E3), ['undefined 3 3'], 'a tunnel')
  t.equal(gateways('0a400000 fe030001 00000000', `${VIA} ${E3}`), undefined, 'not ::/0')
  t.equal(gateways('0a000000 fe030007 00000000', E3), undefined, 'unreachable')
  t.equal(gateways('02000000 fe030001 00000000', E3), undefined, 'IPv4')
})

t.test('on-link prefixes', async (t) => {
  const route = (header: string, attributes: string): string | undefined => {
    const body = hex(`00000000 1800 0006 00000000 00000000 ${header} ${attributes}`)
    body[0] = body.length
    const found = decodeOnLink([...messages(body)][0])
    return found && `${found.prefix} ${found.ifindex}`
  }
  const PREFIX = '14000100 20010db8000100000000000000000000'
  const REST = '08000600 00040000 08000400 03000000'
  const FIXED = '0a400000 fe090001 00000000'
  t.equal(route(FIXED, `08000f00 fe000000 ${PREFIX} ${REST}
    24000c00 00000000 00000000 c8000000 00000000 00000000 00000000 00000000 00000000 05001400 00 000000`), '2001:db8:1::/64 3')
  for (const protocol of ['02', '03', '04', '09']) {
    t.equal(route(`0a400000 fe${protocol}0001 00000000`, `${PREFIX} ${REST}`), '2001:db8:1::/64 3', protocol)
  }
  for (const [header, why] of [
    ['0a400000 fe880001 00000000', 'ours'], ['0a400000 fe0b0001 00000000', 'of a routing daemon'],
    ['0a400000 ff020001 00000000', 'of another table'], ['0a400000 fe020002 00000000', 'local'],
    ['0a000000 fe020001 00000000', 'all'], ['0a800000 fe020001 00000000', 'one host'], ['02400000 fe020001 00000000', 'IPv4'],
  ]) t.equal(route(header, `${PREFIX} ${REST}`), undefined, why)
  t.equal(route(FIXED, `08000f00 37000000 ${PREFIX} ${REST}`), undefined, 'a table beyond 255 is in an attribute')
  t.equal(route(FIXED, PREFIX), undefined, 'without a link')
  t.equal(route(FIXED, REST), undefined, 'without a destination')
  t.equal(route('0a400000 fe020001 00000000', `14000100 fe800000000000000000000000000000 ${REST}`), undefined, 'link-local')
  t.equal(route('0a080000 fe020001 00000000', `14000100 ff000000000000000000000000000000 ${REST}`), undefined, 'multicast')
  t.equal(route('0a070000 fe020001 00000000', `14000100 fc000000000000000000000000000000 ${REST}`), 'fc00::/7 3', 'unique local')
  t.equal(route(FIXED, `${PREFIX} 14000500 fe800000000000000000000000000001 ${REST}`), undefined, 'a gateway')
  t.equal(route(FIXED, `${PREFIX} 14000900 10000000 03000000 10000000 04000000 ${REST}`), undefined, 'multipath')
  t.equal(route(FIXED, `${PREFIX} 0a001200 0200 c0000201 0000 ${REST}`), undefined, 'a gateway of another family')
  t.equal(route(FIXED, `${PREFIX} ${REST} 06001500 0500 0000 08001600 00000000`), undefined, 'a tunnel')
})

t.test('requests are those of iproute2', async (t) => {
  const SEQUENCE = 0x6b04133c
  const request = (write: (w: MessageWriter) => void, expected: string): void => {
    const found = written((w) => {
      write(w)
      w.acknowledge()
    })
    t.equal(found, Buffer.from(hex(expected)).toString('hex'))
  }
  request((w) => changeRoute(w, SEQUENCE, 'add', { target: address('2001:db8::2'), ifindex: 2 }), `
      40 00 00 00 18 00 05 06  3c 13 04 6b 00 00 00 00  0a 80 00 00 fe 88 00 01  00 00 00 00 14 00 01 00
      20 01 0d b8 00 00 00 00  00 00 00 00 00 00 00 02  08 00 06 00 10 00 00 00  08 00 04 00 02 00 00 00`)
  request((w) => changeRoute(w, SEQUENCE, 'replace', { target: address('2001:db8::3'), ifindex: 2, via: address('fe80::1') }, 10), `
      5c 00 00 00 18 00 05 01  3c 13 04 6b 00 00 00 00  0a 80 00 00 fe 88 00 01  04 00 00 00 14 00 01 00
      20 01 0d b8 00 00 00 00  00 00 00 00 00 00 00 03  08 00 06 00 10 00 00 00  14 00 05 00 fe 80 00 00
      00 00 00 00 00 00 00 00  00 00 00 01 08 00 17 00  0a 00 00 00 08 00 04 00  02 00 00 00`)
  // The type is unicast here and none in iproute2; the kernel ignores it.
  request((w) => changeRoute(w, SEQUENCE, 'delete', { target: address('2001:db8::2'), ifindex: 2 }), `
      40 00 00 00 19 00 05 00  3c 13 04 6b 00 00 00 00  0a 80 00 00 fe 88 00 01  00 00 00 00 14 00 01 00
      20 01 0d b8 00 00 00 00  00 00 00 00 00 00 00 02  08 00 06 00 10 00 00 00  08 00 04 00 02 00 00 00`)
  request((w) => lookupRoute(w, SEQUENCE, { target: address('2001:db8::2'), from: 0, source: undefined }), `
      30 00 00 00 1a 00 05 00  3c 13 04 6b 00 00 00 00  0a 80 00 00 00 00 00 00  00 00 00 00 14 00 01 00
      20 01 0d b8 00 00 00 00  00 00 00 00 00 00 00 02`)
  // By hand, after struct rtmsg of linux/rtnetlink.h.
  request((w) => lookupRoute(w, SEQUENCE, { target: address('2001:db8::2'), from: 3, source: address('2001:db8::9') }), `
      4c 00 00 00 1a 00 05 00  3c 13 04 6b 00 00 00 00  0a 80 80 00 00 00 00 00  00 00 00 00 14 00 01 00
      20 01 0d b8 00 00 00 00  00 00 00 00 00 00 00 02  14 00 02 00 20 01 0d b8  00 00 00 00 00 00 00 00
      00 00 00 09 08 00 03 00  03 00 00 00`)
  // By hand: the table is in the header; iproute2 uses an attribute.
  request((w) => dumpHostRoutes(w, SEQUENCE), '1c000000 1a00 0503 3c13046b 00000000 0a000000 fe880000 00000000')
  request((w) => dumpLinkRoutes(w, SEQUENCE, 3), '24000000 1a00 0503 3c13046b 00000000 0a000000 fe000001 00000000 08000400 03000000')
})

t.test('the filter of host routes passes protocol 136, changed by other programs', async (t) => {
  const passes = (port: string, protocol: string): boolean => run(hostRouteFilter(0x01020304),
    hex(`1c000000 1800 0006 00000000 ${port} 0a800000 fe${protocol}0001 00000000`)) > 0
  for (const port of ['00000000', '05030201', '01020304']) t.ok(passes(port, '88'), port)
  t.notOk(passes('04030201', '88'), 'changed by ndp6d')
  for (const protocol of ['00', '02', '04', 'ba']) t.notOk(passes('00000000', protocol), protocol)
})

t.test('the filter of on-link prefixes', async (t) => {
  const passes = (length: string, protocol: string, type: string): boolean => run(onLinkFilter(),
    hex(`1c000000 1800 0006 00000000 00000000 0a${length}0000 fe${protocol}00${type} 00000000`)) > 0
  for (const protocol of ['02', '03', '04', '09']) t.ok(passes('40', protocol, '01'), protocol)
  for (const protocol of ['00', '01', '0b', '10', '88', 'ba']) t.notOk(passes('40', protocol, '01'), protocol)
  for (const length of ['01', '40', '7f']) t.ok(passes(length, '02', '01'), length)
  for (const length of ['00', '80']) t.notOk(passes(length, '02', '01'), length)
  for (const type of ['00', '02', '05', '06', '07']) t.notOk(passes('40', '02', type), type)
})

t.test('the filter of routes that may concern prefixes: 32 bits of the destination, and 48 where all prefixes are long enough', async (t) => {
  const passes = (length: string, destination: string, halves?: number[]): boolean => run(foreignRouteFilter([0x20010db8], halves),
    hex(`38000000 1800 0006 00000000 00000000 0a${length}0000 feba0001 00000000 0800 0f00 fe000000 1400 0100 ${destination} 0000000000000000`)) > 0
  for (const halves of [undefined, [0x1111, 0x0007]]) {
    t.ok(passes('30', '20010db8 00070000', halves), 'the same 48 bits')
    t.ok(passes('80', '20010db8 00071234', halves), 'a host')
    t.ok(passes('2f', '20010db8 00060000', halves), 'a short one')
    t.ok(passes('10', '20020000 00000000', halves), 'a very short one')
    t.notOk(passes('40', '20010db9 00070000', halves), 'other 32 bits')
    t.equal(passes('30', '20010db8 00080000', halves), halves === undefined, 'other 48 bits')
  }
})
