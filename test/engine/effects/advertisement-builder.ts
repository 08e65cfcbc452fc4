/** Flags, source and destination of advertisements (RFC 4861 4.4, 7.2.4, 7.2.6). */
import t from 'tap'
import { Address } from '../../../src/address.ts'
import { DEFAULTS } from '../../../src/config/defaults.ts'
import type { Settings } from '../../../src/config/config.ts'
import { AdvertisementBuilder } from '../../../src/engine/effects/advertisement-builder.ts'
import { ETH0, ip, linkOf, mac, own, PartsRecorder, ROUTER } from '../kit/stage.ts'

const VM = ip('2001:db8::2')
const LINK = linkOf(ETH0, { addresses: [own('fe80::ff:2'), own('2001:db8::ff')] })

function scene(): { recorder: PartsRecorder; advertiser: AdvertisementBuilder } {
  const recorder = new PartsRecorder()
  return { recorder, advertiser: new AdvertisementBuilder({ effects: recorder.effects }) }
}

/** @returns the answer to a solicitor */
function answer(to: string, more: Partial<Settings> = {}, link = LINK): string[] {
  const { recorder, advertiser } = scene()
  const { w0, w1, w2, w3 } = ip(to)
  const isSent = advertiser.answer(link, { ...DEFAULTS, ...more }, VM.w0, VM.w1, VM.w2, VM.w3, w0, w1, w2, w3, mac(ROUTER))
  const lines = recorder.take()
  t.equal(isSent, lines.length === 1)
  return lines.map((line) => line.replace('advertise eth0 2001:db8::2 ', ''))
}

t.test('to the solicitor S=1; for DAD S=0 to all nodes', async (t) => {
  t.same(answer('fe80::1'), [`RS from fe80::ff:2 to fe80::1 ${ROUTER}`])
  t.same(answer('::'), ['R from fe80::ff:2 to ff02::1 33:33:00:00:00:01'])
})

t.test('flags and source as the settings have them', async (t) => {
  t.same(answer('fe80::1', { router: false }), [`S from fe80::ff:2 to fe80::1 ${ROUTER}`])
  t.same(answer('fe80::1', { override: 'always' }), [`RSO from fe80::ff:2 to fe80::1 ${ROUTER}`])
  t.same(answer('fe80::1', { source: 'global' }), [`RS from 2001:db8::ff to fe80::1 ${ROUTER}`])
  t.same(answer('fe80::1', { source: 'target' }), [`RS from 2001:db8::2 to fe80::1 ${ROUTER}`])
  t.same(answer('fe80::1', {}, linkOf(ETH0, { addresses: [own('fe80::1', 64, true)] })), [], 'no usable source')
})

t.test('unsolicited: to a group, with the wanted O', async (t) => {
  const { recorder, advertiser } = scene()
  t.ok(advertiser.announce(LINK, DEFAULTS, VM, Address.allRouters, false))
  t.ok(advertiser.announce(LINK, { ...DEFAULTS, override: 'never' }, VM, Address.allNodes, true))
  t.notOk(advertiser.announce(linkOf(ETH0, { addresses: [] }), DEFAULTS, VM, Address.allNodes, true))
  t.same(recorder.take(), ['advertise eth0 2001:db8::2 R from fe80::ff:2 to ff02::2 33:33:00:00:00:02',
    'advertise eth0 2001:db8::2 RO from fe80::ff:2 to ff02::1 33:33:00:00:00:01'])
})

t.test('a reused message keeps nothing of its previous use', async (t) => {
  const { recorder, advertiser } = scene()
  const { w0, w1, w2, w3 } = ip('fe80::1')
  advertiser.announce(LINK, DEFAULTS, VM, Address.allNodes, true)
  recorder.take()
  advertiser.answer(LINK, DEFAULTS, VM.w0, VM.w1, VM.w2, VM.w3, w0, w1, w2, w3, mac(ROUTER))
  t.same(recorder.take(), [`advertise eth0 2001:db8::2 RS from fe80::ff:2 to fe80::1 ${ROUTER}`])
  advertiser.announce(LINK, { ...DEFAULTS, router: false }, VM, Address.allRouters, false)
  t.same(recorder.take(), ['advertise eth0 2001:db8::2 - from fe80::ff:2 to ff02::2 33:33:00:00:00:02'])
})
