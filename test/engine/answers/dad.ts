/** Solicitations of Duplicate Address Detection: an owner is defended once it proved that it is there (RFC 4862 5.4.3). */
import t from 'tap'
import { SOLICITOR_LIMIT } from '../../../src/engine/cache/waiting-solicitors.ts'
import { nthMac } from '../../kit/frames.ts'
import { ETH0, ETH1, linkOf, LO, ROUTER, Stage, SUBNET, twoLinks, VM, VM2, VM3 } from '../kit/stage.ts'

const DEFENSE = `advertise eth0 ${VM} R from fe80::ff:2 to ff02::1 33:33:00:00:00:01`

t.test('a static rule answers at once, but defends only addresses of this machine', async (t) => {
  const answer = `advertise eth0 ${VM} RS from fe80::ff:2 to fe80::1 ${ROUTER}`
  const stage = new Stage('proxy eth0 { rule 2001:db8::/64 { static } }')
  t.equal(stage.ns(ETH0, VM), 'answered')
  t.same(stage.sink.take(), [answer])
  t.equal(stage.dad(ETH0, VM, VM3), 'dad-unproven')
  t.same(stage.sink.take(), [`lookup ${VM}`], 'the kernel may have a local route')
  stage.route(VM, ETH1)
  t.same(stage.sink.take(), [])
  stage.dad(ETH0, VM, VM3)
  stage.sink.take()
  stage.route(VM, LO, true)
  t.same(stage.sink.take(), [DEFENSE], 'by a local route')
  stage.route(VM, LO, true)
  t.same(stage.sink.take(), [], 'once')
  t.equal(stage.ns(ETH0, VM), 'answered', 'answers to others stay the same')
})

t.test('each solicitor in DAD waits once, and at most SOLICITOR_LIMIT wait', async (t) => {
  const stage = new Stage('proxy eth0 { rule 2001:db8::/64 { static } }')
  stage.dad(ETH0, VM, VM3)
  t.equal(stage.dad(ETH0, VM, VM3), 'dad-unproven')
  for (let n = 1; n < SOLICITOR_LIMIT; n++) t.equal(stage.dad(ETH0, VM, nthMac(n)), 'dad-unproven')
  t.equal(stage.dad(ETH0, VM, nthMac(SOLICITOR_LIMIT)), 'limit')
  t.same(stage.sink.take(), [`lookup ${VM}`, `limit solicitors ${SOLICITOR_LIMIT}`])
  stage.route(VM, LO, true)
  t.equal(stage.sink.take('advertise').length, SOLICITOR_LIMIT)
})

t.test('a known owner must prove that it is there, and then it is defended', async (t) => {
  const stage = new Stage(SUBNET.replace('host', 'timeout 100\n retries 3\n host'))
  stage.learn(VM, VM2)
  stage.wait(1000)
  t.equal(stage.dad(ETH0, VM, VM3), 'probing')
  t.same(stage.sink.take('confirm', 'solicit', 'advertise'), [`confirm eth1 ${VM} from fe80::ff:3 to ${VM2}`])
  stage.na(ETH1, VM, VM2)
  t.same(stage.sink.take('advertise', 'conflict'), [DEFENSE, `conflict ${VM} eth0 ${VM3} answered`])

  stage.wait(249)
  t.equal(stage.dad(ETH0, VM, VM3), 'probing')
  t.same(stage.sink.take('confirm', 'advertise'), [DEFENSE], 'it proved that just now')

  stage.wait(1)
  t.equal(stage.dad(ETH0, VM, VM3), 'probing', 'once more, with a silent owner')
  stage.wait(500)
  t.same(stage.sink.take('advertise'), [])
  t.equal(stage.known[VM], 'FAILED -')
})

t.test('the owner\'s own DAD is not defended against; a pinned address is defended at once', async (t) => {
  const stage = new Stage(SUBNET)
  stage.learn(VM, VM2)
  t.equal(stage.dad(ETH0, VM, VM2), 'dad-own-mac')
  t.same(stage.sink.take('advertise'), [])
  t.equal(stage.dad(ETH1, '2001:db8::1', VM2), 'defended')
  t.same(stage.sink.take('advertise', 'conflict'), ['advertise eth1 2001:db8::1 R from fe80::ff:3 to ff02::1 33:33:00:00:00:01',
    `conflict 2001:db8::1 eth1 ${VM2} pinned`])
})

t.test('a pinned address is defended without its link, but not answered for', async (t) => {
  const TUN = 9
  const tun = linkOf(TUN, { name: 'tun0', mac: undefined })
  const text = SUBNET.replace('eth1', 'tun0 eth1').replace('host', `host ${VM} tun0\n host`)
  const cases: Readonly<Record<string, (stage: Stage) => void>> = {
    'gone': (stage) => { stage.link(tun); stage.gone(TUN) },
    'down': (stage) => { stage.link(tun); stage.link({ ...tun, up: false }) },
    'not there yet': () => {},
    'pinned by a reload': (stage) => { stage.configure(SUBNET); stage.configure(text) },
  }
  for (const [name, prepare] of Object.entries(cases)) {
    const stage = new Stage(text, twoLinks())
    prepare(stage)
    stage.sink.take()
    t.equal(stage.dad(ETH1, VM, VM2), 'defended', name)
    t.same(stage.sink.take('advertise', 'conflict'), [`advertise eth1 ${VM} R from fe80::ff:3 to ff02::1 33:33:00:00:00:01`,
      `conflict ${VM} eth1 ${VM2} pinned without tun0`], name)
    t.equal(stage.dad(ETH0, VM, VM2), 'defended', `${name}, on the upstream`)
    t.equal(stage.ns(ETH0, VM), 'no-candidate', `${name}: the answer would attract packets`)
    t.equal(stage.ns(ETH1, VM), 'no-candidate', name)
    stage.wait(5000)
    t.same(stage.probes(), [], name)
    stage.link(tun)
    t.equal(stage.ns(ETH0, VM), 'answered', `${name}: the pin stands`)
    stage.sink.take()
    t.equal(stage.dad(ETH1, VM, VM2), 'defended')
    t.same(stage.sink.take('conflict'), [`conflict ${VM} eth1 ${VM2} pinned`])
  }
})

t.test('an upstream that is gone: the router\'s pinned address is defended', async (t) => {
  const stage = new Stage(SUBNET)
  stage.gone(ETH0)
  t.equal(stage.dad(ETH1, '2001:db8::1', VM2), 'defended')
  t.equal(stage.ns(ETH1, '2001:db8::1', { from: VM2 }), 'no-candidate')
})

t.test('rules of another block for the pinned host\'s link defend its address, too; other rules do not', async (t) => {
  const text = (iface: string) => `${SUBNET.replace('eth1', 'tun0').replace('host', `host ${VM} tun0\n host`)}
    proxy eth1 { rule 2001:db8::/64 { iface ${iface} } }`
  t.equal(new Stage(text('tun0')).dad(ETH1, VM, VM2), 'defended')
  t.equal(new Stage(text('eth0')).dad(ETH1, VM, VM2), 'no-candidate')
})

t.test('a newcomer\'s DAD that waits for the pinned host\'s route, whose link goes down, is defended', async (t) => {
  const text = SUBNET.replace('eth1', 'eth9 eth1').replace('host', `host ${VM} eth9\n host`)
  const stage = new Stage(text)
  stage.isKernelFast = false
  stage.link(linkOf(9, { name: 'eth9' }))
  t.equal(stage.dad(ETH1, VM, VM2), 'probing')
  stage.sink.take()
  stage.gone(9)
  t.same(stage.sink.take('advertise'), [`advertise eth1 ${VM} R from fe80::ff:3 to ff02::1 33:33:00:00:00:01`])
})

t.test('an answer of another proxy does not refuse a newcomer its address', async (t) => {
  const stage = new Stage(SUBNET)
  stage.ns(ETH1, VM, { from: VM3, source: 'fe80::3' })
  t.equal(stage.dad(ETH1, VM, VM2), 'probing')
  stage.sink.take()
  stage.na(ETH0, VM, ROUTER, { flags: 'S' })
  t.same(stage.sink.take('advertise'), [`advertise eth1 ${VM} RS from fe80::ff:3 to fe80::3 ${VM3}`], 'not to the newcomer')
  t.equal(stage.dad(ETH1, VM, VM2), 'dad-unproven')
  t.same(stage.sink.take('advertise', 'conflict', 'confirm'), [])
  t.equal(stage.ns(ETH1, VM, { from: VM3, source: 'fe80::3' }), 'answered')
})
