/** The neighbor cache against plain maps, under any sequence of changes. */
import t from 'tap'
import fc from 'fast-check'
import { Address } from '../../../src/address.ts'
import { NeighborCache } from '../../../src/engine/cache/neighbor-cache.ts'
import type { Neighbor } from '../../../src/engine/cache/neighbor.ts'
import type { Instant } from '../../../src/engine-types.ts'
import { chance, ETH1, neighborOf, PartsRecorder, SUBNET, worldOf } from '../kit/neighbor.ts'

const { rule: RULE } = worldOf(SUBNET)

function cacheOf(seed = 1): NeighborCache { return new NeighborCache({ effects: new PartsRecorder().effects, random: chance(seed) }) }

/** Not only the last word differs. */
function targetOf(n: number): Address { return new Address(0x20010db8, n & 1, -(n & 2), n) }

t.test('each entry is found by its target and its link, until it is deleted', async () => {
  const step = fc.record({ isCreated: fc.boolean(), n: fc.nat(7), ifindex: fc.constantFrom(0, 2, 3) })
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), fc.integer(), (steps, seed) => {
    const cache = cacheOf(seed)
    const oracle = new Map<number, Neighbor>()
    for (const { isCreated, n, ifindex } of steps) {
      const neighbor = cache.find(targetOf(n))
      if (neighbor !== oracle.get(n)) return false
      if (neighbor === undefined && isCreated) {
        oracle.set(n, neighborOf(targetOf(n), RULE, { ifindex }, cache))
      } else if (neighbor !== undefined && !isCreated) {
        cache.delete(neighbor)
        oracle.delete(n)
      }
      const entries = [...cache.values()]
      if (entries.length !== oracle.size || entries.some((each) => oracle.get(each.target.w3) !== each)) return false
      const on = [...cache.on(ifindex)]
      if (on.length !== [...oracle.values()].filter((each) => each.ifindex === ifindex).length) return false
      if (on.some((each) => each.ifindex !== ifindex)) return false
    }
    return true
  }))
})

t.test('entries are taken at their deadlines, in order', async (t) => {
  const cache = cacheOf()
  const [one, two, three, four] = [1, 2, 3, 4].map((n) => cache.create(targetOf(n), RULE))
  for (const [neighbor, deadline] of [[one, 30], [two, 10], [three, 20], [four, 5]] as const) cache.setDeadline(neighbor, deadline as Instant)
  t.equal(cache.deadline, 5)
  cache.clearDeadline(four)
  cache.delete(three)
  t.same([9, 10, 29, 30, 99].map((now) => cache.due(now as Instant)?.target.w3), [undefined, 2, undefined, 1, undefined])
  t.equal(cache.deadline, undefined)
})

t.test('marked entries are taken once, in the order of their marks', async (t) => {
  const cache = cacheOf()
  const [one, two] = [1, 2].map((n) => cache.create(targetOf(n), RULE))
  cache.mark(two)
  cache.markAll()
  t.same(cache.takeDirty(), [two, one])
  t.same(cache.takeDirty(), [])
})

t.test('entries may come and go while all are read', async (t) => {
  const cache = cacheOf()
  for (let n = 0; n < 10; n++) neighborOf(targetOf(n), RULE, { ifindex: ETH1 }, cache)
  const seen: number[] = []
  for (const neighbor of cache.values()) {
    const { target: { w3 } } = neighbor
    seen.push(w3)
    cache.delete(neighbor)
    const next = cache.find(targetOf(5))
    if (next !== undefined) cache.delete(next)
    if (w3 === 4) for (let n = 20; n < 24; n++) cache.create(targetOf(n), RULE)
  }
  t.same(seen.filter((n) => n !== 5).sort((a, b) => a - b), [0, 1, 2, 3, 4, 6, 7, 8, 9], 'all that were there and stayed until their turn')
  t.same([...cache.on(ETH1)], [])
  t.ok([...cache.values()].length <= 4)
})

t.test('a deleted entry no longer waits for its probe', async (t) => {
  const cache = cacheOf()
  const neighbor = neighborOf(targetOf(1), RULE, { isQueued: true }, cache)
  cache.delete(neighbor)
  t.notOk(neighbor.isQueued)
})
