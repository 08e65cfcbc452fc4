/** The door of the engine: inputs that reach several of its parts. */
import t from 'tap'
import { Engine } from '../src/engine.ts'
import {
  chance, configOf, ETH0, ETH1, ETH2, ip, linkOf, na, ROUTER, Stage, SUBNET, TIMED, twoLinks, VM, VM2, VM3,
} from './engine/kit/stage.ts'

t.test('packets of links that do not exist, and replies without a request, have no effect', async (t) => {
  const stage = new Stage(SUBNET)
  stage.route(VM, ETH1)
  stage.routes()
  stage.gone(99)
  t.equal(stage.ns(99, VM), undefined)
  stage.sink.take()
  stage.wait(100_000)
  t.same(stage.sink.take(), [])
  t.equal(new Engine(configOf(SUBNET), chance(1)).deadline, undefined)
})

t.test('routes of the previous run: kept where they fit, and verified; deleted otherwise', async (t) => {
  const stage = new Stage(TIMED.replace('host', 'exclude 2001:db8::7\n host'), [...twoLinks(), linkOf(ETH2)])
  stage.routes([VM, ETH1], ['2001:db8::3', ETH1], ['2001:db8::7', ETH1], ['2001:db8::8', ETH2], ['2001:db8::9', ETH0], ['fd00::1', ETH1])
  t.match(stage.known, { [VM]: 'PROBE eth1 routed', '2001:db8::3': 'PROBE eth1 routed' })
  t.same(stage.sink.take('route').sort(), ['route delete 2001:db8::7 eth1', 'route delete 2001:db8::8 eth2',
    'route delete fd00::1 eth1'])
  t.equal(stage.ns(ETH0, VM), 'answered', 'no packet is lost meanwhile')
  stage.na(ETH1, VM, VM2)
  stage.wait(401)
  t.same([...stage.sink.routes.keys()], [VM], 'a silent host loses its route')
})

t.test('later differences between the kernel\'s routes and the wanted ones are corrected', async (t) => {
  const stage = new Stage(TIMED)
  stage.routes()
  stage.learn(VM, VM2)
  stage.routes([VM, ETH1], ['2001:db8::99', ETH1])
  t.same(stage.sink.take(), ['route delete 2001:db8::99 eth1'], 'a route that is not wanted')
  stage.routes()
  t.same(stage.sink.take(), [`route add ${VM} eth1`], 'lost')
  stage.routes([VM, ETH0])
  t.same(stage.sink.take(), [`route add ${VM} eth1`], 'elsewhere')
})

t.test('announcements wait for the route of their owner', async (t) => {
  const [stage, late] = [0, 1].map(() => new Stage(TIMED.replace('announce no', 'announce yes')))
  for (const each of [stage, late]) {
    each.isKernelFast = false
    each.frame(ETH1, na({ target: VM, from: VM2 }))
    each.na(ETH1, VM, VM2)
    each.wait(5000)
    t.same(each.sink.take('advertise'), [])
  }
  stage.applied([{ op: 'add', route: { target: ip(VM), ifindex: ETH1 } }])
  stage.wait(0)
  t.same(stage.sink.take('advertise'), [`advertise eth0 ${VM} R from fe80::ff:2 to ff02::2 33:33:00:00:00:02`])
  late.wait(26_000)
  late.applied([{ op: 'add', route: { target: ip(VM), ifindex: ETH1 } }])
  late.wait(1000)
  t.same(late.sink.take('advertise'), [], 'the owner is gone')
})

t.test('groups of owners are joined where routers solicit, as long as that link is listened on', async (t) => {
  const stage = new Stage(TIMED)
  const groups = (): string[] => stage.sink.take('join', 'leave')
  stage.ns(ETH0, VM)
  t.same(groups(), [], 'no owner yet')
  stage.na(ETH1, VM, VM2)
  t.same(groups(), ['join eth0 ff02::1:ff00:2'])
  stage.learn('2001:db8::7:0:2', VM3)
  t.same(groups(), [], 'the same group')
  stage.gone(ETH0)
  t.same(groups(), ['leave eth1 ff02::1:ff00:ff'], 'our own address went as well')
  stage.link(linkOf(ETH0))
  t.same(groups(), ['join eth0 ff02::1:ff00:2'])
  stage.wait(60_000)
  t.same(groups(), ['leave eth0 ff02::1:ff00:2'], 'with the last owner')
})

t.test('the routers of a link are those that the kernel knows', async (t) => {
  const stage = new Stage(TIMED.replace('announce no', 'announce solicit').replace('host 2001:db8::1 eth0', ''))
  const routers = (): string[] => {
    stage.ns(ETH0, VM)
    stage.na(ETH1, VM, VM2)
    stage.wait(10_000)
    const lines = stage.sink.take('confirm eth0')
    stage.wait(60_000)
    stage.sink.take()
    return [...new Set(lines)].map((line) => line.split(' ')[2])
  }
  t.same(routers(), [])
  stage.kernel('fe80::1', ETH0, ROUTER, 'known', true)
  stage.kernel('fe80::2', ETH0, VM2, 'known')
  t.same(routers(), ['fe80::1'])
  stage.kernel('fe80::1', ETH0, undefined, 'failed', true)
  t.same(routers(), [])
})

t.test('an upstream that passes traffic for ten minutes, but no solicitation: reported once', async (t) => {
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

t.test('another switch at the other end of a link gets reports of the groups there', async (t) => {
  const stage = new Stage(TIMED.replace('host', 'host 2001:db8::9 eth1\n host'))
  const members = new Set(stage.sink.members.get(ETH0))
  t.not(members.size, 0)
  stage.sink.members.clear()
  stage.handle({ kind: 'link-replugged', ifindex: ETH0 })
  t.same(stage.sink.members, new Map([[ETH0, members]]))
})

t.test('snooping: the messages follow the configuration and the links', async (t) => {
  const stage = new Stage(TIMED.replace('host', 'snooping mirror\n host'))
  const report = (joined: string[], left: string[] = []): string[] => {
    stage.handle({ kind: 'report', ifindex: ETH1, joined: joined.map(ip), left: left.map(ip) })
    return stage.sink.take('join', 'leave')
  }
  t.same(report(['ff02::1:ff00:77']), ['join eth0 ff02::1:ff00:77'])
  stage.handle({ kind: 'query', ifindex: ETH1,
    query: { kind: 'query', source: ip('fe80::1'), version: 2, groups: undefined, delay: 10_000, toAll: true } })
  stage.wait(60_000)
  t.same(stage.sink.take('multicast'), [], 'another querier is there')
  stage.configure(TIMED.replace('host', 'snooping mrd\n host'))
  t.same(stage.sink.take('leave'), ['leave eth0 ff02::1:ff00:77'])
  stage.wait(60_000)
  t.match(stage.sink.take('multicast')[0], 'multicast eth0 router-advertisement from fe80::ff:2')
  stage.handle({ kind: 'router-solicitation', ifindex: ETH0 })
  stage.wait(1000)
  t.same(stage.sink.take('multicast').length, 1)
  stage.stop()
  t.same(stage.sink.take('multicast'), ['multicast eth0 router-termination from fe80::ff:2'])
})
