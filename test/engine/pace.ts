/** Turns for questions: some at once, the others a few in each millisecond, in their order. */
import t from 'tap'
import { Pace, PACE_LIMIT } from '../../src/engine/pace.ts'
import type { Instant } from '../../src/engine/types.ts'
import { Recorder } from './kit/stage.ts'

function at(ms: number): Instant { return ms as Instant }

t.test('some at once, the others later, in their order', async (t) => {
  const pace = new Pace(new Recorder())
  pace.rate = 4
  const asked: string[] = []
  t.equal(pace.deadline, undefined)
  let free = 0
  while (pace.isFree(at(1000))) free++
  t.equal(free, 32)
  for (let n = 0; n < 100; n++) pace.defer((now) => asked.push(`${now} ${n}`))
  t.notOk(pace.isFree(at(1000)))
  pace.wake(at(1000))
  t.same(asked, [])
  for (let now = 1000; pace.deadline !== undefined; now++) {
    t.ok(pace.deadline > now - 1 && pace.deadline <= now + 1)
    t.notOk(pace.isFree(at(now)), 'not before those who wait')
    pace.wake(at(now))
  }
  t.same(asked, Array.from({ length: 100 }, (_, n) => `${1001 + Math.floor(n / 4)} ${n}`))
  t.equal(pace.size, 0)
  t.ok(pace.isFree(at(2000)))
})

t.test('after a long time no more at once than at first', async (t) => {
  const pace = new Pace(new Recorder())
  const free = (now: number): number => {
    let count = 0
    while (pace.isFree(at(now))) count++
    return count
  }
  t.same([free(0), free(4), free(100_000)], [32, 4, 32])
})

t.test('so many may wait', async (t) => {
  const sink = new Recorder()
  const pace = new Pace(sink)
  for (let n = 0; n < PACE_LIMIT; n++) pace.defer(() => {})
  t.same(sink.take(), [])
  t.equal(pace.defer(() => { throw new Error('nobody asks this') }), false)
  t.same(sink.take(), [`limit queue ${PACE_LIMIT}`])
  for (let now = 0; pace.deadline !== undefined; now++) pace.wake(at(now))
  t.equal(pace.size, 0)
})

t.test('whatever rounding makes of the time, the turn comes at its time', async (t) => {
  for (let i = 0; i < 200; i++) {
    const pace = new Pace({ event: () => {} })
    let now = 1 + i / 7 as Instant
    while (pace.isFree(now)) continue
    let asked = 0
    for (let k = 0; k < 50; k++) pace.defer(() => { asked++ })
    for (let wakes = 0; pace.deadline !== undefined && wakes < 60; wakes++) pace.wake(now = pace.deadline)
    t.equal(asked, 50)
  }
})
