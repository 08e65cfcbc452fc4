/** The bytes are captured from a Linux 6.18 kernel. */
import t from 'tap'
import { readFileSync } from 'node:fs'
import { formatMac } from '../../src/address.ts'
import { decodeAddress, decodeLink, dumpAddresses, dumpLinks } from '../../src/wire/rtnetlink.ts'
import { sole, written } from '../fixtures/fake-kernel.ts'

const fixture = (name: string) => sole(readFileSync(new URL(`../../../test/fixtures/netlink/${name}.hex`, import.meta.url), 'latin1'))

t.test('links', async (t) => {
  const { mac, ...veth } = decodeLink(fixture('link-veth'))!
  t.strictSame(veth, { ifindex: 3, name: 'eth0', up: true, replugged: false, mtu: 1500 })
  t.equal(formatMac(mac!), '52:54:00:12:34:56')
  t.strictSame(decodeLink(fixture('link-lo')), { ifindex: 1, name: 'lo', mac: undefined, up: true, replugged: false, mtu: 65536 })
  const member = '34000000 1000 0000 00000000 00000000 0000 0100 02000000 03100000 000000000900 0300 65746831 00 000000 0800 0a00 04000000'
  t.match(decodeLink(sole(member)), { ifindex: 2, name: 'eth1', up: false, mac: undefined })
  t.equal(decodeLink(sole(`58000000 1100 0000 00000000 00000000 0700 0100 02000000 43100100 00000000
    0900 0300 65746831 00 000000 0800 0a00 04000000 0800 0400 dc050000 0500 1000 06 000000 0a00 0100 525400123457 0000
    0800 0500 03000000`)), undefined,
  'a port that left its bridge is not a link that is gone')
  t.equal(decodeLink(sole('20000000 1000 0000 00000000 00000000 00000100 02000000 43100100 00000000')), undefined, 'without a name')
  t.equal(decodeLink(sole('1c000000 1000 0000 00000000 00000000 00000100 02000000 43100100')), undefined, 'cut off')
})

t.test('a port of a bridge, a bond or a team has a master, a link in a VRF has none', async (t) => {
  const member = (kind: string) => decodeLink(sole(`4c000000 1000 0000 00000000 00000000 0000 0100 02000000 43100100 00000000
    0900 0300 65746831 00 000000 0800 0a00 04000000 1800 1200 0800 0100 76657468 0c00 0400 ${kind}`))!
  t.equal(member('62726964 67650000').master, 4, 'bridge')
  t.equal(member('626f6e64 00000000').master, 4, 'bond')
  t.equal(member('7465616d 00000000').master, 4, 'team')
  t.notOk('master' in member('76726600 00000000'), 'vrf')
  const released = `34000000 1000 0000 00000000 00000000 0000 0100 02000000 43100100 00000000 0900 0300 65746831 00 000000
    0800 0a00 00000000`
  t.notOk('master' in decodeLink(sole(released))!)
})

t.test('up is administratively up, with carrier, and running', async (t) => {
  for (const [flags, up] of [
    ['43100100', true], ['03100000', false], ['03100100', false], ['42100100', false], ['43100000', false],
  ] as const) {
    const message = `2c000000 1000 0000 00000000 00000000 0000 0100 02000000 ${flags} 00000000 0900 0300 6574683100 000000`
    t.equal(decodeLink(sole(message))!.up, up, flags)
  }
})

t.test('NOARP matters on links with Ethernet addresses', async (t) => {
  const noarp = (type: string, flags: string) => decodeLink(sole(`38000000 1000 0000 00000000 00000000 0000 ${type} 02000000 ${flags} 00000000
    0900 0300 6574683100 000000 0a00 0100 525400123457 0000`))!.noarp
  t.equal(noarp('0100', 'c3100100'), true)
  t.equal(noarp('0100', '43100100'), undefined)
  t.equal(noarp('feff', 'c3100100'), undefined, 'a tunnel')
})

t.test('events of a link with another peer', async (t) => {
  for (const [event, replugged] of [['01', false], ['02', false], ['03', true], ['04', true], ['05', true], ['06', false]] as const) {
    const message = `34000000 1000 0000 00000000 00000000 0000 0100 02000000 43100100 00000000
      0900 0300 6574683100 000000 0800 2c00 ${event}000000`
    t.equal(decodeLink(sole(message))!.replugged, replugged, event)
  }
})

t.test('addresses', async (t) => {
  const show = (message: string) => {
    const decoded = decodeAddress(sole(message))
    return decoded && { ...decoded, address: decoded.address.toString() }
  }
  const cacheinfo = '14000600 10270000 204e0000 460e0400 460e0400'
  const lifetimes = { temporary: false, preferred: 10_000, valid: 20_000 }
  t.strictSame(show(`48000000 1400 0200 07000000 00000000 0a40c000 03000000 14000100 20010db8000000000000000000 0000ff
    ${cacheinfo} 08000800c0000000`), { ifindex: 3, address: '2001:db8::ff', prefixLength: 64, tentative: true, ...lifetimes })
  t.strictSame(show(`5c000000 1400 0200 07000000 00000000 0a408200 02000000 14000200 20010db800000000000000000000000a
    14000100 20010db800000000000000000000000b ${cacheinfo} 0800080082000000`),
  { ifindex: 2, address: '2001:db8::a', prefixLength: 128, tentative: false, ...lifetimes }, 'with a peer: IFA_LOCAL is the address')
  const flagged = (flags: string) => show(`34000000 1400 0200 07000000 00000000 0a40${flags.slice(0, 2)}00 03000000
    14000100 fe800000000000000000000000000001 08000800 ${flags}`)?.tentative
  t.equal(flagged('80000000'), false)
  t.equal(flagged('c0000000'), true, 'tentative')
  t.equal(flagged('84000000'), true, 'optimistic')
  t.equal(flagged('88000000'), true, 'dadfailed')
  t.equal(show(`2c000000 1400 0200 07000000 00000000 0a404000 03000000 14000100 fe800000000000000000000000000001`)?.tentative,
    true, 'an old kernel: flags of 8 bits')
  t.match(show(`34000000 1400 0200 07000000 00000000 0a400100 03000000 14000100 20010db8000000000000000000000010 08000800 01000000`),
    { temporary: true }, 'a privacy address')
  t.equal(show('20000000 1400 0200 07000000 00000000 02184000 03000000 08000100 c0000201'), undefined, 'IPv4')
  t.equal(show('18000000 1400 0200 07000000 00000000 0a404000 03000000'), undefined, 'without an address')
})

t.test('requests', async (t) => {
  t.equal(written((w) => dumpLinks(w, 0x6b04133c)), '28000000120001033c13046b000000000000000000000000000000000000000008001d0008000000')
  t.equal(written((w) => dumpAddresses(w, 0x6b04133c)), '18000000160001033c13046b000000000a00000000000000')
})
