import t from 'tap'
import { Address, formatMac, parseMac } from '../../src/address.ts'
import type { Mac } from '../../src/address.ts'
import { NEIGHBOR_ADVERTISEMENT, NEIGHBOR_SOLICITATION } from '../../src/wire/constants.ts'
import {
  DROP_REASONS, encodeAdvertisement, encodeSolicitation, MAX_ENCODED, NdiscView, solicitationBody,
} from '../../src/wire/ndisc.ts'
import type { DropReason } from '../../src/wire/ndisc.ts'
import { bytes, FRAMES } from '../fixtures/frames.ts'

const TARGET = Address.parse('2001:db8::2')!
const GLOBAL = Address.parse('2001:db8::1')!
const LINK_LOCAL = Address.parse('fe80::1')!
const OUR_LINK_LOCAL = Address.parse('fe80::ff')!
const ASKER = parseMac('02:00:00:00:00:01')!
const OWNER = parseMac('02:00:00:00:00:02')!
const OURS = parseMac('02:00:00:00:00:ff')!
const NO_MAC = -1 as Mac

function frame(id: string): Uint8Array {
  return bytes(FRAMES.find((fixture) => fixture.id === id)!.hex)
}

function decode(frame: Uint8Array, checksumPartial = false): [DropReason | undefined, NdiscView] {
  const view = new NdiscView()
  view.poison()
  return [view.decode(frame, 0, frame.length, 14, checksumPartial), view]
}

/** The view of a valid frame. */
function view(id: string): NdiscView {
  const [reason, view] = decode(frame(id))
  if (reason !== undefined) throw new Error(`${id}: ${reason}`)
  return view
}

function mac(mac: Mac): string { return mac === -1 ? 'none' : formatMac(mac) }

t.test('every fixture gets its verdict, on Ethernet, cooked, and anywhere in a slab', async (t) => {
  for (const { id, hex, expect, decoder } of FRAMES) {
    const frame = bytes(hex)
    const verdict = decoder ?? expect
    t.equal(decode(frame)[0] ?? 'valid', verdict, id)

    const slab = new Uint8Array(frame.length + 200).fill(0xff)
    slab.set(frame, 101)
    t.equal(new NdiscView().decode(slab, 101, frame.length, 14, false) ?? 'valid', verdict, `${id}, inside a slab`)

    if (frame[12] !== 0x86 || frame[13] !== 0xdd || frame.length <= 14) continue
    const packet = frame.subarray(14)
    t.equal(new NdiscView().decode(packet, 0, packet.length, 0, false) ?? 'valid', verdict, `${id}, cooked`)
  }
})

t.test('every reason of the decoder has a fixture, and every fixture a name of its own', async (t) => {
  t.same(new Set(FRAMES.map(({ expect }) => expect)), new Set([...DROP_REASONS, 'valid']))
  t.equal(new Set(FRAMES.map(({ id }) => id)).size, FRAMES.length)
})

t.test('a solicitation', async (t) => {
  const v = view('NS multicast')
  t.equal(v.type, NEIGHBOR_SOLICITATION)
  t.ok(v.source().equals(GLOBAL))
  t.ok(v.target().equals(TARGET))
  t.ok(new Address(v.d0, v.d1, v.d2, v.d3).equals(TARGET.solicitedNode))
  t.same([v.s0, v.t0, v.t3], [0x20010db8, 0x20010db8, 2])
  t.same([mac(v.sourceMac), mac(v.destinationMac)], ['02:00:00:00:00:01', '33:33:ff:00:00:02'])
  t.same([mac(v.slla), mac(v.tlla)], ['02:00:00:00:00:01', 'none'])
  t.same([v.router, v.solicited, v.override], [false, false, false])
  t.same([v.nonceAt, v.nonceLength], [-1, 0])
  t.same([v.solicitedNode, v.unicastToTarget], [true, false])
})

t.test('a solicitation that Linux sent', async (t) => {
  // ping 2001:db8::9 over a veth pair, captured at the far end.
  const [reason, v] = decode(bytes(`3333ff000009 525400123456 86dd
    60000000 00203aff 20010db8000000000000000000000005 ff0200000000000000000001ff000009
    87009759 00000000 20010db8000000000000000000000009 0101525400123456`))
  t.equal(reason, undefined)
  t.same([`${v.source()}`, `${v.target()}`, mac(v.slla)], ['2001:db8::5', '2001:db8::9', '52:54:00:12:34:56'])
})

t.test('an advertisement', async (t) => {
  const v = view('NA solicited')
  t.equal(v.type, NEIGHBOR_ADVERTISEMENT)
  t.ok(v.target().equals(TARGET))
  t.same([mac(v.slla), mac(v.tlla)], ['none', '02:00:00:00:00:02'])
  t.same([v.router, v.solicited, v.override], [false, true, false])
  const all = view('NA solicited, router, override')
  t.same([all.router, all.solicited, all.override], [true, true, true])
  const unsolicited = view('NA unsolicited to ff02::1')
  t.same([unsolicited.router, unsolicited.solicited, unsolicited.override], [false, false, true])
  t.equal(mac(view('NA with SLLA before TLLA').tlla), '02:00:00:00:00:02')
  t.equal(mac(view('NA with SLLA before TLLA').slla), 'none')
})

t.test('a cooked packet has no MAC but that of its option', async (t) => {
  const packet = frame('NS multicast').subarray(14)
  const v = new NdiscView()
  v.poison()
  t.equal(v.decode(packet, 0, packet.length, 0, false), undefined)
  t.same([v.sourceMac, v.destinationMac, mac(v.slla)], [-1, -1, '02:00:00:00:00:01'])
})

t.test('A2, P6 a partial checksum is not verified, everything else is', async (t) => {
  t.equal(decode(frame('partial checksum'), true)[0], undefined)
  t.equal(decode(frame('hop limit 64'), true)[0], 'hop-limit')
})

t.test('A2 any bit changed in what the checksum covers is noticed', async (t) => {
  const good = frame('NS multicast')
  for (let bit = 8 * 22; bit < 8 * good.length; bit++) {
    const f = good.slice()
    f[bit >> 3] ^= 1 << (bit & 7)
    if (decode(f)[0] === undefined) t.fail(`bit ${bit}`)
  }
})

t.test('A4 every length from 0 to 23', async (t) => {
  for (let length = 0; length < 24; length++) {
    const f = frame('NS multicast')
    f[19] = length
    t.equal(decode(f)[0], 'length', `${length}`)
  }
})

t.test('A9 what an option hides or does not', async (t) => {
  for (const id of ['nonce before SLLA', 'TLLA before SLLA', 'MTU before SLLA', 'type 253 before SLLA']) {
    t.equal(mac(view(id).slla), '02:00:00:00:00:01', id)
  }
  t.equal(mac(view('TLLA before SLLA').tlla), 'none', 'not meant for an NS')
})

t.test('A11 a frame cut anywhere is not valid', async (t) => {
  for (const id of ['NS multicast', 'hop-by-hop', 'atomic fragment', 'NA solicited']) {
    const f = frame(id)
    for (let length = 0; length < f.length; length++) {
      t.not(decode(f.subarray(0, length))[0], undefined, `${id}, ${length} bytes`)
    }
  }
  t.equal(decode(frame('NS multicast').subarray(0, 85))[0], 'truncated')
})

t.test('A13 what the destination is', async (t) => {
  const seen = (id: string) => [view(id).solicitedNode, view(id).unicastToTarget]
  t.same(seen('NS multicast'), [true, false])
  t.same(seen('NS unicast'), [false, true])
  t.same(seen('to ff02::1'), [false, false])
  t.same(seen('to another solicited-node group'), [false, false])
  t.same(seen('to another unicast address'), [false, false])
  for (const word of [0, 1, 2]) t.same(seen(`to an address that differs in word ${word}`), [false, false])
})

t.test('A15 SLLA: length 1 only, the first of several', async (t) => {
  t.equal(mac(view('SLLA of length 2').slla), 'none')
  t.equal(mac(view('SLLA of length 2, then of length 1').slla), '02:00:00:00:00:01')
  t.equal(mac(view('two SLLAs').slla), '02:00:00:00:00:01')
  t.equal(mac(view('NA with TLLA of length 2').tlla), 'none')
  t.equal(mac(view('NS unicast without SLLA').slla), 'none')
})

t.test('H1 the nonce is found where it is', async (t) => {
  const dad = view('DAD with nonce')
  t.same([dad.nonceAt, dad.nonceLength, dad.source().isUnspecified], [80, 6, true])
  const long = view('nonce of 14 bytes after SLLA')
  t.same([long.nonceAt, long.nonceLength], [88, 14])
  t.equal(view('DAD').nonceAt, -1)
})

t.test('after a drop: blank, or the addresses and no options', async (t) => {
  for (const { id, hex, expect, decoder } of FRAMES) {
    const verdict = decoder ?? expect
    if (verdict === 'valid') continue
    const [, v] = decode(bytes(hex))
    const early = DROP_REASONS.indexOf(verdict) <= DROP_REASONS.indexOf('length')
    if (early) t.strictSame({ ...v }, { ...new NdiscView() }, id)
    else t.same([v.type !== 0, v.target().equals(Address.unspecified), v.sourceMac > 0], [true, false, true], id)
    t.same([v.slla, v.tlla, v.nonceAt], [-1, -1, -1], id)
  }
})

t.test('poison leaves nothing of the packet', async (t) => {
  const v = view('nonce of 14 bytes after SLLA')
  const before: Record<string, unknown> = { ...v }
  v.poison()
  for (const [field, value] of Object.entries(v)) {
    if (typeof value === 'number') t.not(value, before[field], field)
  }
})

const ADVERTISEMENTS = [
  {
    id: 'D1 D2 D4 D5 D6 D8 D9: to a global asker', to: ASKER, destination: GLOBAL,
    router: true, solicited: true, override: false,
    hex: `020000000001 0200000000ff 86dd
      60000000 00203aff fe8000000000000000000000000000ff 20010db8000000000000000000000001
      880057af c0000000 20010db8000000000000000000000002 02010200000000ff`,
  },
  {
    id: 'D3 D13: to ff02::1', to: parseMac('33:33:00:00:00:01')!, destination: Address.allNodes,
    router: true, solicited: false, override: false,
    hex: `333300000001 0200000000ff 86dd
      60000000 00203aff fe8000000000000000000000000000ff ff020000000000000000000000000001
      8800c665 80000000 20010db8000000000000000000000002 02010200000000ff`,
  },
  {
    id: 'D5 D7: not a router, link-local asker', to: ASKER, destination: LINK_LOCAL,
    router: false, solicited: true, override: false,
    hex: `020000000001 0200000000ff 86dd
      60000000 00203aff fe8000000000000000000000000000ff fe800000000000000000000000000001
      880006e8 40000000 20010db8000000000000000000000002 02010200000000ff`,
  },
  {
    id: 'D4: override when asked for', to: ASKER, destination: LINK_LOCAL,
    router: false, solicited: true, override: true,
    hex: `020000000001 0200000000ff 86dd
      60000000 00203aff fe8000000000000000000000000000ff fe800000000000000000000000000001
      8800e6e7 60000000 20010db8000000000000000000000002 02010200000000ff`,
  },
  {
    id: 'D14 G5: ff02::1 to one MAC, no flags', to: ASKER, destination: Address.allNodes,
    router: false, solicited: false, override: false,
    hex: `020000000001 0200000000ff 86dd
      60000000 00203aff fe8000000000000000000000000000ff ff020000000000000000000000000001
      88004666 00000000 20010db8000000000000000000000002 02010200000000ff`,
  },
]

function advertisement(a: Omit<(typeof ADVERTISEMENTS)[number], 'id' | 'hex'>) {
  const { w0: d0, w1: d1, w2: d2, w3: d3 } = a.destination
  const { w0: t0, w1: t1, w2: t2, w3: t3 } = TARGET
  return { ...a, source: OUR_LINK_LOCAL, d0, d1, d2, d3, t0, t1, t2, t3 }
}

// The hex is written by hand, with checksums made as test/fixtures/frames.ts says.
t.test('advertisements, byte by byte, in a slab that was used before', async (t) => {
  for (const a of ADVERTISEMENTS) {
    const slab = new Uint8Array(200).fill(0xff)
    const length = encodeAdvertisement(slab, 50, advertisement(a), OURS, 14)
    t.equal(length, MAX_ENCODED)
    t.same(slab.subarray(50, 50 + length), bytes(a.hex), a.id)
    t.ok(slab.subarray(0, 50).every((byte) => byte === 0xff), 'nothing in front')
    t.ok(slab.subarray(50 + length).every((byte) => byte === 0xff), 'nothing behind')

    const cooked = new Uint8Array(86)
    t.equal(encodeAdvertisement(cooked, 3, advertisement(a), OURS, 0), 72)
    t.same(cooked.subarray(3, 75), bytes(a.hex).subarray(14), `${a.id}, cooked`)
  }
})

t.test('D12 an advertisement has no header between IPv6 and ICMPv6', async (t) => {
  const slab = new Uint8Array(86)
  encodeAdvertisement(slab, 0, advertisement(ADVERTISEMENTS[0]), OURS, 14)
  t.equal(slab[20], 58)
  t.equal(slab[54], 136)
})

t.test('without a link-layer address there is no option', async (t) => {
  const slab = new Uint8Array(86)
  const length = encodeAdvertisement(slab, 0, advertisement(ADVERTISEMENTS[0]), NO_MAC, 0)
  t.same(slab.subarray(0, length), bytes(`
    60000000 00183aff fe8000000000000000000000000000ff 20010db8000000000000000000000001
    88005cb7 c0000000 20010db8000000000000000000000002`))
  t.equal(encodeSolicitation(slab, 0, {
    source: OUR_LINK_LOCAL, destination: TARGET, target: TARGET, to: NO_MAC,
  }, NO_MAC, 0), 64)
})

t.test('I1 I2 solicitations, byte by byte', async (t) => {
  const slab = new Uint8Array(100).fill(0xff)
  const unicast = { source: OUR_LINK_LOCAL, destination: TARGET, target: TARGET, to: OWNER }
  t.equal(encodeSolicitation(slab, 7, unicast, OURS, 14), 86)
  t.same(slab.subarray(7, 93), bytes(`020000000002 0200000000ff 86dd
    60000000 00203aff fe8000000000000000000000000000ff 20010db8000000000000000000000002
    870019af 00000000 20010db8000000000000000000000002 01010200000000ff`))
  const multicast = { ...unicast, destination: TARGET.solicitedNode, to: parseMac('33:33:ff:00:00:02')! }
  t.equal(encodeSolicitation(slab, 7, multicast, OURS, 14), 86)
  t.same(slab.subarray(7, 93), bytes(`3333ff000002 0200000000ff 86dd
    60000000 00203aff fe8000000000000000000000000000ff ff0200000000000000000001ff000002
    87004963 00000000 20010db8000000000000000000000002 01010200000000ff`))
})

t.test('I1 the body for a raw socket has its checksum to come', async (t) => {
  t.same(solicitationBody(TARGET, OURS),
    bytes('87000000 00000000 20010db8000000000000000000000002 01010200000000ff'))
  t.same(solicitationBody(TARGET, undefined), bytes('87000000 00000000 20010db8000000000000000000000002'))
})
