import t from 'tap'
import { Links } from '../../../src/engine/links/links.ts'
import { chance, ETH0, ETH1, ip, linkOf, LO, own } from '../kit/stage.ts'

t.test('own addresses are found with all their links', async (t) => {
  const links = new Links(chance(1))
  const own2 = ip('2001:db8::2')
  const at = () => links.own(own2.w0, own2.w1, own2.w2, own2.w3)
  links.set(linkOf(LO, { addresses: [own('2001:db8::2', 128)] }))
  links.set(linkOf(ETH0, { addresses: [own('2001:db8::2', 64, true)] }))
  t.same(at(), [{ ifindex: LO, loopback: true, tentative: false }, { ifindex: ETH0, loopback: false, tentative: true }])
  links.set(linkOf(ETH0, { addresses: [] }))
  t.same(at(), [{ ifindex: LO, loopback: true, tentative: false }], 'address removed')
  links.delete(LO)
  t.equal(at(), undefined, 'link gone')
})

t.test('prefixes of addresses', async (t) => {
  const links = new Links(chance(1))
  const has = (ifindex: number, target: string): boolean => links.hasPrefixOf(ifindex, ip(target))
  links.set(linkOf(ETH0, { addresses: [own('fe80::1'), own('2001:db8::ff', 64)] }))
  links.set(linkOf(ETH1, { addresses: [own('fe80::1'), own('2001:db8::2', 128)] }))
  t.equal(has(ETH0, '2001:db8::2'), true)
  t.equal(has(ETH0, '2001:db8:0:1::2'), false)
  t.equal(has(ETH1, '2001:db8::2'), false, 'an address is no prefix')
  t.equal(has(ETH1, 'fe80::9'), false)
})
