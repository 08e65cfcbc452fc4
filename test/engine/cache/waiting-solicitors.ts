import t from 'tap'
import { type Solicitor, SOLICITOR_LIMIT, withSolicitor } from '../../../src/engine/cache/waiting-solicitors.ts'
import { ETH0, ETH1, ip, mac, nthMac, VM2 } from '../kit/neighbor.ts'

t.test('each solicitor waits once, and at most SOLICITOR_LIMIT wait', async (t) => {
  const solicitor = (more: Partial<Solicitor> = {}): Solicitor => ({ ifindex: ETH0, source: ip('fe80::2'), mac: mac(VM2), ...more })
  const different = [solicitor(), solicitor({ ifindex: ETH1 }), solicitor({ source: ip('::') }), solicitor({ mac: mac(nthMac(0)) })]
  let waiting: readonly Solicitor[] = []
  for (const each of [...different, ...different]) waiting = withSolicitor(waiting, { ...each })!
  t.same(waiting, different)
  for (let n = different.length; n < SOLICITOR_LIMIT; n++) waiting = withSolicitor(waiting, solicitor({ mac: mac(nthMac(n)) }))!
  t.equal(waiting.length, SOLICITOR_LIMIT)
  t.equal(withSolicitor(waiting, solicitor({ mac: mac(nthMac(99)) })), undefined)
  t.equal(withSolicitor(waiting, solicitor()), waiting, 'this one waits already')
})
