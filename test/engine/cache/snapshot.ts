import t from 'tap'
import { snapshotOf } from '../../../src/engine/cache/snapshot.ts'
import { ETH0, ETH1, ETH2, ip, linkOf, mac, neighborOf, ROUTER, Stage, SUBNET, twoLinks, VM, VM2, VM3, worldOf } from '../kit/neighbor.ts'

const TIMED = SUBNET.replace('host', 'timeout 100\n retries 3\n ttl 30s\n deadtime 20s\n host').replace('eth1', 'eth1 eth2')

t.test('a neighbor with and without an owner', async (t) => {
  const { links, rule } = worldOf(SUBNET)
  const target = ip(VM)
  t.same(snapshotOf(neighborOf(target, rule), links),
    { target: VM, state: 'INCOMPLETE', iface: undefined, lladdr: undefined, pinned: false, routed: false })
  t.same(snapshotOf(neighborOf(target, rule, { state: 'REACHABLE', ifindex: ETH1, mac: mac(VM2), isPinned: true, routed: ETH1 }), links),
    { target: VM, state: 'REACHABLE', iface: 'eth1', lladdr: VM2, pinned: true, routed: true })
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
