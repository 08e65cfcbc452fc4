import t from 'tap'
import { Address, formatMac } from '../../src/address.ts'
import { decodeEchoReply, encodeEchoRequest } from '../../src/wire/echo.ts'
import { bytes, ECHO_REPLY } from '../fixtures/frames.ts'

const TAG = { identifier: 0xbeef, cookie: bytes('0123456789abcdef') }

/** Decodes the frame, with and without Ethernet header. */
function decode(hex: string, { tag = TAG, partial = false, cut = 0 } = {}) {
  const slab = new Uint8Array(200).fill(0xee)
  const frame = bytes(hex)
  slab.set(frame, 30)
  return ([14, 0] as const).map((linkHeader) => {
    const skipped = 14 - linkHeader
    const reply = decodeEchoReply(slab, 30 + skipped, frame.length - skipped - cut, linkHeader, partial, tag)
    return reply && `${reply.source} > ${reply.destination} ${reply.mac === undefined ? 'none' : formatMac(reply.mac)}`
  })
}

const NOTHING = [undefined, undefined]
const VALID = ['2001:db8::2 > 2001:db8::ff 02:00:00:00:00:02', '2001:db8::2 > 2001:db8::ff none']

t.test('a request, byte by byte', async (t) => {
  t.same(encodeEchoRequest(Address.parse('2001:db8::ff')!, Address.allNodes, TAG), bytes(`
    60000000 00103aff 20010db80000000000000000000000ff ff020000000000000000000000000001
    8000f4e3 beef0000 0123456789abcdef`))
})

t.test('a reply to it', async (t) => {
  t.strictSame(decode(ECHO_REPLY), VALID)
  t.strictSame(decode(ECHO_REPLY.replace('00103a40', '00103a01')), VALID, 'any hop limit')
  t.strictSame(decode(`${ECHO_REPLY} 000000`), VALID, 'padding of the frame')
})

t.test('other frames', async (t) => {
  t.strictSame(decode(ECHO_REPLY, { tag: { ...TAG, identifier: 0xbeee } }), NOTHING, 'identifier')
  t.strictSame(decode(ECHO_REPLY, { tag: { ...TAG, cookie: bytes('0123456789abcdee') } }), NOTHING, 'cookie, its end')
  t.strictSame(decode(ECHO_REPLY, { tag: { ...TAG, cookie: bytes('1123456789abcdef') } }), NOTHING, 'cookie, its beginning')
  t.strictSame(decode(ECHO_REPLY.replace('8100c52c', '8000c62c')), NOTHING, 'a request')
  t.strictSame(decode(ECHO_REPLY.replace('8100c52c', '8101c52b')), NOTHING, 'code')
  t.strictSame(decode(ECHO_REPLY.replace('c52c', 'c52d')), NOTHING, 'checksum')
  t.strictSame(decode(ECHO_REPLY.replace('c52c', 'c52d'), { partial: true }), VALID, 'partial checksum')
  t.strictSame(decode(ECHO_REPLY.replace('00103a40', '00101140')), NOTHING, 'UDP')
  t.strictSame(decode(ECHO_REPLY.replace('60012345', '40012345')), NOTHING, 'version')
  t.strictSame(decode(`${ECHO_REPLY} 0000`.replace('00103a40', '00123a40').replace('c52c', 'c52a')), NOTHING, 'longer')
  t.strictSame(decode(`${ECHO_REPLY} 0000`.replace('00103a40', '00123a40'), { partial: true }), NOTHING, 'longer, partial checksum')
  t.strictSame(decode(ECHO_REPLY.replace('00103a40', '000e3a40').replace('c52c', '931e')), NOTHING, 'shorter')
  t.strictSame(decode(ECHO_REPLY, { cut: 1 }), NOTHING, 'cut')
  t.strictSame(decode(ECHO_REPLY, { cut: 17 }), NOTHING, 'cut inside the header')
  for (const [source, checksum] of [
    ['00000000000000000000000000000000', 'f2e7'], ['00000000000000000000000000000001', 'f2e6'],
    ['ff020000000000000000000000000001', 'f3e3'],
  ]) {
    const frame = ECHO_REPLY.replace('20010db8000000000000000000000002', source).replace('c52c', checksum)
    t.strictSame(decode(frame), NOTHING, source)
  }
  for (const mac of ['333300000001', '000000000000']) {
    t.strictSame(decode(ECHO_REPLY.replace('020000000002', mac)), [undefined, VALID[1]], `from ${mac}`)
  }
})
