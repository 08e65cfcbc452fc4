import t from 'tap'
import fc from 'fast-check'
import { Counts } from '../../../src/engine/tables/counts.ts'

t.test('counts as a list of items would', async () => {
  fc.assert(fc.property(fc.array(fc.record({ kind: fc.nat(3), isAdded: fc.boolean() })), (steps) => {
    const counts = new Counts<number>()
    const items: number[] = []
    for (const { kind, isAdded } of steps) {
      if (isAdded) {
        counts.add(kind)
        items.push(kind)
      } else if (items.includes(kind)) {
        counts.add(kind, -1)
        items.splice(items.indexOf(kind), 1)
      }
      if ([0, 1, 2, 3].some((each) => counts.count(each) !== items.filter((item) => item === each).length)) return false
    }
    return true
  }))
})
