/** Which solicited advertisements prove an owner (RFC 4861 7.2.5, 7.2.8; RFC 3756 4.1.1). */
import t from 'tap'
import { type Claim, proof } from '../../../src/engine/cache/proof.ts'
import type { Neighbor } from '../../../src/engine/cache/neighbor.ts'
import type { Instant } from '../../../src/engine-types.ts'
import { ETH0, ETH1, ETH2, ip, linkOf, mac, neighborOf, type Properties, ROUTER, SUBNET, VM2, VM3, worldOf } from '../kit/neighbor.ts'

const NOW = 100_000 as Instant
const PLAIN = 'proxy eth0 { rule 2001:db8::/64 { iface eth1 } }'

/** An entry with VM2 on eth1 as its owner, unless `more` differs. */
function known(more: Properties = {}, config = SUBNET): Neighbor {
  const { rule } = worldOf(config, [ETH0, ETH1, ETH2].map((ifindex) => linkOf(ifindex)))
  return neighborOf(ip('2001:db8::2'), rule, { ifindex: ETH1, mac: mac(VM2), state: 'REACHABLE', verified: NOW, ...more })
}

/** `O` or `-`, the lladdr and the link of a claim. */
function claim(flag: 'O' | '-', from: string | undefined, ifindex: number): Claim {
  return { ifindex, mac: from === undefined ? undefined : mac(from), override: flag === 'O', isUpstream: ifindex === ETH0 }
}

t.test('INCOMPLETE: any answer on a link that is probed', async (t) => {
  const neighbor = known({ state: 'INCOMPLETE', ifindex: 0, mac: undefined, probed: [ETH0, ETH1] })
  t.equal(proof(neighbor, claim('O', VM2, ETH1), NOW), 'proof')
  t.equal(proof(neighbor, claim('O', ROUTER, ETH0), NOW), 'proof')
  t.equal(proof(neighbor, claim('O', VM2, ETH2), NOW), 'unsolicited', 'not probed there')
  t.equal(proof(neighbor, claim('-', VM2, ETH1), NOW), 'proxied', 'a host would have set O')
  t.equal(proof(neighbor, claim('-', ROUTER, ETH0), NOW), 'proof', 'upstream only a proxy may answer')
})

t.test('FAILED: no link is probed', async (t) => {
  const neighbor = known({ state: 'FAILED', ifindex: 0, probed: [ETH1] })
  t.equal(proof(neighbor, claim('O', VM2, ETH1), NOW), 'unsolicited')
  t.equal(proof(neighbor, claim('-', ROUTER, ETH0), NOW), 'unsolicited')
})

t.test('PROBE: the owner, whatever its O; another lladdr only once the group is solicited', async (t) => {
  const neighbor = known({ state: 'PROBE', probes: 3 })
  t.equal(proof(neighbor, claim('O', VM2, ETH1), NOW), 'proof')
  t.equal(proof(neighbor, claim('-', VM2, ETH1), NOW), 'proof', 'Linux answers a unicast probe with O=0')
  t.equal(proof(neighbor, claim('O', VM3, ETH1), NOW), 'unsolicited')
  t.equal(proof(neighbor, claim('-', VM3, ETH1), NOW), 'proxied')
  const solicited: [string, Properties][] = [
    ['by count', { probes: 4 }], ['missing', { isMissing: true }], ['lladdr unknown', { mac: undefined }]]
  for (const [why, more] of solicited) {
    t.equal(proof(known({ state: 'PROBE', probes: 1, ...more }), claim('O', VM3, ETH1), NOW), 'proof', why)
  }
})

t.test('PROBE: elsewhere only the owner itself, where that is probed', async (t) => {
  const moving = known({ state: 'PROBE', probes: 4, probed: [ETH2] })
  t.equal(proof(moving, claim('O', VM2, ETH2), NOW), 'proof')
  t.equal(proof(moving, claim('O', VM3, ETH2), NOW), 'unsolicited', 'another host')
  t.equal(proof(moving, claim('-', VM2, ETH2), NOW), 'proxied')
  t.equal(proof(moving, claim('O', VM2, ETH0), NOW), 'unsolicited', 'not probed there')
  const upstream = { state: 'PROBE', ifindex: ETH0, mac: mac(ROUTER), probed: [ETH1] } as const
  const overridable = known({ ...upstream, isOverridable: true })
  t.equal(proof(overridable, claim('O', VM2, ETH1), NOW), 'unsolicited', 'the proxy has to be silent first')
  t.equal(proof(overridable, claim('-', ROUTER, ETH0), NOW), 'proof', 'and the proxy may repeat its answer')
  t.equal(proof(known(upstream), claim('O', VM2, ETH1), NOW), 'unsolicited')
})

t.test('REACHABLE: of two answers to one probe the upstream one counts', async (t) => {
  const probed = [ETH0, ETH1]
  t.equal(proof(known({ probed }), claim('O', ROUTER, ETH0), NOW), 'proof')
  t.equal(proof(known({ probed }), claim('-', ROUTER, ETH0), NOW), 'proof', 'also that of a proxy, which has to verify its host')
  t.equal(proof(known({ probed, verified: NOW - 999 as Instant }), claim('O', ROUTER, ETH0), NOW), 'proof', 'within RetransTimer')
  t.equal(proof(known({ probed, verified: NOW - 1000 as Instant }), claim('O', ROUTER, ETH0), NOW), 'unsolicited', 'too late')
  t.equal(proof(known({ probed: [ETH1] }), claim('O', ROUTER, ETH0), NOW), 'unsolicited', 'not probed there')
  t.equal(proof(known({ probed }), claim('O', VM2, ETH0), NOW), 'unsolicited', 'its own lladdr')
  t.equal(proof(known({ probed }), claim('O', VM3, ETH1), NOW), 'unsolicited', 'on the same link the first one stays')
  t.equal(proof(known({ probed }), claim('O', VM2, ETH1), NOW), 'unsolicited', 'once is enough')
  t.equal(proof(known({ probed }), claim('-', VM2, ETH1), NOW), 'proxied', 'nor is it probed by unicast now')
  const upstream = { ifindex: ETH0, mac: mac(ROUTER), probed }
  t.equal(proof(known(upstream), claim('O', VM2, ETH1), NOW), 'unsolicited', 'the upstream one was first')
  t.equal(proof(known({ ...upstream, isOverridable: true }), claim('O', VM2, ETH1), NOW), 'unsolicited', 'also if it was a proxy')
  t.equal(proof(known({ ...upstream, isOverridable: true }), claim('-', VM2, ETH1), NOW), 'proxied')
})

t.test('a plain rule may lead to another proxy: O=0 is an answer', async (t) => {
  const incomplete = known({ state: 'INCOMPLETE', ifindex: 0, mac: undefined, probed: [ETH1] }, PLAIN)
  t.equal(proof(incomplete, { ...claim('-', VM2, ETH1), isUpstream: false }, NOW), 'proof')
  t.equal(proof(known({ state: 'PROBE', probes: 1 }, PLAIN), claim('-', VM3, ETH1), NOW), 'unsolicited')
  const overridable = known({ state: 'PROBE', ifindex: ETH2, isOverridable: true, probed: [ETH1] }, PLAIN)
  t.equal(proof(overridable, claim('-', VM3, ETH1), NOW), 'unsolicited')
  t.equal(proof(overridable, claim('O', VM3, ETH1), NOW), 'proof')
})

t.test('links without link-layer addresses: all hosts look the same', async (t) => {
  const neighbor = known({ state: 'PROBE', mac: undefined, probes: 1 })
  t.equal(proof(neighbor, claim('-', undefined, ETH1), NOW), 'proof', 'the owner, as far as is known')
  t.equal(proof(known({ mac: undefined, probed: [ETH2] }), claim('O', undefined, ETH2), NOW), 'unsolicited')
})
