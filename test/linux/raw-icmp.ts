import { readFileSync } from 'node:fs'
import t from 'tap'
import { Address } from '../../src/address.ts'
import { IPPROTO_IPV6, IPV6_HDRINCL, IPV6_MULTICAST_IF, openIcmp, sendTo, setOption } from '../../src/linux/raw-icmp.ts'
import { ownNamespace } from '../kit/namespace.ts'

await ownNamespace()

const LOOPBACK = Address.parse('::1')!
/** An echo request to ourselves; the kernel answers, and fills in the checksum. */
const PING = Uint8Array.of(0x80, 0, 0, 0, 0x12, 0x34, 0, 1)

/** Raw IPv6 sockets of this namespace, by how many bytes wait in their receive queues. */
const queues = () => readFileSync('/proc/self/net/raw6', 'utf8').trim().split('\n').slice(1)
  .map((row) => Number.parseInt(/ [0-9A-F]{8}:([0-9A-F]{8}) /.exec(row)![1], 16))

t.test('it sends, and receives nothing', async (t) => {
  const closed = openIcmp(() => {})
  const open = openIcmp((socket) => setOption(socket, 58, 1, Buffer.alloc(32)))
  sendTo(closed, PING, LOOPBACK)
  const [none, both] = queues().sort((a, b) => a - b)
  t.strictSame([none, queues().length], [0, 2])
  t.ok(both > 0, 'request and reply')
  sendTo(closed, Uint8Array.of(1, 2, 3, ...PING, 4, 5).subarray(3, 11), LOOPBACK)
  t.strictSame(queues().sort((a, b) => a - b), [0, 2 * both], 'part of a buffer')
  closed.close()
  open.close()
  t.strictSame(queues(), [])
})

t.test('errors have a code, and leave nothing open', async (t) => {
  t.throws(() => openIcmp((socket) => setOption(socket, IPPROTO_IPV6, IPV6_MULTICAST_IF, 9999)),
    { code: 'ENODEV', errno: -19, syscall: 'setsockopt' })
  t.throws(() => openIcmp((socket) => setOption(socket, 250, 1, 1)), { code: 'ENOPROTOOPT' })
  t.throws(() => openIcmp(() => { throw new Error('ours') }), { message: 'ours' })
  t.strictSame(queues(), [])
  const socket = openIcmp((each) => setOption(each, IPPROTO_IPV6, IPV6_HDRINCL, 1))
  t.throws(() => sendTo(socket, PING, Address.parse('2001:db8::1')!), { code: 'ENETUNREACH', errno: -101, syscall: 'sendto' })
  t.throws(() => sendTo(socket, PING, LOOPBACK), { code: 'EINVAL' }, 'an incomplete IPv6 header')
  socket.close()
})
