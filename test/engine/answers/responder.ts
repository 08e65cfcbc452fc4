/** Outcomes of solicitations, by the owner of the target: none allowed, this machine, another link, unknown. */
import t from 'tap'
import { SOLICITOR_LIMIT } from '../../../src/engine/cache/waiting-solicitors.ts'
import { numbers } from '../../kit/addresses.ts'
import type { RouteChange } from '../../../src/engine-types.ts'
import { ETH0, ETH1, ETH2, ip, linkOf, LO, own, ROUTER, Stage, SUBNET, twoLinks, VM, VM2, VM3 } from '../kit/stage.ts'

/** The answer to the router's solicitation. */
const ANSWER = `advertise eth0 ${VM} RS from fe80::ff:2 to fe80::1 ${ROUTER}`
const DEFENSE = `advertise eth0 ${VM} R from fe80::ff:2 to ff02::1 33:33:00:00:00:01`

/** A solicitor on eth1. */
const DOWNSTREAM = { from: VM3, source: 'fe80::3' }

t.test('link-local, anycast and excluded targets: silent', async (t) => {
  const stage = new Stage(SUBNET.replace('host', 'exclude 2001:db8::dead:0/112\n host 2001:db8::dead:1 eth1\n host 2001:db8:: eth1\n host'))
  t.equal(stage.ns(ETH0, 'fe80::2'), 'link-local')
  t.equal(stage.ns(ETH0, '2001:db8::dead:1'), 'excluded', 'pinned')
  t.equal(stage.ns(ETH0, '2001:db8::dead:2'), 'excluded')
  t.equal(stage.ns(ETH0, '2001:db8::fdff:ffff:ffff:ff80'), 'anycast', 'reserved (RFC 2526)')
  t.equal(stage.ns(ETH0, '2001:db8::'), 'anycast', 'subnet-router (RFC 4291 2.6.1), even if it is pinned')
  t.equal(stage.ns(ETH0, '2001:db8:1::2'), 'no-rule')
  t.equal(stage.ns(ETH0, 'ff02::1:ff00:2'), 'target-multicast')
  t.same(stage.sink.take(), [], 'no probe')
})

t.test('only a subnet has anycast addresses: a subnet block, or the /64 of an address of this machine', async (t) => {
  const rule = (prefix: string): string => `proxy eth0 { rule ${prefix} { static } }`
  const outcome = (config: string, target: string) => new Stage(config).ns(ETH0, target)
  const ordinary = [['2001:db8:1::/64', '2001:db8:1::'], ['2001:db8:1::/64', '2001:db8:1::fdff:ffff:ffff:ff80'],
    ['2001:db8::10:0:0/96', '2001:db8::10:0:0'], ['2001:db8::10:4/126', '2001:db8::10:4'], ['2001:db8::100/120', '2001:db8::100'],
    ['2001:db8::/112', '2001:db8::'], ['2001:db8::', '2001:db8::'], ['2001:db8::fdff:ffff:ffff:0/112', '2001:db8::fdff:ffff:ffff:ff80']]
  for (const [prefix, target] of ordinary) t.equal(outcome(rule(prefix), target), 'answered', `${target} of the rule ${prefix}`)
  for (const prefix of ['2001:db8::/64', '2001:db8::/48']) {
    t.equal(outcome(rule(prefix), '2001:db8::'), 'anycast', `${prefix}, of which eth0 has a /64`)
    t.equal(outcome(rule(prefix), '2001:db8::fdff:ffff:ffff:ff80'), 'anycast', 'reserved (RFC 2526)')
    t.equal(outcome(rule(prefix), '2001:db8::fdff:ffff:ffff:ff7f'), 'answered')
  }
  t.equal(outcome(SUBNET.replace('/64', '/80'), '2001:db8::'), 'probing', 'a part of a /64 is no subnet')
  t.equal(outcome(`${SUBNET}\n${rule('2001:db8::')}`, '2001:db8::'), 'answered', 'a rule of its own')
})

t.test('an address of this machine on the solicitor\'s link: silent, the kernel answers', async (t) => {
  const stage = new Stage('proxy eth0 { rule 2001:db8::/64 { static } }')
  t.equal(stage.ns(ETH0, '2001:db8::ff'), 'own-address')
  stage.link(linkOf(ETH1, { addresses: [own('2001:db8::ff')] }))
  t.equal(stage.ns(ETH0, '2001:db8::ff'), 'own-address', 'on both')
  t.same(stage.sink.take('advertise'), [])
})

t.test('an address of this machine on another link: answered, unless it is tentative', async (t) => {
  const stage = new Stage(SUBNET)
  t.equal(stage.ns(ETH1, '2001:db8::ff', { from: VM2, source: VM }), 'answered')
  t.same(stage.sink.take('advertise'), [`advertise eth1 2001:db8::ff RS from fe80::ff:3 to ${VM} ${VM2}`])
  t.equal(stage.dad(ETH1, '2001:db8::ff', VM2), 'defended', 'without a probe')
  stage.link(linkOf(ETH0, { addresses: [own('fe80::ff:2'), own('2001:db8::ff', 64, true)] }))
  t.equal(stage.ns(ETH1, '2001:db8::ff', { from: VM2, source: VM }), 'own-address')
  stage.link(linkOf(ETH0))
  stage.link(linkOf(LO, { addresses: [own('2001:db8::ff', 128)] }))
  t.equal(stage.ns(ETH0, '2001:db8::ff'), 'answered', 'on loopback: on no link')
  const plain = new Stage('proxy eth1 { rule 2001:db8::/64 { iface eth2 } }')
  t.equal(plain.ns(ETH1, '2001:db8::ff'), 'own-address', 'on a link that the rule does not name')
})

t.test('an owner on the solicitor\'s link: silent', async (t) => {
  const stage = new Stage(SUBNET)
  stage.learn(VM, VM2)
  t.equal(stage.ns(ETH1, VM, DOWNSTREAM), 'same-link')
  t.equal(stage.ns(ETH0, '2001:db8::1', { source: 'fe80::9', from: VM3 }), 'same-link', 'pinned')
  t.same(stage.sink.take('advertise'), [])
})

t.test('an owner on another link: answered at once, multicast and unicast alike', async (t) => {
  const stage = new Stage(SUBNET)
  stage.learn(VM, VM2)
  t.equal(stage.ns(ETH0, VM), 'answered')
  t.equal(stage.ns(ETH0, VM, { to: VM }), 'answered', 'unicast')
  t.equal(stage.ns(ETH0, VM, { slla: false }), 'answered', 'without a source link-layer address option')
  t.same(stage.sink.take(), [ANSWER, ANSWER, ANSWER])
  t.equal(stage.ns(ETH0, VM, { source: '2001:db8::1' }), 'answered')
  t.same(stage.sink.take(), [ANSWER.replace('to fe80::1', 'to 2001:db8::1')])
  t.equal(stage.ns(ETH1, '2001:db8::1', { from: VM2, source: VM }), 'answered', 'pinned upstream')
  stage.link(linkOf(ETH1, { up: false }))
  t.equal(stage.ns(ETH0, VM), 'no-candidate', 'its link is down')
})

t.test('an unknown target is probed on all links but the solicitor\'s, and each solicitor is answered', async (t) => {
  const stage = new Stage(SUBNET.replace('eth1', 'eth1 eth2'), [...twoLinks(), linkOf(ETH2)])
  t.equal(stage.ns(ETH1, VM, DOWNSTREAM), 'probing')
  t.same(stage.sink.take('solicit'), [`solicit eth0 ${VM}`, `solicit eth2 ${VM}`], 'not eth1')
  t.equal(stage.ns(ETH0, VM), 'probing')
  t.same(stage.sink.take('solicit'), ['solicit eth1 2001:db8::2'], 'the link that was left out')
  t.equal(stage.ns(ETH0, VM, { source: '2001:db8::1' }), 'probing')
  t.same(stage.sink.take('advertise'), [])
  t.equal(stage.na(ETH2, VM, VM2), 'proof')
  t.same(stage.sink.take('route', 'advertise'), [`route add ${VM} eth2`, `advertise eth1 ${VM} RS from fe80::ff:3 to fe80::3 ${VM3}`,
    ANSWER, ANSWER.replace('to fe80::1', 'to 2001:db8::1')])
})

t.test('a solicitor on the link where the owner is found is not answered', async (t) => {
  const stage = new Stage(SUBNET)
  stage.ns(ETH0, VM)
  stage.ns(ETH1, VM, DOWNSTREAM)
  stage.sink.take()
  stage.na(ETH1, VM, VM2)
  t.same(stage.sink.take('advertise'), [ANSWER])
})

t.test('each solicitor is answered by the rules of its own link only', async (t) => {
  const stage = new Stage(`proxy eth0 { rule 2001:db8::/64 { iface eth1 } }
    proxy eth2 { router no\n rule 2001:db8::/64 { iface eth1 }\n rule 2001:db8::/64 { iface eth3 } }`,
    [...twoLinks(), linkOf(ETH2), linkOf(5, { name: 'eth3' })])
  stage.ns(ETH0, VM)
  stage.ns(ETH2, VM)
  stage.sink.take()
  stage.na(5, VM, VM2)
  t.same(stage.sink.take('advertise'), [`advertise eth2 ${VM} S from fe80::ff:4 to fe80::1 ${ROUTER}`],
    'with its own settings; the rule of eth0 does not name eth3')
})

t.test('a former owner may be back silently: every solicitation probes for it', async (t) => {
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

t.test('auto: the kernel\'s route decides which link is probed', async (t) => {
  const auto = 'proxy eth0 { timeout 500\n rule 2001:db8::/64 { auto } }'
  const stage = new Stage(auto)
  t.equal(stage.ns(ETH0, VM), 'probing')
  t.same(stage.sink.take('lookup', 'solicit'), [`lookup ${VM} from eth0`])
  stage.route(VM, ETH1)
  t.same(stage.sink.take('listen', 'solicit'), ['listen eth1', `solicit eth1 ${VM}`], 'listening comes first')
  t.equal(stage.na(ETH1, VM, VM2), 'proof')
  t.same(stage.sink.take('advertise'), [ANSWER])

  const back = new Stage(auto)
  back.ns(ETH0, VM)
  back.route(VM, ETH0)
  t.same(back.sink.take('solicit', 'advertise'), [], 'the route leads back')
  t.equal(back.ns(ETH0, VM), 'failed')
  back.wait(500)
  t.equal(back.ns(ETH0, VM), 'probing', 'but not for long')
  back.route(VM, undefined)
  t.equal(back.ns(ETH0, VM), 'failed', 'no route')
})

t.test('solicitors of an owner without a route wait, up to the limit', async (t) => {
  const stage = new Stage(SUBNET)
  stage.isKernelFast = false
  stage.ns(ETH0, VM)
  stage.na(ETH1, VM, VM2)
  for (const n of numbers(2, SOLICITOR_LIMIT)) t.equal(stage.ns(ETH0, VM, { source: `fe80::a:${n}` }), 'probing')
  t.equal(stage.ns(ETH0, VM, { source: 'fe80::b' }), 'limit')
  t.same(stage.sink.take('limit'), [`limit solicitors ${SOLICITOR_LIMIT}`])
})

t.test('a solicitation of this machine: its other links are probed', async (t) => {
  const config = SUBNET.replace('eth1', 'eth1 eth2').replace('host', 'timeout 100\n retries 1\n exclude 2001:db8::7\n host')
  const stage = new Stage(config, [...twoLinks(), linkOf(ETH2)])
  const local = (ifindex: number, target: string): string[] => {
    stage.handle({ kind: 'local-solicitation', ifindex, target: ip(target) })
    return stage.sink.take('solicit', 'confirm')
  }
  t.same(local(ETH0, VM), [`solicit eth1 ${VM}`, `solicit eth2 ${VM}`])
  t.same(local(ETH0, VM), [], 'once')
  t.same(local(ETH1, VM), [], 'ndp6d probes there itself')
  stage.na(ETH2, VM, VM2)
  t.equal(stage.known[VM], 'REACHABLE eth2 routed')
  t.same(stage.sink.take('advertise'), [], 'no solicitor waits')
  t.same(local(ETH0, VM), [], 'the next packet finds the route')
  for (const target of ['fe80::2', '2001:db8::', '2001:db8::7', '2001:db8::ff', '2001:db8::1', '2001:db8:1::2']) {
    t.same(local(ETH1, target), [], target)
  }
  t.same(local(ETH0, '2001:db8::3').length, 2)
  stage.wait(200)
  t.equal(stage.known['2001:db8::3'], 'FAILED -')
  stage.sink.take()
  t.same(local(ETH0, '2001:db8::3'), [], 'the negative cache')
  stage.handle({ kind: 'local-solicitation', ifindex: 99, target: ip(VM) })
  const plain = new Stage(config.replace('host', 'routes no\n host'))
  plain.handle({ kind: 'local-solicitation', ifindex: ETH0, target: ip(VM) })
  t.same(plain.sink.take(), [], 'of no use without routes')
})

t.test('a packet that leaves by a link without link-layer addresses starts a search, although ndp6d probes there', async (t) => {
  const [eth0, eth1] = twoLinks()
  const stage = new Stage(SUBNET, [{ ...eth0, mac: undefined }, eth1])
  stage.ns(ETH1, VM, { from: VM3, source: 'fe80::3' })
  t.not(stage.sink.take(`confirm eth0 ${VM}`).length, 0, 'a host on eth1 solicits, so the upstream is probed')
  stage.handle({ kind: 'local-solicitation', ifindex: ETH0, target: ip(VM) })
  t.same(stage.sink.take('confirm', 'solicit'), [`solicit eth1 ${VM}`])
})

t.test('target, flags and source of an answer follow the settings', async (t) => {
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

/** A stage whose kernel has not added the route of `VM` yet, which is proved on eth1. @returns the changes that it has to do */
function routing(config = SUBNET): { stage: Stage, changes: RouteChange[] } {
  const stage = new Stage(config)
  stage.isKernelFast = false
  stage.ns(ETH0, VM)
  stage.na(ETH1, VM, VM2)
  return { stage, changes: [{ op: 'add', route: stage.sink.routes.get(VM)! }] }
}

t.test('an answer waits for its own route', async (t) => {
  const { stage, changes } = routing()
  t.same(stage.sink.take('route', 'advertise'), [`route add ${VM} eth1`])
  t.equal(stage.ns(ETH0, VM), 'probing', 'again')
  t.equal(stage.ns(ETH0, VM, { source: '2001:db8::1' }), 'probing', 'the owner is known now, but not its route')
  t.equal(stage.ns(ETH1, VM, DOWNSTREAM), 'same-link')
  t.equal(stage.dad(ETH0, VM, VM3), 'probing')
  stage.ns(ETH0, '2001:db8::3')
  stage.na(ETH1, '2001:db8::3', VM2)
  const other = { target: ip('2001:db8::3'), ifindex: ETH1 }
  stage.applied([{ op: 'add', route: { target: ip(VM), ifindex: ETH2 } }, { op: 'delete', route: { target: ip(VM), ifindex: ETH1 } }])
  t.same(stage.sink.take('advertise'), [], 'other changes')
  stage.applied([{ op: 'add', route: other }])
  t.same(stage.sink.take('advertise'), [ANSWER.replace(VM, '2001:db8::3')], 'the route of another target')
  // Added or refused by the kernel.
  stage.applied(changes)
  t.same(stage.sink.take('advertise'), [ANSWER, ANSWER.replace('to fe80::1', 'to 2001:db8::1'), DEFENSE], 'each solicitor once')
  stage.applied(changes)
  t.same(stage.sink.take(), [], 'once')
  t.equal(stage.ns(ETH0, VM), 'answered')
})

t.test('a solicitor that waits for a route is not answered after the owner is gone', async (t) => {
  const { stage, changes } = routing()
  stage.gone(ETH1)
  stage.applied(changes)
  t.same(stage.sink.take('advertise'), [])
})

t.test('a route that was lost: solicitors wait until it is back', async (t) => {
  const { stage, changes } = routing()
  stage.applied(changes)
  stage.sink.take()
  stage.routes()
  t.same(stage.sink.take('route'), [`route add ${VM} eth1`])
  t.equal(stage.ns(ETH0, VM), 'probing')
  stage.routes([VM, ETH1])
  t.same(stage.sink.take(), [ANSWER], 'seen in the kernel\'s table')
})
