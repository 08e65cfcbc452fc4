import t from 'tap'
import fc from 'fast-check'
import type { Address } from '../../src/address.ts'
import { decodeListenerMessage, type ListenerMessage, MLD_DROP_REASONS, type MldDropReason } from '../../src/wire/mld-decode.ts'
import { bytes } from '../fixtures/frames.ts'
import { LISTENER_FRAMES } from '../fixtures/listener-frames.ts'
import { mutations } from '../property/kit/mutation.ts'

/** Formats a message as in the fixtures. */
function format(message: ListenerMessage | MldDropReason): string {
  if (typeof message === 'string') return message
  switch (message.kind) {
    case 'report': {
      const last = (sign: string) => (group: Address) => `${sign}${`${group}`.replace(/^ff02::1:ff00:(.)$/, '$1')}`
      return [...message.joined.map(last('+')), ...message.left.map(last('-'))].join(' ') || 'nothing'
    }
    case 'query': {
      const groups = message.groups?.map((group) => `${group}`.replace('ff02::1:ff00:', '')).join() ?? 'all'
      return `query ${message.source} v${message.version} ${groups} ${message.delay}${message.toAll ? '' : ' aside'}`
    }
    case 'router-solicitation': return 'solicitation'
  }
}

function decode(frame: Uint8Array, partial = false): string {
  return format(decodeListenerMessage(frame, 0, frame.length, 14, partial))
}

t.test('each fixture: on Ethernet, cooked, and at any offset in a slab', async (t) => {
  for (const { id, hex, expect } of LISTENER_FRAMES) {
    const frame = bytes(hex)
    t.equal(decode(frame), expect, id)
    const slab = new Uint8Array(frame.length + 200).fill(0xff)
    slab.set(frame, 101)
    t.equal(format(decodeListenerMessage(slab, 101, frame.length, 14, false)), expect, `${id}, inside a slab`)
    if (expect === 'not-ipv6') continue
    t.equal(format(decodeListenerMessage(frame.subarray(14), 0, frame.length - 14, 0, false)), expect, `${id}, cooked`)
  }
})

t.test('each drop reason has a fixture, and ids are unique', async (t) => {
  const words = new Set(LISTENER_FRAMES.map(({ expect }) => expect))
  t.same(MLD_DROP_REASONS.filter((reason) => !words.has(reason)), [])
  t.equal(new Set(LISTENER_FRAMES.map(({ id }) => id)).size, LISTENER_FRAMES.length)
})

t.test('a partial checksum is not verified', async (t) => {
  t.equal(decode(bytes(LISTENER_FRAMES.find(({ expect }) => expect === 'checksum')!.hex), true), 'solicitation')
})

t.test('reports captured from Linux', async (t) => {
  // Two addresses were added to a veth link and one removed; captured at the other end.
  const IPV6 = 'fe80000000000000f84baffffedf1077 ff020000000000000000000000000016'
  t.equal(decode(bytes(`333300000016 fa4bafdf1077 86dd 60000000 004c0001 ${IPV6} 3a00050200000100 8f00a3cc00000003
    04000000 ff0200000000000000000001ff000007
    04000000 ff0200000000000000000001ff000009
    04000000 ff0200000000000000000001ffdf1077`)), '+7 +9 +ff02::1:ffdf:1077')
  t.equal(decode(bytes(`333300000016 fa4bafdf1077 86dd 60000000 00240001 ${IPV6} 3a00050200000100 8f00ba5d00000001
    03000000 ff0200000000000000000001ff000009`)), '-9')
})

t.test('decode never throws, and reads only the frame', async () => {
  const byte = fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 5, 58, 130, 131, 132, 143, 152))
  const frame = mutations(LISTENER_FRAMES, byte)
  // With the checksum nearly every changed frame would be dropped there.
  fc.assert(fc.property(frame, fc.nat(40), byte, (frame, at, poison) => {
    const alone = format(decodeListenerMessage(frame, 0, frame.length, 14, true))
    return [poison, ~poison].every((fill) => {
      const slab = new Uint8Array(at + frame.length + 300).fill(fill)
      slab.set(frame, at)
      return format(decodeListenerMessage(slab, at, frame.length, 14, true)) === alone
    })
  }), { numRuns: 3000 })
})
