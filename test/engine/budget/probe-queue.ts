/** Turns of first probes: some at once, the others a few in each millisecond, in their order. */
import t from 'tap'
import { ProbeQueue, QUEUE_LIMIT, type Queued, type QueueLane } from '../../../src/engine/budget/probe-queue.ts'
import type { Instant } from '../../../src/engine-types.ts'

interface Item extends Queued { readonly n: number }

/** A queue, and the times and numbers of its probes. */
function scene() {
  const probes: string[] = []
  const queue = new ProbeQueue<Item>(({ n }, now) => probes.push(`${now} ${n}`))
  /** Adds items. @returns how many were probed at once */
  const add = (lane: QueueLane, count: number, now: number, first = 0): number => {
    const before = probes.length
    for (let n = first; n < first + count; n++) queue.add(lane, { n, isQueued: false }, now as Instant)
    return probes.length - before
  }
  return { probes, queue, add }
}

function at(ms: number): Instant { return ms as Instant }

t.test('some at once, the others later, in their order', async (t) => {
  const { probes, queue, add } = scene()
  queue.raise('unknown', 4)
  queue.raise('unknown', 2)
  t.equal(queue.deadline, undefined)
  t.equal(add('unknown', 132, 1000), 32)
  t.same(probes.splice(0), Array.from({ length: 32 }, (_, n) => `1000 ${n}`))
  t.equal(queue.size('unknown'), 100)
  queue.wake(at(1000))
  t.same(probes, [])
  for (let now = 1000; queue.deadline !== undefined; now++) {
    t.ok(queue.deadline > now - 1 && queue.deadline <= now + 1)
    queue.wake(at(now))
  }
  t.same(probes, Array.from({ length: 100 }, (_, n) => `${1001 + Math.floor(n / 4)} ${32 + n}`))
  t.equal(queue.size('unknown'), 0)
  t.equal(add('unknown', 1, 2000), 1)
})

t.test('a new item waits for its turn behind those in the queue', async (t) => {
  const { probes, queue, add } = scene()
  add('unknown', 33, 1000)
  t.equal(add('unknown', 1, 5000, 33), 0)
  probes.length = 0
  queue.wake(at(5000))
  t.same(probes, ['5000 32', '5000 33'])
})

t.test('after a long time no more at once than at first', async (t) => {
  const { queue, add } = scene()
  const burst = (now: number): number => {
    const count = add('unknown', 200, now)
    for (let end = now; queue.deadline !== undefined; end++) queue.wake(at(end))
    return count
  }
  t.same([burst(0), burst(172), burst(100_000)], [32, 4, 32])
})

t.test('verifications are never refused, and other lanes do not delay them', async (t) => {
  const { probes, queue, add } = scene()
  add('alive', QUEUE_LIMIT + 32, 0)
  add('unknown', QUEUE_LIMIT + 32, 0)
  t.same((['known', 'alive', 'unknown'] as const).map((lane) => queue.isFull(lane)), [false, true, true])
  t.equal(add('known', 5000, 0, 100_000), 128)
  t.notOk(queue.isFull('known'))
  probes.length = 0
  queue.wake(at(10))
  t.same(probes.filter((line) => Number(line.split(' ')[1]) >= 100_000), Array.from({ length: 40 }, (_, n) => `10 ${100_128 + n}`))
  t.equal(probes.length, 60)
})

t.test('an item that no longer wants its probe costs no turn', async (t) => {
  const { probes, queue, add } = scene()
  add('unknown', 32, 0)
  const items = [1, 2, 3].map((n) => ({ n, isQueued: false }))
  for (const item of items) queue.add('unknown', item, at(0))
  t.ok(items.every(({ isQueued }) => isQueued))
  items[0].isQueued = items[1].isQueued = false
  probes.length = 0
  queue.wake(at(1))
  t.same(probes, ['1 3'])
  t.notOk(items[2].isQueued)
  t.equal(queue.deadline, undefined)
})

t.test('a wake at the deadline probes, however the time is rounded', async (t) => {
  for (let i = 0; i < 200; i++) {
    const { probes, queue, add } = scene()
    let now = 1 + i / 7 as Instant
    add('unknown', 82, now)
    for (let wakes = 0; queue.deadline !== undefined && wakes < 60; wakes++) queue.wake(now = queue.deadline)
    t.equal(probes.length, 82)
  }
})
