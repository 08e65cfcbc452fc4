import t from 'tap'
import { icmpv6Checksum, onesSum, read16, write16 } from '../../src/wire/bytes.ts'
import { bytes } from '../fixtures/frames.ts'

t.test('16-bit fields are big-endian', async (t) => {
  const slab = new Uint8Array(4)
  write16(slab, 1, 0x1abcd)
  t.same([...slab], [0, 0xab, 0xcd, 0])
  t.equal(read16(slab, 1), 0xabcd)
})

t.test('the sum of RFC 1071 3', async (t) => {
  t.equal(onesSum(bytes('0001 f203 f4f5 f6f7'), 0, 8), 0xddf2)
})

t.test('an odd last byte is the high half of a field', async (t) => {
  t.equal(onesSum(bytes('ff 0102 03 ff'), 1, 4), 0x0402)
  t.equal(onesSum(bytes('ff'), 0, 1), 0xff00)
  t.equal(onesSum(bytes(''), 0, 0), 0)
})

t.test('carries are folded until none is left', async (t) => {
  t.equal(onesSum(bytes('ffff ffff 0001'), 0, 6), 1)
  t.equal(onesSum(bytes('ffff'), 0, 2, 0xffff0000), 0xffff)
  t.equal(onesSum(new Uint8Array(65536).fill(0xff), 0, 65536, 0x7fffffff), 0x7fff, 'the largest sum allowed')
})

t.test('the ICMPv6 checksum of an echo request of the kernel', async (t) => {
  // `ping -6 -c 1 -s 5 ::1`, captured on lo. The message is 13 bytes: odd.
  const packet = bytes(`60047803 000d3a40 00000000000000000000000000000001 00000000000000000000000000000001 80003672 433f0001 0001020304`)
  t.equal(icmpv6Checksum(packet, 0, 13), 0, 'with the field')
  write16(packet, 42, 0)
  t.equal(icmpv6Checksum(packet, 0, 13), 0x3672, 'with field 0')
  t.not(icmpv6Checksum(packet, 0, 12), 0x3672, 'the length counts')
})
