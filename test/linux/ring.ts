/** The receive ring of a packet socket: whether packets go through it as through a buffer is tested in native.ts and packet.ts. */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { native } from '../../src/linux/native.ts'
import type { NativeSocket } from '../../src/linux/native.ts'
import { ndiscFilter } from '../../src/wire/filter.ts'
import { bytes, FRAMES } from '../fixtures/frames.ts'
import { ownNamespace, sh, veth } from '../kit/namespace.ts'

await ownNamespace()

veth('v0 address 02:00:00:00:00:ff', 'v1 address 02:00:00:00:00:01', 'v0', 'v1')

const NS = bytes(FRAMES.find(({ id }) => id === 'NS multicast')!.hex)

function open(name: string, ring = 0, topic = 0): NativeSocket {
  return native.openPacket({
    ifindex: Number.parseInt(sh(`ip -o link show ${name}`)), protocol: 0x86dd, filter: ndiscFilter(14), ring, topic,
    promiscuous: false, receiveBuffer: 1 << 20, cooked: false,
  })
}

t.test('full, emptied, round and round', async (t) => {
  const [a, b] = [open('v0', 128), open('v1')]
  const slab = new Uint8Array(86 * 200)
  for (let i = 0; i < 200; i++) slab.set([...NS.subarray(0, 85), i], 86 * i)
  const lengths = new Int32Array(200).fill(86)
  const into = new Uint8Array(86 * 200)
  const last = (count: number): number[] => Array.from({ length: count }, (_, i) => into[86 * i + 85])
  const upTo = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i)
  b.send(slab, 86, lengths, 200)
  t.equal(a.drops(), 72)
  t.equal(a.receive(into, 86, new Int32Array(4 * 50)), 50)
  t.strictSame(last(50), upTo(0, 50))
  b.send(slab, 86, lengths, 30)
  t.equal(a.receive(into, 86, new Int32Array(4 * 200)), 108)
  t.strictSame(last(108), [...upTo(50, 78), ...upTo(0, 30)])
  t.equal(a.receive(into, 86, new Int32Array(4 * 200)), 0)
  t.throws(() => open('v0', 100), { code: 'EINVAL' })
  t.throws(() => open('v0', -1), { code: 'ERR_OUT_OF_RANGE' })
  const maps = (): number => readFileSync('/proc/self/maps', 'latin1').split('\n').filter((line) => line.includes('socket:')).length
  t.equal(maps(), 1)
  a.close()
  t.equal(maps(), 0, 'unmapped')
  b.close()
})

const TARGET = 62

/** So many solicitations whose targets end in `from`, `from + 1` ... */
function questions(from: number, count: number): Uint8Array {
  const slab = new Uint8Array(86 * count)
  for (let i = 0; i < count; i++) {
    slab.set(NS, 86 * i)
    new DataView(slab.buffer).setUint32(86 * i + TARGET + 12, from + i)
  }
  return slab
}

/** What waits, by the ends of the targets: one batch. */
function take(socket: NativeSocket, room: number): number[] {
  const into = new Uint8Array(86 * room)
  const count = socket.receive(into, 86, new Int32Array(4 * room))
  return Array.from({ length: count }, (_, i) => new DataView(into.buffer).getUint32(86 * i + TARGET + 12))
}

function send(socket: NativeSocket, slab: Uint8Array): void {
  const count = slab.length / 86
  socket.send(slab, 86, new Int32Array(count).fill(86), count)
}

const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i)

t.test('what we have sent something about overtakes the rest', async (t) => {
  const [a, b] = [open('v0', 128, TARGET), open('v1')]
  for (const target of [7, 40, 0x01000007]) send(a, questions(target, 1))
  send(b, questions(0, 50))
  t.strictSame(take(a, 20), [7, 40, ...range(0, 7), ...range(8, 11)])
  send(b, questions(0x01000000, 10))
  t.strictSame(take(a, 20), [0x01000007, ...range(19, 19)])
  t.strictSame(take(a, 60), [...range(38, 2), ...range(41, 9), ...range(0x01000000, 7), ...range(0x01000008, 2)])
  t.strictSame(take(a, 60), [])

  // Many of them: a quarter of each batch is left to others, and nobody waits for ever.
  send(b, questions(100, 10))
  for (let i = 0; i < 100; i++) send(b, questions(7, 1))
  t.strictSame(take(a, 16), [...Array(12).fill(7), ...range(100, 4)])
  t.strictSame(take(a, 16), [...Array(12).fill(7), ...range(104, 4)])
  t.equal(a.drops(), 0)
  a.close()
  b.close()
})

t.test('in a flood there is room for them', async (t) => {
  const [a, b] = [open('v0', 128, TARGET), open('v1')]
  send(a, questions(1, 1))
  for (let i = 0; i < 20; i++) {
    send(b, questions(1000 * i + 1000, 31))
    send(b, questions(1, 1))
    const [first] = take(a, 8)
    t.equal(first, 1)
  }
  const waiting = [take(a, 128), take(a, 128)].flat()
  t.equal(waiting.includes(1), false)
  t.strictSame(waiting.slice(-31), range(20_000, 31), 'the oldest ones made room')
  t.equal(a.drops(), 20 * 31 - 20 * 7 - waiting.length, 'all that is missing is counted')
  t.equal(a.drops(), 0)
  a.close()
  b.close()
})

t.test('waits for the first one', async (t) => {
  const [a, b] = [open('v0', 128), open('v1')]
  const wait = (socket: NativeSocket, time: unknown): number => {
    const start = performance.now()
    t.equal(socket.receive(new Uint8Array(86), 86, new Int32Array(4), time as number), 0)
    return performance.now() - start
  }
  t.ok(wait(a, 1000) >= 1)
  t.ok(wait(b, 1000) >= 1, 'without a ring, too')
  t.ok(Math.min(...Array.from({ length: 20 }, () => wait(a, 0))) < 0.5)
  const times = Array.from({ length: 20 }, () => {
    send(b, questions(1, 1))
    const start = performance.now()
    const received = a.receive(new Uint8Array(86), 86, new Int32Array(4), 1000)
    return performance.now() - start + 1000 * Number(received !== 1)
  })
  t.ok(Math.min(...times) < 0.5 && Math.max(...times) < 1000, 'what is there already is not waited for')
  for (const time of [-1, 1001, 0.5, Number.NaN]) t.throws(() => wait(a, time), { code: 'ERR_OUT_OF_RANGE' })
  t.throws(() => wait(a, '1'), { code: 'ERR_INVALID_ARG_TYPE' })
  a.close()
  b.close()
})
