import t from 'tap'
import fc from 'fast-check'
import { Address, type Mac, readMac } from '../../src/address.ts'
import { ndiscFilter } from '../../src/wire/filter.ts'
import { encodeAdvertisement, encodeSolicitation } from '../../src/wire/ndisc-encode.ts'
import { DROP_REASONS, NdiscView } from '../../src/wire/ndisc-decode.ts'
import { FRAMES } from '../fixtures/frames.ts'
import { run } from './bpf.ts'
import { mutations } from './kit/mutation.ts'

const linkHeader = fc.constantFrom(14 as const, 0 as const)
const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
const mac = fc.integer({ min: 0, max: 2 ** 48 - 1 }) as fc.Arbitrary<Mac>
const unicast = fc.tuple(word, word, word, word).map((w) => new Address(...w))
  .filter((a) => !a.isMulticast && !a.isLoopback && !a.isUnspecified)

/** Any byte; bytes with a meaning are more frequent. */
const byte = fc.oneof(fc.nat(255), fc.constantFrom(0, 43, 44, 58, 60, 135, 136, 255))

const frame = fc.oneof(fc.uint8Array({ maxLength: 200 }), mutations(FRAMES, byte))

/** @returns the frame as a socket with this link header receives it */
function received(frame: Uint8Array, linkHeader: 14 | 0): Uint8Array {
  return linkHeader === 14 ? frame : frame.subarray(Math.min(14, frame.length))
}

t.test('decode never throws, and reads only the frame', async () => {
  fc.assert(fc.property(frame, linkHeader, fc.boolean(), fc.nat(40), byte, (frame, linkHeader, partial, at, poison) => {
    const packet = received(frame, linkHeader)
    const decode = (at: number, size: number, fill: number) => {
      const slab = new Uint8Array(size).fill(fill)
      slab.set(packet, at)
      const view = new NdiscView()
      const reason = view.decode(slab, at, packet.length, linkHeader, partial)
      return JSON.stringify([reason, view])
    }
    const alone = decode(0, packet.length, 0)
    const size = at + packet.length + 100
    return decode(at, size, poison) === alone && decode(at, size, ~poison) === alone
  }), { numRuns: 3000 })
})

t.test('a view does not depend on the frame before', async () => {
  fc.assert(fc.property(frame, frame, linkHeader, fc.boolean(), (first, second, linkHeader, partial) => {
    const decode = (view: NdiscView, frame: Uint8Array) => {
      const packet = received(frame, linkHeader)
      return view.decode(packet, 0, packet.length, linkHeader, partial)
    }
    const fresh = new NdiscView()
    const used = new NdiscView()
    decode(used, first)
    return decode(fresh, second) === decode(used, second) && JSON.stringify(fresh) === JSON.stringify(used)
  }), { numRuns: 2000 })
})

t.test('decode returns a drop reason, or undefined for an NS or NA', async () => {
  fc.assert(fc.property(frame, linkHeader, fc.boolean(), (frame, linkHeader, partial) => {
    const packet = received(frame, linkHeader)
    const view = new NdiscView()
    const reason = view.decode(packet, 0, packet.length, linkHeader, partial)
    return reason === undefined ? view.type === 135 || view.type === 136 : DROP_REASONS.includes(reason)
  }))
})

t.test('decode(encode(advertisement)) is the advertisement', async () => {
  fc.assert(fc.property(
    fc.record({
      source: unicast, destination: unicast, target: unicast, to: mac, lladdr: mac,
      router: fc.boolean(), solicited: fc.boolean(), override: fc.boolean(),
    }), linkHeader, fc.nat(40), (m, linkHeader, at) => {
      const { destination: d, target } = m
      const slab = new Uint8Array(at + 86).fill(0xa5)
      const length = encodeAdvertisement(slab, at, {
        ...m, d0: d.w0, d1: d.w1, d2: d.w2, d3: d.w3, t0: target.w0, t1: target.w1, t2: target.w2, t3: target.w3,
      }, m.lladdr, linkHeader)
      const v = new NdiscView()
      return v.decode(slab, at, length, linkHeader, false) === undefined && v.type === 136
        && v.source().equals(m.source) && v.target().equals(target) && new Address(v.d0, v.d1, v.d2, v.d3).equals(d)
        && v.router === m.router && v.solicited === m.solicited && v.override === m.override
        && v.tlla === m.lladdr && v.sourceMac === (linkHeader ? m.lladdr : -1) && (!linkHeader || readMac(slab, at) === m.to)
    }))
})

t.test('decode(encode(solicitation)) is the solicitation', async () => {
  fc.assert(fc.property(
    fc.record({ source: unicast, target: unicast, to: mac }), mac, fc.boolean(), linkHeader, fc.nat(40),
    (m, lladdr, multicast, linkHeader, at) => {
      fc.pre(!m.source.equals(m.target))
      const slab = new Uint8Array(at + 86).fill(0xa5)
      const destination = multicast ? m.target.solicitedNode : m.target
      const length = encodeSolicitation(slab, at, { ...m, destination }, lladdr, linkHeader)
      const v = new NdiscView()
      return v.decode(slab, at, length, linkHeader, false) === undefined && v.type === 135
        && v.source().equals(m.source) && v.target().equals(m.target)
        && new Address(v.d0, v.d1, v.d2, v.d3).equals(destination) && v.unicastToTarget === !multicast && v.tlla === -1
        && v.sourceMac === (linkHeader ? lladdr : -1) && (!linkHeader || readMac(slab, at) === m.to)
        && readMac(slab, at + length - 6) === lladdr
    }))
})

t.test('the filter passes every valid frame', async (t) => {
  let valid = 0
  fc.assert(fc.property(frame, linkHeader, (frame, linkHeader) => {
    const packet = received(frame, linkHeader)
    // With a partial checksum many more frames are valid.
    if (new NdiscView().decode(packet, 0, packet.length, linkHeader, true) !== undefined) return true
    valid++
    return run(ndiscFilter(linkHeader, [135, 136]), packet) !== 0
  }), { numRuns: 5000 })
  t.ok(valid > 100, `${valid} valid frames`)
})
