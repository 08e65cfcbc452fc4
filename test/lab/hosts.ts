/** How soon hosts are known when they are silent, new, gone, and back (product: who is answered). */
import t from 'tap'
import { crowd } from './kit/crowd.ts'
import { ra } from '../kit/frames.ts'
import { until } from '../kit/until.ts'
import { Monitor } from './kit/monitor.ts'
import { goodManners, scene } from './kit/scene.ts'
import { CONFIG, PROXY, ROUTER, vmAddress } from './kit/topology.ts'

/** How long after `since` something was. */
const after = (since: number, at = performance.now()): number => Math.round(at - since)

t.test('hosts that say nothing are known three seconds after the start, and nobody had to ask', async (t) => {
  const silent = Array.from({ length: 48 }, (_, i) => 0x100 + i)
  const numbers = [2, 3, ...silent]
  const stage = await scene(t)
  const { server, proxy, inside, eth0, eth1 } = stage
  await crowd(inside, silent)
  proxy.ip('neigh flush all')
  t.same(proxy.show('neigh show'), [], 'the kernel knows nobody')
  t.match(proxy.show('addr show dev eth1')[0].addr_info, [{ scope: 'link' }], 'a link-local address is all it has there')
  t.same(eth1.frames.filter(({ kind, outgoing }) => kind !== 'mld' && !outgoing), [], 'nobody says a word')
  const routes = await Monitor.start(proxy)
  await stage.start()
  const started = performance.now()
  const times = await Promise.all(numbers.map(async (n) => after(started, await routes.routed(vmAddress(n), 5000))))
  t.ok(Math.max(...times) < 3000, `all routed after ${Math.max(...times)} ms, the first one after ${Math.min(...times)} ms`)
  t.same(proxy.ourRoutes(), numbers.map(vmAddress).sort(), 'exactly they')
  t.same(eth0.of('NS').filter(({ outgoing }) => !outgoing), [], 'the router asked for none')
  for (const n of [2, 3]) t.equal(await server.reaches(vmAddress(n), 1000), true, 'reached at once')
  goodManners(t, stage)
})

t.test('a new address works 200 ms after its DAD, whether from a command or from SLAAC', async (t) => {
  const stage = await scene(t, [])
  const { server, proxy, lab, inside } = stage
  await stage.start()
  const routes = await Monitor.start(proxy)
  const automatic = await Promise.all([7, 8, 9].map(async (n) => {
    const vm = await lab.host(`vm${n}`, { dad: true })
    const events = await Monitor.start(vm)
    lab.link(vm, 'eth0', inside, `vm${n}`, { macs: [`02:00:00:00:00:0${n}`, `02:00:00:02:00:0${n}`] })
    await events.settled(`fe80::ff:fe00:${n}`, 5000)
    return { events, address: `2001:db8::ff:fe00:${n}` }
  }))
  const manual = await Promise.all([4, 5, 6].map(async (n) =>
    ({ events: await Monitor.start(await stage.addVm(n, { dad: true })), address: vmAddress(n) })))
  await proxy.inject('eth1', [ra({ from: proxy.mac('eth1'), source: proxy.linkLocal('eth1'), prefix: '2001:db8::' })])
  const wanted = [vmAddress(6), '2001:db8::ff:fe00:9']
  const impatience = Promise.all(wanted.map((address) => server.traffic(address, { rate: 20, seconds: 2 })))

  const times = await Promise.all([...manual, ...automatic].map(async ({ events, address }) => {
    const settled = await events.settled(address, 5000)
    const reached = await server.reaches(address, 2000)
    const took = after(settled)
    const routed = after(settled, await routes.routed(address, 2000))
    const what = wanted.includes(address) ? ', asked for in vain before' : ''
    t.ok(reached, `${address}${what}: a route after ${routed} ms, an answer after ${took} ms`)
    return Math.max(took, routed)
  }))
  // Where others keep the processors busy it is not the program that takes the time.
  times.sort((a, b) => a - b)
  t.ok(times[3] < 200 && times[5] < 500, `half of them within ${times[3]} ms`)
  await impatience
  goodManners(t, stage)
})

t.test('a VM that is powered off is forgotten within `ttl` and the retries, and works a second after it is back', async (t) => {
  const stage = await scene(t, [2, 3])
  const { server, proxy, inside, vms: [vm2] } = stage
  await stage.start(CONFIG.replace('upstream', 'ttl 2s deadtime 30s timeout 250ms upstream'))
  const routes = await Monitor.start(proxy)
  for (const n of [2, 3]) t.ok(await server.reaches(vmAddress(n), 1000))
  const insistence = Promise.all([2, 3].map((n) => server.traffic(vmAddress(n), { rate: 10, seconds: 5 })))
  const off = performance.now()
  vm2.ip('link set eth0 down')
  inside.ip('link set vm3 nomaster')
  for (const n of [2, 3]) {
    const gone = after(off, await routes.unrouted(vmAddress(n), 10_000))
    t.ok(gone < 2000 + 4 * 250, `VM ${n}: no route after ${gone} ms`)
  }
  for (const { lost } of await insistence) t.ok(lost >= 45, `${lost} datagrams sent in vain`)
  const on = performance.now()
  vm2.ip('link set eth0 up', `addr replace ${vmAddress(2)}/64 dev eth0`, `route replace default via ${ROUTER} dev eth0`)
  inside.ip('link set vm3 master br0')
  await Promise.all([2, 3].map(async (n) => {
    await until(() => server.reaches(vmAddress(n), 100))
    t.ok(after(on) < 1000, `VM ${n}: works after ${after(on)} ms`)
  }))
})

t.test('where the bridge is the proxy itself, it tells at once of a port that is gone', async (t) => {
  const stage = await scene(t, [])
  const { server, proxy, lab } = stage
  proxy.ip('link add br0 type bridge', 'link set br0 up')
  const vms = await Promise.all([2, 3, 4].map((n) => lab.host(`vm${n}`)))
  const plug = (n: number): void => {
    const vm = vms[n - 2]
    lab.link(vm, 'eth0', proxy, `tap${n}`, { macs: [`02:00:00:00:00:0${n}`, `02:00:00:02:00:0${n}`] })
    proxy.ip(`link set tap${n} master br0`)
    vm.ip(`addr add ${vmAddress(n)}/64 dev eth0`, `route add default via ${ROUTER} dev eth0`)
  }
  for (const n of [2, 3, 4]) plug(n)      // the last one stays: without a port the bridge would have no carrier
  await stage.start(CONFIG.replace('eth1', 'br0'))
  const routes = await Monitor.start(proxy)
  const works = (n: number) => until(() => server.reaches(vmAddress(n), 100))
  for (const n of [2, 3]) await works(n)
  const off = performance.now()
  proxy.ip('link del tap2')
  vms[1].ip('link set eth0 down')
  for (const n of [2, 3]) {
    const gone = after(off, await routes.unrouted(vmAddress(n), 10_000))
    t.ok(gone < 1500, `VM ${n}: no route after ${gone} ms`)
  }
  const on = performance.now()
  plug(2)
  vms[1].ip('link set eth0 up', `addr replace ${vmAddress(3)}/64 dev eth0`, `route replace default via ${ROUTER} dev eth0`)
  await Promise.all([2, 3].map(async (n) => {
    await works(n)
    t.ok(after(on) < 1000, `VM ${n}: works after ${after(on)} ms`)
  }))
  goodManners(t, stage)
})

t.test('the proxy itself, and links beside the subnet: the second packet to a host that is not known arrives', async (t) => {
  const stage = await scene(t, [])
  const { proxy, router, lab } = stage
  const client = await lab.host('client')
  lab.link(client, 'eth0', proxy, 'eth2')
  proxy.ip('addr add 2001:db8:aaaa::1/64 dev eth2')
  client.ip('addr add 2001:db8:aaaa::2/64 dev eth0', 'route add default via 2001:db8:aaaa::1')
  router.ip(`route add 2001:db8:aaaa::/64 via ${PROXY}`)
  await stage.start()
  await new Promise((resolve) => setTimeout(resolve, 3000))      // nobody is asked to show himself any more
  for (const n of [2, 3]) await stage.addVm(n)
  t.same(proxy.ourRoutes(), [], 'nobody is known')
  const twice = { rate: 1, seconds: 2, patience: 1000 }
  const reports = await Promise.all([proxy.traffic(vmAddress(2), twice), client.traffic(vmAddress(3), twice)])
  for (const { sent, lostAt } of reports) t.ok(sent === 2 && lostAt.every((at) => at < 500), `lost: ${lostAt.length} of ${sent}`)
  t.same(proxy.ourRoutes(), [2, 3].map(vmAddress), 'now they are')
  goodManners(t, stage)
})
