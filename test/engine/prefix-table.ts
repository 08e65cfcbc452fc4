import t from 'tap'
import { Address } from '../../src/address.ts'
import { PrefixIndex, PrefixList } from '../../src/engine/prefix-table.ts'
import { ip } from './kit/frames.ts'
import { chance } from './kit/stage.ts'

t.test('a list that is cut forgets what only the rest said', async (t) => {
  const list = new PrefixList<string>(1)
  for (const value of ['a', 'b', 'a', 'c']) list.add(ip('2001:db8::1'), value)
  list.cut(1)
  t.equal(list.size, 1)
  const ids = ['c', 'a', 'b'].map((value) => list.add(ip('2001:db8::2'), value))
  t.same(ids, [1, 2, 3])
  t.same([0, ...ids].map((id) => list.value(id)), ['a', 'c', 'a', 'b'])
  t.equal(String(list.address(3)), '2001:db8::2')
})

t.test('an index finds each value of a prefix once, and 100 000 prefixes of several lengths', async (t) => {
  const list = new PrefixList<string>(0)
  const index = new PrefixIndex(list, chance(1))
  const found = (text: string): string[] => {
    const { w0, w1, w2, w3 } = ip(text)
    const ids: number[] = []
    index.collect(w0, w1, w2, w3, ids)
    return ids.map((id) => list.value(id)).sort()
  }
  for (const value of ['a', 'b', 'a', 'b', 'c']) index.add(list.add(ip('2001:db8::'), value), 64)
  t.same(found('2001:db8::7'), ['a', 'b', 'c'])
  // Even ones are of 96 bits, odd ones of 128.
  for (let i = 0; i < 100_000; i++) index.add(list.add(new Address(0x20010db8, 1, i, 0), 'x'), 96 + i % 2 * 32)
  t.same(found('2001:db8::7'), ['a', 'b', 'c'])
  t.same(found('2001:db8:0:1:1:869e::'), ['x'], '99 998')
  t.same(found('2001:db8:0:1:1:869e::1'), ['x'])
  t.same(found('2001:db8:0:1:1:869f::'), ['x'], '99 999')
  t.same(found('2001:db8:0:1:1:869f::1'), [])
})
