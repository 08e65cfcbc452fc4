/** Interfaces that are late, deleted, re-created, down, up, or given another MAC (product: unbreakable). */
import t from 'tap'
import type { Test } from 'tap'
import { until } from '../kit/until.ts'
import { scene } from './kit/scene.ts'
import type { Scene } from './kit/scene.ts'
import { CONFIG, SERVER, vmAddress } from './kit/topology.ts'

/** Waits until the world and the VM reach each other again. */
async function works(t: Test, { server, vms: [vm2] }: Scene, what: string): Promise<void> {
  const start = performance.now()
  await until(async () => await server.reaches(vmAddress(2), 500) && await vm2.reaches(SERVER, 500))
  t.pass(`${what}: works after ${Math.round(performance.now() - start)} ms`)
}

t.test('a downstream link that is missing, comes, goes, and comes back as another', async (t) => {
  const stage = await scene(t, [2])
  const { proxy, lab, inside, vms: [vm2] } = stage
  proxy.ip('link del eth1')
  const daemon = await stage.start()
  const add = () => lab.link(proxy, 'eth1', inside, 'proxy')
  add()
  await works(t, stage, 'missing at the start, then there')
  const before = proxy.ifindex('eth1')
  proxy.ip('link del eth1')
  await until(() => proxy.ourRoutes().length === 0)
  add()
  t.not(proxy.ifindex('eth1'), before, 'another ifindex')
  vm2.ip('neigh flush all')
  await works(t, stage, 'deleted and re-created')
  proxy.ip('link set eth1 down')
  proxy.ip('link set eth1 up')
  await works(t, stage, 'downstream down and up')
  t.same(proxy.ourRoutes(), [vmAddress(2)])
  t.equal(daemon.proc.running, true)
  t.equal(await daemon.stop(), 0)
})

t.test('an upstream link that goes down and up, and changes its MAC', async (t) => {
  const stage = await scene(t, [2])
  const { proxy, router, lab, outside } = stage
  const daemon = await stage.start()
  await works(t, stage, 'at the start')
  proxy.ip('link set eth0 down')
  proxy.ip('link set eth0 up', 'addr replace 2001:db8::ff/64 dev eth0 nodad', 'route replace default via 2001:db8::1')
  await works(t, stage, 'upstream down and up')

  const mac = '02:00:00:aa:aa:aa'
  const capture = await router.capture('eth0')
  proxy.ip(`link set eth0 address ${mac}`)
  router.ip('neigh flush all')
  await works(t, stage, 'another MAC')
  const answer = capture.of('NA', vmAddress(2)).find((na) => !na.outgoing)
  t.match(answer, { from: mac, lladdr: mac }, 'the next NA says so')

  proxy.ip('link del eth0')
  await until(() => daemon.proc.running)
  lab.link(proxy, 'eth0', outside, 'proxy')
  proxy.ip('addr add 2001:db8::ff/64 dev eth0 nodad', 'route replace default via 2001:db8::1')
  router.ip('neigh flush all')
  await works(t, stage, 'deleted and re-created')
  t.equal(await daemon.stop(), 0)
})

t.test('a link that loses its carrier keeps no route, and its hosts are back with it', async (t) => {
  const stage = await scene(t, [2])
  const { proxy, inside, vms: [vm2] } = stage
  await stage.start()
  await works(t, stage, 'at the start')
  inside.ip('link set proxy down')
  await until(() => proxy.ourRoutes().length === 0)
  inside.ip('link set proxy up')
  await until(() => proxy.ourRoutes().length === 1)
  await works(t, stage, 'carrier again')
  inside.ip('link set proxy down')
  await until(() => proxy.ourRoutes().length === 0)
  vm2.ip('link set eth0 down')
  inside.ip('link set proxy up')
  await until(() => proxy.show('link show dev eth1')[0].operstate === 'UP')
  await until(() => proxy.ourRoutes().length === 0)
})

t.test('forwarding yes: an upstream that is late keeps its router advertisements', async (t) => {
  const stage = await scene(t, [2])
  const { proxy, lab, outside } = stage
  proxy.ip('link del eth0')
  proxy.sysctl({ 'conf/all/forwarding': 0, 'conf/default/accept_ra': 1 })
  const daemon = await stage.start(`forwarding yes\n${CONFIG}`)
  t.equal(proxy.readSysctl('conf/all/forwarding'), 1)
  lab.link(proxy, 'eth0', outside, 'proxy')
  await until(() => proxy.readSysctl('conf/eth0/accept_ra') === 2)
  t.equal(proxy.readSysctl('conf/eth1/accept_ra'), 1, 'and nobody else')
  t.equal(await daemon.stop(), 0)
})
