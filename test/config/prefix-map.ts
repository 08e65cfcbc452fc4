import t from 'tap'
import { Address, Prefix } from '../../src/address.ts'
import { PrefixMap } from '../../src/config/prefix-map.ts'

t.test('longest match', async (t) => {
  const map = new PrefixMap<string>()
  for (const text of ['::/0', '2001:db8::/32', '2001:db8::/64', '2001:db8::1/128']) map.set(Prefix.parse(text)!, text)
  const covering = (text: string, below?: number): string | undefined => map.covering(Address.parse(text)!, below)
  t.equal(covering('2001:db8::1'), '2001:db8::1/128')
  t.equal(covering('2001:db8::2'), '2001:db8::/64')
  t.equal(covering('2001:db8:1::'), '2001:db8::/32')
  t.equal(covering('fe80::'), '::/0')
  t.equal(covering('2001:db8::1', 64), '2001:db8::/32', 'shorter than 64')
  t.equal(covering('2001:db8::1', 0), undefined)
  t.equal(map.get(Prefix.parse('2001:db8::/64')!), '2001:db8::/64')
  t.equal(map.get(Prefix.parse('2001:db8::/65')!), undefined)
})
