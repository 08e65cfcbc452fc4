/** Messages written by hand, from linux/netfilter/nfnetlink_log.h. */
import t from 'tap'
import { MessageWriter } from '../../src/wire/netlink-encode.ts'
import { messages } from '../../src/wire/netlink.ts'
import { bindGroup, decodePacket } from '../../src/wire/nflog.ts'
import { hex } from '../fixtures/fake-kernel.ts'

t.test('the request that binds a group', async (t) => {
  const w = new MessageWriter()
  bindGroup(w, 7, 58135)
  t.equal(Buffer.from(w.bytes).toString('hex'), Buffer.from(hex(`
    38000000 0104 0500 07000000 00000000 00 00 e317
    0500 0100 01 000000  0a00 0200 00000080 02 00 0000
    0800 0300 00000200  0800 0500 00000001`)).toString('hex'))
})

/** A packet with hardware protocol, prefix, mark, two links and 5 bytes of payload. */
const PACKET = `48000000 0004 0000 00000000 00000000 0a 00 e317
  0800 0100 86dd 03 00  0500 0a00 00 000000  0800 0200 00000001  0800 0400 00000009  0800 0500 00000107
  0900 0900 6000000048 000000`

const decode = (text: string) => {
  const [message] = messages(hex(text))
  const packet = decodePacket(message)
  return packet && [packet.ifindex, Buffer.from(message.bytes.subarray(packet.start, packet.end)).toString('hex')]
}

t.test('a packet and its output link', async (t) => {
  t.strictSame(decode(PACKET), [263, '6000000048'])
  t.equal(decode(PACKET.replace('0004 0000', '0104 0000')), undefined, 'another message')
  t.equal(decode(PACKET.replace('0800 0500', '0800 0600')), undefined, 'no link')
  t.equal(decode(PACKET.replace('0900 0900', '0900 0b00')), undefined, 'no packet')
  t.equal(decode(PACKET.replace('0900 0900', 'ff00 0900')), undefined, 'cut')
  t.equal(decode('14000000 0004 0000 00000000 00000000 0a 00 e317'), undefined, 'no attributes')
})
