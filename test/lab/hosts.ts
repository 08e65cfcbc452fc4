/** Hosts that are silent, new, gone and back: all are found without waiting for a timer. */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { ra } from '../kit/frames.ts'
import { crowd } from './kit/crowd.ts'
import { CONFIG, goodManners, type Host, PROXY, ROUTER, scene, until, vmAddress } from './kit/scene.ts'

/** The configuration with timers that outlast the limits of `until`: whatever happens earlier, no timer caused it. */
const patient = (more = ''): string => CONFIG.replace('upstream', `ttl 120s deadtime 120s ${more} upstream`)

const isTentative = (host: Host): boolean => host.exec('ip', '-6', 'addr', 'show', 'dev', 'eth0').includes('tentative')

t.test('silent hosts are routed after the start, without a solicitation of the router', async (t) => {
  const silent = Array.from({ length: 48 }, (_, i) => 0x100 + i)
  const numbers = [2, 3, ...silent]
  const stage = await scene(t)
  const { server, proxy, inside, eth0, eth1 } = stage
  await crowd(inside, silent)
  proxy.ip('neigh flush all')
  t.same(proxy.show('neigh show'), [], 'the kernel knows no neighbor')
  t.match(proxy.show('addr show dev eth1')[0].addr_info, [{ scope: 'link' }], 'its only address there is link-local')
  t.same(eth1.frames.filter(({ kind, outgoing }) => kind !== 'mld' && !outgoing), [], 'the hosts send nothing')
  await stage.start(patient())
  await until(() => proxy.ourRoutes().length >= numbers.length)
  t.same(proxy.ourRoutes(), numbers.map(vmAddress).sort(), 'exactly they')
  t.same(eth0.of('NS').filter(({ outgoing }) => !outgoing), [], 'the router solicited none')
  for (const n of [2, 3]) t.equal(await server.reaches(vmAddress(n), 5000), true)
  goodManners(t, stage)
})

t.test('a new address works after its DAD, from a command or by SLAAC, though it was solicited before', async (t) => {
  const stage = await scene(t, [])
  const { server, proxy, lab, inside } = stage
  await stage.start(patient())
  const automatic = await Promise.all([7, 8, 9].map(async (n) => {
    const vm = await lab.host(`vm${n}`, { dad: true })
    lab.link(vm, 'eth0', inside, `vm${n}`, { macs: [`02:00:00:00:00:0${n}`, `02:00:00:02:00:0${n}`] })
    await until(() => !isTentative(vm) && vm.show('addr show dev eth0')[0].addr_info.length > 0)
    return { vm, address: `2001:db8::ff:fe00:${n}` }
  }))
  const early = [vmAddress(6), '2001:db8::ff:fe00:9']
  t.same(await Promise.all(early.map((address) => server.reaches(address, 200))), [false, false], 'solicited too early')
  const manual = await Promise.all([4, 5, 6].map(async (n) => ({ vm: await stage.addVm(n, { dad: true }), address: vmAddress(n) })))
  await proxy.inject('eth1', [ra({ from: proxy.mac('eth1'), source: proxy.linkLocal('eth1'), prefix: '2001:db8::' })])
  await Promise.all([...manual, ...automatic].map(async ({ vm, address }) => {
    await until(() => proxy.ourRoutes().includes(address))
    await until(() => !isTentative(vm))
    t.ok(await until(() => server.reaches(address, 500)), address)
  }))
  goodManners(t, stage)
})

t.test('a VM that is powered off is forgotten after `ttl`, and works again once it is back', async (t) => {
  const stage = await scene(t, [2, 3])
  const { server, proxy, inside, vms: [vm2] } = stage
  await stage.start(CONFIG.replace('upstream', 'ttl 2s deadtime 120s timeout 250ms upstream'))
  for (const n of [2, 3]) t.equal(await server.reaches(vmAddress(n), 5000), true)
  const traffic = Promise.all([2, 3].map((n) => server.traffic(vmAddress(n), { rate: 10, seconds: 5 })))
  vm2.ip('link set eth0 down')
  inside.ip('link set vm3 nomaster')
  await until(() => proxy.ourRoutes().length === 0)
  for (const { lost } of await traffic) t.not(lost, 0, `${lost} datagrams lost`)
  vm2.ip('link set eth0 up', `addr replace ${vmAddress(2)}/64 dev eth0`, `route replace default via ${ROUTER} dev eth0`)
  inside.ip('link set vm3 master br0')
  for (const n of [2, 3]) t.ok(await until(() => server.reaches(vmAddress(n), 100)), `VM ${n} works before the end of deadtime`)
})

t.test('a bridge of the proxy reports a port that is gone', async (t) => {
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
  await stage.start(patient().replace('eth1', 'br0'))
  const isRouted = (n: number): boolean => proxy.ourRoutes().includes(vmAddress(n))
  for (const n of [2, 3]) await until(() => server.reaches(vmAddress(n), 100))
  proxy.ip('link del tap2')
  vms[1].ip('link set eth0 down')
  for (const n of [2, 3]) await until(() => !isRouted(n))
  plug(2)
  vms[1].ip('link set eth0 up', `addr replace ${vmAddress(3)}/64 dev eth0`, `route replace default via ${ROUTER} dev eth0`)
  for (const n of [2, 3]) t.ok(await until(() => server.reaches(vmAddress(n), 100)), `VM ${n} works again`)
  goodManners(t, stage)
})

t.test('from the proxy and from other links of it, the second packet to an unknown host arrives', async (t) => {
  const stage = await scene(t, [])
  const { proxy, router, lab } = stage
  const client = await lab.host('client')
  lab.link(client, 'eth0', proxy, 'eth2')
  proxy.ip('addr add 2001:db8:aaaa::1/64 dev eth2')
  client.ip('addr add 2001:db8:aaaa::2/64 dev eth0', 'route add default via 2001:db8:aaaa::1')
  router.ip(`route add 2001:db8:aaaa::/64 via ${PROXY}`)
  await stage.start()
  await sleep(3000)      // the discovery of the start is over
  for (const n of [2, 3]) await stage.addVm(n)
  t.same(proxy.ourRoutes(), [], 'no host is known')
  const twice = { rate: 1, seconds: 2, patience: 5000 }
  const reports = await Promise.all([proxy.traffic(vmAddress(2), twice), client.traffic(vmAddress(3), twice)])
  for (const { sent, lost, lostAt } of reports) t.ok(sent === 2 && lostAt.every((at) => at < 500), `${lost} of ${sent} lost`)
  t.same(proxy.ourRoutes(), [2, 3].map(vmAddress))
  goodManners(t, stage)
})
