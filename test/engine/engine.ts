/** What follows from links, reloads and the kernel's routes. Packets: see proxy, neighbors, learner. */
import t from 'tap'
import { Engine } from '../../src/engine/engine.ts'
import { ip, mac, na, prefix } from './kit/frames.ts'
import {
  chance, configOf, ETH0, ETH1, ETH2, linkOf, own, Recorder, ROUTER, Stage, SUBNET, twoLinks, VM2, VM3,
} from './kit/stage.ts'

const VM = '2001:db8::2'
const TIMED = SUBNET.replace('host', 'timeout 100\n retries 3\n ttl 30s\n deadtime 20s\n host')

t.test('links are heard when the configuration names them, and their kernel kept quiet', async (t) => {
  const stage = new Stage(SUBNET, [])
  stage.link(linkOf(ETH2))
  t.same(stage.sink.take('listen', 'link'), [], 'not named')
  stage.link(twoLinks()[0])
  t.same(stage.sink.take('quiet', 'listen', 'link'), ['quiet eth0 2001:db8::/64', 'listen eth0', 'link eth0 up'])
  stage.link(linkOf(ETH1, { up: false }))
  t.same(stage.sink.take('quiet', 'listen', 'link'),
    ['quiet eth0 2001:db8::/64 eth1 2001:db8::/64', 'listen eth1 down', 'link eth1 down'])
  stage.link(linkOf(ETH1))
  t.same(stage.sink.take('quiet', 'listen', 'link'), ['listen eth1', 'link eth1 up'])
  stage.link(linkOf(ETH1, { name: 'other' }))
  t.same(stage.sink.take('quiet', 'listen', 'ignore'), ['quiet eth0 2001:db8::/64', 'ignore eth1'], 'renamed')
  stage.gone(ETH0)
  t.same(stage.sink.take('quiet', 'ignore', 'link'), ['ignore eth0', 'link eth0 gone', 'quiet'])
  stage.gone(ETH0)
  t.same(stage.sink.take(), [], 'twice is once')
  t.same(stage.engine.interfaces, { names: ['eth0', 'eth1'], upstreams: ['eth0'] })
})

t.test('pinned hosts are known before anybody speaks, and have their routes', async (t) => {
  const stage = new Stage(SUBNET.replace('host', `host ${VM} eth1\n host 2001:db8::3\n host`), [])
  stage.link(twoLinks()[0])
  t.match(stage.known, { '2001:db8::1': 'REACHABLE eth0', [VM]: 'REACHABLE -' })
  t.equal(stage.ns(ETH0, VM), 'no-candidate', 'its link is not there yet')
  stage.link(linkOf(ETH1))
  t.same(stage.known, { '2001:db8::1': 'REACHABLE eth0', [VM]: 'REACHABLE eth1 routed', '2001:db8::3': 'REACHABLE eth1 routed' },
    'without an interface: the only downstream')
  t.equal(stage.ns(ETH0, VM), 'answered')
  stage.wait(41_000)
  t.equal(stage.engine.deadline, undefined, 'nothing to wait for')
  stage.gone(ETH1)
  t.equal(stage.known[VM], 'REACHABLE -')
  stage.link(linkOf(7, { name: 'eth1' }))
  t.equal(stage.known[VM], 'REACHABLE eth1 routed', 'as another link')
})

t.test('a pinned host that may be on several links is looked for', async (t) => {
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
  t.same(stage.sink.take('route', 'confirm'), [`route add ${VM} eth1`, `confirm eth1 ${VM} from fe80::ff:3 to ${VM2}`])
  t.equal(stage.known['2001:db8::3'], undefined, 'its failure said nothing')
})

t.test('link gone: its hosts are gone; back as another: they are asked again', async (t) => {
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

t.test('renamed while it is up: its hosts are asked again, and it is searched for others', async (t) => {
  const stage = new Stage(TIMED)
  stage.learn(VM, VM2)
  stage.link(linkOf(ETH1, { name: 'other' }))
  t.equal(stage.known[VM], undefined)
  stage.sink.take()
  stage.link(linkOf(ETH1))
  stage.wait(0)
  t.same(stage.sink.take('solicit', 'discover'), [`solicit eth1 ${VM}`, 'discover eth1 from 2001:db8::ff'])
})

t.test('a change of our own lladdr or addresses is used at once', async (t) => {
  const stage = new Stage(TIMED)
  stage.learn(VM, VM2)
  stage.link(linkOf(ETH0, { addresses: [own('fe80::abc')] }))
  t.same(stage.sink.take('listen'), ['listen eth0'])
  stage.ns(ETH0, VM)
  t.same(stage.sink.take('advertise'), [`advertise eth0 ${VM} RS from fe80::abc to fe80::1 ${ROUTER}`])
})

t.test('an address that covers the hosts makes their routes needless', async (t) => {
  const stage = new Stage(TIMED)
  stage.learn(VM, VM2)
  stage.link(linkOf(ETH1, { addresses: [own('fe80::ff:3'), own('2001:db8::fe', 96)] }))
  t.same(stage.sink.take('route'), [`route delete ${VM} eth1`])
  stage.link(linkOf(ETH1))
  t.same(stage.sink.take('route'), [`route add ${VM} eth1`])
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
  t.equal(stage.ns(ETH0, VM), 'answered', 'without a new question')
  stage.configure(TIMED.replace('host', 'routes no\n host'))
  t.same(stage.sink.take('route'), [`route delete ${VM} eth1`])
  t.equal(stage.ns(ETH0, VM), 'answered')
  stage.configure(TIMED.replace('host', 'learn no\n host'))
  t.equal(stage.ns(ETH0, VM), 'unknown-host')
})

t.test('reload: pinned and not pinned any more', async (t) => {
  const stage = new Stage(TIMED)
  stage.learn(VM, VM2)
  stage.configure(TIMED.replace('host', `host ${VM} eth1\n host`))
  t.same(stage.sink.take('route', 'solicit', 'confirm'), [])
  stage.wait(60_000)
  t.equal(stage.known[VM], 'REACHABLE eth1 routed', 'it does not expire any more')
  stage.configure(TIMED)
  t.equal(stage.known[VM], undefined)
  t.same(stage.sink.take('route'), [`route delete ${VM} eth1`])
  stage.configure(TIMED.replace('host 2001:db8::1 eth0', 'host 2001:db8::1 eth1'))
  t.equal(stage.known['2001:db8::1'], 'REACHABLE eth1 routed', 'pinned elsewhere')
})

t.test('reload to other links and back is heard', async (t) => {
  const stage = new Stage(SUBNET)
  stage.configure('proxy eth1 { promiscuous yes\n rule 2001:db8::/64 { static } }')
  t.same(stage.sink.take(), ['ignore eth0', 'listen eth1 promiscuous', 'quiet eth1 2001:db8::/64',
    'neighbor 2001:db8::1 GONE: configuration', 'leave eth1 ff02::1:ff00:1'])
  stage.configure(SUBNET)
  t.same(stage.sink.take('listen', 'ignore', 'quiet'), ['listen eth0', 'listen eth1', 'quiet eth0 2001:db8::/64 eth1 2001:db8::/64'])
})

t.test('routes of a former run: taken over where they fit, verified, deleted otherwise', async (t) => {
  const stage = new Stage(TIMED.replace('host', 'exclude 2001:db8::7\n host'), [...twoLinks(), linkOf(ETH2)])
  stage.routes([VM, ETH1], ['2001:db8::3', ETH1], ['2001:db8::7', ETH1], ['2001:db8::8', ETH2], ['2001:db8::9', ETH0],
    ['fd00::1', ETH1])
  t.match(stage.known, { [VM]: 'PROBE eth1 routed', '2001:db8::3': 'PROBE eth1 routed' })
  t.same(stage.sink.take('route').sort(), ['route delete 2001:db8::7 eth1', 'route delete 2001:db8::8 eth2',
    'route delete 2001:db8::9 eth0', 'route delete fd00::1 eth1'])
  t.equal(stage.ns(ETH0, VM), 'answered', 'no packet is lost meanwhile')
  stage.na(ETH1, VM, VM2)
  stage.wait(401)
  t.same([...stage.sink.routes.keys()], [VM], 'who is silent loses its route')
})

t.test('the kernel\'s routes are brought to what they should be, later too', async (t) => {
  const stage = new Stage(TIMED)
  stage.routes()
  stage.learn(VM, VM2)
  stage.routes([VM, ETH1], ['2001:db8::99', ETH1])
  t.same(stage.sink.take(), ['route delete 2001:db8::99 eth1'], 'not taken over any more')
  stage.routes()
  t.same(stage.sink.take(), [`route add ${VM} eth1`], 'lost')
  stage.routes([VM, ETH0])
  t.same(stage.sink.take(), [`route add ${VM} eth1`], 'elsewhere')
})

t.test('an owner on a link that only a route led to survives a change of that link', async (t) => {
  const stage = new Stage('proxy eth0 { timeout 100\n retries 1\n ttl 1s\n rule 2001:db8::/64 { auto } }')
  stage.ns(ETH0, VM)
  stage.route(VM, ETH1)
  stage.na(ETH1, VM, VM2)
  stage.link(linkOf(ETH1, { addresses: [own('fe80::ff:3'), own('fd00::1')] }))
  t.same(stage.sink.take('ignore'), [], 'still heard, for its owner is verified there')
  stage.configure('proxy eth0 { timeout 100\n retries 1\n ttl 1s\n rule 2001:db8::/64 { auto } }')
  t.same(stage.sink.take('ignore'), [], 'and after a reload')
})

t.test('packets of links that are not there, and answers to nothing', async (t) => {
  const stage = new Stage(SUBNET)
  stage.route(VM, ETH1)
  stage.routes()
  stage.gone(99)
  t.equal(stage.ns(99, VM), undefined)
  stage.sink.take()
  stage.wait(100_000)
  t.same(stage.sink.take(), [])
  t.equal(new Engine(configOf(SUBNET), chance(1), new Recorder()).deadline, undefined)
})

t.test('a router that was silent keeps its address when links come up', async (t) => {
  const stage = new Stage(TIMED)
  stage.ns(ETH1, '2001:db8::a', { from: VM2, source: 'fe80::2' })
  stage.na(ETH0, '2001:db8::a', ROUTER, { flags: 'RSO' })
  stage.wait(60_000)
  stage.link(linkOf(ETH1, { up: false }))
  stage.link(linkOf(ETH1))
  t.equal(stage.frame(ETH1, na({ target: '2001:db8::a', from: VM3 })), 'conflict')
  t.equal(stage.known['2001:db8::a'], 'FAILED -')
})

t.test('`subnet auto` follows its upstream: rules, hosts, routes and groups come and go', async (t) => {
  const stage = new Stage(TIMED.replace('2001:db8::/64', 'auto').replace('host', 'host 2001:db8:1::5 eth1\n host'))
  const prefixes = (...texts: string[]): void => stage.handle({ kind: 'prefixes', ifindex: ETH0, prefixes: texts.map(prefix) })
  t.equal(stage.ns(ETH0, VM), 'no-rule')
  t.same(stage.known, {})
  prefixes('2001:db8::/64')
  t.match(stage.sink.take(), ['quiet eth0 2001:db8::/64 eth1 2001:db8::/64', 'neighbor 2001:db8::1 REACHABLE: pinned',
    'discover eth1 from 2001:db8::ff', /^advertise eth1 2001:db8::ff/, 'join eth1 ff02::1:ff00:1', 'join eth1 ff02::1:ff00:ff'])
  stage.learn(VM, VM2)
  prefixes('2001:db8::/64')
  t.same(stage.sink.take(), [], 'nothing new')
  prefixes('2001:db8::/64', '2001:db8:1::/64')
  t.same(stage.sink.take('route', 'join', 'leave', 'neighbor'),
    ['neighbor 2001:db8:1::5 REACHABLE: pinned', 'route add 2001:db8:1::5 eth1', 'join eth0 ff02::1:ff00:5'])
  t.equal(stage.ns(ETH0, VM), 'answered', 'what still holds stays')
  stage.sink.take()
  prefixes('2001:db8:1::/64')
  t.same(stage.known, { '2001:db8:1::5': 'REACHABLE eth1 routed' })
  t.same(stage.sink.take('route', 'join', 'leave', 'quiet').sort(), ['leave eth0 ff02::1:ff00:2', 'leave eth1 ff02::1:ff00:1',
    'leave eth1 ff02::1:ff00:ff', 'quiet eth0 2001:db8:1::/64 eth1 2001:db8:1::/64', `route delete ${VM} eth1`])
  t.equal(stage.ns(ETH0, VM), 'no-rule')
  stage.handle({ kind: 'prefixes', ifindex: 99, prefixes: [prefix('2001:db8::/64')] })
  stage.gone(ETH0)
  t.same(stage.known, {}, 'its prefixes went with it')
  t.same(stage.sink.take('route'), ['route delete 2001:db8:1::5 eth1'])
})

t.test('`subnet auto`: a host of the file belongs to the rules of today', async (t) => {
  const stage = new Stage(TIMED.replace('2001:db8::/64', 'auto').replace('eth1', 'eth1 eth2'))
  stage.handle({ kind: 'prefixes', ifindex: ETH0, prefixes: [prefix('2001:db8::/64')] })
  stage.handle({ kind: 'prefixes', ifindex: ETH0, prefixes: [prefix('2001:db8::/64'), prefix('2001:db8:1::/64')] })
  stage.gone(ETH1)
  stage.link(linkOf(ETH2))
  stage.sink.take()
  stage.handle({ kind: 'prefixes', ifindex: ETH0, prefixes: [] })
  t.same(stage.sink.take('leave').sort(), ['leave eth2 ff02::1:ff00:1', 'leave eth2 ff02::1:ff00:ff'])
})

t.test('`subnet auto`: an upstream that is renamed takes its prefixes along', async (t) => {
  const stage = new Stage(TIMED.replace('2001:db8::/64', 'auto'))
  stage.handle({ kind: 'prefixes', ifindex: ETH0, prefixes: [prefix('2001:db8::/64')] })
  stage.learn(VM, VM2)
  stage.link(linkOf(ETH0, { name: 'other' }))
  t.same(stage.known, {}, 'another link of that name has its own')
})

t.test('memberships: of owners where they are asked for, as long as the link is heard', async (t) => {
  const stage = new Stage(TIMED)
  const groups = (): string[] => stage.sink.take('join', 'leave')
  stage.ns(ETH0, VM)
  t.same(groups(), [], 'nobody yet')
  stage.na(ETH1, VM, VM2)
  t.same(groups(), ['join eth0 ff02::1:ff00:2'])
  stage.learn('2001:db8::7:0:2', VM3)
  t.same(groups(), [], 'the same group')
  stage.gone(ETH0)
  t.same(groups(), ['leave eth1 ff02::1:ff00:ff'], 'our own address went, too')
  stage.link(linkOf(ETH0))
  t.same(groups(), ['join eth0 ff02::1:ff00:2'])
  stage.wait(60_000)
  t.same(groups(), ['leave eth0 ff02::1:ff00:2'], 'with the last one')
})

t.test('our own lladdr changed: the others are told, O=1', async (t) => {
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
    ['advertise eth1 2001:db8::1 RO from fe80::ff:3 to ff02::1 33:33:00:00:00:01'], 'downstream the router is us, but the host is itself')
})

t.test('the routers of a link are those that the kernel knows', async (t) => {
  const stage = new Stage(TIMED.replace('announce no', 'announce solicit').replace('host 2001:db8::1 eth0', ''))
  const told = (): string[] => {
    stage.ns(ETH0, VM)
    stage.na(ETH1, VM, VM2)
    stage.wait(10_000)
    const lines = stage.sink.take('confirm eth0')
    stage.wait(60_000)
    stage.sink.take()
    return [...new Set(lines)].map((line) => line.split(' ')[2])
  }
  t.same(told(), [])
  stage.kernel('fe80::1', ETH0, ROUTER, 'known', true)
  stage.kernel('fe80::2', ETH0, VM2, 'known')
  t.same(told(), ['fe80::1'])
  stage.kernel('fe80::1', ETH0, undefined, 'failed', true)
  t.same(told(), [])
})

t.test('an upstream that passes traffic for ten minutes, but no solicitation: said once', async (t) => {
  const stage = new Stage(TIMED.replace('ttl 30s', 'ttl 1h'))
  stage.learn(VM, VM2)
  const minutes = (count: number): string[] => {
    for (let minute = 0; minute < count; minute++) {
      stage.kernel(VM, ETH1, VM2, 'probing')
      stage.ns(ETH0, VM, { to: VM })
      stage.wait(60_000)
    }
    return stage.sink.take('snooped')
  }
  t.same(minutes(9), [])
  t.same(minutes(20), ['snooped eth0'], 'unicast ones do not count')
  stage.ns(ETH0, VM)
  t.same(minutes(9), [])
  t.same(minutes(2), ['snooped eth0'])
})

t.test('another switch at the other end of a link hears of the groups there', async (t) => {
  const stage = new Stage(TIMED.replace('host', 'host 2001:db8::9 eth1\n host'))
  const members = new Set(stage.sink.members.get(ETH0))
  t.not(members.size, 0)
  stage.sink.members.clear()
  stage.handle({ kind: 'link-replugged', ifindex: ETH0 })
  t.same(stage.sink.members, new Map([[ETH0, members]]))
})

t.test('snooping: what is to be spoken follows the configuration and the links', async (t) => {
  const stage = new Stage(TIMED.replace('host', 'snooping mirror\n host'))
  const report = (joined: string[], left: string[] = []): string[] => {
    stage.handle({ kind: 'report', ifindex: ETH1, joined: joined.map(ip), left: left.map(ip) })
    return stage.sink.take('join', 'leave')
  }
  t.same(report(['ff02::1:ff00:77']), ['join eth0 ff02::1:ff00:77'])
  stage.handle({ kind: 'query', ifindex: ETH1,
    query: { kind: 'query', source: ip('fe80::1'), version: 2, groups: undefined, delay: 10_000, toAll: true } })
  stage.wait(60_000)
  t.same(stage.sink.take('multicast'), [], 'somebody else asks')
  stage.configure(TIMED.replace('host', 'snooping mrd\n host'))
  t.same(stage.sink.take('leave'), ['leave eth0 ff02::1:ff00:77'])
  stage.wait(60_000)
  t.match(stage.sink.take('multicast')[0], 'multicast eth0 router-advertisement from fe80::ff:2')
  stage.handle({ kind: 'router-solicitation', ifindex: ETH0 })
  stage.wait(1000)
  t.same(stage.sink.take('multicast').length, 1)
  stage.engine.stop()
  t.same(stage.sink.take('multicast'), ['multicast eth0 router-termination from fe80::ff:2'])
})
