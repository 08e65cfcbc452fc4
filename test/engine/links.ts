import t from 'tap'
import { Links } from '../../src/engine/links.ts'
import type { LinkAddress } from '../../src/engine/types.ts'
import { ip, prefix } from './kit/frames.ts'
import { chance, ETH0, ETH1, linkOf, LO, own } from './kit/stage.ts'

function source(choice: 'link-local' | 'global' | 'target', ...addresses: LinkAddress[]): string | undefined {
  return new Links(chance(1)).source(linkOf(ETH0, { addresses }), choice, ip('2001:db8::2'))?.toString()
}

t.test('the source of an advertisement is usable, of the chosen kind if there is one', async (t) => {
  const [local, global] = [own('fe80::1'), own('2001:db8::ff')]
  const tentative = own('fe80::1', 64, true)
  t.equal(source('link-local', global, local), 'fe80::1')
  t.equal(source('global', local, global), '2001:db8::ff')
  t.equal(source('target', local), '2001:db8::2')
  t.equal(source('link-local', global), '2001:db8::ff', 'the other kind before none')
  t.equal(source('global', local), 'fe80::1')
  t.equal(source('link-local', tentative, global), '2001:db8::ff', 'never a tentative one (D11)')
  t.equal(source('link-local', tentative), undefined)
  t.equal(source('link-local'), undefined)
  t.equal(source('link-local', local, own('fe80::2')), 'fe80::1', 'the first')
})

t.test('own addresses, wherever they are', async (t) => {
  const links = new Links(chance(1))
  const own2 = ip('2001:db8::2')
  const at = () => links.own(own2.w0, own2.w1, own2.w2, own2.w3)
  links.set(linkOf(LO, { addresses: [own('2001:db8::2', 128)] }))
  links.set(linkOf(ETH0, { addresses: [own('2001:db8::2', 64, true)] }))
  t.same(at(), [{ ifindex: LO, loopback: true, tentative: false }, { ifindex: ETH0, loopback: false, tentative: true }])
  links.set(linkOf(ETH0, { addresses: [] }))
  t.same(at(), [{ ifindex: LO, loopback: true, tentative: false }], 'taken away')
  links.delete(LO)
  t.equal(at(), undefined, 'its link is gone')
})

t.test('a link covers what its own prefix alone brings there', async (t) => {
  const links = new Links(chance(1))
  const covers = (ifindex: number, target: string): boolean => links.covers(ifindex, ip(target))
  links.set(linkOf(ETH0, { addresses: [own('fe80::1'), own('2001:db8::ff', 64)] }))
  links.set(linkOf(ETH1, { addresses: [own('fe80::1')] }))
  t.equal(covers(ETH0, '2001:db8::2'), true)
  t.equal(covers(ETH1, '2001:db8::2'), false)
  t.equal(covers(ETH1, 'fe80::9'), false)
  links.set(linkOf(ETH1, { addresses: [own('2001:db8::1:1', 112)] }))
  t.equal(covers(ETH1, '2001:db8::1:2'), true, 'the longer prefix wins')
  t.equal(covers(ETH0, '2001:db8::1:2'), false)
  links.set(linkOf(ETH1, { addresses: [own('2001:db8::fe', 64)] }))
  t.equal(covers(ETH1, '2001:db8::2'), false, 'both have it: the kernel takes either')
  t.equal(covers(ETH0, '2001:db8::2'), false)
  links.set(linkOf(ETH1, { addresses: [own('2001:db8::2', 128)] }))
  t.equal(covers(ETH1, '2001:db8::2'), false, 'an address is no prefix')
  links.set(linkOf(ETH0, { addresses: [own('2001:db8::fd', 64), own('2001:db8::ff', 64)] }))
  t.equal(covers(ETH0, '2001:db8::3'), true, 'twice on one link is once')
})

t.test('all hosts are asked from an address like theirs, whichever link has it', async (t) => {
  const links = new Links(chance(1))
  const sources = (...prefixes: string[]): string[] => links.sources(links.get(ETH1)!,
    (address) => prefixes.some((text) => prefix(text).contains(address))).map(String)
  links.set(linkOf(LO, { addresses: [own('::1', 128), own('2001:db8::7', 128)] }))
  links.set(linkOf(ETH1, { addresses: [] }))
  t.same(sources('2001:db8::/64'), [], 'loopback is no link')
  links.set(linkOf(ETH1, { addresses: [own('fe80::3', 64, true), own('fe80::4')] }))
  t.same(sources('2001:db8::/64'), ['fe80::4'], 'for want of another; never a tentative one')
  links.set(linkOf(ETH0, { addresses: [own('fe80::2'), own('2001:db8::fe', 64, true)] }))
  t.same(sources('2001:db8::/64'), ['fe80::4'], 'not another link\'s link-local one')
  links.set(linkOf(ETH0, { addresses: [own('fe80::2'), own('fd00::ff'), own('2001:db8::ff')] }))
  t.same(sources('2001:db8::/64'), ['2001:db8::ff'])
  t.same(sources('2001:db8:9::/64'), ['fd00::ff'], 'or any that is not link-local')
  t.same(sources('2001:db8:9::/64', '2001:db8::/64'), ['2001:db8::ff'])
})
