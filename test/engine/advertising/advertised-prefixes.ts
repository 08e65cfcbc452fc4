/** The prefixes of Router Advertisements: lifetimes that the upstream grants, and prefixes that go (RFC 4862 5.5.3, RFC 9096 3.5). */
import t from 'tap'
import { ALL, AUTO, BARE, Router } from '../kit/router.ts'
import { ETH0 } from '../kit/stage.ts'

t.test('a prefix of the upstream counts down, and is refreshed with it', async (t) => {
  const stage = new Router(AUTO, BARE)
  stage.grant(['2001:db8::/64', 20, 10])
  stage.wait(10)
  t.match(stage.advertisements.at(-1), /, 2001:db8::\/64 20 10$/)
  stage.wait(2500)
  stage.solicit('fe80::2')
  stage.wait(10)
  t.match(stage.advertisements.at(-1), /, 2001:db8::\/64 17 7$/, 'never more than what is left')
  stage.grant(['2001:db8::/64', 20, 10])
  stage.wait(3000)
  t.match(stage.advertisements.at(-1), /, 2001:db8::\/64 (20 10|1[789] [789])$/)
  for (let i = 0; i < 60; i++) {
    stage.wait(1000)
    if (i % 4 === 3) stage.grant(['2001:db8::/64', 20, 10])
    for (const line of stage.advertisements) t.match(line, /64 (1[3-9]|20) ([3-9]|10)$/)
  }
})

t.test('lifetimes that the upstream shortens', async (t) => {
  const stage = new Router(AUTO, BARE)
  stage.grant(['2001:db8::/64', Infinity, Infinity])
  stage.wait(60_000)
  for (const [valid, preferred] of [[600, 300], [600, 30], [100, 30]] as const) {
    stage.advertisements
    stage.grant(['2001:db8::/64', valid, preferred])
    stage.wait(10)
    t.same(stage.advertisements, [`ra eth1 ${ALL} lifetime 1800 mtu -, 2001:db8::/64 ${valid} ${preferred}`])
    stage.wait(4000)
  }
})

t.test('a prefix that expired is not new, while it is still on-link', async (t) => {
  const stage = new Router(AUTO, BARE)
  stage.grant(['2001:db8::/64', 20, 10])
  stage.wait(4000)
  for (const seconds of [4, 20, 60]) {
    stage.advertisements
    stage.input({ kind: 'grants', ifindex: ETH0, grants: [], mtu: undefined })
    stage.wait(1000 * seconds)
    stage.solicit('fe80::2')
    stage.wait(10)
    for (const line of stage.advertisements) t.match(line, /, 2001:db8::\/64 1?\d \d$/, `${seconds} s`)
  }
})

t.test('a prefix that goes is deprecated for as long as hosts may have it', async (t) => {
  const stage = new Router(AUTO, BARE)
  stage.grant(['2001:db8::/64', Infinity, Infinity])
  stage.wait(4000)
  stage.advertisements
  stage.grant(['2001:db8:1::/64', 3600, 1800])
  stage.wait(10)
  t.same(stage.advertisements, [`ra eth1 ${ALL} lifetime 1800 mtu -, 2001:db8:1::/64 3600 1800, 2001:db8::/64 7200 0`])
  stage.wait(80_000_000)
  stage.advertisements
  stage.solicit('fe80::2')
  stage.wait(10)
  t.match(stage.advertisements[0], /2001:db8::\/64 [1-9]\d+ 0/, 'a host that missed it all')
  stage.wait(7_000_000)
  stage.advertisements
  stage.solicit('fe80::2')
  stage.wait(10)
  t.notMatch(stage.advertisements[0], /2001:db8::\/64/)
})

t.test('over a restart, too', async (t) => {
  const before = new Router(AUTO, BARE)
  before.grant(['2001:db8::/64', 1000, 500])
  before.wait(4000)
  const { links, prefixes: saved } = before.engine.advertising.saved(before.now)
  t.same(links, ['eth1'])
  t.match(saved.map(({ iface, prefix, left }) => `${iface} ${prefix} ${Math.round(left / 1000)}`), ['eth1 2001:db8::/64 996'])
  const after = new Router(AUTO, [])
  after.input({ kind: 'saved-prefixes', prefixes: saved })
  for (const link of BARE) after.link(link)
  after.wait(10)
  t.match(after.advertisements, [/, 2001:db8::\/64 99\d 0$/])
})

t.test('a link without prefixes is saved, too, until its hosts were told', async (t) => {
  const stage = new Router(AUTO, BARE)
  stage.wait(4000)
  t.same(stage.engine.advertising.saved(stage.now), { links: ['eth1'], prefixes: [] })
  const { revision } = stage.engine.advertising
  stage.configure(AUTO.replace('router-advertisements yes', ''))
  stage.wait(4000)
  t.same(stage.engine.advertising.saved(stage.now), { links: [], prefixes: [] })
  t.ok(stage.engine.advertising.revision > revision)
})

t.test('after a crash at any time, at least half of the lifetime is still saved', async (t) => {
  const stage = new Router(AUTO, BARE)
  let saved = { at: stage.now, left: 0, revision: stage.engine.advertising.revision }
  let saves = 0
  for (let i = 0; i < 100; i++) {
    stage.grant(['2001:db8::/64', 60, 60])
    stage.wait(4000)
    const { revision } = stage.engine.advertising
    if (revision !== saved.revision) saves++
    if (revision !== saved.revision) saved = { at: stage.now, revision, left: stage.engine.advertising.saved(stage.now).prefixes[0].left }
    const left = saved.left - (stage.now - saved.at)
    if (left < 20_000) t.fail(`${left} ms of up to 60 s are saved`)
  }
  t.ok(saves > 5 && saves < 20, `${saves} saves in 400 s`)
})
