import t from 'tap'
import fc from 'fast-check'
import { IntMap } from '../../src/engine/int-map.ts'

t.test('it keeps what was set last, and nothing else', async (t) => {
  const map = new IntMap()
  t.equal(map.get(0), 0)
  map.set(0, 7)
  map.set(0xffffff, 1)
  map.set(0, 8)
  t.same([map.get(0), map.get(0xffffff), map.get(1), map.size], [8, 1, 0, 2])
  map.set(0, 0)
  map.set(5, 0)
  t.same([map.get(0), map.get(0xffffff), map.size, [...map.keys()]], [0, 1, 1, [0xffffff]])
})

t.test('the same as a Map, after any sequence', async () => {
  // Few keys, so that they meet; 32 of them fill the table more than once.
  const step = fc.tuple(fc.oneof(fc.nat(31), fc.nat(0xffffff)), fc.constantFrom(0, 0, 1, 2 ** 31 - 1))
  fc.assert(fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
    const [map, model] = [new IntMap(), new Map<number, number>()]
    for (const [key, value] of steps) {
      map.set(key, value)
      if (value === 0) model.delete(key)
      else model.set(key, value)
      if (map.get(key) !== value || map.size !== model.size) return false
    }
    return [...map.keys()].sort().join() === [...model.keys()].sort().join()
      && [...model].every(([key, value]) => map.get(key) === value)
  }), { numRuns: 500 })
})
