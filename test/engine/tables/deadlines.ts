import t from 'tap'
import fc from 'fast-check'
import { Deadlines, earliest, type Timed } from '../../../src/engine/tables/deadlines.ts'
import type { Instant } from '../../../src/engine-types.ts'

const item = fc.nat(15)
const step = fc.oneof(fc.record({ op: fc.constant('set' as const), item, at: fc.nat(50) }),
  fc.record({ op: fc.constant('remove' as const), item }), fc.record({ op: fc.constant('due' as const), at: fc.nat(50) }))

t.test('agrees with a sorted array under any sequence of add, move, remove and due', async () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
    const items: Timed[] = Array.from({ length: 16 }, () => ({ deadline: 0 as Instant, place: -1 }))
    const heap = new Deadlines<Timed>()
    const inside = new Set<Timed>()
    const earliest = (): Instant | undefined => [...inside].map(({ deadline }) => deadline).sort((a, b) => a - b)[0]
    for (const step of steps) {
      switch (step.op) {
        case 'set': heap.set(items[step.item], step.at as Instant); inside.add(items[step.item]); break
        case 'remove': heap.remove(items[step.item]); inside.delete(items[step.item]); break
        case 'due': {
          const first = earliest()
          const taken = heap.due(step.at as Instant)
          if ((taken !== undefined) !== (first !== undefined && first <= step.at)) return false
          if (taken !== undefined && (taken.deadline !== first || !inside.delete(taken) || taken.place !== -1)) return false
        }
      }
      if (heap.size !== inside.size || heap.next !== earliest()) return false
      if (items.some((item) => item.place >= 0 !== inside.has(item))) return false
    }
    return true
  }), { numRuns: 500 })
})

t.test('can be filled again after it was emptied', async (t) => {
  const heap = new Deadlines<Timed>()
  for (let round = 0; round < 2; round++) {
    const items = Array.from({ length: 3000 }, (): Timed => ({ deadline: 0 as Instant, place: -1 }))
    items.forEach((item, n) => heap.set(item, (n * 7919) % 3000 as Instant))
    for (let at = 0; at < 3000; at++) {
      if (heap.due(at as Instant)?.deadline !== at || heap.due(at as Instant) !== undefined) t.fail(`round ${round}, ${at}`)
    }
    t.equal(heap.size, 0)
    t.ok(items.every(({ place }) => place === -1))
  }
})

t.test('the earlier of two deadlines, or the one that is set', async (t) => {
  const [one, two] = [1 as Instant, 2 as Instant]
  t.same([earliest(one, two), earliest(two, one), earliest(one, undefined), earliest(undefined, two)], [1, 1, 1, 2])
  t.equal(earliest(undefined, undefined), undefined)
})
