/** The story of the rented server, with the five lines of the manual (product: the story it exists for). */
import t from 'tap'
import { until } from '../kit/until.ts'
import { goodManners, scene } from './kit/scene.ts'
import { CONFIG, ROUTER, SERVER, vmAddress } from './kit/topology.ts'

const DATAGRAMS = { rate: 100, seconds: 1, patience: 1000 }

t.test('VMs and the world reach each other two seconds after the start, and a later VM does', async (t) => {
  const stage = await scene(t)
  const { server, proxy, vms: [vm2, vm3] } = stage
  const started = performance.now()
  const daemon = await stage.start()
  const reached = await Promise.all([server.reaches(vmAddress(2), 2000), server.reaches(vmAddress(3), 2000),
    vm2.reaches(SERVER, 2000), vm3.reaches(SERVER, 2000), vm2.reaches(ROUTER, 2000)])
  const took = performance.now() - started
  t.same(reached, [true, true, true, true, true])
  t.ok(took < 2000, `within 2 s of the start of the process (${Math.round(took)} ms)`)
  t.same(proxy.ourRoutes(), [vmAddress(2), vmAddress(3)], 'routes of exactly the VMs')
  for (const route of proxy.show('route show proto 136')) t.match(route, { dev: 'eth1', metric: 16 })

  const vm4 = await stage.addVm(4)
  const [there, back] = await Promise.all([server.traffic(vmAddress(4), DATAGRAMS), vm4.traffic(SERVER, DATAGRAMS)])
  t.match(there, { lost: 0 }, 'the server reaches a VM that started later')
  t.match(back, { lost: 0 })
  t.match(await vm4.traffic(vmAddress(2), { seconds: 0.2 }), { lost: 0 }, 'VMs reach each other directly')
  t.same(proxy.ourRoutes(), [2, 3, 4].map(vmAddress))
  goodManners(t, stage)
  t.equal(await daemon.stop(), 0, 'SIGTERM: status 0')
})

t.test('a stop leaves routes that expire, or none with grace 0', async (t) => {
  const stage = await scene(t)
  const { server, proxy } = stage
  const daemon = await stage.start(`grace 3s\n${CONFIG}`)
  for (const n of [2, 3]) t.equal(await server.reaches(vmAddress(n), 2000), true)
  await until(() => proxy.ourRoutes().length === 2)
  t.equal(await daemon.stop(), 0)
  const left = proxy.show('route show proto 136')
  t.equal(left.length, 2, 'still there')
  for (const route of left) t.ok(route.expires > 0 && route.expires <= 3, `expires in ${route.expires} s`)

  const next = await stage.start(`grace 0\n${CONFIG}`)
  t.equal(await server.reaches(vmAddress(3), 2000), true)
  await until(() => proxy.show('route show proto 136').filter((route) => route.expires === undefined).length === 2)
  t.equal(await next.stop(), 0)
  t.same(proxy.ourRoutes(), [], 'nothing left at once')
})

t.test('SIGKILL and a new start: traffic never stops, and the routes are right again', async (t) => {
  const stage = await scene(t, [2, 3, 4])
  const { server, proxy, vms: [vm2, vm3] } = stage
  const first = await stage.start()
  t.equal(await server.reaches(vmAddress(2), 2000) && await server.reaches(vmAddress(3), 2000)
    && await server.reaches(vmAddress(4), 2000), true)
  await until(() => proxy.ourRoutes().length === 3)
  proxy.ip('route add 2001:db8::77/128 dev eth1 proto static')
  const traffic = Promise.all([server.traffic(vmAddress(2), { seconds: 5 }), vm2.traffic(SERVER, { seconds: 5 })])
  t.equal(await first.kill(), 'SIGKILL')
  t.same(proxy.ourRoutes(), [2, 3, 4].map(vmAddress), 'the routes stay')
  vm3.ip(`addr del ${vmAddress(3)}/64 dev eth0`)
  proxy.ip('route add 2001:db8::99/128 dev eth1 proto 136 metric 16')
  await stage.start()
  await until(() => proxy.ourRoutes().join() === [vmAddress(2), vmAddress(4)].join())
  t.match(proxy.show('route show 2001:db8::77'), [{ dev: 'eth1', protocol: 'static' }], 'a foreign route is not touched')
  const [there, back] = await traffic
  t.match(there, { sent: 500, lost: 0 })
  t.match(back, { sent: 500, lost: 0 })
})
