import t from 'tap'
import fc from 'fast-check'
import { AddressMap } from '../../../src/engine/tables/address-map.ts'
import { hashAddress } from '../../../src/engine/tables/hash.ts'
import { chance } from '../kit/basics.ts'

/** Few values per word, so that keys meet again and share words. */
const word = fc.constantFrom(0, 1, -1, 0x20010db8, 2 ** 31 - 1, -(2 ** 31))
const key = fc.tuple(word, word, word, fc.integer({ min: -40, max: 40 }))
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ op: fc.constant('set' as const), key, value: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('delete' as const), key }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('get' as const), key }) })

t.test('agrees with a Map under any sequence, deletions too', async () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 300, size: 'max' }), fc.integer(), (steps, seed) => {
    const map = new AddressMap<number>(chance(seed))
    const oracle = new Map<string, number>()
    for (const step of steps) {
      const name = step.key.join()
      switch (step.op) {
        case 'set': map.set(...step.key, step.value); oracle.set(name, step.value); break
        case 'delete': if (map.delete(...step.key) !== oracle.delete(name)) return false; break
        case 'get': if (map.get(...step.key) !== oracle.get(name)) return false
      }
      if (map.size !== oracle.size) return false
    }
    return [...oracle].every(([name, value]) => map.get(...name.split(',').map(Number) as [number, number, number, number]) === value)
      && [...map.values()].sort().join() === [...oracle.values()].sort().join()
  }), { numRuns: 500 })
})

t.test('chains that wrap round the end of the table survive deletion', async (t) => {
  // Twelve of sixteen slots are full: with some of these seeds a chain wraps.
  for (let seed = 0; seed < 200; seed++) {
    const map = new AddressMap<number>(chance(seed))
    for (let i = 0; i < 12; i++) map.set(0, 0, 0, i, i)
    for (let i = 0; i < 12; i += 3) map.delete(0, 0, 0, i)
    for (let i = 0; i < 12; i++) {
      if (map.get(0, 0, 0, i) !== (i % 3 === 0 ? undefined : i)) t.fail(`seed ${seed}, key ${i}`)
    }
  }
  t.pass()
})

t.test('finds 100 000 consecutive addresses of a /64, whose hashes spread', async (t) => {
  const map = new AddressMap<number>(chance(7))
  for (let i = 0; i < 100_000; i++) map.set(0x20010db8, 0, 0, i, i)
  t.equal(map.size, 100_000)
  let sum = 0
  for (let i = 0; i < 100_000; i++) sum += map.get(0x20010db8, 0, 0, i)!
  t.equal(sum, 4_999_950_000)
  // 100 000 random numbers below 2^17 have about 70 000 values.
  const slots = new Set(Array.from({ length: 100_000 }, (_, i) => hashAddress(7, 0x20010db8, 0, 0, i) & 0x1ffff))
  t.ok(slots.size > 60_000, `${slots.size} slots`)
})
