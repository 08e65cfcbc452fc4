import t from 'tap'
import { Pool } from '../../../src/engine/tables/pool.ts'

t.test('cleared items are used again, in their order', async (t) => {
  let made = 0
  const pool = new Pool(() => ({ n: made++ }))
  t.same([...pool], [])
  const items = [pool.add(), pool.add(), pool.add()]
  t.same([pool.size, ...pool], [3, ...items])
  t.equal(pool.at(1), items[1])
  pool.clear()
  t.same([pool.size, ...pool], [0])
  t.equal(pool.add(), items[0])
  t.same([...pool], [items[0]])
  t.equal(made, 3)
})
