/** Long replies in parts. */
import t from 'tap'
import { inParts } from '../../src/replies/parts.ts'

t.test('parts end after a number of elements, kept or not', async (t) => {
  t.same([...inParts([1, 2, 3, 4, 5, 6, 7], 3, (n) => n % 2 === 0 ? undefined : `${n}`)], [['1', '3'], ['5'], ['7']])
  t.same([...inParts([1, 2], 2, (n) => n)], [[1, 2], []])
  t.same([...inParts([], 2, (n) => n)], [[]], 'at least one')
})

t.test('elements are read when their part is wanted', async (t) => {
  const read: number[] = []
  const parts = inParts([1, 2, 3, 4], 2, (n) => read.push(n))
  t.same(read, [])
  parts.next()
  t.same(read, [1, 2])
})
