/** What follows from changes of links, rules and prefixes. */
import t from 'tap'
import { configOf, ETH0, ETH1, ETH2, linkOf, mac, own, prefix, ROUTER, Stage, SUBNET, TIMED, twoLinks, VM, VM2, VM3 } from '../kit/stage.ts'

t.test('links that the configuration names are listened on, and the kernel\'s reactions there are filtered', async (t) => {
  const stage = new Stage(SUBNET, [])
  stage.link(linkOf(ETH2))
  t.same(stage.sink.take('listen', 'link'), [], 'not named')
  stage.link(twoLinks()[0])
  t.same(stage.sink.take('filter', 'listen', 'link'), ['listen eth0', 'filter eth0 2001:db8::/64', 'link eth0 up'])
  const down = linkOf(ETH1, { up: false })
  stage.link(down)
  t.same(stage.sink.take('filter', 'listen', 'link'),
    ['listen eth1 down', 'filter eth0 2001:db8::/64 eth1 2001:db8::/64', 'link eth1 down'])
  stage.link(down)
  t.same(stage.sink.take(), [], 'no change')
  stage.link(linkOf(ETH1))
  t.same(stage.sink.take('filter', 'listen', 'link'), ['listen eth1', 'link eth1 up'])
  stage.link(linkOf(ETH1, { name: 'other' }))
  t.same(stage.sink.take('filter', 'listen', 'ignore'), ['filter eth0 2001:db8::/64', 'ignore eth1'], 'renamed')
  stage.gone(ETH0)
  t.same(stage.sink.take('filter', 'ignore', 'link'), ['filter', 'ignore eth0', 'link eth0 gone'])
  stage.gone(ETH0)
  t.same(stage.sink.take(), [], 'the second time')
  t.same(stage.engine.interfaces, { names: ['eth0', 'eth1'], upstreams: ['eth0'], solicited: ['eth0'] })
})

t.test('link down: no route, no answer; up again: verified at once', async (t) => {
  const stage = new Stage(TIMED)
  stage.learn(VM, VM2)
  stage.ns(ETH0, '2001:db8::3')
  stage.wait(400)
  t.equal(stage.known['2001:db8::3'], 'FAILED -')
  stage.sink.take()
  stage.link(linkOf(ETH1, { up: false }))
  t.equal(stage.known[VM], 'REACHABLE eth1')
  t.same(stage.sink.take('route'), [`route delete ${VM} eth1`], 'without carrier the kernel would keep it')
  t.equal(stage.ns(ETH0, VM), 'no-candidate')
  stage.sink.take()
  stage.link(linkOf(ETH1))
  t.same(stage.sink.take('route', 'confirm'), [`confirm eth1 ${VM} from fe80::ff:3 to ${VM2}`, `route add ${VM} eth1`])
  t.equal(stage.known['2001:db8::3'], undefined, 'its failure meant nothing')
})

t.test('link gone: its hosts are gone; back with another ifindex: they are probed', async (t) => {
  const stage = new Stage(TIMED)
  stage.learn(VM, VM2)
  stage.gone(ETH1)
  t.equal(stage.known[VM], undefined)
  t.same(stage.sink.take('neighbor', 'route'), [`neighbor ${VM} GONE: link gone`], 'the kernel takes the route away itself')
  stage.link(linkOf(9, { name: 'eth1' }))
  t.same(stage.sink.take('solicit'), [`solicit link 9 ${VM}`])
  stage.na(9, VM, VM2)
  t.equal(stage.known[VM], 'REACHABLE eth1 routed')
  t.equal(stage.sink.routes.get(VM)?.ifindex, 9)
})

t.test('renamed while it is up: its hosts are probed again, and others are discovered', async (t) => {
  const stage = new Stage(TIMED)
  stage.learn(VM, VM2)
  stage.link(linkOf(ETH1, { name: 'other' }))
  t.equal(stage.known[VM], undefined)
  stage.sink.take()
  stage.link(linkOf(ETH1))
  stage.wait(0)
  t.same(stage.sink.take('solicit', 'discover'), [`solicit eth1 ${VM}`, 'discover eth1 from 2001:db8::ff'])
})

t.test('a change of our own addresses is used at once', async (t) => {
  const stage = new Stage(TIMED)
  stage.learn(VM, VM2)
  stage.link(linkOf(ETH0, { addresses: [own('fe80::abc')] }))
  t.same(stage.sink.take('listen'), ['listen eth0'])
  stage.ns(ETH0, VM)
  t.same(stage.sink.take('advertise'), [`advertise eth0 ${VM} RS from fe80::abc to fe80::1 ${ROUTER}`])
})

t.test('hosts that an address of this machine covers need no routes', async (t) => {
  const stage = new Stage(TIMED)
  stage.learn(VM, VM2)
  stage.link(linkOf(ETH1, { addresses: [own('fe80::ff:3'), own('2001:db8::fe', 96)] }))
  t.same(stage.sink.take('route'), ['route add 2001:db8::1 eth0', `route delete ${VM} eth1`], 'the router\'s address is in this prefix, too')
  stage.link(linkOf(ETH1))
  t.same(stage.sink.take('route'), ['route delete 2001:db8::1 eth0', `route add ${VM} eth1`])
})

t.test('reload keeps what was learned and still fits, and nothing else', async (t) => {
  const stage = new Stage(TIMED.replace('eth1', 'eth1 eth2'), [...twoLinks(), linkOf(ETH2)])
  stage.learn(VM, VM2)
  stage.learn('2001:db8::3', VM3, ETH2)
  stage.learn('2001:db8::7', VM3)
  stage.learn('2001:db8::1:0:0:2', VM2)
  stage.ns(ETH0, '2001:db8::4')
  stage.sink.take()
  stage.configure(TIMED.replace('/64', '/80').replace('host', 'exclude 2001:db8::7\n host'))
  t.same(stage.known, { '2001:db8::1': 'REACHABLE eth0', [VM]: 'REACHABLE eth1 routed' })
  t.same(stage.sink.take('route', 'ignore').sort(), ['ignore eth2', 'route delete 2001:db8::1:0:0:2 eth1',
    'route delete 2001:db8::3 eth2', 'route delete 2001:db8::7 eth1'])
  t.equal(stage.ns(ETH0, VM), 'answered', 'without a new probe')
  stage.configure(TIMED.replace('host', 'routes no\n host'))
  t.same(stage.sink.take('route'), [`route delete ${VM} eth1`])
  t.equal(stage.ns(ETH0, VM), 'answered')
  stage.configure(TIMED.replace('host', 'learn no\n host'))
  t.equal(stage.ns(ETH0, VM), 'unknown-host')
  t.same(stage.sink.take('solicit'), [])
})

t.test('reload to other links and back: listening, filters and groups follow', async (t) => {
  const stage = new Stage(SUBNET)
  stage.configure('proxy eth1 { promiscuous yes\n rule 2001:db8::/64 { static } }')
  t.same(stage.sink.take(), ['listen eth1 promiscuous', 'filter eth1 2001:db8::/64', 'ignore eth0',
    'neighbor 2001:db8::1 GONE: configuration', 'leave eth1 ff02::1:ff00:1'])
  stage.configure(SUBNET)
  t.same(stage.sink.take('listen', 'ignore', 'filter', 'join', 'leave'), ['listen eth0', 'listen eth1',
    'filter eth0 2001:db8::/64 eth1 2001:db8::/64', 'join eth1 ff02::1:ff00:1'])
})

t.test('an owner on a link that only a route led to survives a change of that link', async (t) => {
  const stage = new Stage('proxy eth0 { timeout 100\n retries 1\n ttl 1s\n rule 2001:db8::/64 { auto } }')
  stage.ns(ETH0, VM)
  stage.route(VM, ETH1)
  stage.na(ETH1, VM, VM2)
  stage.link(linkOf(ETH1, { addresses: [own('fe80::ff:3'), own('fd00::1')] }))
  t.same(stage.sink.take('ignore'), [], 'its owner is verified there')
  stage.configure('proxy eth0 { timeout 100\n retries 1\n ttl 1s\n rule 2001:db8::/64 { auto } }')
  t.same(stage.sink.take('ignore'), [], 'and after a reload')
})

t.test('a preview says which links get other sockets', async (t) => {
  const stage = new Stage(SUBNET)
  const preview = (config: string) => stage.engine.preview(configOf(config)).links.map(({ iface, sockets }) => `${iface} ${sockets}`)
  t.same(preview(SUBNET), ['eth0 kept', 'eth1 kept'])
  t.same(preview(SUBNET.replace('{', '{ router-advertisements yes\n')), ['eth0 kept', 'eth1 replaced'])
  t.same(preview(SUBNET.replace('{', '{ promiscuous yes\n')), ['eth0 replaced', 'eth1 replaced'])
})

t.test('beside an `auto` rule, a link that only the former rules named is no longer listened on', async (t) => {
  const auto = 'proxy eth0 { rule 2001:db8::/64 { auto } }'
  const stage = new Stage(auto)
  stage.configure(SUBNET)
  stage.sink.take()
  t.same(stage.engine.preview(configOf(auto)).links.map(({ iface, sockets }) => `${iface} ${sockets}`), ['eth0 kept', 'eth1 closed'])
  stage.configure(auto)
  t.same(stage.sink.take('ignore'), ['ignore eth1'])
})

t.test('`subnet auto` follows its upstream: rules, hosts, routes and groups come and go', async (t) => {
  const stage = new Stage(TIMED.replace('2001:db8::/64', 'auto').replace('host', 'host 2001:db8:1::5 eth1\n host'))
  const prefixes = (...texts: string[]): void => stage.handle({ kind: 'prefixes', ifindex: ETH0, prefixes: texts.map(prefix) })
  t.equal(stage.ns(ETH0, VM), 'no-rule')
  t.same(stage.known, {})
  prefixes('2001:db8::/64')
  t.match(stage.sink.take(), ['filter eth0 2001:db8::/64 eth1 2001:db8::/64', 'neighbor 2001:db8::1 REACHABLE: pinned',
    'discover eth1 from 2001:db8::ff', /^advertise eth1 2001:db8::ff/, 'join eth1 ff02::1:ff00:1', 'join eth1 ff02::1:ff00:ff'])
  stage.learn(VM, VM2)
  prefixes('2001:db8::/64')
  t.same(stage.sink.take(), [], 'nothing new')
  prefixes('2001:db8::/64', '2001:db8:1::/64')
  t.same(stage.sink.take('route', 'join', 'leave', 'neighbor'),
    ['neighbor 2001:db8:1::5 REACHABLE: pinned', 'route add 2001:db8:1::5 eth1', 'join eth0 ff02::1:ff00:5'])
  t.equal(stage.ns(ETH0, VM), 'answered', 'the owner stays')
  stage.sink.take()
  prefixes('2001:db8:1::/64')
  t.same(stage.known, { '2001:db8:1::5': 'REACHABLE eth1 routed' })
  t.same(stage.sink.take('route', 'join', 'leave', 'filter').sort(), ['filter eth0 2001:db8:1::/64 eth1 2001:db8:1::/64',
    'leave eth0 ff02::1:ff00:2', 'leave eth1 ff02::1:ff00:1', 'leave eth1 ff02::1:ff00:ff', `route delete ${VM} eth1`])
  t.equal(stage.ns(ETH0, VM), 'no-rule')
  stage.handle({ kind: 'prefixes', ifindex: 99, prefixes: [prefix('2001:db8::/64')] })
  stage.gone(ETH0)
  t.same(stage.known, {}, 'its prefixes went with it')
  t.same(stage.sink.take('route'), ['route delete 2001:db8:1::5 eth1'])
})

t.test('`subnet auto`: pinned hosts belong to the current rules', async (t) => {
  const stage = new Stage(TIMED.replace('2001:db8::/64', 'auto').replace('eth1', 'eth1 eth2'))
  stage.handle({ kind: 'prefixes', ifindex: ETH0, prefixes: [prefix('2001:db8::/64')] })
  stage.handle({ kind: 'prefixes', ifindex: ETH0, prefixes: [prefix('2001:db8::/64'), prefix('2001:db8:1::/64')] })
  stage.gone(ETH1)
  stage.link(linkOf(ETH2))
  stage.sink.take()
  stage.handle({ kind: 'prefixes', ifindex: ETH0, prefixes: [] })
  t.same(stage.sink.take('leave').sort(), ['leave eth2 ff02::1:ff00:1', 'leave eth2 ff02::1:ff00:ff'])
})

t.test('`subnet auto`: the prefixes of an upstream go with its name', async (t) => {
  const stage = new Stage(TIMED.replace('2001:db8::/64', 'auto'))
  stage.handle({ kind: 'prefixes', ifindex: ETH0, prefixes: [prefix('2001:db8::/64')] })
  stage.learn(VM, VM2)
  stage.link(linkOf(ETH0, { name: 'other' }))
  t.same(stage.known, {}, 'another link of that name has its own')
})

t.test('our link-layer address changed: the neighbors get an advertisement with O=1', async (t) => {
  const stage = new Stage(TIMED.replace('announce no', 'announce yes'))
  stage.ns(ETH0, VM)
  stage.na(ETH1, VM, VM2)
  stage.wait(10_000)
  t.match(stage.sink.take('advertise').pop(), 'to ff02::2')
  stage.link({ ...twoLinks()[0], mac: mac('02:00:00:00:ff:99') })
  stage.wait(10)
  t.same(stage.sink.take('advertise'), [`advertise eth0 ${VM} RO from fe80::ff:2 to ff02::1 33:33:00:00:00:01`])
  stage.wait(9990)
  stage.sink.take()
  stage.link({ ...linkOf(ETH1), mac: mac('02:00:00:00:ff:98') })
  stage.wait(5000)
  t.same([...new Set(stage.sink.take('advertise'))],
    ['advertise eth1 2001:db8::1 RO from fe80::ff:3 to ff02::1 33:33:00:00:00:01'], 'the host is on its own link')
  stage.wait(10_000)
  t.equal(stage.known[VM], 'FAILED -')
  stage.link({ ...twoLinks()[0], mac: mac('02:00:00:00:ff:97') })
  stage.wait(10)
  t.same(stage.sink.take('advertise eth0'), [], 'nothing of a host that is gone')
})
