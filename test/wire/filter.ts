import t from 'tap'
import { endianness } from 'node:os'
import { assemble, echoReplyFilter, JUMP_EQUAL, LOAD_BYTE, ndiscFilter, RETURN } from '../../src/wire/filter.ts'
import { bytes, ECHO_REPLY, FRAMES } from '../fixtures/frames.ts'
import { run } from '../property/bpf.ts'

const TYPES = [135, 136]

t.test('each fixture passes or is dropped', async (t) => {
  for (const { id, hex, expect, filtered } of FRAMES) {
    if (expect === 'vlan') continue  // The kernel removes the tag before the filter runs.
    const frame = bytes(hex)
    t.equal(run(ndiscFilter(14, TYPES), frame), filtered ? 0 : 0xffff, id)
    if (expect === 'not-ipv6' || frame.length < 14) continue
    t.equal(run(ndiscFilter(0, TYPES), frame.subarray(14)), filtered ? 0 : 0xffff, `${id}, cooked`)
  }
})

t.test('a frame with a tag is not IPv6', async (t) => {
  t.equal(run(ndiscFilter(14, TYPES), bytes(FRAMES.find(({ expect }) => expect === 'vlan')!.hex)), 0)
})

t.test('a cooked packet must be of version 6', async (t) => {
  const packet = bytes(FRAMES[0].hex).subarray(14)
  packet[0] = 0x6f
  t.equal(run(ndiscFilter(0, TYPES), packet), 0xffff, 'traffic class')
  packet[0] = 0x40
  t.equal(run(ndiscFilter(0, TYPES), packet), 0)
})

t.test('other types, also after a Hop-by-Hop header', async (t) => {
  const frame = (id: string) => bytes(FRAMES.find((fixture) => fixture.id === id)!.hex)
  const filter = ndiscFilter(14, [135, 136, 131, 132, 143, 128])
  t.equal(run(filter, frame('MLDv2 report')), 0xffff)
  t.equal(run(filter, frame('echo request')), 0xffff)
  t.equal(run(filter, frame('NS multicast')), 0xffff)
  t.equal(run(filter, frame('Router Solicitation')), 0)
})

t.test('echo replies with one identifier', async (t) => {
  const passes = (hex: string, identifier = 0xbeef) =>
    [run(echoReplyFilter(14, identifier), bytes(hex)), run(echoReplyFilter(0, identifier), bytes(hex).subarray(14))]
  t.strictSame(passes(ECHO_REPLY), [0xffff, 0xffff])
  t.strictSame(passes(ECHO_REPLY, 0xbeee), [0, 0])
  t.strictSame(passes(ECHO_REPLY.replace('8100c52c', '8000c52c')), [0, 0], 'a request')
  t.strictSame(passes(ECHO_REPLY.replace('8100c52c', '8101c52c')), [0, 0], 'code 1')
  t.strictSame(passes(ECHO_REPLY.replace('00103a40', '00101140')), [0, 0], 'UDP')
  t.strictSame(passes(ECHO_REPLY.replace('86dd', '0800').replace('60012345', '45012345')), [0, 0], 'IPv4')
})

t.test('struct sock_filter in host order', async (t) => {
  const little = endianness() === 'LE'
  t.same(assemble([
    { code: LOAD_BYTE, k: 0x01020304 },
    { code: JUMP_EQUAL, k: 58, equal: 'end' },
    { code: RETURN, k: 0 },
    { label: 'end', code: RETURN, k: 0xffff },
  ]), bytes(little
    ? '3000 00 00 04030201  1500 01 00 3a000000  0600 00 00 00000000  0600 00 00 ffff0000'
    : '0030 00 00 01020304  0015 01 00 0000003a  0006 00 00 00000000  0006 00 00 0000ffff'))
})

t.test('jumps go forward to an existing label', async (t) => {
  t.throws(() => assemble([{ code: JUMP_EQUAL, k: 0, equal: 'nowhere' }]), RangeError)
  t.throws(() => assemble([{ label: 'back', code: JUMP_EQUAL, k: 0, equal: 'back' }]), RangeError)
  const far = Array.from({ length: 256 }, () => ({ code: RETURN, k: 0 }))
  t.throws(() => assemble([{ code: JUMP_EQUAL, k: 0, equal: 'far' }, ...far, { label: 'far', code: RETURN, k: 0 }]), RangeError)
})
