/** Reachability of owners: entries that are REACHABLE or in PROBE. */
import t from 'tap'
import { SOLICITOR_LIMIT } from '../../../src/engine/cache/waiting-solicitors.ts'
import { numbers } from '../../kit/addresses.ts'
import { ETH0, ETH1, ip, linkOf, mac, own, PATIENT, Stage, VM, VM2, VM3 } from '../kit/stage.ts'

t.test('REACHABLE: answered at once, verified before the end of ttl, first by unicast, then by the group', async (t) => {
  const stage = new Stage(PATIENT)
  stage.learn(VM, VM2)
  t.equal(stage.known[VM], 'REACHABLE eth1 routed')
  stage.wait(27_999)
  t.same(stage.sink.take(), [])
  stage.wait(1)
  t.equal(stage.known[VM], 'PROBE eth1 routed')
  const unicast = `confirm eth1 ${VM} from fe80::ff:3 to ${VM2}`
  t.same(stage.sink.take('confirm', 'solicit'), [unicast])
  t.equal(stage.ns(ETH0, VM), 'answered', 'still known')
  stage.wait(1500)
  t.same(stage.sink.take('confirm', 'solicit'), [unicast, unicast, `solicit eth1 ${VM}`], 'one lost probe is not the end')
  t.equal(stage.na(ETH1, VM, VM2), 'proof')
  t.equal(stage.known[VM], 'REACHABLE eth1 routed')
  stage.wait(29_999)
  t.equal(stage.known[VM], 'PROBE eth1 routed')
  stage.wait(1)
  t.equal(stage.known[VM], 'FAILED -', 'no proof is older than ttl')
  t.same(stage.sink.take('route'), [`route delete ${VM} eth1`])
  stage.wait(20_000)
  t.equal(stage.known[VM], undefined)
})

t.test('keepalive no: verified only after a solicitation, removed at the end of ttl', async (t) => {
  const stage = new Stage(PATIENT.replace('host', 'keepalive no\n host'))
  stage.learn(VM, VM2)
  stage.wait(29_999)
  t.same(stage.sink.take(), [])
  stage.wait(1)
  t.same(stage.sink.take('confirm', 'solicit', 'route'), [`route delete ${VM} eth1`])
  t.equal(stage.known[VM], undefined)
  stage.learn(VM, VM2)
  t.equal(stage.ns(ETH0, VM), 'answered')
  stage.wait(28_000)
  t.equal(stage.known[VM], 'PROBE eth1 routed')
  stage.na(ETH1, VM, VM2)
  stage.wait(29_000)
  t.equal(stage.ns(ETH0, VM), 'answered', 'a late solicitation')
  stage.wait(1000)
  t.equal(stage.known[VM], 'PROBE eth1 routed')
})

t.test('restored owners are known at once and verified by their group', async (t) => {
  const restored = (): Stage => {
    const stage = new Stage(PATIENT)
    stage.handle({ kind: 'saved-hosts', hosts: [{ target: ip(VM), iface: 'eth1', mac: undefined, router: false }] })
    return stage
  }
  const stage = restored()
  t.same(stage.sink.take('solicit', 'confirm'), [`solicit eth1 ${VM}`])
  t.equal(stage.known[VM], 'PROBE eth1 routed')
  stage.handle({ kind: 'saved-hosts', hosts: [{ target: ip(VM), iface: 'eth1', mac: undefined, router: false }] })
  t.same(stage.sink.take(), [], 'once')
  const proved = stage.now
  stage.na(ETH1, VM, VM2)
  // Reports of groups are over.
  stage.wait(20_000)
  t.equal(stage.engine.deadline, proved + 28_000)
  t.same([...stage.engine.savedHosts], [{ target: ip(VM), iface: 'eth1', mac: mac(VM2), router: false }])
  stage.gone(ETH1)
  stage.wait(20_000)
  t.same([...stage.engine.savedHosts], [])
  t.equal(stage.engine.deadline, undefined)

  const defended = restored()
  t.equal(defended.dad(ETH0, VM, VM3), 'probing')
  t.same(defended.sink.take('advertise'), [])
  defended.na(ETH1, VM, VM2)
  t.equal(defended.sink.take('advertise').length, 1, 'after the proof')
})

t.test('an owner is not lost while its link has no usable address', async (t) => {
  const stage = new Stage(PATIENT)
  stage.learn(VM, VM2)
  stage.wait(27_000)
  stage.link(linkOf(ETH1, { addresses: [own('fe80::ff:3', 64, true)] }))
  stage.wait(3000)
  t.equal(stage.known[VM], 'PROBE eth1 routed')
  t.same(stage.probes(), [])
  stage.link(linkOf(ETH1))
  t.same(stage.probes(), [`confirm eth1 ${VM} from fe80::ff:3 to ${VM2}`])
  stage.na(ETH1, VM, VM2)
  t.equal(stage.known[VM], 'REACHABLE eth1 routed')
})

t.test('solicitors that claim the address of an owner wait for its proof, up to the limit', async (t) => {
  const stage = new Stage(PATIENT)
  stage.learn(VM, VM2)
  stage.wait(1000)
  const claim = (n: number): unknown => stage.dad(ETH0, VM, `02:00:00:00:09:${String(n).padStart(2, '0')}`)
  for (const n of numbers(1, SOLICITOR_LIMIT)) t.equal(claim(n), 'probing')
  t.equal(claim(SOLICITOR_LIMIT + 1), 'limit')
  t.same(stage.sink.take('limit'), [`limit solicitors ${SOLICITOR_LIMIT}`])
})
