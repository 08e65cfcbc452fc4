import t from 'tap'
import { Prefix } from '../../src/address.ts'
import { distance, laterColons, nearAddress, nearest } from '../../src/config/suggest.ts'

t.test('distance', async (t) => {
  t.equal(distance('', 'abc'), 3)
  t.equal(distance('proxy', 'Proxy'), 0)
  t.equal(distance('iface', 'ifcae'), 1, 'a swap is one edit')
  t.equal(distance('timeout', 'time-out'), 1)
  t.equal(distance('kitten', 'sitting'), 3)
})

t.test('nearest', async (t) => {
  const words = ['router', 'rule', 'timeout', 'ttl']
  t.equal(nearest('rotuer', words), 'router')
  t.equal(nearest('tll', words), 'ttl')
  t.equal(nearest('ruel', words), 'rule')
  t.equal(nearest('banana', words), undefined)
  t.equal(nearest('', words), undefined)
})

t.test('nearAddress', async (t) => {
  const near = (text: string): string | undefined => {
    return nearAddress(text, (address) => Prefix.parse('2001:db8::/64')!.contains(address))?.toString()
  }
  t.equal(near('2001::db8:2'), '2001:db8::2', 'the double colon')
  t.equal(near('db8:2001::2'), '2001:db8::2', 'groups')
  t.equal(near('2001:bd8::2'), '2001:db8::2', 'digits')
  t.equal(near('2001:db88::2'), '2001:db8::2', 'one too many')
  t.equal(near('2001:db9::2'), '2001:db8::2', 'one wrong')
  t.equal(near('2001:db8:::2'), '2001:db8::2')
  for (const group of ['8db', 'd8b', '8bd', 'b8d', 'bd8']) t.equal(near(`2001:${group}::2`), '2001:db8::2', `${group}: digits of one group`)
  t.equal(near('0120:db8::2'), '2001:db8::2')
  t.equal(nearAddress('2001:db8:', () => true)?.toString(), '2001:db8::', 'half of a double colon')
  t.equal(near('2OOl.db8::2'), '2001:db8::2', 'look-alikes')
  t.equal(near('fe80::2'), undefined)
  t.equal(near('2'.repeat(1000)), undefined)
})

t.test('laterColons', async (t) => {
  t.same([...laterColons('2001::db8:2')], ['2001:db8::2'])
  t.same([...laterColons('2001:db8::5')], [], 'a group must follow the double colon')
  t.same([...laterColons('1:2:3:4:5:6:7:8')], [])
})
