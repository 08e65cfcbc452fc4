import t from 'tap'
import { Links } from '../../../src/engine/links/links.ts'
import { borrowedSource, echoSource, linkLocal, probeSource, sourceAddress, tunnelSource } from '../../../src/engine/links/source-address.ts'
import type { LinkAddress } from '../../../src/engine-types.ts'
import { chance, ETH0, ETH1, ip, linkOf, LO, own, prefix } from '../kit/stage.ts'

function source(choice: 'link-local' | 'global' | 'target', ...addresses: LinkAddress[]): string | undefined {
  return sourceAddress(linkOf(ETH0, { addresses }), choice, ip('2001:db8::2'))?.toString()
}

t.test('the source of an advertisement is usable, of the chosen kind if there is one', async (t) => {
  const [local, global] = [own('fe80::1'), own('2001:db8::ff')]
  const tentative = own('fe80::1', 64, true)
  t.equal(source('link-local', global, local), 'fe80::1')
  t.equal(source('global', local, global), '2001:db8::ff')
  t.equal(source('target', local), '2001:db8::2')
  t.equal(source('link-local', global), '2001:db8::ff', 'the other kind rather than none')
  t.equal(source('global', local), 'fe80::1')
  t.equal(source('link-local', tentative, global), '2001:db8::ff', 'never a tentative one')
  t.equal(source('link-local', tentative), undefined)
  t.equal(source('link-local'), undefined)
  t.equal(source('link-local', local, own('fe80::2')), 'fe80::1', 'the first')
})

t.test('echo requests come from an address in a prefix of the hosts, whichever link has it', async (t) => {
  const links = new Links(chance(1))
  const source = (...prefixes: string[]): string | undefined => echoSource(links, links.get(ETH1)!,
    (address) => prefixes.some((text) => prefix(text).contains(address)))?.toString()
  links.set(linkOf(LO, { addresses: [own('::1', 128), own('2001:db8::7', 128)] }))
  links.set(linkOf(ETH1, { addresses: [] }))
  t.equal(source('2001:db8::/64'), undefined, 'loopback addresses are no sources')
  links.set(linkOf(ETH1, { addresses: [own('fe80::3', 64, true), own('fe80::4')] }))
  t.equal(source('2001:db8::/64'), 'fe80::4', 'link-local as the last choice; never a tentative one')
  links.set(linkOf(ETH0, { addresses: [own('fe80::2'), own('2001:db8::fe', 64, true)] }))
  t.equal(source('2001:db8::/64'), 'fe80::4', 'not another link\'s link-local one')
  links.set(linkOf(ETH0, { addresses: [own('fe80::2'), own('fd00::ff'), own('2001:db8::ff')] }))
  t.equal(source('2001:db8::/64'), '2001:db8::ff')
  t.equal(source('2001:db8:9::/64'), 'fd00::ff', 'else any that is not link-local')
  t.equal(source('2001:db8:9::/64', '2001:db8::/64'), '2001:db8::ff')
})

t.test('on a link without addresses: in the target\'s prefix, else any that is not link-local, else a link-local one', async (t) => {
  const links = new Links(chance(1))
  const source = (target = '2001:db8::2'): string | undefined => borrowedSource(links, ip(target))?.toString()
  links.set(linkOf(ETH1, { addresses: [] }))
  links.set(linkOf(LO, { addresses: [own('::1', 128), own('2001:db8::7', 128)] }))
  t.equal(source(), '2001:db8::7', 'of loopback, as no other link has one')
  links.set(linkOf(ETH0, { addresses: [own('fe80::1', 64, true), own('fe80::2')] }))
  t.equal(source(), '2001:db8::7')
  links.set(linkOf(LO, { addresses: [own('::1', 128)] }))
  t.equal(source(), 'fe80::2')
  links.set(linkOf(ETH0, { addresses: [own('fe80::2'), own('2001:db8::fe', 64, true), own('fd00::ff')] }))
  t.equal(source(), 'fd00::ff', 'never a tentative one')
  links.set(linkOf(ETH0, { addresses: [own('fd00::ff'), own('2001:db8::ff')] }))
  t.equal(source(), '2001:db8::ff')
  t.equal(source('2001:db8:9::2'), 'fd00::ff')
  links.delete(ETH0)
  t.equal(source(), undefined)
})

t.test('a probe comes from an address of its link: a link-local one, else one in the target\'s prefix', async (t) => {
  const source = (...addresses: LinkAddress[]): string | undefined => probeSource(linkOf(ETH0, { addresses }), ip('2001:db8::2'))?.toString()
  t.equal(source(own('2001:db8::ff'), own('fe80::1')), 'fe80::1')
  t.equal(source(own('fd00::ff'), own('fe80::1', 64, true), own('2001:db8::ff')), '2001:db8::ff')
  t.equal(source(own('fd00::ff'), own('2001:db8::ff', 128)), 'fd00::ff', 'else any')
  t.equal(source(own('2001:db8::fe', 64, true), own('2001:db8::ff', 64)), '2001:db8::ff', 'never a tentative one')
  t.equal(source(own('fe80::1', 64, true)), undefined)
})

t.test('probes into a tunnel come from a global address, of the tunnel if it has one', async (t) => {
  const links = new Links(chance(1))
  const source = (...addresses: LinkAddress[]): string | undefined => tunnelSource(links, linkOf(ETH1, { addresses }))?.toString()
  t.equal(source(), undefined)
  t.equal(source(own('fe80::1')), 'fe80::1')
  links.set(linkOf(ETH0, { addresses: [own('fe80::2'), own('2001:db8::ff')] }))
  t.equal(source(own('fe80::1')), '2001:db8::ff')
  t.equal(source(own('fe80::1'), own('fd00::1')), 'fd00::1')
})

t.test('MLD and MRD messages come from a usable link-local address of a link that is up', async (t) => {
  const links = new Links(chance(1))
  const source = (up: boolean, ...addresses: LinkAddress[]): string | undefined => {
    links.set(linkOf(ETH0, { up, addresses }))
    return linkLocal(links, ETH0)?.toString()
  }
  t.equal(source(true, own('2001:db8::ff'), own('fe80::1')), 'fe80::1')
  t.equal(source(false, own('fe80::1')), undefined)
  t.equal(source(true, own('2001:db8::ff'), own('fe80::1', 64, true)), undefined)
  t.equal(linkLocal(links, ETH1), undefined)
})
