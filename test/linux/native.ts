import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readlinkSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { native, type NativeSocket } from '../../src/linux/native.ts'
import { ownNamespace, sh } from '../kit/namespace.ts'
import { until } from '../kit/until.ts'
import { ifindex, makePair, openPacket } from './kit/links.ts'

await ownNamespace()

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

const NONE = new Uint8Array(0)
const turn = () => new Promise((resolve) => setImmediate(resolve))

makePair()
const open = openPacket

/** A pair of datagram sockets: what `b` sends, `a` receives. */
function pair(name: string): [NativeSocket, NativeSocket] {
  return [native.openUnix(name, ''), native.openUnix('', name)]
}

function sockets(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:')
    } catch {
      return false
    }
  }).length
}

/** Messages that wait in a socket, as text. */
function texts(socket: NativeSocket, slot = 16, slots = 8): string[] {
  const slab = Buffer.alloc(slot * slots)
  const meta = new Int32Array(4 * slots)
  return Array.from({ length: socket.receive(slab, slot, meta) }, (_, i) =>
    slab.toString('latin1', i * slot, i * slot + Math.min(slot, meta[4 * i])))
}

t.test('unix datagrams', async (t) => {
  const [a, b] = pair('@batch')
  const words = Buffer.from('one.two.three...')
  t.equal(b.send(words, 8, Int32Array.of(3, 5), 2), 2)
  t.strictSame(texts(a), ['one', 'three'])
  t.throws(() => native.openUnix('@batch', ''), { code: 'EADDRINUSE', syscall: 'bind' })
  t.throws(() => native.openUnix('', '@unbound'), { code: 'ECONNREFUSED', syscall: 'connect' })
  t.throws(() => native.openUnix('/run/ndp6d-none/x', ''), { code: 'ENOENT', errno: -2, syscall: 'bind' })
  t.throws(() => native.openUnix('@'.padEnd(109, 'x'), ''), RangeError)
  let sent = 0
  for (let n = 1; n > 0; sent += n) n = b.send(words, 1, new Int32Array(4).fill(1), 4)
  t.ok(sent > 4, 'then it would block')
  a.close()
  t.throws(() => b.send(words, 1, Int32Array.of(1), 1), { code: 'ECONNREFUSED' })
  b.close()
  const path = '/run/ndp6d-test.socket'
  sh(`rm -f ${path}`)
  const [c, d] = pair(path)
  d.send(words, 3, Int32Array.of(3), 1)
  t.strictSame(texts(c), ['one'])
  c.close()
  d.close()
  sh(`rm ${path}`)
})

t.test('netlink: a request by ifindex, and its refusal', async (t) => {
  const socket = native.openNetlink(0, new Uint32Array(0), NONE, 1 << 20, 1 << 20)
  const request = Buffer.alloc(32)
  request.writeUInt16LE(18, 4)        // RTM_GETLINK
  request.writeUInt16LE(1, 6)
  request.writeUInt32LE(32, 0)
  request.writeUInt32LE(ifindex('v0'), 20)
  socket.send(request, 32, Int32Array.of(32), 1)
  const slab = Buffer.alloc(16384)
  const meta = new Int32Array(4)
  t.equal(socket.receive(slab, slab.length, meta), 1)
  t.equal(slab.readUInt16LE(4), 16)
  t.ok(slab.includes('v0\0'))
  request.writeUInt32LE(9999, 20)
  socket.send(request, 32, Int32Array.of(32), 1)
  t.equal(socket.receive(slab, 8, meta.fill(0)), 1)
  t.ok(meta[0] > 8, 'true length')
  socket.close()
  t.throws(() => native.openNetlink(0, Uint32Array.of(9999), NONE, 0), { code: 'EINVAL', syscall: 'setsockopt' })
})

t.test('level-triggered: readable until it is read; stop; another callback', async (t) => {
  const [a, b] = pair('@level')
  const word = Buffer.from('word')
  let [first, second] = [0, 0]
  a.start(() => first++)
  b.send(word, 4, Int32Array.of(4), 1)
  await until(() => first >= 3)
  a.start(() => second++)
  const before = first
  await until(() => second >= 3)
  t.equal(first, before)
  a.stop()
  a.stop()
  const stopped = second
  await new Promise((resolve) => setTimeout(resolve, 20))
  t.equal(second, stopped)
  t.strictSame(texts(a), ['word'])
  a.start(() => a.close())
  b.send(word, 4, Int32Array.of(4), 1)
  await turn()
  await turn()
  t.throws(() => a.stop(), { code: 'EBADF' }, 'closed inside the callback')
  b.close()
})

t.test('close twice; use after close', async (t) => {
  const before = sockets()
  const socket = open('v0')
  t.equal(sockets(), before + 1)
  socket.start(() => {})
  socket.close()
  t.equal(sockets(), before)
  socket.close()
  const slab = new Uint8Array(8)
  t.throws(() => socket.receive(slab, 8, new Int32Array(4)), { code: 'EBADF', errno: -9, syscall: 'recvmmsg' })
  t.throws(() => socket.send(slab, 8, Int32Array.of(8), 1), { code: 'EBADF', syscall: 'sendmmsg' })
  t.throws(() => socket.start(() => {}), { code: 'EBADF' })
  t.throws(() => socket.drain(() => {}), { code: 'EBADF' })
  t.throws(() => socket.drops(), { code: 'EBADF' })
})

t.test('wrong arguments', async (t) => {
  const before = sockets()
  const socket = open('v0')
  const slab = new Uint8Array(16)
  const any = socket as any
  for (const wrong of [
    () => any.receive(), () => any.receive([], 8, new Int32Array(4)), () => any.receive(slab, '8', new Int32Array(4)),
    () => any.receive(slab, 8, new Uint32Array(4)), () => any.receive(new DataView(slab.buffer), 8, new Int32Array(4)),
    () => any.send(slab, 8, [1], 1), () => any.send(slab, 8, Int32Array.of(1)), () => any.start(), () => any.start({}), () => any.drain(), () => any.drain({}),
    () => any.receive.call({}, slab, 8, new Int32Array(4)), () => new any.constructor().receive(slab, 8, new Int32Array(4)),
    () => new any.constructor().drops(), () => (native as any).openPacket(), () => (native as any).openPacket({ ifindex: 1 }),
    () => open('v0', { filter: 'x' as any }), () => open('v0', { cooked: 1 as any }), () => open('v0', { allMulticast: 1 as any }),
    () => (native as any).openUnix('@x'),
    () => (native as any).openNetlink(0), () => (native as any).openNetlink(0, [1], NONE, 0),
  ]) t.throws(wrong, TypeError, String(wrong))
  for (const wrong of [
    () => socket.receive(slab, 0, new Int32Array(4)), () => socket.receive(slab, 8, new Int32Array(12)),
    () => socket.receive(slab, 1.5, new Int32Array(4)), () => socket.receive(slab, 2 ** 32 + 8, new Int32Array(4)),
    () => socket.send(slab, 8, Int32Array.of(9), 1), () => socket.send(slab, 8, Int32Array.of(-1), 1),
    () => socket.send(slab, 8, Int32Array.of(8), 2), () => socket.send(slab, 8, new Int32Array(3).fill(8), 3),
    () => socket.send(slab, 8, Int32Array.of(8), NaN), () => socket.send(slab, 8, Int32Array.of(8), -1),
    () => open('v0', { ifindex: -1 }), () => open('v0', { protocol: 65536 }), () => open('v0', { filter: new Uint8Array(7) }),
  ]) t.throws(wrong, RangeError, String(wrong))
  structuredClone(slab.buffer, { transfer: [slab.buffer] })
  t.throws(() => socket.receive(slab, 8, new Int32Array(4)), RangeError, 'detached')
  t.throws(() => open('v0', { get filter(): Uint8Array { throw new Error('getter') } }), { message: 'getter' })
  t.throws(() => open('v0', { ifindex: 9999 }), { code: 'ENODEV', errno: -19, message: /ENODEV/ })
  t.throws(() => open('v0', { filter: new Uint8Array(8).fill(255) }), { code: 'EINVAL', syscall: 'setsockopt' })
  socket.close()
  ;(any.constructor as () => void).prototype.close.call(new any.constructor())
  t.equal(sockets(), before, 'no descriptor is left behind')
})

t.test('the garbage collector closes a socket, unless it is started', async (t) => {
  const before = sockets()
  // A function of its own: the variables of an async function are not garbage.
  const litter = (i: number) => {
    open('v0')
    const [a, b] = pair(`@stopped${i}`)
    a.start(() => {})
    a.stop()
    b.close()
  }
  for (let i = 0; i < 20; i++) litter(i)
  let read = 0
  const keep = (name: string) => {
    const [a, b] = pair(name)
    // `this`, so that nothing but the addon keeps the socket.
    a.start(function (this: unknown) {
      const socket = this as NativeSocket
      read += texts(socket).length
      socket.close()
    })
    return b
  }
  const peers = ['@kept1', '@kept2'].map(keep)
  for (let i = 0; i < 5 && sockets() > before + 4; i++) {
    gc()
    await turn()
  }
  t.equal(sockets(), before + 4)
  for (const peer of peers) peer.send(Buffer.from('x'), 1, Int32Array.of(1), 1)
  await until(() => read === 2)
  for (const peer of peers) peer.close()
  t.equal(sockets(), before)
})

/** Opens sockets and leaves them in every state; then `end`. */
const url = new URL('../../src/linux/native.js', import.meta.url).href
const program = (end: string) => `
  import { native } from '${url}'
  const name = '@leaver' + Math.random()
  const a = native.openUnix(name, ''), b = native.openUnix('', name)
  native.openUnix('', name)
  const c = native.openUnix('', name)
  c.start(() => {})
  c.stop()
  const d = native.openUnix('', name)
  d.start(() => {})
  d.close()
  b.send(Buffer.from('x'), 1, Int32Array.of(1), 1)
  a.start(() => { ${end} })`

function run(end: string) {
  return spawnSync(process.execPath, ['--input-type=module', '-e', program(end)], { encoding: 'utf8', timeout: 10_000 })
}

t.test('the end of a process', async (t) => {
  t.match(run('a.close()'), { status: 0, stderr: '' }, 'nothing keeps it alive')
  t.match(run('a.stop()'), { status: 0, stderr: '' }, 'stopped, but open')
  t.match(run('process.exit(7)'), { status: 7, stderr: '' }, 'with open sockets')
  const failed = run('a.close(); throw new Error("from the callback")')
  t.equal(failed.status, 1)
  t.match(failed.stderr, /Error: from the callback/)
  const caught = `process.once('uncaughtException', (e) => { process.exitCode = e.message === 'seen' ? 3 : 4; a.close() })`
  t.match(run(`${caught}; throw new Error('seen')`), { status: 3, stderr: '' })
})

t.test('the end of a worker', async (t) => {
  const before = sockets()
  for (const [end, code] of [
    ['a.close()', 0], ['process.exit(5)', 5], ['a.stop()', 0],
    [`import('node:worker_threads').then((w) => w.parentPort.postMessage(a.stop()))`, 0],
  ] as const) {
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(program(end))}`))
    t.strictSame(await once(worker, 'exit'), [code], end)
  }
  const busy = new Worker(new URL(`data:text/javascript,${encodeURIComponent(
    program(`import('node:worker_threads').then((w) => w.parentPort.postMessage('busy'))`))}`))
  await once(busy, 'message')
  await busy.terminate()
  t.equal(sockets(), before, 'nothing is left behind')
})
