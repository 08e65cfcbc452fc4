/** Advertisements in reused memory. `responder.ts` and `announcer.ts` test flags, source and destination. */
import t from 'tap'
import { Address } from '../../../src/address.ts'
import { DEFAULTS } from '../../../src/config/defaults.ts'
import { BareLinks } from '../../../src/engine/cache/bare-links.ts'
import { AdvertisementBuilder } from '../../../src/engine/effects/advertisement-builder.ts'
import { Links } from '../../../src/engine/links/links.ts'
import { chance, ETH0, ip, linkOf, mac, own, PartsRecorder, ROUTER } from '../kit/stage.ts'

const VM = ip('2001:db8::2')
const LINK = linkOf(ETH0, { addresses: [own('fe80::ff:2'), own('2001:db8::ff')] })

t.test('a reused message keeps nothing of its previous use', async (t) => {
  const recorder = new PartsRecorder()
  const { effects } = recorder
  const advertiser = new AdvertisementBuilder({ effects, bareLinks: new BareLinks({ links: new Links(chance(1)), effects, reconfiguration: undefined as never }) })
  const { w0, w1, w2, w3 } = ip('fe80::1')
  advertiser.announce(LINK, DEFAULTS, VM, Address.allNodes, true)
  recorder.take()
  advertiser.answer(LINK, DEFAULTS, VM.w0, VM.w1, VM.w2, VM.w3, w0, w1, w2, w3, mac(ROUTER))
  t.same(recorder.take(), [`advertise eth0 2001:db8::2 RS from fe80::ff:2 to fe80::1 ${ROUTER}`])
  advertiser.announce(LINK, { ...DEFAULTS, router: false }, VM, Address.allRouters, false)
  t.same(recorder.take(), ['advertise eth0 2001:db8::2 - from fe80::ff:2 to ff02::2 33:33:00:00:00:02'])
})
