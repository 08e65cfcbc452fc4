/** The bytes are captured from a Linux 6.18 kernel; some are cut or changed by hand. */
import t from 'tap'
import { Address, formatMac, type Mac } from '../../src/address.ts'
import {
  decodeNeighbor, decodeStation, dumpNeighbors, dumpProxies, dumpStations, neighborFilter, NUD_FAILED, NUD_PERMANENT, NUD_REACHABLE,
  replaceNeighbor, stateName,
} from '../../src/wire/rtneighbor.ts'
import { hex, sole, written } from '../fixtures/fake-kernel.ts'
import { run } from '../property/bpf.ts'

t.test('neighbors', async (t) => {
  const known = decodeNeighbor(sole(`58000000 1c00 0200 07000000 00000000 0a000000 02000000 8000 00 01
    14000100 20010db8000000000000000000000002 0a000200 525400000002 0000 08000400 00000000
    14000300 00000000 00000000 00000000 00000000`))!
  t.match(known, { ifindex: 2, state: NUD_PERMANENT, proxy: false, router: false })
  t.equal(String(known.address), '2001:db8::2')
  t.equal(formatMac(known.lladdr!), '52:54:00:00:00:02')
  t.match(decodeNeighbor(sole(`58000000 1c00 0000 00000000 982f0000 0a000000 02000000 0200 80 01
    14000100 20010db8000300000000000000000009 0a000200 525400000009 0000 08000400 00000000
    14000300 00000000 00000000 00000000 02000000`)), { ifindex: 2, state: NUD_REACHABLE, router: true, proxy: false })
  t.match(decodeNeighbor(sole(`4c000000 1d00 0000 00000000 00000000 0a000000 02000000 2000 80 01
    14000100 20010db8000300000000000000000009 08000400 00000000 14000300 51000000 51000000 51000000 00000000`)),
  { state: NUD_FAILED, lladdr: undefined, router: true })
  t.match(decodeNeighbor(sole(`30000000 1c00 0200 07000000 00000000 0a000000 03000000 0000 08 01
    14000100 20010db8000000000000000000000009`)), { ifindex: 3, state: 0, proxy: true, lladdr: undefined })
  t.equal(decodeNeighbor(sole('1c000000 1c00 0000 00000000 00000000 0a000000 02000000 0200 00 01')), undefined, 'without an address')
  t.equal(decodeNeighbor(sole('18000000 1c00 0000 00000000 00000000 0a000000 02000000')), undefined, 'cut off')
})

t.test('stations', async (t) => {
  const LEARNED = `4c000000 1c00 0200 01000000 2fa539a2 07000000 05000000 0200 00 00
    0a000200 525400000007 0000 08000900 07000000 08000f00 00000000 14000300 00000000 20000000 20000000 00000000`
  const { mac, ...learned } = decodeStation(sole(LEARNED))!
  t.strictSame(learned, { bridge: 7, port: 5, vlan: 0, own: false })
  t.equal(formatMac(mac), '52:54:00:00:00:07')
  t.equal(decodeNeighbor(sole(LEARNED)), undefined, 'not a neighbor')
  t.match(decodeStation(sole(`54000000 1d00 0000 00000000 00000000 07000000 05000000 0400 00 00
    0a000200 525400000007 0000 08000900 07000000 08000f00 00000000 14000300 00000000 20000000 20000000 00000000
    06000500 6400 0000`)), { vlan: 100, own: false })
  t.match(decodeStation(sole(`4c000000 1c00 0000 00000000 00000000 07000000 07000000 8000 00 00
    0a000200 525400123457 0000 08000900 07000000 08000f00 00000000 14000300 00000000 00000000 00000000 00000000`)),
  { bridge: 7, own: true })
  t.equal(decodeStation(sole('28000000 1c00 0200 01000000 2fa539a2 07000000 03000000 8000 02 00 0a000200 333300000001 0000')),
    undefined, 'of a device, not of a bridge')
  t.equal(decodeStation(sole('24000000 1c00 0000 00000000 00000000 07000000 05000000 0200 00 00 08000900 07000000')), undefined,
    'without an address')
  t.equal(decodeStation(sole(`24000000 1c00 0000 00000000 00000000 0a000000 05000000 0200 00 00 08000900 07000000`)), undefined,
    'of another family')
  t.equal(decodeStation(sole(LEARNED.replace('1c00', '1800'))), undefined, 'another message')
})

t.test('requests', async (t) => {
  t.equal(written((w) => dumpNeighbors(w, 0x6b04133c)), '1c0000001e0001033c13046b000000000a0000000000000000000000')
  t.equal(written((w) => dumpProxies(w, 0x6b04133c)), '1c0000001e0001033c13046b000000000a0000000000000000000800')
  t.equal(written((w) => dumpStations(w, 0x6b04133c)), '1c0000001e0001033c13046b00000000070000000000000000000000')
})

t.test('the filter passes two families, and no groups', async (t) => {
  const passes = (family: string, address = '20010db8000000000000000000000002'): boolean => run(neighborFilter(),
    hex(`30000000 1c00 0000 00000000 00000000 ${family}000000 02000000 0200 00 01 14000100 ${address}`)) > 0
  t.ok(passes('0a'))
  t.notOk(passes('0a', 'ff0200000000000000000001ff000002'))
  t.ok(passes('07'))
  t.notOk(passes('02'), 'ARP')
  t.notOk(passes('00'))
})

t.test('replaces the link-layer address of an entry', async (t) => {
  const repair = { target: new Address(0x20010db8, 0, 0, 2), ifindex: 2, mac: 0x525400000002 as Mac, router: false }
  const request = (flags: string): string => `3c000000 1c00 0101 07000000 00000000 0a000000 02000000 0200 ${flags} 00
    14000100 20010db8000000000000000000000002 0a000200 525400000002 0000`.replace(/\s/g, '')
  t.equal(written((w) => replaceNeighbor(w, 7, repair)), request('00'))
  t.equal(written((w) => replaceNeighbor(w, 7, { ...repair, router: true })), request('80'))
})

t.test('names of states', async (t) => {
  // The NUD_* of linux/neighbour.h.
  const states = [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x00]
  t.same(states.map(stateName), ['INCOMPLETE', 'REACHABLE', 'STALE', 'DELAY', 'PROBE', 'FAILED', 'NOARP', 'PERMANENT', 'NONE'])
})
