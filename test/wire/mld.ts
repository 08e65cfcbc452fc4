import t from 'tap'
import fc from 'fast-check'
import { Address, parseMac } from '../../src/address.ts'
import {
  decodeListenerMessage, encodeMulticast, MAX_ENCODED_LISTENER, MLD_DROP_REASONS,
} from '../../src/wire/mld.ts'
import type { ListenerMessage, MldDropReason, MulticastMessage } from '../../src/wire/mld.ts'
import { MAX_REPORTED } from '../../src/wire/constants.ts'
import { bytes } from '../fixtures/frames.ts'
import { LISTENER_FRAMES } from '../fixtures/listener-frames.ts'

const OURS = parseMac('02:00:00:00:00:ff')!
const SOURCE = Address.parse('fe80::ff')!

/** As in the fixtures. */
function said(message: ListenerMessage | MldDropReason): string {
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
  return said(decodeListenerMessage(frame, 0, frame.length, 14, partial))
}

t.test('every fixture, on Ethernet, cooked, and anywhere in a slab', async (t) => {
  for (const { id, hex, expect } of LISTENER_FRAMES) {
    const frame = bytes(hex)
    t.equal(decode(frame), expect, id)
    const slab = new Uint8Array(frame.length + 200).fill(0xff)
    slab.set(frame, 101)
    t.equal(said(decodeListenerMessage(slab, 101, frame.length, 14, false)), expect, `${id}, inside a slab`)
    if (expect === 'not-ipv6') continue
    t.equal(said(decodeListenerMessage(frame.subarray(14), 0, frame.length - 14, 0, false)), expect, `${id}, cooked`)
  }
})

t.test('every reason has a fixture, and every fixture a name of its own', async (t) => {
  const words = new Set(LISTENER_FRAMES.map(({ expect }) => expect))
  t.same(MLD_DROP_REASONS.filter((reason) => !words.has(reason)), [])
  t.equal(new Set(LISTENER_FRAMES.map(({ id }) => id)).size, LISTENER_FRAMES.length)
})

t.test('a checksum that was left to hardware is not verified', async (t) => {
  t.equal(decode(bytes(LISTENER_FRAMES.find(({ expect }) => expect === 'checksum')!.hex), true), 'solicitation')
})

t.test('reports that Linux sent', async (t) => {
  // Two addresses were added to a veth link and one removed; captured at the far end.
  const IPV6 = 'fe80000000000000f84baffffedf1077 ff020000000000000000000000000016'
  t.equal(decode(bytes(`333300000016 fa4bafdf1077 86dd 60000000 004c0001 ${IPV6} 3a00050200000100 8f00a3cc00000003
    04000000 ff0200000000000000000001ff000007
    04000000 ff0200000000000000000001ff000009
    04000000 ff0200000000000000000001ffdf1077`)), '+7 +9 +ff02::1:ffdf:1077')
  t.equal(decode(bytes(`333300000016 fa4bafdf1077 86dd 60000000 00240001 ${IPV6} 3a00050200000100 8f00ba5d00000001
    03000000 ff0200000000000000000001ff000009`)), '-9')
})

t.test('never throws, and reads nothing outside of its range', async () => {
  const byte = fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 5, 58, 130, 131, 132, 143, 152))
  const frame = fc.record({
    from: fc.constantFrom(...LISTENER_FRAMES.map(({ hex }) => bytes(hex))),
    changes: fc.array(fc.tuple(fc.nat(120), byte), { maxLength: 3 }),
    length: fc.option(fc.nat(140)),
  }).map(({ from, changes, length }) => {
    const frame = new Uint8Array(length ?? from.length)
    frame.set(from.subarray(0, frame.length))
    for (const [at, byte] of changes) if (at < frame.length) frame[at] = byte
    return frame
  })
  // Without checksum, or nearly every change would stop there.
  fc.assert(fc.property(frame, fc.nat(40), byte, (frame, at, poison) => {
    const alone = said(decodeListenerMessage(frame, 0, frame.length, 14, true))
    return [poison, ~poison].every((fill) => {
      const slab = new Uint8Array(at + frame.length + 300).fill(fill)
      slab.set(frame, at)
      return said(decodeListenerMessage(slab, at, frame.length, 14, true)) === alone
    })
  }), { numRuns: 3000 })
})

const QUERY = `333300000001 0200000000ff 86dd
  60000000 00240001 fe8000000000000000000000000000ff ff020000000000000000000000000001
  3a00050200000100 8200559827100000 00000000000000000000000000000000 027d0000`
const ADVERTISEMENT = `33330000006a 0200000000ff 86dd
  60000000 00100001 fe8000000000000000000000000000ff ff02000000000000000000000000006a
  3a00050200000100 971469bc00000000`
const TERMINATION = `33330000006a 0200000000ff 86dd
  60000000 000c0001 fe8000000000000000000000000000ff ff02000000000000000000000000006a
  3a00050200000100 990067d4`
const CHANGE = `333300000016 0200000000ff 86dd
  60000000 004c0001 fe8000000000000000000000000000ff ff020000000000000000000000000016
  3a00050200000100 8f00376d00000003
  04000000 ff0200000000000000000001ff123456
  04000000 ff0200000000000000000001ff000002
  03000000 ff0200000000000000000001ffffffff`
const NAMELESS = `333300000016 0200000000ff 86dd
  60000000 00240001 00000000000000000000000000000000 ff020000000000000000000000000016
  3a00050200000100 8f006f8800000001
  04000000 ff0200000000000000000001ff000002`
const STATE = `333300000016 0200000000ff 86dd
  60000000 00380001 fe8000000000000000000000000000ff ff020000000000000000000000000016
  3a00050200000100 8f003d8600000002
  02000000 ff0200000000000000000001ff123456
  02000000 ff0200000000000000000001ff000002`
const REPORT = `3333ff123456 0200000000ff 86dd
  60000000 00200001 fe8000000000000000000000000000ff ff0200000000000000000001ff123456
  3a00050200000100 8300185300000000
  ff0200000000000000000001ff123456`
const DONE = `333300000002 0200000000ff 86dd
  60000000 00200001 fe8000000000000000000000000000ff ff020000000000000000000000000002
  3a00050200000100 84004abb00000000
  ff0200000000000000000001ff123456`

const NONE = new Int32Array(0)
const GROUPS = Int32Array.of(0x123456, 2)
const MESSAGES: readonly [name: string, hex: string, message: MulticastMessage][] = [
  ['General Query', QUERY, { kind: 'query', source: SOURCE }],
  ['J8, J11, J12 advertisement', ADVERTISEMENT, { kind: 'router-advertisement', source: SOURCE, interval: 20 }],
  ['termination', TERMINATION, { kind: 'router-termination', source: SOURCE }],
  ['J3 groups that changed', CHANGE, { kind: 'change', source: SOURCE, joined: GROUPS, left: Int32Array.of(0xffffff) }],
  ['J4 without an address', NAMELESS, { kind: 'change', source: Address.unspecified, joined: Int32Array.of(2), left: NONE }],
  ['an answer', STATE, { kind: 'state', source: SOURCE, groups: GROUPS }],
  ['a report of version 1', REPORT, { kind: 'report', source: SOURCE, group: 0x123456 }],
  ['its end', DONE, { kind: 'done', source: SOURCE, group: 0x123456 }],
]

for (const [name, hex, message] of MESSAGES) {
  t.test(`encoded: ${name}`, async (t) => {
    for (const linkHeader of [14, 0] as const) {
      const expected = bytes(hex).subarray(14 - linkHeader)
      const slab = new Uint8Array(5 + MAX_ENCODED_LISTENER).fill(0xa5)
      t.equal(encodeMulticast(message, { slab, at: 5, mac: OURS, linkHeader }), expected.length)
      t.same(slab.subarray(5, 5 + expected.length), expected)
      t.same(slab.subarray(0, 5), new Uint8Array(5).fill(0xa5))
      t.same(slab.subarray(5 + expected.length), new Uint8Array(slab.length - 5 - expected.length).fill(0xa5))
    }
  })
}

t.test('the longest report has room, and fits the least MTU', async (t) => {
  const joined = Int32Array.from({ length: MAX_REPORTED }, (_, i) => i)
  const slab = new Uint8Array(MAX_ENCODED_LISTENER)
  const length = encodeMulticast({ kind: 'change', source: SOURCE, joined, left: NONE }, { slab, at: 0, mac: OURS, linkHeader: 14 })
  t.equal(length, MAX_ENCODED_LISTENER)
  t.ok(length - 14 <= 1280 && length - 14 + 20 > 1280)
  t.match(decodeListenerMessage(slab, 0, length, 14, false), { joined: { length: MAX_REPORTED } })
})
