import t from 'tap'
import { Address, formatMac, type Mac } from '../../src/address.ts'
import { NEIGHBOR_ADVERTISEMENT, NEIGHBOR_SOLICITATION } from '../../src/wire/constants.ts'
import { DROP_REASONS, type DropReason, NdiscView } from '../../src/wire/ndisc-decode.ts'
import { bytes, FRAMES } from '../fixtures/frames.ts'

const TARGET = Address.parse('2001:db8::2')!
const GLOBAL = Address.parse('2001:db8::1')!
const NO_MAC = -1 as Mac

function frame(name: string): Uint8Array { return bytes(FRAMES.find(({ id }) => id.replace(/^[A-Z]\d+ /, '') === name)!.hex) }

function decode(frame: Uint8Array, checksumPartial = false): [DropReason | undefined, NdiscView] {
  const view = new NdiscView()
  view.poison()
  return [view.decode(frame, 0, frame.length, 14, checksumPartial), view]
}

/** Decodes a valid frame. */
function view(id: string): NdiscView {
  const [reason, view] = decode(frame(id))
  if (reason !== undefined) throw new Error(`${id}: ${reason}`)
  return view
}

function mac(mac: Mac): string { return mac === -1 ? 'none' : formatMac(mac) }

t.test('each fixture has its drop reason: on Ethernet, cooked, and at any offset in a slab', async (t) => {
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

t.test('each drop reason has a fixture, and ids are unique', async (t) => {
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
  t.same([mac(v.sourceMac), mac(v.tlla)], ['02:00:00:00:00:01', 'none'])
  t.same([v.router, v.solicited, v.override], [false, false, false])
  t.equal(v.unicastToTarget, false)
  t.equal(mac(view('TLLA before SLLA').tlla), 'none', 'a TLLA option of an NS does not count (RFC 4861 4.3)')
})

t.test('a solicitation captured from Linux', async (t) => {
  // ping 2001:db8::9 over a veth pair, captured at the other end.
  const [reason, v] = decode(bytes(`3333ff000009 525400123456 86dd
    60000000 00203aff 20010db8000000000000000000000005 ff0200000000000000000001ff000009
    87009759 00000000 20010db8000000000000000000000009 0101525400123456`))
  t.equal(reason, undefined)
  t.same([`${v.source()}`, `${v.target()}`, mac(v.sourceMac)], ['2001:db8::5', '2001:db8::9', '52:54:00:12:34:56'])
})

t.test('an advertisement', async (t) => {
  const v = view('NA solicited')
  t.equal(v.type, NEIGHBOR_ADVERTISEMENT)
  t.ok(v.target().equals(TARGET))
  t.equal(mac(v.tlla), '02:00:00:00:00:02')
  t.same([v.router, v.solicited, v.override], [false, true, false])
  const all = view('NA solicited, router, override')
  t.same([all.router, all.solicited, all.override], [true, true, true])
  const unsolicited = view('NA unsolicited to ff02::1')
  t.same([unsolicited.router, unsolicited.solicited, unsolicited.override], [false, false, true])
  t.equal(mac(view('NA with SLLA before TLLA').tlla), '02:00:00:00:00:02')
})

t.test('a partial checksum is not verified, the other fields are', async (t) => {
  t.equal(decode(frame('partial checksum'), true)[0], undefined)
  t.equal(decode(frame('hop limit 64'), true)[0], 'hop-limit')
})

t.test('each changed bit under the checksum makes the frame invalid', async (t) => {
  const good = frame('NS multicast')
  for (let bit = 8 * 22; bit < 8 * good.length; bit++) {
    const f = good.slice()
    f[bit >> 3] ^= 1 << (bit & 7)
    if (decode(f)[0] === undefined) t.fail(`bit ${bit}`)
  }
})

t.test('every length from 0 to 23', async (t) => {
  for (let length = 0; length < 24; length++) {
    const f = frame('NS multicast')
    f[19] = length
    t.equal(decode(f)[0], 'length', `${length}`)
  }
})

t.test('a frame cut at any byte is not valid', async (t) => {
  for (const id of ['NS multicast', 'hop-by-hop', 'atomic fragment', 'NA solicited']) {
    const f = frame(id)
    for (let length = 0; length < f.length; length++) t.not(decode(f.subarray(0, length))[0], undefined, `${id}, ${length} bytes`)
  }
  t.equal(decode(frame('NS multicast').subarray(0, 85))[0], 'truncated')
})

t.test('a destination that is the target itself', async (t) => {
  t.equal(view('NS unicast').unicastToTarget, true)
  const others = ['NS multicast', 'to ff02::1', 'to another solicited-node group', 'to another unicast address',
    ...[0, 1, 2].map((word) => `to an address that differs in word ${word}`)]
  for (const id of others) t.equal(view(id).unicastToTarget, false, id)
})

t.test('TLLA: length 1 only, the first of several', async (t) => {
  t.equal(mac(view('NA with TLLA of length 2').tlla), 'none')
  const two = frame('NA with SLLA before TLLA')
  two[78] = 2
  t.equal(mac(decode(two, true)[1].tlla), '02:00:00:00:00:bb')
})

t.test('after a drop: blank, or the addresses and no options', async (t) => {
  for (const { id, hex, expect, decoder } of FRAMES) {
    const verdict = decoder ?? expect
    if (verdict === 'valid') continue
    const [, v] = decode(bytes(hex))
    const early = DROP_REASONS.indexOf(verdict) <= DROP_REASONS.indexOf('length')
    if (early) t.strictSame({ ...v }, { ...new NdiscView(), drop: verdict, wrongAt: v.wrongAt }, id)
    else t.same([v.type !== 0, v.target().equals(Address.unspecified), v.sourceMac > 0], [true, false, true], id)
    t.equal(v.tlla, NO_MAC, id)
  }
})

t.test('the byte that is wrong', async (t) => {
  // Counted by hand in the frames: 14 bytes of Ethernet, 40 of IPv6, 24 of the message, then options.
  const wrong: Readonly<Record<string, number>> = {
    'hop limit 64': 21, 'NA hop limit 254': 21, 'one bit of the checksum': 56, 'NA checksum': 56, 'code 255': 55, 'length 8': 18,
    'target ff02::1': 62, 'NA target ff02::1': 62, 'source ff02::1': 22, 'source is the target': 22,
    'zero length first': 79, 'zero length in the middle': 87, 'zero length last': 87, 'past the end': 79, 'one byte left': 87,
    'NA option past the end': 79, 'DAD to ff02::1': 38, 'DAD with SLLA': 78, 'DAD with SLLA, then a broken option': 87,
    'atomic fragment': 20, 'fragment behind hop-by-hop': 54, 'fragment in front of hop-by-hop': 20,
    'hop-by-hop': 20, 'hop-by-hop and destination options': 20, 'NA to ff02::1 with S': 58,
    'payload past the frame': 86, 'cut in the target': 70, 'cut in the Ethernet header': 12, 'hop-by-hop past the frame': 94,
    'IPv4 ethertype': 12, 'version 4': 14, 'VLAN tag 5': 12, 'echo request': 54, 'UDP': 20, 'MLDv2 report': 62,
  }
  for (const [id, at] of Object.entries(wrong)) t.equal(decode(frame(id))[1].wrongAt, at, id)
  t.equal(decode(frame('NS multicast'))[1].wrongAt, -1, 'a valid frame')
  const padded = new Uint8Array(300)
  padded.set(frame('hop limit 64'), 101)
  const v = new NdiscView()
  v.decode(padded, 101, 86, 14, false)
  t.equal(v.wrongAt, 21, 'inside a slab')
  v.decode(padded, 115, 72, 0, false)
  t.equal(v.wrongAt, 7, 'without link header')
})

t.test('poison overwrites all fields', async (t) => {
  const v = view('NA solicited')
  const before: Record<string, unknown> = { ...v }
  v.poison()
  for (const [field, value] of Object.entries(v)) {
    if (typeof value === 'number') t.not(value, before[field], field)
  }
})
