import t from 'tap'
import type { Neighbor } from '../../../src/engine/cache/neighbor.ts'
import { snapshotOf } from '../../../src/engine/cache/snapshot.ts'
import type { Instant } from '../../../src/engine-types.ts'
import { ETH0, ETH1, ETH2, ip, linkOf, mac, neighborOf, ROUTER, Stage, SUBNET, twoLinks, VM, VM2, VM3, worldOf } from '../kit/neighbor.ts'

const TIMED = SUBNET.replace('host', 'timeout 100\n retries 3\n ttl 30s\n deadtime 20s\n host').replace('eth1', 'eth1 eth2')

t.test('a neighbor with and without an owner', async (t) => {
  const { links, rule } = worldOf(SUBNET)
  const target = ip(VM)
  const now = 5000 as Instant
  const owner = { since: 1000 as Instant, ifindex: ETH1, mac: mac(VM2), routed: ETH1, state: 'REACHABLE' } as const
  t.same(snapshotOf(neighborOf(target, rule, { since: 4000 as Instant }), links, now), { target: VM, state: 'INCOMPLETE', iface: undefined,
    lladdr: undefined, pinned: false, routed: false, age: 1000, proved: Number.POSITIVE_INFINITY, proof: undefined })
  t.same(snapshotOf(neighborOf(target, rule, { ...owner, verified: 3000 as Instant }), links, now),
    { target: VM, state: 'REACHABLE', iface: 'eth1', lladdr: VM2, pinned: false, routed: true, age: 4000, proved: 2000, proof: 'answer' })
  const proofOf = (more: Partial<Neighbor>) => snapshotOf(neighborOf(target, rule, { ...owner, ...more }), links, now).proof
  t.equal(proofOf({}), undefined, 'of the previous run')
  t.equal(proofOf({ isPinned: true }), 'pinned')
  t.equal(proofOf({ verified: now, isOverridable: true }), 'proxy')
  t.equal(proofOf({ verified: now, isBehindProxy: true }), 'proxy')
})

t.test('the age of an owner, of its proof, and of a target without owner', async (t) => {
  const stage = new Stage(TIMED, [...twoLinks(), linkOf(ETH2)])
  const seen = () => {
    const { age, proved, proof } = stage.engine.snapshot(stage.now).neighbors.find(({ target }) => target === VM)!
    return [age, proved, proof]
  }
  stage.ns(ETH0, VM)
  stage.wait(10)
  t.same(seen(), [10, Number.POSITIVE_INFINITY, undefined])
  stage.na(ETH1, VM, VM2)
  stage.wait(29_650)
  t.same(seen(), [29_650, 29_650, 'answer'])
  stage.na(ETH1, VM, VM2)
  stage.wait(10)
  t.same(seen(), [29_660, 10, 'answer'], 'a verification keeps the age')
  stage.wait(32_000)
  t.equal(stage.known[VM].split(' ')[0], 'FAILED')
  t.ok(Number(seen()[0]) < 3000, 'the time without an owner')
  t.equal(seen()[2], undefined)
})

t.test('an owner behind another router is not saved', async (t) => {
  const stage = new Stage('proxy eth0 { autowire yes\n rule 2001:db8::/64 { autovia yes\n iface eth1 } }')
  stage.learn('2001:db8::3', VM3)
  t.same(stage.saved, [`2001:db8::3 eth1 ${VM3}`])
  stage.ns(ETH0, VM)
  stage.na(ETH1, VM, VM2, { source: 'fe80::7' })
  t.equal(stage.known[VM], 'REACHABLE eth1 routed')
  t.same(stage.saved, [`2001:db8::3 eth1 ${VM3}`])
})

t.test('the learned owners are saved, and each change of them raises the revision', async (t) => {
  const stage = new Stage(TIMED, [...twoLinks(), linkOf(ETH2)])
  let { revision } = stage.engine
  const after = (change: () => void): string[] => {
    const before = stage.saved
    change()
    const { saved } = stage
    t.equal(stage.engine.revision > revision, saved.join() !== before.join())
    revision = stage.engine.revision
    return saved
  }
  t.same(stage.saved, [], 'not the pinned hosts')
  t.same(after(() => stage.ns(ETH0, VM)), [], 'nor targets that are probed')
  t.same(after(() => stage.na(ETH1, VM, VM2)), [`${VM} eth1 ${VM2}`])
  after(() => stage.wait(29_600))
  after(() => stage.na(ETH1, VM, VM2))
  after(() => stage.wait(29_900))
  t.same(after(() => stage.na(ETH1, VM, VM3)), [`${VM} eth1 ${VM3}`], 'another lladdr')
  after(() => stage.wait(29_900))
  t.same(after(() => stage.na(ETH2, VM, VM3)), [`${VM} eth2 ${VM3}`], 'another link')
  after(() => stage.ns(ETH1, '2001:db8::a', { from: VM2, source: 'fe80::2' }))
  t.match(after(() => stage.na(ETH0, '2001:db8::a', ROUTER)), [/./, `2001:db8::a eth0 ${ROUTER}`])
  after(() => stage.wait(29_600))
  t.match(after(() => stage.na(ETH0, '2001:db8::a', ROUTER, { flags: 'RSO' })), [/./, `2001:db8::a eth0 ${ROUTER} R`])
  after(() => stage.wait(60_000))
  t.same(stage.saved, [])
})
