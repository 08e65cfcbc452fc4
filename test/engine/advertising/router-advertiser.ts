/** Router Advertisements on the downstream links: what they say, and when they are sent (RFC 4861 6.2). */
import t from 'tap'
import { ALL, AUTO, BARE, CONFIG, Router, STATIC } from '../kit/router.ts'
import { ETH0, ETH1, ETH2, linkOf, own, ROUTER, Stage, twoLinks, VM, VM2 } from '../kit/stage.ts'

/** Times of the advertisements until `end`, in milliseconds from now. */
function times(stage: Router, end: number): number[] {
  const begin = stage.now
  const found: number[] = []
  while (stage.now < begin + end) {
    stage.wait(100)
    for (const _ of stage.advertisements) found.push(stage.now - begin)
  }
  return found
}

t.test('without the option there are none', async (t) => {
  const stage = new Router(CONFIG.replace('router-advertisements yes', ''))
  stage.wait(3_600_000)
  t.same(stage.advertisements, [])
})

t.test('three soon, then every 200 to 600 s', async (t) => {
  const stage = new Stage(CONFIG, [])
  for (const link of twoLinks()) stage.link(link)
  t.same(stage.sink.take('ra'), [`ra eth1 ${ALL} lifetime 0 mtu -, ${STATIC}`], 'the first at once; this machine does not forward')
  const router = new Router()
  router.gone(ETH1)
  router.link(linkOf(ETH1, { mtu: 1500 }))
  const found = times(router, 4_000_000)
  const gaps = found.slice(1).map((time, i) => time - found[i])
  t.ok(found[0] <= 100 && gaps.slice(0, 2).every((gap) => gap >= 3000 && gap <= 16_100), `${found.slice(0, 3)}`)
  t.ok(gaps.slice(2).every((gap) => gap >= 199_900 && gap <= 600_100), `${gaps.slice(2)}`)
})

t.test('a solicitation is answered by unicast, one without source by multicast', async (t) => {
  const stage = new Router()
  stage.solicit('fe80::2')
  stage.wait(500)
  t.same(stage.advertisements, [`ra eth1 from fe80::ff:3 to fe80::2 ${VM2} lifetime 1800 mtu -, ${STATIC}`])
  for (let i = 0; i < 10; i++) stage.solicit('::')
  stage.wait(500)
  t.same(stage.advertisements, [`ra eth1 ${ALL} lifetime 1800 mtu -, ${STATIC}`])
  stage.solicit('::')
  stage.wait(2400)
  t.same(stage.advertisements, [], 'multicasts are 3 s apart')
  stage.wait(700)
  t.equal(stage.advertisements.length, 1)
})

t.test('hundreds of solicitations', async (t) => {
  const stage = new Router()
  for (let n = 0; n < 300; n++) stage.solicit(`fe80::${(n + 16).toString(16)}`, `02:00:00:00:01:${(n % 256).toString(16).padStart(2, '0')}`)
  stage.wait(500)
  t.equal(new Set(stage.advertisements.map((line) => /to (\S+)/.exec(line)![1])).size, 300)
})

t.test('news goes by multicast at once; right after another one, also by unicast to each known host', async (t) => {
  const stage = new Router()
  stage.learn(VM, VM2)
  stage.learn('2001:db8::3', '02:00:00:00:00:03')
  stage.input({ kind: 'gateways', gateways: [], hasDefaultRoute: false })
  stage.wait(100)
  t.same(stage.advertisements, [`ra eth1 ${ALL} lifetime 0 mtu -, ${STATIC}`])
  stage.input({ kind: 'gateways', gateways: [], hasDefaultRoute: true })
  stage.wait(100)
  t.same(stage.advertisements.sort(), [`ra eth1 from fe80::ff:3 to 2001:db8::2 ${VM2} lifetime 1800 mtu -, ${STATIC}`,
    `ra eth1 from fe80::ff:3 to 2001:db8::3 02:00:00:00:00:03 lifetime 1800 mtu -, ${STATIC}`])
  stage.wait(2900)
  t.same(stage.advertisements, [`ra eth1 ${ALL} lifetime 1800 mtu -, ${STATIC}`])
  stage.input({ kind: 'forwarding', isEnabled: false })
  stage.wait(3100)
  t.match(stage.advertisements.at(-1), /to ff02::1 .* lifetime 0/)
})

t.test('news is repeated within 32 s, because hosts may miss it', async (t) => {
  const stage = new Router()
  stage.wait(700_000)
  stage.advertisements
  stage.input({ kind: 'gateways', gateways: [], hasDefaultRoute: false })
  stage.wait(32_100)
  const found = stage.advertisements
  t.equal(found.length, 3)
  for (const line of found) t.match(line, /to ff02::1 .* lifetime 0/)
})

t.test('news that is taken back before the next multicast goes to each known host as well', async (t) => {
  const stage = new Router()
  stage.learn(VM, VM2)
  for (const [isPresent, destination] of [[false, 'ff02::1'], [true, VM], [false, VM], [true, VM]] as const) {
    stage.input({ kind: 'gateways', gateways: [], hasDefaultRoute: isPresent })
    stage.wait(100)
    const found = stage.advertisements
    t.equal(found.length, 1)
    t.match(found[0], new RegExp(`to ${destination} .* lifetime ${isPresent ? 1800 : 0} `))
  }
  stage.wait(3000)
  t.same(stage.advertisements, [`ra eth1 ${ALL} lifetime 1800 mtu -, ${STATIC}`])
})

t.test('another link-local address is news, because the former one leads nowhere', async (t) => {
  const stage = new Router()
  const at = (...addresses: string[]): void => stage.link(linkOf(ETH1, { addresses: addresses.map((text) => own(text)) }))
  at('fe80::5')
  stage.wait(10)
  t.same(stage.advertisements, [`ra eth1 from fe80::5 to ff02::1 33:33:00:00:00:01 lifetime 1800 mtu -, ${STATIC}`])
  at('2001:db8::fe')
  stage.wait(10_000)
  t.same(stage.advertisements, [], 'only link-local ones are sources (RFC 4861 4.2)')
  at('2001:db8::fe', 'fe80::6')
  stage.wait(10)
  t.match(stage.advertisements, [/from fe80::6 to ff02::1/])
})

t.test('default-route always, servers, domains and the MTU', async (t) => {
  const stage = new Router(CONFIG.replace('router-advertisements yes', 'router-advertisements yes\n default-route always\n dns fd00::53\n search example.net'))
  stage.input({ kind: 'gateways', gateways: [], hasDefaultRoute: false })
  stage.input({ kind: 'grants', ifindex: ETH0, grants: [], mtu: 1400 })
  stage.link(linkOf(ETH1, { mtu: 1500 }))
  stage.wait(4000)
  t.equal(stage.advertisements.at(-1), `ra eth1 ${ALL} lifetime 1800 mtu 1400, ${STATIC}, fd00::53 1800, example.net 1800`)
})

t.test('removed from the configuration, or another length', async (t) => {
  const stage = new Router()
  stage.configure(CONFIG.replace('router-advertisements yes', ''))
  stage.wait(4000)
  t.same(stage.advertisements, [`ra eth1 ${ALL} lifetime 0 mtu -, 2001:db8::/64 7200 0`])
  stage.wait(3_600_000)
  t.same(stage.advertisements, [])
  stage.configure(CONFIG.replace('/64', '/80'))
  stage.wait(10)
  t.match(stage.advertisements, [/2001:db8::\/80 A=0 86400 14400$/])
})

t.test('removed from the configuration and soon back: multicasts are 3 s apart', async (t) => {
  const stage = new Router()
  stage.configure(CONFIG.replace('router-advertisements yes', ''))
  stage.wait(1000)
  t.match(stage.advertisements, [/ff02::1 .* lifetime 0/])
  stage.configure(CONFIG)
  stage.solicit('fe80::2')
  stage.wait(1900)
  t.match(stage.advertisements, [/to fe80::2 .* lifetime 1800/])
  stage.wait(200)
  t.match(stage.advertisements, [/ff02::1 .* lifetime 1800/])
})

t.test('a stop withdraws nothing', async (t) => {
  const stage = new Router()
  stage.stop()
  t.same(stage.advertisements, [])
})

t.test('forged and other advertisements', async (t) => {
  const stage = new Router()
  stage.heard('fe80::ff:3', VM2, 0)
  stage.wait(10)
  t.same(stage.sink.take('ra', 'router'), ['router eth1 fe80::ff:3 forged', `ra eth1 ${ALL} lifetime 1800 mtu -, ${STATIC}`])
  for (let i = 0; i < 100; i++) {
    stage.heard('fe80::ff:3', VM2, 0)
    stage.wait(60)
  }
  t.same(stage.sink.take('router'), [], 'said once')
  stage.wait(60_000)
  stage.heard('fe80::9')
  stage.heard('fe80::9')
  for (let i = 0; i < 1000; i++) stage.heard(`fe80::1:${i.toString(16)}`)
  t.same(stage.sink.take('router'), ['router eth1 fe80::9'], 'a flood is one event')
})

t.test('two subnets on one downstream are in one message', async (t) => {
  const two = CONFIG + CONFIG.replace('2001:db8::', '2001:db8:2::').replace('eth0', 'eth2')
  const stage = new Router(two, [...twoLinks(), linkOf(ETH2)])
  stage.solicit('fe80::2')
  stage.wait(10)
  t.match(stage.advertisements, [/2001:db8::\/64 86400 14400, 2001:db8:2::\/64 86400 14400$/])
})

t.test('two upstreams, each with a prefix, and one downstream: both in one message, each with its lifetimes', async (t) => {
  const stage = new Router(AUTO + AUTO.replace('eth0', 'eth2'), [...BARE, linkOf(ETH2)])
  stage.grant(['2001:db8:1::/64', 1000, 500])
  stage.grantOn(ETH2, ['2001:db8:2::/64', 600, 300])
  stage.wait(10)
  t.match(stage.advertisements, [/mtu -, 2001:db8:1::\/64 1000 500, 2001:db8:2::\/64 600 300$/])
  stage.gone(ETH2)
  stage.wait(3100)
  t.match(stage.advertisements.at(-1), /mtu -, 2001:db8:1::\/64 \d+ [1-9]\d*, 2001:db8:2::\/64 \d+ 0$/, 'one upstream goes')
})

t.test('a solicitation starts a discovery of hosts after 1 and 4 s', async (t) => {
  const stage = new Router()
  stage.wait(60_000)
  stage.sink.take()
  stage.solicit('fe80::2')
  stage.wait(900)
  t.same(stage.sink.take('discover'), [])
  stage.wait(200)
  t.equal(stage.sink.take('discover').length, 1)
  stage.wait(3000)
  t.equal(stage.sink.take('discover').length, 1)
})

t.test('what is advertised, and other routers, for `ndp6d status`', async (t) => {
  const stage = new Router(AUTO.replace('yes', 'yes\n  dns fd00::53\n  search example.net'), [linkOf(ETH0), linkOf(ETH1, { mtu: 1500 })])
  stage.grant(['2001:db8:1::/64', 1000, 500])
  stage.heard('fe80::9')
  stage.wait(10_000)
  const [link, ...more] = [...stage.engine.advertising.snapshot(stage.now)]
  t.same(more, [])
  t.match(link, { ifindex: ETH1, lifetime: 1800, mtu: 1500, servers: ['fd00::53'], domains: ['example.net'] })
  t.same(link.prefixes.map(({ prefix, valid, preferred }) => `${prefix} ${valid} ${preferred}`), ['2001:db8:1::/64 990 490'])
  t.same(link.others.map(({ address, lifetime, isForged }) => `${address} ${lifetime} ${isForged}`), ['fe80::9 1800 false'])
  t.ok(link.age >= 0 && link.age <= 10_000)
  stage.sink.take()
  stage.wait(3_000_000)
  stage.heard('fe80::9', ROUTER, 0)
  stage.wait(3_000_000)
  t.match([...stage.engine.advertising.snapshot(stage.now)][0].others, [{ lifetime: 0 }], 'the last advertisement counts')
  stage.heard('fe80::9')
  t.same(stage.sink.take('router'), [], 'known')
  stage.wait(3_600_001)
  t.same([...stage.engine.advertising.snapshot(stage.now)][0].others, [], 'a router that is silent for an hour is forgotten')
})

t.test('what is shown of a link that lost its link-local address, and of one where advertising ends', async (t) => {
  const stage = new Router()
  const sources = (): string[] => [...stage.engine.advertising.snapshot(stage.now)].map(({ source }) => String(source))
  t.same(sources(), ['fe80::ff:3'])
  stage.link(linkOf(ETH1, { addresses: [own('2001:db8::fe')] }))
  t.same(sources(), ['undefined'])
  for (const link of twoLinks()) stage.link(link)
  stage.wait(4000)
  stage.configure(CONFIG.replace('router-advertisements yes', ''))
  t.same(sources(), [], 'before the final advertisement')
  stage.wait(1000)
  t.same(sources(), [], 'after it')
  stage.configure(CONFIG)
  t.same(sources(), ['fe80::ff:3'], 'back before the end')
})
