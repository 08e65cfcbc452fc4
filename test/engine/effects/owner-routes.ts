/** The kernel is asked for the route to each owner, and again when routes change. */
import t from 'tap'
import type { Link } from '../../../src/engine-types.ts'
import { ETH0, ETH1, ETH2, linkOf, own, ROUTER, Stage, SUBNET, twoDownstreams, twoLinks, VM, VM2 } from '../kit/stage.ts'

/** Both links have an address of the prefix. */
const bothSides = () => [twoLinks()[0], linkOf(ETH1, { addresses: [own('fe80::ff:3'), own('2001:db8::fe')] })]

t.test('an owner downstream needs a route if packets from the upstream would go elsewhere', async (t) => {
  const stage = new Stage(SUBNET)
  stage.learn(VM, VM2)
  t.match(stage.known, { [VM]: 'REACHABLE eth1 routed', '2001:db8::1': 'REACHABLE eth0' })
  stage.foreign('2001:db8::2/127', ETH1)
  t.same(stage.sink.take('route'), [`route delete ${VM} eth1`], 'the kernel goes right without it')
  t.same(stage.ns(ETH0, VM), 'answered')
  stage.foreign('2001:db8::2/127', ETH1, false)
  t.same(stage.sink.take('route'), [`route add ${VM} eth1`])
})

t.test('an address without a connected route', async (t) => {
  const [eth0] = twoLinks()
  const stage = new Stage(SUBNET, [{ ...eth0, addresses: [own('fe80::ff:2'), own('2001:db8::ff', 128)] }, linkOf(ETH1)])
  stage.learn(VM, VM2)
  t.match(stage.known, { [VM]: 'REACHABLE eth1 routed' })
})

t.test('with the prefix on both sides, owners upstream need routes, too', async (t) => {
  const stage = new Stage(SUBNET, bothSides())
  t.match(stage.known, { '2001:db8::1': 'REACHABLE eth0 routed' })
  stage.ns(ETH1, '2001:db8::77')
  stage.na(ETH0, '2001:db8::77', ROUTER)
  t.same(stage.sink.take('route', 'advertise'), ['route add 2001:db8::77 eth0', 'advertise eth1 2001:db8::77 RS from fe80::ff:3 to fe80::1 02:00:00:00:00:01'],
    'the route before the answer')
  stage.link(linkOf(ETH1))
  t.same(stage.sink.take('route').sort(), ['route delete 2001:db8::1 eth0', 'route delete 2001:db8::77 eth0'])
})

t.test('packets from another downstream count, if that link has the prefix', async (t) => {
  const stage = new Stage(SUBNET.replace('eth1', 'eth1 eth2'), [linkOf(ETH0), linkOf(ETH1, { addresses: [own('2001:db8::fe')] }),
    linkOf(ETH2, { addresses: [own('2001:db8::fd')] })])
  stage.learn(VM, VM2)
  t.match(stage.known, { [VM]: 'REACHABLE eth1 routed' }, 'eth2 would keep its own')
})

t.test('a route to another link is respected', async (t) => {
  const stage = new Stage(SUBNET)
  stage.foreign('2001:db8::2/127', 9)
  stage.ns(ETH0, VM)
  stage.na(ETH1, VM, VM2)
  t.same(stage.sink.take('route', 'advertise', 'foreign', 'join'), [`foreign ${VM} eth1 link 9`], 'no route, no answer, no group, and one event')
  t.equal(stage.ns(ETH0, VM), 'foreign')
  t.equal(stage.dad(ETH0, VM, ROUTER), 'foreign')
  stage.foreign('2001:db8::2/127', 9, false)
  t.same(stage.sink.take('route', 'foreign', 'join'), [`route add ${VM} eth1`, 'join eth0 ff02::1:ff00:2'], 'until it is gone')
  t.equal(stage.ns(ETH0, VM), 'answered')
  stage.foreign(`${VM}/128`, undefined)
  t.same(stage.sink.take('route', 'foreign', 'leave'), [`route delete ${VM} eth1`, `foreign ${VM} eth1 -`, 'leave eth0 ff02::1:ff00:2'],
    'also one that discards packets')
})

t.test('not foreign: a pinned host, the whole prefix, a link of the rule', async (t) => {
  const stage = new Stage(SUBNET.replace('}', `host ${VM} eth1 }`))
  stage.foreign(`${VM}/128`, 9)
  t.match(stage.known, { [VM]: 'REACHABLE eth1 routed' })
  const wide = new Stage(SUBNET)
  wide.foreign('2001:db8::/64', 9)
  wide.learn(VM, VM2)
  t.match(wide.known, { [VM]: 'REACHABLE eth1 routed' })
  const moved = twoDownstreams(SUBNET)
  moved.foreign(`${VM}/128`, ETH2)
  t.match(moved.known, { [VM]: 'REACHABLE eth1 routed' })
})

t.test('a move replaces the route, and takes it away for a question only where the new link has the prefix', async (t) => {
  const moved = (...more: readonly Link[]): string[] => {
    const stage = twoDownstreams(SUBNET)
    for (const link of more) stage.link(link)
    stage.wait(100)
    stage.sink.take()
    stage.station(ETH1, VM2, undefined)
    stage.na(ETH2, VM, VM2)
    return stage.sink.take('route', 'hide')
  }
  t.same(moved(), [`route add ${VM} eth2`])
  t.same(moved(linkOf(ETH2, { addresses: [own('2001:db8::fd')] })), [`hide ${VM} eth1`, `route add ${VM} eth2`])
})

t.test('a link that comes or goes takes no route away, unless packets for the owner may come in on it', async (t) => {
  const stage = new Stage(SUBNET.replace('eth1', 'eth1 tap*'))
  stage.learn(VM, VM2)
  stage.wait(100)
  const hides = (change: () => void): string[] => {
    change()
    stage.wait(100)
    return stage.sink.take('hide')
  }
  const [tap, other] = [linkOf(7, { name: 'tap0' }), linkOf(8, { name: 'other0' })]
  for (const link of [other, { ...other, up: false }, other]) t.same(hides(() => stage.link(link)), [])
  t.same(hides(() => stage.handle({ kind: 'link-gone', ifindex: 8 })), [])
  t.same(hides(() => stage.link(tap)), [])
  t.same(hides(() => stage.link({ ...tap, addresses: [own('2001:db8::fd')] })), [`hide ${VM} eth1`])
})

t.test('a change of routes takes a host route away only if it is inside the prefix of the rule', async (t) => {
  const stage = new Stage(SUBNET)
  stage.learn(VM, VM2)
  stage.wait(100)
  stage.sink.take()
  const hides = (text: string, ifindex = ETH0): string[] => {
    stage.foreign(text, ifindex)
    stage.wait(100)
    return stage.sink.take('hide', 'route')
  }
  t.same(hides('::/0'), [])
  t.same(hides('2001:db8::/64'), [])
  t.same(hides('2001:db8::8000:0:0:0/65'), [])
  t.same(hides('2001:db8::2/127', ETH1), [`hide ${VM} eth1`, `route delete ${VM} eth1`])
})

t.test('thousands of owners are asked for a few at a time', async (t) => {
  const stage = new Stage(SUBNET)
  for (let n = 1; n <= 100; n++) stage.learn(`2001:db8::3:${n.toString(16)}`, VM2)
  stage.handle({ kind: 'route-changed', prefix: undefined })
  let wakes = 0
  const until = stage.now + 20
  while (stage.engine.deadline !== undefined && stage.engine.deadline <= until) {
    t.ok(stage.engine.wake(stage.engine.deadline).paths.length <= 12)
    wakes++
  }
  t.ok(wakes >= 8)
})
