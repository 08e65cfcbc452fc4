/** Product: who is answered, rows 1 to 8; checklist C, D and G. */
import t from 'tap'
import { ip } from './kit/frames.ts'
import { ETH0, ETH1, ETH2, linkOf, LO, own, ROUTER, Stage, SUBNET, twoLinks, VM2, VM3 } from './kit/stage.ts'

const VM = '2001:db8::2'
const STATIC = 'proxy eth0 { rule 2001:db8::/64 { static } }'

/** The answer to the router's solicitation. */
const ANSWER = `advertise eth0 ${VM} RS from fe80::ff:2 to fe80::1 ${ROUTER}`
const DEFENCE = `advertise eth0 ${VM} R from fe80::ff:2 to ff02::1 33:33:00:00:00:01`

t.test('row 1: link-local, anycast and excluded targets: silent', async (t) => {
  const stage = new Stage(SUBNET.replace('host', 'exclude 2001:db8::dead:0/112\n host 2001:db8::dead:1 eth1\n host 2001:db8:: eth1\n host'))
  t.equal(stage.ns(ETH0, 'fe80::2'), 'link-local')
  t.equal(stage.ns(ETH0, '2001:db8::dead:1'), 'excluded', 'pinned or not')
  t.equal(stage.ns(ETH0, '2001:db8::dead:2'), 'excluded')
  t.equal(stage.ns(ETH0, '2001:db8::fdff:ffff:ffff:ff80'), 'anycast', 'reserved (RFC 2526)')
  t.equal(stage.ns(ETH0, '2001:db8::'), 'anycast', 'subnet-router (RFC 4291 2.6.1), pinned or not')
  t.equal(stage.ns(ETH0, '2001:db8:1::2'), 'no-rule')
  t.equal(stage.ns(ETH0, 'ff02::1:ff00:2'), 'target-multicast')
  t.same(stage.sink.take(), [], 'and nobody is asked')
})

t.test('row 1: anycast is a matter of the prefix', async (t) => {
  const outcome = (prefix: string, target: string) => new Stage(`proxy eth0 { rule ${prefix} { static } }`).ns(ETH0, target)
  t.equal(outcome('2001:db8::/64', '2001:db8::'), 'anycast')
  t.equal(outcome('2001:db8::100/120', '2001:db8::100'), 'anycast')
  t.equal(outcome('2001:db8::/48', '2001:db8:0:7::'), 'anycast')
  t.equal(outcome('2001:db8::2/127', VM), 'answered', 'RFC 6164')
  t.equal(outcome('2001:db8::', '2001:db8::'), 'answered', 'a rule of its own')
  t.equal(outcome('2001:db8::/64', '2001:db8::fdff:ffff:ffff:ff7f'), 'answered')
  t.equal(outcome('2001:db8::fdff:ffff:ffff:0/112', '2001:db8::fdff:ffff:ffff:ff80'), 'answered', 'no interface identifier there')
})

t.test('row 2: an address of this machine on the asker\'s link: silent, the kernel answers (C4)', async (t) => {
  const stage = new Stage(STATIC)
  t.equal(stage.ns(ETH0, '2001:db8::ff'), 'own-address')
  stage.link(linkOf(ETH1, { addresses: [own('2001:db8::ff')] }))
  t.equal(stage.ns(ETH0, '2001:db8::ff'), 'own-address', 'on both')
  t.same(stage.sink.take('advertise'), [])
})

t.test('row 3: an address of this machine on another link: answered, unless it is tentative (C2)', async (t) => {
  const stage = new Stage(SUBNET)
  t.equal(stage.ns(ETH1, '2001:db8::ff', { from: VM2, source: VM }), 'answered')
  t.same(stage.sink.take('advertise'), [`advertise eth1 2001:db8::ff RS from fe80::ff:3 to ${VM} ${VM2}`])
  t.equal(stage.dad(ETH1, '2001:db8::ff', VM2), 'defended', 'it is ours for certain')
  stage.link(linkOf(ETH0, { addresses: [own('fe80::ff:2'), own('2001:db8::ff', 64, true)] }))
  t.equal(stage.ns(ETH1, '2001:db8::ff', { from: VM2, source: VM }), 'own-address')
  stage.link(linkOf(ETH0))
  stage.link(linkOf(LO, { addresses: [own('2001:db8::ff', 128)] }))
  t.equal(stage.ns(ETH0, '2001:db8::ff'), 'answered', 'on loopback: on no link')
  const plain = new Stage('proxy eth1 { rule 2001:db8::/64 { iface eth2 } }')
  t.equal(plain.ns(ETH1, '2001:db8::ff'), 'own-address', 'on a link that the rule does not name')
})

t.test('row 4: the owner sits on the asker\'s link: silent (C7)', async (t) => {
  const stage = new Stage(SUBNET)
  stage.learn(VM, VM2)
  t.equal(stage.ns(ETH1, VM, { from: VM3, source: '2001:db8::3' }), 'same-link')
  t.equal(stage.ns(ETH0, '2001:db8::1', { source: 'fe80::9', from: VM3 }), 'same-link', 'pinned, too')
  t.same(stage.sink.take('advertise'), [])
})

t.test('row 5: the owner sits on another link: answered at once, multicast and unicast alike (C3)', async (t) => {
  const stage = new Stage(SUBNET)
  stage.learn(VM, VM2)
  t.equal(stage.ns(ETH0, VM), 'answered')
  t.equal(stage.ns(ETH0, VM, { to: VM }), 'answered', 'unicast')
  t.equal(stage.ns(ETH0, VM, { slla: false }), 'answered', 'C10: no SLLA')
  t.same(stage.sink.take(), [ANSWER, ANSWER, ANSWER])
  t.equal(stage.ns(ETH0, VM, { source: '2001:db8::1' }), 'answered')
  t.same(stage.sink.take(), [ANSWER.replace('to fe80::1', 'to 2001:db8::1')])
  t.equal(stage.ns(ETH1, '2001:db8::1', { from: VM2, source: VM }), 'answered', 'pinned upstream')
  stage.link(linkOf(ETH1, { up: false }))
  t.equal(stage.ns(ETH0, VM), 'no-candidate', 'its link is down')
})

t.test('row 6: a static rule answers at once, but defends DAD only for what is ours (C8)', async (t) => {
  const stage = new Stage(STATIC)
  t.equal(stage.ns(ETH0, VM), 'answered')
  t.same(stage.sink.take(), [ANSWER])
  t.equal(stage.dad(ETH0, VM, VM3), 'dad-unproven')
  t.same(stage.sink.take(), [`lookup ${VM}`], 'the kernel may know it')
  stage.route(VM, ETH1)
  t.same(stage.sink.take(), [])
  stage.dad(ETH0, VM, VM3)
  stage.sink.take()
  stage.route(VM, LO, true)
  t.same(stage.sink.take(), [DEFENCE], 'by a local route')
  stage.route(VM, LO, true)
  t.same(stage.sink.take(), [], 'once')
  t.equal(stage.ns(ETH0, VM), 'answered', 'DAD does not change what others get (C12)')
})

t.test('row 7: unknown: the candidates are asked, never the asker\'s link, and every asker is answered (C11)', async (t) => {
  const stage = new Stage(SUBNET.replace('eth1', 'eth1 eth2'), [...twoLinks(), linkOf(ETH2)])
  t.equal(stage.ns(ETH1, VM, { from: VM3, source: 'fe80::3' }), 'probing')
  t.same(stage.sink.take('solicit'), [`solicit eth0 ${VM}`, `solicit eth2 ${VM}`], 'not eth1')
  t.equal(stage.ns(ETH0, VM), 'probing')
  t.same(stage.sink.take('solicit'), ['solicit eth1 2001:db8::2'], 'the link that was left out')
  t.equal(stage.ns(ETH0, VM, { source: '2001:db8::1' }), 'probing')
  t.same(stage.sink.take('advertise'), [])
  t.equal(stage.na(ETH2, VM, VM2), 'proof')
  t.same(stage.sink.take('route', 'advertise'), [
    `route add ${VM} eth2`,
    `advertise eth1 ${VM} RS from fe80::ff:3 to fe80::3 ${VM3}`,
    ANSWER, ANSWER.replace('to fe80::1', 'to 2001:db8::1'),
  ])
})

t.test('row 7: an asker on the owner\'s own link gets no answer from us', async (t) => {
  const stage = new Stage(SUBNET)
  stage.ns(ETH0, VM)
  stage.ns(ETH1, VM, { from: VM3, source: '2001:db8::3' })
  stage.sink.take()
  stage.na(ETH1, VM, VM2)
  t.same(stage.sink.take('advertise'), [ANSWER])
})

t.test('row 7: each asker is answered by the rules of its own link only', async (t) => {
  const stage = new Stage(`proxy eth0 { rule 2001:db8::/64 { iface eth1 } }
    proxy eth2 { router no\n rule 2001:db8::/64 { iface eth1 }\n rule 2001:db8::/64 { iface eth3 } }`,
    [...twoLinks(), linkOf(ETH2), linkOf(5, { name: 'eth3' })])
  stage.ns(ETH0, VM)
  stage.ns(ETH2, VM)
  stage.sink.take()
  stage.na(5, VM, VM2)
  t.same(stage.sink.take('advertise'), [`advertise eth2 ${VM} S from fe80::ff:4 to fe80::1 ${ROUTER}`],
    'with its own settings, and nobody whose rule does not name eth3')
})

t.test('row 7: after the retries silent for deadtime, ended early by any sign of life', async (t) => {
  const stage = new Stage(SUBNET.replace('host', 'timeout 100\n retries 1\n deadtime 5s\n host'))
  stage.ns(ETH0, VM)
  stage.wait(200)
  t.equal(stage.ns(ETH0, VM), 'failed')
  stage.wait(4999)
  t.equal(stage.ns(ETH0, VM), 'failed')
  stage.wait(1)
  t.equal(stage.ns(ETH0, VM), 'probing')
  stage.wait(200)
  t.equal(stage.ns(ETH0, VM), 'failed')
  stage.ns(ETH1, '2001:db8::1', { from: VM2, source: VM })
  t.equal(stage.ns(ETH0, VM), 'probing', 'the VM was heard')
})

t.test('row 7: who was there until lately may be back without a word, and is asked for whenever it is wanted', async (t) => {
  const stage = new Stage(SUBNET.replace('host', 'timeout 100\n retries 1\n ttl 1s\n deadtime 30s\n host'))
  stage.learn(VM, VM2)
  stage.wait(1200)
  t.equal(stage.known[VM], 'FAILED -')
  for (let round = 0; round < 3; round++) {
    t.equal(stage.ns(ETH0, VM), 'probing')
    stage.wait(200)
    t.equal(stage.known[VM], 'FAILED -')
  }
  stage.ns(ETH0, VM)
  stage.sink.take()
  stage.na(ETH1, VM, VM2)
  t.same(stage.sink.take('advertise').slice(0, 1), [ANSWER])
})

t.test('row 7: nobody to ask, or nobody may be asked', async (t) => {
  const stage = new Stage(SUBNET, [twoLinks()[0], linkOf(ETH1, { up: false })])
  t.equal(stage.ns(ETH0, VM), 'no-candidate')
  const stern = new Stage(SUBNET.replace('host', `learn no\n host ${VM} eth1\n host`))
  t.equal(stern.ns(ETH0, '2001:db8::3'), 'unknown-host')
  t.equal(stern.ns(ETH0, VM), 'answered')
  t.same(stern.sink.take('solicit'), [])
})

t.test('row 7: auto asks the kernel for the way', async (t) => {
  const auto = 'proxy eth0 { timeout 500\n rule 2001:db8::/64 { auto } }'
  const stage = new Stage(auto)
  t.equal(stage.ns(ETH0, VM), 'probing')
  t.same(stage.sink.take('lookup', 'solicit'), [`lookup ${VM}`])
  stage.route(VM, ETH1)
  t.same(stage.sink.take('listen', 'solicit'), ['listen eth1', `solicit eth1 ${VM}`], 'heard first')
  t.equal(stage.na(ETH1, VM, VM2), 'proof')
  t.same(stage.sink.take('advertise'), [ANSWER])

  const back = new Stage(auto)
  back.ns(ETH0, VM)
  back.route(VM, ETH0)
  t.same(back.sink.take('solicit', 'advertise'), [], 'the way leads back')
  t.equal(back.ns(ETH0, VM), 'failed')
  back.wait(500)
  t.equal(back.ns(ETH0, VM), 'probing', 'but not for long')
  back.route(VM, undefined)
  t.equal(back.ns(ETH0, VM), 'failed', 'no way at all')
})

t.test('row 8: DAD for a known owner: it must prove that it lives, then it is defended', async (t) => {
  const stage = new Stage(SUBNET.replace('host', 'timeout 100\n retries 3\n host'))
  stage.learn(VM, VM2)
  stage.wait(1000)
  t.equal(stage.dad(ETH0, VM, VM3), 'probing')
  t.same(stage.sink.take('confirm', 'solicit', 'advertise'), [`confirm eth1 ${VM} from fe80::ff:3 to ${VM2}`])
  stage.na(ETH1, VM, VM2)
  t.same(stage.sink.take('advertise', 'conflict'), [`conflict ${VM} eth0 ${VM3}`, DEFENCE], 'and told of (G6)')

  stage.wait(249)
  t.equal(stage.dad(ETH0, VM, VM3), 'probing')
  t.same(stage.sink.take('confirm', 'advertise'), [DEFENCE], 'it proved that just now')

  stage.wait(1)
  t.equal(stage.dad(ETH0, VM, VM3), 'probing', 'and once more, with a dead owner (G2)')
  stage.wait(500)
  t.same(stage.sink.take('advertise'), [])
  t.equal(stage.known[VM], 'FAILED -')
})

t.test('row 8: DAD for an unknown address: an owner that answers is defended', async (t) => {
  const stage = new Stage(SUBNET)
  t.equal(stage.dad(ETH0, VM, VM3), 'probing')
  stage.na(ETH1, VM, VM2)
  t.same(stage.sink.take('advertise'), [DEFENCE])
})

t.test('row 8: the owner\'s own DAD is not defended against it (G3); a pinned address is, at once', async (t) => {
  const stage = new Stage(SUBNET)
  stage.learn(VM, VM2)
  t.equal(stage.dad(ETH0, VM, VM2), 'dad-own-mac')
  t.same(stage.sink.take('advertise'), [])
  t.equal(stage.dad(ETH1, '2001:db8::1', VM2), 'defended')
  t.same(stage.sink.take('advertise', 'conflict'), [`conflict 2001:db8::1 eth1 ${VM2}`,
    'advertise eth1 2001:db8::1 R from fe80::ff:3 to ff02::1 33:33:00:00:00:01'])
})

t.test('row 8: another proxy\'s word is no reason to refuse a newcomer its address', async (t) => {
  const stage = new Stage(SUBNET)
  stage.ns(ETH1, VM, { from: VM3, source: 'fe80::3' })
  t.equal(stage.dad(ETH1, VM, VM2), 'probing')
  stage.sink.take()
  stage.na(ETH0, VM, ROUTER, { flags: 'S' })
  t.same(stage.sink.take('advertise'), [`advertise eth1 ${VM} RS from fe80::ff:3 to fe80::3 ${VM3}`],
    'who asked is told; who wants it is not refused')
  t.equal(stage.dad(ETH1, VM, VM2), 'dad-unproven')
  t.same(stage.sink.take('advertise', 'conflict', 'confirm'), [])
  t.equal(stage.ns(ETH1, VM, { from: VM3, source: 'fe80::3' }), 'answered')
})

t.test('this machine itself wants to know: its other links are asked', async (t) => {
  const config = SUBNET.replace('eth1', 'eth1 eth2').replace('host', 'timeout 100\n retries 1\n exclude 2001:db8::7\n host')
  const stage = new Stage(config, [...twoLinks(), linkOf(ETH2)])
  const local = (ifindex: number, target: string): string[] => {
    stage.handle({ kind: 'local-solicitation', ifindex, target: ip(target) })
    return stage.sink.take('solicit', 'confirm')
  }
  t.same(local(ETH0, VM), [`solicit eth1 ${VM}`, `solicit eth2 ${VM}`])
  t.same(local(ETH0, VM), [], 'once')
  t.same(local(ETH1, VM), [], 'what we ask ourselves looks the same')
  stage.na(ETH2, VM, VM2)
  t.equal(stage.known[VM], 'REACHABLE eth2 routed')
  t.same(stage.sink.take('advertise'), [], 'nobody else waits')
  t.same(local(ETH0, VM), [], 'the kernel finds its route the next time')
  for (const target of ['fe80::2', '2001:db8::', '2001:db8::7', '2001:db8::ff', '2001:db8::1', '2001:db8:1::2']) {
    t.same(local(ETH1, target), [], target)
  }
  t.same(local(ETH0, '2001:db8::3').length, 2)
  stage.wait(200)
  t.equal(stage.known['2001:db8::3'], 'FAILED -')
  stage.sink.take()
  t.same(local(ETH0, '2001:db8::3'), [], 'it is known to be nowhere')
  stage.handle({ kind: 'local-solicitation', ifindex: 99, target: ip(VM) })
  const plain = new Stage(config.replace('host', 'routes no\n host'))
  plain.handle({ kind: 'local-solicitation', ifindex: ETH0, target: ip(VM) })
  t.same(plain.sink.take(), [], 'without routes it would not help')
})

t.test('the answer: target, flags, source as configured (D1 to D6, D10, D11)', async (t) => {
  const answer = (settings: string, links = twoLinks()) => {
    const stage = new Stage(`proxy eth0 { ${settings}\n rule 2001:db8::/64 { static } }`, links)
    return [stage.ns(ETH0, VM), ...stage.sink.take()]
  }
  t.same(answer(''), ['answered', ANSWER])
  t.same(answer('router no'), ['answered', ANSWER.replace('RS', 'S')])
  t.same(answer('override always'), ['answered', ANSWER.replace('RS', 'RSO')])
  t.same(answer('override never'), ['answered', ANSWER])
  t.same(answer('source global'), ['answered', ANSWER.replace('from fe80::ff:2', 'from 2001:db8::ff')])
  t.same(answer('source target'), ['answered', ANSWER.replace('from fe80::ff:2', `from ${VM}`)])
  t.same(answer('', [linkOf(ETH0, { addresses: [own('fe80::ff:2', 64, true)] })]), ['no-source'])
})

t.test('broken frames are counted by their reason and touch nothing', async (t) => {
  const stage = new Stage(SUBNET)
  stage.learn(VM, VM2)
  t.equal(stage.dad(ETH0, '2001:db8::3', VM3), 'probing')
  t.equal(stage.ns(ETH0, VM, { source: '::', slla: true }), 'dad-slla')
  t.equal(stage.ns(ETH0, VM, { source: VM }), 'source')
  t.equal(stage.ns(ETH0, VM, { source: '::', to: 'ff02::1' }), 'dad-destination')
  t.equal(stage.na(ETH0, '2001:db8::3', VM3, { to: 'ff02::1', flags: 'SO' }), 'na-multicast-solicited')
  t.same(stage.sink.take('advertise'), [])
  t.equal(stage.ns(99, VM), undefined, 'an unknown link')
})
