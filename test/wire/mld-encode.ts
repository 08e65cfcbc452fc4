import t from 'tap'
import { Address, parseMac } from '../../src/address.ts'
import { MAX_REPORTED } from '../../src/wire/constants.ts'
import { encodeMulticast, MAX_ENCODED_LISTENER } from '../../src/wire/mld-encode.ts'
import { decodeListenerMessage } from '../../src/wire/mld.ts'
import type { MulticastMessage } from '../../src/wire/mld.ts'
import { bytes } from '../fixtures/frames.ts'

const OURS = parseMac('02:00:00:00:00:ff')!
const SOURCE = Address.parse('fe80::ff')!

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
const UNSPECIFIED = `333300000016 0200000000ff 86dd
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
  ['Multicast Router Advertisement', ADVERTISEMENT, { kind: 'router-advertisement', source: SOURCE, interval: 20 }],
  ['Multicast Router Termination', TERMINATION, { kind: 'router-termination', source: SOURCE }],
  ['change report', CHANGE, { kind: 'change', source: SOURCE, joined: GROUPS, left: Int32Array.of(0xffffff) }],
  ['change report from ::', UNSPECIFIED, { kind: 'change', source: Address.unspecified, joined: Int32Array.of(2), left: NONE }],
  ['state report', STATE, { kind: 'state', source: SOURCE, groups: GROUPS }],
  ['MLDv1 report', REPORT, { kind: 'report', source: SOURCE, group: 0x123456 }],
  ['MLDv1 done', DONE, { kind: 'done', source: SOURCE, group: 0x123456 }],
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

t.test('the longest report fits the minimum MTU', async (t) => {
  const joined = Int32Array.from({ length: MAX_REPORTED }, (_, i) => i)
  const slab = new Uint8Array(MAX_ENCODED_LISTENER)
  const length = encodeMulticast({ kind: 'change', source: SOURCE, joined, left: NONE }, { slab, at: 0, mac: OURS, linkHeader: 14 })
  t.equal(length, MAX_ENCODED_LISTENER)
  t.ok(length - 14 <= 1280 && length - 14 + 20 > 1280)
  t.match(decodeListenerMessage(slab, 0, length, 14, false), { joined: { length: MAX_REPORTED } })
})
