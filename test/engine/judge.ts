/** Every row of the judgement on a solicited advertisement (checklist B4 to B6a; RFC 4861 7.2.8; RFC 3756 4.1.1). */
import t from 'tap'
import { judge } from '../../src/engine/judge.ts'
import type { Claim } from '../../src/engine/judge.ts'
import type { Neighbor } from '../../src/engine/neighbor.ts'
import { Rules } from '../../src/engine/rules.ts'
import type { Instant } from '../../src/engine/types.ts'
import { ip, mac } from './kit/frames.ts'
import { chance, configOf, ETH0, ETH1, ETH2, linkOf, neighborOf, ROUTER, SUBNET, VM2, VM3 } from './kit/stage.ts'

const NOW = 100_000 as Instant
const PLAIN = 'proxy eth0 { rule 2001:db8::/64 { iface eth1 } }'

/** VM2's on eth1, unless `more` says otherwise. */
function known(more: Partial<Neighbor> = {}, config = SUBNET): Neighbor {
  const rules = new Rules(configOf(config), chance(1))
  for (const ifindex of [ETH0, ETH1, ETH2]) rules.link(linkOf(ifindex))
  const target = ip('2001:db8::2')
  const [rule] = rules.match(ETH0, target.w0, target.w1, target.w2, target.w3)
  return neighborOf(target, rule, { ifindex: ETH1, mac: mac(VM2), state: 'REACHABLE', verified: NOW, ...more })
}

/** `O` or `-`, the lladdr and the link of a claim. */
function claim(flag: 'O' | '-', from: string | undefined, ifindex: number): Claim {
  return { ifindex, mac: from === undefined ? undefined : mac(from), override: flag === 'O', isUpstream: ifindex === ETH0 }
}

t.test('INCOMPLETE: whoever answers on a link that is asked', async (t) => {
  const neighbor = known({ state: 'INCOMPLETE', ifindex: 0, mac: undefined, asking: [ETH0, ETH1] })
  t.equal(judge(neighbor, claim('O', VM2, ETH1), NOW), 'proof')
  t.equal(judge(neighbor, claim('O', ROUTER, ETH0), NOW), 'proof')
  t.equal(judge(neighbor, claim('O', VM2, ETH2), NOW), 'unsolicited', 'not asked there')
  t.equal(judge(neighbor, claim('-', VM2, ETH1), NOW), 'proxied', 'a host would have set O (B6a)')
  t.equal(judge(neighbor, claim('-', ROUTER, ETH0), NOW), 'proof', 'upstream there may be nobody but a proxy')
})

t.test('FAILED: nobody is asked', async (t) => {
  const neighbor = known({ state: 'FAILED', ifindex: 0, asking: [ETH1] })
  t.equal(judge(neighbor, claim('O', VM2, ETH1), NOW), 'unsolicited')
  t.equal(judge(neighbor, claim('-', ROUTER, ETH0), NOW), 'unsolicited')
})

t.test('PROBE: the owner, whatever its O; another lladdr only once the group is asked', async (t) => {
  const neighbor = known({ state: 'PROBE', probes: 3 })
  t.equal(judge(neighbor, claim('O', VM2, ETH1), NOW), 'proof')
  t.equal(judge(neighbor, claim('-', VM2, ETH1), NOW), 'proof', 'Linux answers a unicast probe with O=0')
  t.equal(judge(neighbor, claim('O', VM3, ETH1), NOW), 'unsolicited')
  t.equal(judge(neighbor, claim('-', VM3, ETH1), NOW), 'proxied')
  const grouped: [string, Partial<Neighbor>][] = [
    ['by count', { probes: 4 }], ['absent', { absent: true }], ['lladdr unknown', { mac: undefined }]]
  for (const [why, more] of grouped) {
    t.equal(judge(known({ state: 'PROBE', probes: 1, ...more }), claim('O', VM3, ETH1), NOW), 'proof', why)
  }
})

t.test('PROBE: elsewhere only the owner itself, or a real one instead of a proxy, where that is asked', async (t) => {
  const moving = known({ state: 'PROBE', probes: 4, asking: [ETH2] })
  t.equal(judge(moving, claim('O', VM2, ETH2), NOW), 'proof')
  t.equal(judge(moving, claim('O', VM3, ETH2), NOW), 'unsolicited', 'another host')
  t.equal(judge(moving, claim('-', VM2, ETH2), NOW), 'proxied')
  t.equal(judge(moving, claim('O', VM2, ETH0), NOW), 'unsolicited', 'not asked there')
  const word = { state: 'PROBE', ifindex: ETH0, mac: mac(ROUTER), asking: [ETH1] } as const
  const proxied = known({ ...word, proxied: true })
  t.equal(judge(proxied, claim('O', VM2, ETH1), NOW), 'proof')
  t.equal(judge(proxied, claim('-', ROUTER, ETH0), NOW), 'proof', 'and the proxy may say so again')
  t.equal(judge(known(word), claim('O', VM2, ETH1), NOW), 'unsolicited')
})

t.test('REACHABLE: of two answers to one question the upstream one counts, and a host\'s before a proxy\'s', async (t) => {
  const asking = [ETH0, ETH1]
  t.equal(judge(known({ asking }), claim('O', ROUTER, ETH0), NOW), 'proof')
  t.equal(judge(known({ asking }), claim('-', ROUTER, ETH0), NOW), 'proxied', 'a proxy knows less than the host')
  t.equal(judge(known({ asking, verified: NOW - 999 as Instant }), claim('O', ROUTER, ETH0), NOW), 'proof', 'within RetransTimer')
  t.equal(judge(known({ asking, verified: NOW - 1000 as Instant }), claim('O', ROUTER, ETH0), NOW), 'unsolicited', 'too late')
  t.equal(judge(known({ asking: [ETH1] }), claim('O', ROUTER, ETH0), NOW), 'unsolicited', 'not asked there')
  t.equal(judge(known({ asking }), claim('O', VM2, ETH0), NOW), 'unsolicited', 'its own lladdr')
  t.equal(judge(known({ asking }), claim('O', VM3, ETH1), NOW), 'unsolicited', 'on the same link the first one stays')
  t.equal(judge(known({ asking }), claim('O', VM2, ETH1), NOW), 'unsolicited', 'once is enough')
  t.equal(judge(known({ asking }), claim('-', VM2, ETH1), NOW), 'proxied', 'nor is it asked by unicast now')
  const upstream = { ifindex: ETH0, mac: mac(ROUTER), asking }
  t.equal(judge(known(upstream), claim('O', VM2, ETH1), NOW), 'unsolicited', 'the upstream one was first')
  t.equal(judge(known({ ...upstream, proxied: true }), claim('O', VM2, ETH1), NOW), 'proof', 'but it was a proxy')
  t.equal(judge(known({ ...upstream, proxied: true }), claim('-', VM2, ETH1), NOW), 'proxied')
})

t.test('a plain rule may lead to another proxy: O=0 is an answer', async (t) => {
  const asked = known({ state: 'INCOMPLETE', ifindex: 0, mac: undefined, asking: [ETH1] }, PLAIN)
  t.equal(judge(asked, { ...claim('-', VM2, ETH1), isUpstream: false }, NOW), 'proof')
  t.equal(judge(known({ state: 'PROBE', probes: 1 }, PLAIN), claim('-', VM3, ETH1), NOW), 'unsolicited')
})

t.test('links without link-layer addresses: all are nobody in particular', async (t) => {
  const neighbor = known({ state: 'PROBE', mac: undefined, probes: 1 })
  t.equal(judge(neighbor, claim('-', undefined, ETH1), NOW), 'proof', 'the owner, as far as can be told')
  t.equal(judge(known({ mac: undefined, asking: [ETH2] }), claim('O', undefined, ETH2), NOW), 'unsolicited')
})
