import t from 'tap'
import { DEFAULTS } from '../../../src/config/defaults.ts'
import { AnnouncementQueue } from '../../../src/engine/effects/announcement-queue.ts'
import type { Instant } from '../../../src/engine-types.ts'
import { chance, nth } from '../kit/neighbor.ts'

function at(time: number): Instant { return time as Instant }

t.test('new announcements have their turn first, and each queue keeps its order', async (t) => {
  const queue = new AnnouncementQueue(() => 0)
  t.equal(queue.due(at(0)), undefined)
  t.equal(queue.next, undefined)
  for (const n of [1, 2, 3]) queue.add(nth(n), 7, DEFAULTS, n === 2, at(n))
  t.equal(queue.due(at(0.5)), undefined)
  t.equal(queue.next, 1)
  const turn = (now: number): string => {
    const due = queue.due(at(now))!
    const line = `${due.target} ${due.ifindex} ${due.isChange} ${due.sent} ${due.postponed}`
    queue.again(due, now % 2 === 0, at(now + 10))
    return line
  }
  t.strictSame([4, 5, 6].map(turn), ['2001:db8::1 7 false 0 0', '2001:db8::2 7 true 0 0', '2001:db8::3 7 false 0 0'])
  t.equal(queue.next, 14)
  t.equal(queue.due(at(13)), undefined)
  queue.add(nth(4), 8, DEFAULTS, false, at(13))
  t.strictSame([14, 15, 16].map(turn), ['2001:db8::4 8 false 0 0', '2001:db8::1 7 false 1 0', '2001:db8::2 7 true 0 1'])
  t.equal(queue.oldest?.target.toString(), '2001:db8::3')
})

t.test('announcements by target and by link', async (t) => {
  const queue = new AnnouncementQueue(chance(1))
  for (const [n, ifindex] of [[1, 7], [2, 7], [1, 8]]) queue.add(nth(n), ifindex, DEFAULTS, false, at(0))
  t.same(queue.of(nth(1)).map(({ ifindex }) => ifindex), [7, 8])
  t.same(queue.on(7).map(({ target }) => target.w3).sort(), [1, 2])
  for (const each of [...queue.on(7), ...queue.on(7)]) queue.drop(each)
  t.equal(queue.size, 1)
  t.same(queue.of(nth(2)), [])
  t.equal(queue.due(at(0)), queue.of(nth(1))[0])
})

t.test('dropped announcements have no turn, however many they are', async (t) => {
  const queue = new AnnouncementQueue(() => 0.5)
  for (let round = 0; round < 5; round++) {
    for (let n = 0; n < 5000; n++) queue.add(nth(n), 1, DEFAULTS, false, at(n))
    for (let n = 0; n < 5000; n++) for (const each of queue.of(nth(n))) queue.drop(each)
  }
  t.equal(queue.size, 0)
  t.equal(queue.next, undefined)
  queue.add(nth(1), 1, DEFAULTS, false, at(0))
  t.equal(queue.due(at(0))?.target.toString(), '2001:db8::1')
})
