import t from 'tap'
import { Address } from '../../src/address.ts'
import { hostOrder, MessageWriter } from '../../src/wire/netlink-encode.ts'
import { Attributes, decodeCompletion, messages } from '../../src/wire/netlink.ts'
import { hex } from '../fixtures/fake-kernel.ts'

t.test('messages of a datagram, with padding between them', async (t) => {
  const bytes = hex(`12000000 1000 0200 07000000 ca180000 aabb 0000 10000000 0300 0200 08000000 00000000`)
  t.strictSame([...messages(bytes)].map(({ type, flags, sequence, port, start, end }) => ({ type, flags, sequence, port, start, end })), [
    { type: 16, flags: 2, sequence: 7, port: 0x18ca, start: 16, end: 18 },
    { type: 3, flags: 2, sequence: 8, port: 0, start: 36, end: 36 },
  ])
  t.strictSame([...messages(bytes, 20)].map((m) => m.type), [3], 'from an offset')
  t.strictSame([...messages(bytes, 0, 20)].map((m) => m.type), [16], 'up to an offset')
  t.strictSame([...messages(bytes, 0, 17)], [], 'a message that is not whole')
})

t.test('an invalid length ends the iteration', async (t) => {
  for (const length of ['00000000', '0f000000', '11000000', 'ffffffff']) {
    t.strictSame([...messages(hex(`${length} 1000 0200 07000000 00000000`))], [], length)
  }
})

t.test('attributes', async (t) => {
  const bytes = hex(`
    0800 0100 78563412
    0900 0300 65746830 00 000000
    0c00 1280 0800 0100 76657468
    1400 0700 20010db8 00000000 00000000 00000002
    0600 0900 aabb 0000
    0800 0800 0100`)
  const attributes = new Attributes(bytes, 0, bytes.length)
  t.equal(attributes.u32(1), 0x12345678)
  t.equal(attributes.text(3), 'eth0')
  t.equal(String(attributes.address(7)), '2001:db8::2')
  t.equal(attributes.u32(9), undefined, 'too short for a number')
  t.equal(attributes.mac(3), undefined, 'five bytes')
  t.equal(attributes.find(8), undefined, 'cut off')
  t.equal(attributes.find(99), undefined)
  t.strictSame([...attributes].map((a) => a.type), [1, 3, 18, 7, 9])
})

t.test('completions', async (t) => {
  const sole = (text: string) => decodeCompletion([...messages(hex(text))][0])
  t.strictSame(sole('24000000 0200 0001 07000000 ca180000 00000000 30000000 1a000500 07000000 00000000'),
    { errno: 0, text: undefined }, 'captured: an acknowledgement')
  t.strictSame(sole('24000000 0200 0001 07000000 ca180000 9bffffff 30000000 1a000500 07000000 00000000'),
    { errno: 101, text: undefined }, 'captured: ENETUNREACH')
  t.strictSame(sole(`4c000000 0200 0003 07000000 ca180000 eaffffff 4c000000 18000506 07000000 00000000 2700 0100
    476174657761792063616e206e6f742062652061206c6f63616c206164647265737300 00`),
  { errno: 22, text: 'Gateway can not be a local address' }, 'captured: with the message of the kernel')
  t.strictSame(sole(`34000000 0200 0002 07000000 00000000 eaffffff 14000000 18000506 07000000 00000000 aabbccdd
    0800 0100 6e6f2100 00000000`), { errno: 22, text: 'no!' }, 'the whole request is repeated')
  t.strictSame(sole('14000000 0300 0200 07000000 00000000 fcffffff'), { errno: 4, text: undefined }, 'a failed dump')
  t.strictSame(sole('10000000 0300 0200 07000000 00000000'), { errno: 0, text: undefined }, 'the end of a dump without status')
  t.equal(sole('10000000 0200 0200 07000000 00000000'), undefined, 'an error without a number')
  t.equal(sole('14000000 1000 0200 07000000 00000000 00000000'), undefined, 'another message')
})

t.test('messages, byte by byte', async (t) => {
  const w = new MessageWriter()
  w.message(0x1234, 0x0601, 7, [10, 128, 0xcd, 0xab], [
    [6, hostOrder(16)], [3, 'eth0'], [9, undefined], [18, [[1, Uint8Array.of(0xee)]]], [1, Address.parse('2001:db8::2')!], [2, 0x01020304],
  ])
  w.message(1, 1, 8, [])
  w.acknowledge()
  t.strictSame(Buffer.from(w.bytes).toString('hex'), Buffer.from(hex(`
    50000000 3412 0106 07000000 00000000 0a80cdab
    0800 0600 10000000
    0900 0300 65746830 00 000000
    0c00 1280 0500 0100 ee 000000
    1400 0100 20010db8 00000000 00000000 00000002
    0800 0200 01020304
    10000000 0100 0500 08000000 00000000`)).toString('hex'))
})

t.test('the buffer grows; an attribute is limited to 65535 bytes', async (t) => {
  const w = new MessageWriter()
  const big = new Uint8Array(40_000).fill(7)
  w.message(1, 1, 1, [], [[1, big], [2, big]])
  const [message] = messages(w.bytes)
  t.equal(message.end, 16 + 2 * 40_004)
  t.equal(w.bytes[message.end - 1], 7)
  t.throws(() => w.message(1, 1, 1, [], [[3, [[1, big], [2, big]]]]), RangeError)
})
