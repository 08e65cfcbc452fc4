/** Flags, source and destination of advertisements (checklist D1 to D6, D10, D11, F3). */
import t from 'tap'
import { Advertiser } from '../../src/engine/advertiser.ts'
import { Address } from '../../src/address.ts'
import { DEFAULTS } from '../../src/config/defaults.ts'
import type { Settings } from '../../src/config/config.ts'
import { Links } from '../../src/engine/links.ts'
import { ip, mac } from './kit/frames.ts'
import { chance, ETH0, linkOf, own, Recorder, ROUTER } from './kit/stage.ts'

const VM = ip('2001:db8::2')
const LINK = linkOf(ETH0, { addresses: [own('fe80::ff:2'), own('2001:db8::ff')] })

function scene(): { sink: Recorder; advertiser: Advertiser } {
  const sink = new Recorder()
  return { sink, advertiser: new Advertiser(new Links(chance(1)), sink) }
}

/** What asker `to` is told. */
function answer(to: string, more: Partial<Settings> = {}, link = LINK): string[] {
  const { sink, advertiser } = scene()
  const { w0, w1, w2, w3 } = ip(to)
  const isSent = advertiser.answer(link, { ...DEFAULTS, ...more }, VM.w0, VM.w1, VM.w2, VM.w3, w0, w1, w2, w3, mac(ROUTER))
  const lines = sink.take()
  t.equal(isSent, lines.length === 1)
  return lines.map((line) => line.replace('advertise eth0 2001:db8::2 ', ''))
}

t.test('to the asker S=1; for DAD S=0 to all nodes', async (t) => {
  t.same(answer('fe80::1'), [`RS from fe80::ff:2 to fe80::1 ${ROUTER}`])
  t.same(answer('::'), ['R from fe80::ff:2 to ff02::1 33:33:00:00:00:01'])
})

t.test('as the settings say', async (t) => {
  t.same(answer('fe80::1', { router: false }), [`S from fe80::ff:2 to fe80::1 ${ROUTER}`])
  t.same(answer('fe80::1', { override: 'always' }), [`RSO from fe80::ff:2 to fe80::1 ${ROUTER}`])
  t.same(answer('fe80::1', { source: 'global' }), [`RS from 2001:db8::ff to fe80::1 ${ROUTER}`])
  t.same(answer('fe80::1', { source: 'target' }), [`RS from 2001:db8::2 to fe80::1 ${ROUTER}`])
  t.same(answer('fe80::1', {}, linkOf(ETH0, { addresses: [own('fe80::1', 64, true)] })), [], 'no usable source')
})

t.test('unasked: to a group, with the O that is wanted', async (t) => {
  const { sink, advertiser } = scene()
  t.ok(advertiser.announce(LINK, DEFAULTS, VM, Address.allRouters, false))
  t.ok(advertiser.announce(LINK, { ...DEFAULTS, override: 'never' }, VM, Address.allNodes, true))
  t.notOk(advertiser.announce(linkOf(ETH0, { addresses: [] }), DEFAULTS, VM, Address.allNodes, true))
  t.same(sink.take(), ['advertise eth0 2001:db8::2 R from fe80::ff:2 to ff02::2 33:33:00:00:00:02',
    'advertise eth0 2001:db8::2 RO from fe80::ff:2 to ff02::1 33:33:00:00:00:01'])
})

t.test('an answer after an announcement has nothing of it, nor the other way round', async (t) => {
  const { sink, advertiser } = scene()
  const { w0, w1, w2, w3 } = ip('fe80::1')
  advertiser.announce(LINK, DEFAULTS, VM, Address.allNodes, true)
  advertiser.answer(LINK, DEFAULTS, VM.w0, VM.w1, VM.w2, VM.w3, w0, w1, w2, w3, mac(ROUTER))
  advertiser.announce(LINK, { ...DEFAULTS, router: false }, VM, Address.allRouters, false)
  t.same(sink.take().slice(1), [`advertise eth0 2001:db8::2 RS from fe80::ff:2 to fe80::1 ${ROUTER}`,
    'advertise eth0 2001:db8::2 - from fe80::ff:2 to ff02::2 33:33:00:00:00:02'])
})
