import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readlinkSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { native } from '../../src/linux/native.ts'
import type { NativeSocket, PacketOptions } from '../../src/linux/native.ts'
import { ndiscFilter } from '../../src/wire/filter.ts'
import { bytes, FRAMES } from '../fixtures/frames.ts'
import { ownNamespace, sh, veth } from '../kit/namespace.ts'
import { until } from '../kit/until.ts'

await ownNamespace()

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

const NONE = new Uint8Array(0)
const turn = () => new Promise((resolve) => setImmediate(resolve))
const frame = (id: string) => bytes(FRAMES.find((fixture) => fixture.id === id)!.hex)

/** Each receives what the other sends; nobody else speaks. */
veth('v0 address 02:00:00:00:00:ff', 'v1 address 02:00:00:00:00:01', 'v0', 'v1')
const ifindex = (name: string) => Number.parseInt(sh(`ip -o link show ${name}`))

function open(name: string, options: Partial<PacketOptions> = {}): NativeSocket {
  return native.openPacket({
    ifindex: ifindex(name), protocol: 0x86dd, filter: ndiscFilter(options.cooked ? 0 : 14),
    promiscuous: false, receiveBuffer: 1 << 20, cooked: false, ...options,
  })
}

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

/** What a socket has for us, as text. */
function texts(socket: NativeSocket, slot = 16, slots = 8): string[] {
  const slab = Buffer.alloc(slot * slots)
  const meta = new Int32Array(4 * slots)
  return Array.from({ length: socket.receive(slab, slot, meta) }, (_, i) =>
    slab.toString('latin1', i * slot, i * slot + Math.min(slot, meta[4 * i])))
}

t.test('packets: a batch there, with type, and back', async (t) => {
  const [a, b] = [open('v0'), open('v1')]
  const ns = frame('NS multicast')
  const slab = new Uint8Array(3 * 128)
  for (let i = 0; i < 3; i++) slab.set(ns, i * 128)
  slab.set(frame('NS unicast'), 128)
  slab.set(frame("other host's MAC"), 256)
  t.equal(b.send(slab, 128, new Int32Array(3).fill(ns.length), 3), 3)

  const into = new Uint8Array(4 * 80)
  const meta = new Int32Array(16).fill(-1)
  t.equal(a.receive(into, 80, meta), 3)
  t.strictSame([...meta].filter((_, i) => i % 4 !== 2), [86, 2, 0, 86, 0, 0, 86, 3, 0, -1, -1, -1],
    'true length; multicast, to us, to another')
  t.strictSame(into.subarray(0, 80), ns.subarray(0, 80), 'cut')
  t.equal(a.receive(into, 80, meta), 0)
  t.equal(b.receive(into, 80, meta), 0, 'own frames are not seen')
  t.equal(a.send(slab, 128, Int32Array.of(86), 1), 1)
  t.equal(b.receive(into, 80, meta), 1)
  t.equal(a.drops(), 0)
  a.close()
  b.close()
})

t.test('all protocols: what others send from here is seen too; promiscuous', async (t) => {
  const [b, own] = [open('v1'), open('v1', { protocol: 3 })]
  const a = open('v0', { promiscuous: true })
  const meta = new Int32Array(4)
  b.send(frame("other host's MAC"), 86, Int32Array.of(86), 1)
  t.equal(own.receive(new Uint8Array(86), 86, meta), 1)
  t.equal(meta[1], 4)
  t.equal(a.receive(new Uint8Array(86), 86, meta), 1)
  t.equal(meta[1], 3)
  t.match(sh('ip -d link show v0'), /promiscuity 1 .*allmulti 1/)
  for (const socket of [a, b, own]) socket.close()
  t.match(sh('ip -d link show v0'), /promiscuity 0 .*allmulti 0/)

  const tap = open('v0', { allMulticast: false })
  t.match(sh('ip -d link show v0'), /promiscuity 0 .*allmulti 0/)
  tap.close()
})

for (const [ring, how] of [[0, ''], [256, ', in a ring']] as const) {
  t.test(`cooked: without Ethernet header, both ways${how}`, async (t) => {
    const [a, b] = [open('v0', { ring, cooked: true }), open('v1', { cooked: true })]
    const packet = frame('NS multicast').subarray(14)
    t.equal(b.send(packet, packet.length, Int32Array.of(packet.length), 1), 1)
    const into = new Uint8Array(packet.length)
    const meta = new Int32Array(4)
    t.equal(a.receive(into, into.length, meta), 1)
    t.strictSame(into, packet)
    t.strictSame([meta[0], meta[1]], [72, 1], 'broadcast')
    a.close()
    b.close()
  })
}

for (const [ring, how] of [[0, ''], [256, ', in a ring']] as const) {
  t.test(`VLAN tag and partial checksum are told${how}`, async (t) => {
    const [a, b, all] = [open('v0', { ring }), open('v1'), open('v0', { ring, protocol: 3, filter: NONE })]
    b.send(frame('VLAN tag 5'), 90, Int32Array.of(90), 1)
    const meta = new Int32Array(4)
    t.equal(all.receive(new Uint8Array(86), 86, meta), 1)
    t.strictSame([meta[0], meta[2] & 16, meta[3] & 0xfff], [86, 16, 5], 'the tag is beside the frame')
    t.equal(a.receive(new Uint8Array(86), 86, meta), 1)
    t.strictSame([meta[0], meta[1], meta[2] & 16], [86, 3, 0], 'of all that, an IPv6 socket only gets: not for us')
    all.close()

    sh('ip link add link v0 name m0 address 02:00:00:00:00:aa type macvlan mode bridge; ip link set m0 up')
    const above = open('m0', { ring })
    const ns = frame('NS unicast')
    ns[5] = 0xaa
    b.send(ns, 86, Int32Array.of(86), 1)
    t.equal(above.receive(new Uint8Array(86), 86, meta), 1)
    t.equal(meta[1], 0)
    t.equal(a.receive(new Uint8Array(86), 86, meta), 1)
    t.equal(meta[1], 3, 'a device on top has it')
    for (const socket of [a, b, above]) socket.close()
    sh('ip link del m0')

    // UDP is what the kernel leaves unfinished on a veth.
    veth('p0', 'p1')
    sh('ip -6 addr add fe80::5/64 dev p1 nodad')
    const socket = open('p0', { ring, filter: NONE })
    sh(`${process.execPath} -e "
      const s = require('dgram').createSocket('udp6'); s.bind(0, 'fe80::5%p1', () => s.send('x', 9, 'ff02::1%p1', () => s.close()))"`)
    const slab = new Uint8Array(64 * 128)
    const metas = new Int32Array(4 * 64)
    const udp = Array.from({ length: socket.receive(slab, 128, metas) }, (_, i) => i).filter((i) => slab[i * 128 + 20] === 17)
    t.equal(udp.length, 1)
    t.equal(metas[4 * udp[0] + 2] & 8, 8)
    socket.close()
    sh('ip link del p0')
  })
}

t.test('a full receive buffer: what is lost is counted, once', async (t) => {
  const a = open('v0', { receiveBuffer: 4096 })
  const b = open('v1')
  const slab = new Uint8Array(86 * 500)
  for (let i = 0; i < 500; i++) slab.set(frame('NS multicast'), 86 * i)
  t.equal(b.send(slab, 86, new Int32Array(500).fill(86), 500), 500, 'more than fit one system call')
  const meta = new Int32Array(4 * 500)
  const received = a.receive(new Uint8Array(500 * 86), 86, meta)
  t.equal(a.drops(), 500 - received)
  t.ok(received > 0 && received < 256)
  t.equal(a.drops(), 0)
  a.close()
  b.close()
})

for (const [ring, how] of [[0, ''], [256, ', in a ring']] as const) {
  t.test(`a link that goes down is told once, and once more${how}`, async (t) => {
    const a = open('v0', { ring })
    let told = 0
    a.start(() => {
      told++
      t.throws(() => texts(a), { code: 'ENETDOWN', errno: -100, syscall: /^recvmmsg$/ })
    })
    sh('ip link set v0 down')
    await until(() => told === 1)
    t.throws(() => a.send(frame('NS multicast'), 86, Int32Array.of(86), 1), { code: 'ENETDOWN', syscall: 'sendmmsg' })
    await new Promise((resolve) => setTimeout(resolve, 50))
    t.equal(told, 1)
    sh('ip link set v0 up; ip link set v0 down')
    await until(() => told === 2)
    a.close()
    sh('ip link set v0 up')
    await until(() => sh('ip link show v0').includes('LOWER_UP'))
  })
}

t.test('unix datagrams', async (t) => {
  const [a, b] = pair('@batch')
  const words = Buffer.from('one.two.three...')
  t.equal(b.send(words, 8, Int32Array.of(3, 5), 2), 2)
  t.strictSame(texts(a), ['one', 'three'])
  t.throws(() => native.openUnix('@batch', ''), { code: 'EADDRINUSE', syscall: 'bind' })
  t.throws(() => native.openUnix('', '@nobody'), { code: 'ECONNREFUSED', syscall: 'connect' })
  t.throws(() => native.openUnix('/nonexistent/x', ''), { code: 'ENOENT', errno: -2, syscall: 'bind' })
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

t.test('netlink: a link is asked for by name; refusals come back', async (t) => {
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

t.test('readable again and again until it is read; stop; another callback', async (t) => {
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
    () => any.send(slab, 8, [1], 1), () => any.send(slab, 8, Int32Array.of(1)), () => any.start(), () => any.start({}),
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

t.test('garbage is closed; what is started stays', async (t) => {
  const before = sockets()
  // Apart, because what an async function has in its variables is not garbage.
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
  t.match(run('a.close()'), { status: 0, stderr: '' }, 'nothing is left to wait for')
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
