/** What a stop, a crash and a start do to routes, nftables and the saved hosts (`grace`, `--state`). */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { CONFIG, goodManners, type Host, scene, until, vmAddress } from './kit/scene.ts'

const ROUTES = [2, 3].map(vmAddress)

const ruleset = (proxy: Host): string => proxy.exec('nft', 'list', 'ruleset')

t.test('a stop for a restart leaves routes that expire after `grace`, a stop none; other routes stay', async (t) => {
  const stage = await scene(t)
  const { server, proxy } = stage
  proxy.ip('route add 2001:db8::77/128 dev eth1 proto static')
  const daemon = await stage.start(`grace 2s\n${CONFIG}`)
  for (const target of ROUTES) t.equal(await server.reaches(target, 5000), true)
  await until(() => proxy.ourRoutes().length === 2)
  for (const route of proxy.show('route show proto 136')) t.match(route, { dev: 'eth1', metric: 16 })
  t.match(ruleset(proxy), /chain prerouting[^]*drop[^]*chain output[^]*log group/)
  const traffic = server.traffic(vmAddress(2), { seconds: 4 })
  t.equal(await daemon.stop('SIGUSR2'), 0)
  t.equal(ruleset(proxy), '')
  const left = proxy.show('route show proto 136')
  t.equal(left.length, 2, 'still there')
  for (const route of left) t.ok(route.expires > 0 && route.expires <= 2, `expires in ${route.expires} s`)
  const way = () => proxy.show(`route get ${vmAddress(3)}`)[0].dev as string
  t.equal(way(), 'eth1', 'in effect')
  await until(() => way() === 'eth0')
  const { sent, lost, lostAt } = await traffic
  t.ok(lost < sent && lostAt[0] > 1900, `the first of ${lost} lost datagrams after ${lostAt[0]} ms`)

  const next = await stage.start()
  for (const target of ROUTES) await until(() => server.reaches(target, 200))
  await until(() => proxy.show('route show proto 136').filter((route) => route.expires === undefined).length === 2)
  t.equal(await next.kill(), 'SIGKILL')
  t.equal(ruleset(proxy), '', 'nothing of a killed one in nftables')
  proxy.ip(`route add blackhole ${vmAddress(3)}/128`)
  const last = await stage.start(`grace 0\n${CONFIG}`)
  await until(() => proxy.ourRoutes().join() === vmAddress(2))
  t.pass('routes of a killed one are adopted, except beside a route of another program that appeared meanwhile')
  proxy.ip(`route del blackhole ${vmAddress(3)}/128`)
  await until(() => proxy.ourRoutes().length === 2)
  t.equal(await last.stop('SIGUSR2'), 0)
  t.same(proxy.ourRoutes(), [], 'grace 0 leaves none, even for a restart')
  const stopped = await stage.start()
  for (const target of ROUTES) await until(() => server.reaches(target, 200))
  await until(() => proxy.ourRoutes().length === 2)
  t.equal(await stopped.stop(), 0)
  t.same(proxy.ourRoutes(), [], 'no route is left')
  t.match(proxy.show('route show 2001:db8::77'), [{ dev: 'eth1', protocol: 'static' }], 'a foreign route is not touched')
})

t.test('saved hosts are routed again at once; a damaged file is put aside', async (t) => {
  const stage = await scene(t)
  const { lab, proxy, server, vms: [, vm3] } = stage
  const state = join(lab.directory, 'state')
  const first = await stage.start(CONFIG, { state })
  for (const target of ROUTES) t.equal(await server.reaches(target, 5000), true)
  t.equal(await first.stop(), 0)
  t.same(proxy.ourRoutes(), [])
  vm3.ip('link set eth0 down')
  const second = await stage.start(CONFIG, { state })
  t.same(proxy.ourRoutes(), ROUTES, 'both are routed when the daemon is ready')
  await until(() => proxy.ourRoutes().join() === vmAddress(2))
  t.equal(await second.stop(), 0)

  const file = join(state, 'hosts.json')
  writeFileSync(file, readFileSync(file).subarray(0, 40))
  const third = await stage.start(CONFIG, { state })
  t.match(third.records.find(({ event }) => event === 'state-file'), { level: 40, msg: /is damaged .*hosts\.json\.damaged/ }, 'a warning')
  t.equal(existsSync(`${file}.damaged`), true, 'the file is kept')
  await until(() => server.reaches(vmAddress(2), 200))
  t.equal(await third.stop(), 0)
  t.match(JSON.parse(readFileSync(file, 'utf8')), { hosts: [{ target: vmAddress(2), iface: 'eth1' }] }, 'hosts are saved again')
  goodManners(t, stage)
})
