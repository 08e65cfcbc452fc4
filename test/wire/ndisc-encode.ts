import t from 'tap'
import { Address, type Mac, parseMac } from '../../src/address.ts'
import { encodeAdvertisement, encodeSolicitation, MAX_ENCODED } from '../../src/wire/ndisc-encode.ts'
import { bytes } from '../fixtures/frames.ts'

const TARGET = Address.parse('2001:db8::2')!
const GLOBAL = Address.parse('2001:db8::1')!
const LINK_LOCAL = Address.parse('fe80::1')!
const OUR_LINK_LOCAL = Address.parse('fe80::ff')!
const SOLICITOR = parseMac('02:00:00:00:00:01')!
const OWNER = parseMac('02:00:00:00:00:02')!
const OURS = parseMac('02:00:00:00:00:ff')!
const NO_MAC = -1 as Mac

/** @returns the hex of a frame from our link-local address, up to the target. @param head of the ICMPv6 message */
const frame = (to: string, destination: string, head: string): string =>
  `${to} 0200000000ff 86dd 60000000 00203aff fe8000000000000000000000000000ff ${destination} ${head} 20010db8000000000000000000000002`
const [TO_GLOBAL, TO_LINK_LOCAL, TO_ALL] = ['20010db8', 'fe800000', 'ff020000'].map((start) => `${start}000000000000000000000001`)

const ADVERTISEMENTS = [
  { id: 'to a global solicitor', to: SOLICITOR, destination: GLOBAL, router: true, solicited: true, override: false,
    hex: frame('020000000001', TO_GLOBAL, '880057af c0000000') },
  { id: 'to ff02::1', to: parseMac('33:33:00:00:00:01')!, destination: Address.allNodes, router: true, solicited: false, override: false,
    hex: frame('333300000001', TO_ALL, '8800c665 80000000') },
  { id: 'not a router, to a link-local solicitor', to: SOLICITOR, destination: LINK_LOCAL, router: false, solicited: true, override: false,
    hex: frame('020000000001', TO_LINK_LOCAL, '880006e8 40000000') },
  { id: 'with override', to: SOLICITOR, destination: LINK_LOCAL, router: false, solicited: true, override: true,
    hex: frame('020000000001', TO_LINK_LOCAL, '8800e6e7 60000000') },
  { id: 'to ff02::1 in a unicast frame, without flags', to: SOLICITOR, destination: Address.allNodes,
    router: false, solicited: false, override: false, hex: frame('020000000001', TO_ALL, '88004666 00000000') },
].map((advertisement) => ({ ...advertisement, hex: `${advertisement.hex} 02010200000000ff` }))

function advertisement(a: Omit<(typeof ADVERTISEMENTS)[number], 'id' | 'hex'>) {
  const { w0: d0, w1: d1, w2: d2, w3: d3 } = a.destination
  const { w0: t0, w1: t1, w2: t2, w3: t3 } = TARGET
  return { ...a, source: OUR_LINK_LOCAL, d0, d1, d2, d3, t0, t1, t2, t3 }
}

// The hex is written by hand, with checksums as in test/fixtures/frames.ts.
t.test('advertisements, byte by byte, in a slab with old bytes', async (t) => {
  for (const a of ADVERTISEMENTS) {
    const slab = new Uint8Array(200).fill(0xff)
    const length = encodeAdvertisement(slab, 50, advertisement(a), OURS, 14)
    t.equal(length, MAX_ENCODED)
    t.same(slab.subarray(50, 50 + length), bytes(a.hex), a.id)
    t.ok(slab.subarray(0, 50).every((byte) => byte === 0xff), 'no byte before it')
    t.ok(slab.subarray(50 + length).every((byte) => byte === 0xff), 'no byte after it')

    const cooked = new Uint8Array(86)
    t.equal(encodeAdvertisement(cooked, 3, advertisement(a), OURS, 0), 72)
    t.same(cooked.subarray(3, 75), bytes(a.hex).subarray(14), `${a.id}, cooked`)
  }
})

t.test('without a link-layer address there is no option', async (t) => {
  const slab = new Uint8Array(86)
  const length = encodeAdvertisement(slab, 0, advertisement(ADVERTISEMENTS[0]), NO_MAC, 0)
  t.same(slab.subarray(0, length), bytes(`
    60000000 00183aff fe8000000000000000000000000000ff 20010db8000000000000000000000001
    88005cb7 c0000000 20010db8000000000000000000000002`))
  t.equal(encodeSolicitation(slab, 0, { source: OUR_LINK_LOCAL, destination: TARGET, target: TARGET, to: NO_MAC }, NO_MAC, 0), 64)
})

t.test('solicitations, byte by byte', async (t) => {
  const slab = new Uint8Array(100).fill(0xff)
  const unicast = { source: OUR_LINK_LOCAL, destination: TARGET, target: TARGET, to: OWNER }
  t.equal(encodeSolicitation(slab, 7, unicast, OURS, 14), 86)
  const hex = frame('020000000002', '20010db8000000000000000000000002', '870019af 00000000')
  t.same(slab.subarray(7, 93), bytes(`${hex} 01010200000000ff`))
  const multicast = { ...unicast, destination: TARGET.solicitedNode, to: parseMac('33:33:ff:00:00:02')! }
  t.equal(encodeSolicitation(slab, 7, multicast, OURS, 14), 86)
  const toGroup = frame('3333ff000002', 'ff0200000000000000000001ff000002', '87004963 00000000')
  t.same(slab.subarray(7, 93), bytes(`${toGroup} 01010200000000ff`))
})
