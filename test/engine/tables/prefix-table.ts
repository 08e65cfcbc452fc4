import t from 'tap'
import { Address } from '../../../src/address.ts'
import { PrefixTable } from '../../../src/engine/tables/prefix-table.ts'
import { chance, ip } from '../kit/stage.ts'

function collect(table: PrefixTable<string>, text: string, found: string[] = [], count = 0): string[] {
  const { w0, w1, w2, w3 } = ip(text)
  return found.slice(0, table.collect(w0, w1, w2, w3, found, count))
}

t.test('finds each value of a prefix once, in insertion order', async (t) => {
  const table = new PrefixTable<string>(chance(1))
  for (const value of ['b', 'a', 'b', 'a', 'c']) table.add(ip('2001:db8::'), 64, value)
  t.same(collect(table, '2001:db8::7'), ['b', 'a', 'c'])
  t.same(collect(table, '2001:db8:0:1::7'), [])
})

t.test('writes behind the values that are there, and leaves the rest of the array', async (t) => {
  const table = new PrefixTable<string>(chance(1))
  table.add(ip('2001:db8::'), 64, 'a')
  const found = ['x', 'y', 'z']
  t.same(collect(table, '2001:db8::7', found, 1), ['x', 'a'])
  t.same(found, ['x', 'a', 'z'])
})

t.test('finds 100 000 prefixes of several lengths', async (t) => {
  const table = new PrefixTable<string>(chance(1))
  table.add(ip('2001:db8::'), 64, 'a')
  // Even ones are of 96 bits, odd ones of 128.
  for (let i = 0; i < 100_000; i++) table.add(new Address(0x20010db8, 1, i, 0), 96 + i % 2 * 32, 'x')
  t.same(collect(table, '2001:db8::7'), ['a'])
  t.same(collect(table, '2001:db8:0:1:1:869e::'), ['x'], '99 998')
  t.same(collect(table, '2001:db8:0:1:1:869e::1'), ['x'])
  t.same(collect(table, '2001:db8:0:1:1:869f::'), ['x'], '99 999')
  t.same(collect(table, '2001:db8:0:1:1:869f::1'), [])
  t.ok(table.has(0x20010db8, 1, 99_998, 1))
  t.notOk(table.has(0x20010db8, 1, 99_999, 1))
})

t.test('the prefix of length 0 contains every address', async (t) => {
  const table = new PrefixTable<string>(chance(1))
  table.add(ip('::'), 0, 'all')
  table.add(ip('2001:db8::1'), 128, 'one')
  t.same(collect(table, '2001:db8::1').sort(), ['all', 'one'])
  t.same(collect(table, 'ff02::1'), ['all'])
})
