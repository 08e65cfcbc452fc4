/** Hosts that the configuration pins to links. */
import t from 'tap'
import { ETH0, ETH1, ETH2, linkOf, Stage, SUBNET, TIMED, twoLinks, VM, VM2 } from '../kit/stage.ts'

t.test('pinned hosts are known from the start, and have their routes', async (t) => {
  const stage = new Stage(SUBNET.replace('host', `host ${VM} eth1\n host 2001:db8::3\n host`), [])
  stage.link(twoLinks()[0])
  t.match(stage.known, { '2001:db8::1': 'REACHABLE eth0', [VM]: 'REACHABLE -' })
  t.equal(stage.ns(ETH0, VM), 'no-candidate', 'its link is not there yet')
  stage.link(linkOf(ETH1))
  t.same(stage.known, { '2001:db8::1': 'REACHABLE eth0', [VM]: 'REACHABLE eth1 routed', '2001:db8::3': 'REACHABLE eth1 routed' },
    'without an interface: the only downstream')
  t.equal(stage.ns(ETH0, VM), 'answered')
  stage.wait(41_000)
  t.equal(stage.engine.deadline, undefined, 'no deadline')
  stage.gone(ETH1)
  t.equal(stage.known[VM], 'REACHABLE -')
  stage.link(linkOf(7, { name: 'eth1' }))
  t.equal(stage.known[VM], 'REACHABLE eth1 routed', 'with another ifindex')
})

t.test('a pinned host that may be on several links is probed for', async (t) => {
  const stage = new Stage(`subnet 2001:db8::/64 {
    upstream eth0
    downstream eth1 eth2
    learn no
    host ${VM}
  }`, [...twoLinks(), linkOf(ETH2)])
  t.equal(stage.ns(ETH0, VM), 'probing')
  t.equal(stage.na(ETH2, VM, VM2), 'proof')
  t.equal(stage.ns(ETH0, VM), 'answered')
})

t.test('a reload pins a host, and unpins it', async (t) => {
  const stage = new Stage(TIMED)
  stage.learn(VM, VM2)
  stage.configure(TIMED.replace('host', `host ${VM} eth1\n host`))
  t.same(stage.sink.take('route', 'solicit', 'confirm'), [])
  stage.wait(60_000)
  t.equal(stage.known[VM], 'REACHABLE eth1 routed', 'it does not expire')
  stage.configure(TIMED)
  t.equal(stage.known[VM], undefined)
  t.same(stage.sink.take('route'), [`route delete ${VM} eth1`])
  stage.configure(TIMED.replace('host 2001:db8::1 eth0', 'host 2001:db8::1 eth1'))
  t.equal(stage.known['2001:db8::1'], 'REACHABLE eth1 routed', 'pinned elsewhere')
})
