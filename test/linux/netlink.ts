import t from 'tap'
import { EventSocket, RequestSocket } from '../../src/linux/netlink.ts'
import { osError } from '../../src/linux/errors.ts'
import type { MessageWriter } from '../../src/wire/netlink-encode.ts'
import type { Message } from '../../src/wire/netlink.ts'
import { acknowledgement, answering, done, fakeKernel, hex, type Reply } from '../fixtures/fake-kernel.ts'

const ROW = hex('14000000 1000 0200 00000000 00000000 01000000')
const MULTI = 0x02
const INTERRUPTED = 0x10

const compose = (count: number) => (w: MessageWriter, first: number): number => {
  for (let i = 0; i < count; i++) w.message(100, 1, first + i, [])
  return count
}
const typeOf = (message: Message): number | undefined => message.type === 16 ? message.type : undefined

t.test('a batch: refusals by index, one acknowledgement', async (t) => {
  const kernel = fakeKernel((request) =>
    request.sequence % 4 === 1 ? [acknowledgement(request, 17)] : request.sequence % 4 === 3 ? [acknowledgement(request)] : [])
  const socket = new RequestSocket(kernel.open, 0)
  for (const round of ['first', 'second']) {
    const failed = socket.request(compose(4))
    t.strictSame([...failed].map(([index, error]) => [index, error.code]), [[1, 'EEXIST']], round)
  }
  t.equal(kernel.sent.length, 2, 'one datagram each')
  t.equal(kernel.sent[0].length, 64)
})

t.test('a batch that is refused as a whole has one acknowledgement, at its first message', async (t) => {
  const socket = new RequestSocket(fakeKernel((request) =>
    request.sequence === 0 ? [acknowledgement(request, 1)] : []).open, 12)
  t.equal(socket.request(compose(3)).get(0)?.code, 'EPERM')
})

t.test('late replies to an earlier request are ignored', async (t) => {
  const kernel = fakeKernel((request) => request.sequence === 0
    ? [osError(105, 'recv'), answering(request, ROW), acknowledgement(request, 22)]
    : [answering(request, ROW), acknowledgement(request)])
  const socket = new RequestSocket(kernel.open, 0)
  t.throws(() => socket.request(compose(1)), { code: 'ENOBUFS' }, 'the reply was lost')
  const seen: number[] = []
  t.equal(socket.request(compose(1), (message) => seen.push(message.sequence)).size, 0)
  t.strictSame(seen, [1])
})

t.test('no reply at all is a loss', async (t) => {
  const socket = new RequestSocket(fakeKernel(() => []).open, 0)
  t.throws(() => socket.request(compose(1)), { code: 'ENOBUFS' })
})

t.test('dump', async (t) => {
  const dump = (answers: (request: Message) => readonly Reply[]): number[] =>
    new RequestSocket(fakeKernel(answers).open, 0).dump((w, sequence) => compose(1)(w, sequence), typeOf)
  t.strictSame(dump((r) => [answering(r, ROW, MULTI), answering(r, ROW, MULTI), done(r)]), [16, 16])
  t.strictSame(dump((r) => [done(r)]), [], 'empty')
  t.throws(() => dump((r) => [acknowledgement(r, 1)]), { code: 'EPERM' })
  t.throws(() => dump((r) => [answering(r, hex('14000000 0300 0200 00000000 00000000 eaffffff'))]), { code: 'EINVAL' })

  let attempts = 0
  t.strictSame(dump((r) => ++attempts < 3
    ? [answering(r, ROW, MULTI | INTERRUPTED), answering(r, ROW, MULTI), done(r)] : [answering(r, ROW, MULTI), done(r)]), [16],
  'again after an interruption')
  t.equal(attempts, 3)
  attempts = 0
  t.strictSame(dump((r) => ++attempts < 2 ? [done(r, MULTI | INTERRUPTED)] : [answering(r, ROW, MULTI), done(r)]), [16],
    'the flag may be on the end only')
  t.throws(() => dump((r) => [answering(r, ROW, MULTI | INTERRUPTED), done(r)]), { code: 'EINTR' }, 'a limited number of attempts')
})

t.test('events', async (t) => {
  const kernel = fakeKernel(() => [])
  const seen: string[] = []
  const socket = new EventSocket(kernel.open, 0, [1, 9], {
    message: (message) => seen.push(String(message.type)),
    settled: () => seen.push('settled'),
    overrun: () => seen.push('overrun'),
  })
  const take = (...events: Reply[]): string[] => {
    kernel.emit(...events)
    return seen.splice(0)
  }
  t.strictSame(take(ROW, ROW), ['16', '16', 'settled'], 'settled once for all waiting messages')
  t.strictSame(take(ROW, osError(105, 'recv'), ROW), ['16', '16', 'overrun'], 'a loss is reported last')
  t.strictSame(take(hex('ffff')), ['settled'], 'not a message')
  t.throws(() => kernel.emit(osError(9, 'recv')), { code: 'EBADF' }, 'other errors are thrown')
  socket.close()

  const closing = fakeKernel(() => [])
  const once = new EventSocket(closing.open, 0, [1], {
    message: () => once.close(),
    settled: () => t.fail('closed'),
    overrun: () => t.fail('closed'),
  })
  closing.emit(ROW, osError(105, 'recv'))
})
