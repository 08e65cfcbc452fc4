import t from 'tap'
import { Address, parseMac } from '../../src/address.ts'
import { MAX_REPORTED } from '../../src/wire/constants.ts'
import { encodeMulticast, MAX_ENCODED_LISTENER } from '../../src/wire/mld-encode.ts'
import { decodeListenerMessage, type MulticastMessage } from '../../src/wire/mld-decode.ts'
import { bytes } from '../fixtures/frames.ts'

const OURS = parseMac('02:00:00:00:00:ff')!
const SOURCE = Address.parse('fe80::ff')!

/** @returns the hex of a frame to a group. @param to last word of the group; `length`: of the payload */
function frame(to: string, length: string, body: string, source = 'fe8000000000000000000000000000ff'): string {
  return `3333${to} 0200000000ff 86dd 60000000 00${length}0001 ${source}
    ff02${(to.startsWith('ff') ? `01${to}` : to).padStart(28, '0')} 3a00050200000100 ${body}`
}

const GROUP = 'ff0200000000000000000001ff'
const NONE = new Int32Array(0)
const GROUPS = Int32Array.of(0x123456, 2)
const MESSAGES: readonly [name: string, hex: string, message: MulticastMessage][] = [
  ['General Query', frame('00000001', '24', `8200559827100000 ${'0'.repeat(32)} 027d0000`), { kind: 'query', source: SOURCE }],
  ['Multicast Router Advertisement', frame('0000006a', '10', '971469bc00000000'),
    { kind: 'router-advertisement', source: SOURCE, interval: 20 }],
  ['Multicast Router Termination', frame('0000006a', '0c', '990067d4'), { kind: 'router-termination', source: SOURCE }],
  ['change report', frame('00000016', '4c', `8f00376d00000003 04000000 ${GROUP}123456 04000000 ${GROUP}000002 03000000 ${GROUP}ffffff`),
    { kind: 'change', source: SOURCE, joined: GROUPS, left: Int32Array.of(0xffffff) }],
  ['change report from ::', frame('00000016', '24', `8f006f8800000001 04000000 ${GROUP}000002`, '0'.repeat(32)),
    { kind: 'change', source: Address.unspecified, joined: Int32Array.of(2), left: NONE }],
  ['state report', frame('00000016', '38', `8f003d8600000002 02000000 ${GROUP}123456 02000000 ${GROUP}000002`),
    { kind: 'state', source: SOURCE, groups: GROUPS }],
  ['MLDv1 report', frame('ff123456', '20', `8300185300000000 ${GROUP}123456`), { kind: 'report', source: SOURCE, group: 0x123456 }],
  ['MLDv1 done', frame('00000002', '20', `84004abb00000000 ${GROUP}123456`), { kind: 'done', source: SOURCE, group: 0x123456 }],
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
