/** Interfaces that are late, deleted, re-created, down, up, or get another link-layer address. */
import t from 'tap'
import { CONFIG, PROXY, ROUTER, type Scene, scene, SERVER, until, vmAddress } from './kit/scene.ts'

/** Waits until the server and the VM reach each other. */
async function works({ server, vms: [vm2] }: Scene): Promise<void> {
  await until(async () => await server.reaches(vmAddress(2), 500) && await vm2.reaches(SERVER, 500))
}

t.test('a downstream link that is missing, comes, goes, and comes back as another', async (t) => {
  const stage = await scene(t, [2])
  const { proxy, lab, inside, vms: [vm2] } = stage
  proxy.ip('link del eth1')
  const daemon = await stage.start()
  const add = () => lab.link(proxy, 'eth1', inside, 'proxy')
  add()
  await works(stage)
  const before = proxy.ifindex('eth1')
  proxy.ip('link del eth1')
  await until(() => proxy.ourRoutes().length === 0)
  add()
  t.not(proxy.ifindex('eth1'), before, 'another ifindex')
  vm2.ip('neigh flush all')
  await works(stage)
  proxy.ip('link set eth1 down')
  proxy.ip('link set eth1 up')
  await works(stage)
  t.same(proxy.ourRoutes(), [vmAddress(2)])
  t.equal(await daemon.stop(), 0)
})

t.test('an upstream link that goes down and up, changes its link-layer address, and is re-created', async (t) => {
  const stage = await scene(t, [2])
  const { proxy, router, lab, outside } = stage
  const daemon = await stage.start()
  const address = [`addr replace ${PROXY}/64 dev eth0 nodad`, `route replace default via ${ROUTER}`]
  await works(stage)
  proxy.ip('link set eth0 down')
  proxy.ip('link set eth0 up', ...address)
  await works(stage)

  const mac = '02:00:00:aa:aa:aa'
  const capture = await router.capture('eth0')
  proxy.ip(`link set eth0 address ${mac}`)
  router.ip('neigh flush all')
  await works(stage)
  // Until the message about the new one is read, an answer may have the former.
  t.match(capture.of('NA', vmAddress(2)).filter((na) => !na.outgoing).at(-1), { from: mac, lladdr: mac }, 'answers have the new one')

  proxy.ip('link del eth0')
  lab.link(proxy, 'eth0', outside, 'proxy')
  proxy.ip(...address)
  router.ip('neigh flush all')
  await works(stage)
  t.equal(await daemon.stop(), 0)
})

t.test('IPv6 is disabled on each link for a while', async (t) => {
  const stage = await scene(t, [2])
  const { proxy } = stage
  const daemon = await stage.start()
  await works(stage)
  proxy.sysctl({ 'conf/eth1/disable_ipv6': 1 })
  // The kernel removed the route, and refuses it now.
  await daemon.proc.line(/cannot add the route/)
  proxy.sysctl({ 'conf/eth1/disable_ipv6': 0 })
  await works(stage)
  t.same(proxy.ourRoutes(), [vmAddress(2)])
  // Below the smallest MTU of IPv6 (RFC 8200 5), the kernel removes addresses and routes, and refuses these with another error.
  proxy.ip('link set eth1 mtu 1200')
  await until(() => proxy.ourRoutes().length === 0)
  proxy.ip('link set eth1 mtu 1500')
  await works(stage)
  t.same(proxy.ourRoutes(), [vmAddress(2)])
  proxy.sysctl({ 'conf/eth0/disable_ipv6': 1 })
  proxy.sysctl({ 'conf/eth0/disable_ipv6': 0 })
  proxy.ip(`addr add ${PROXY}/64 dev eth0 nodad`, `route add default via ${ROUTER}`)
  await works(stage)
  t.equal(await daemon.stop(), 0)
})

t.test('a link that becomes a port of a bridge counts as gone until it is released', async (t) => {
  const stage = await scene(t, [2])
  const { proxy } = stage
  const daemon = await stage.start()
  const portWarnings = () => daemon.records.filter(({ msg }) => msg.startsWith('eth1 is a port of br7'))
  await works(stage)
  proxy.ip('link add br7 type bridge', 'link set eth1 master br7')
  await until(() => proxy.ourRoutes().length === 0)
  await until(() => portWarnings().length > 0)
  daemon.reload(CONFIG)
  proxy.ip('link set eth1 nomaster')
  await works(stage)
  t.same(proxy.ourRoutes(), [vmAddress(2)])
  t.equal(portWarnings().length, 1)
  t.notOk(daemon.records.some(({ msg }) => msg.includes('does not exist')))
})

t.test('a link without carrier has no route; its hosts come back with the carrier', async (t) => {
  const stage = await scene(t, [2])
  const { proxy, inside, vms: [vm2] } = stage
  const isRouted = (): boolean => proxy.ourRoutes().length === 1
  await stage.start()
  await works(stage)
  inside.ip('link set proxy down')
  await until(() => !isRouted())
  inside.ip('link set proxy up')
  await until(isRouted)
  await works(stage)
  inside.ip('link set proxy down')
  await until(() => !isRouted())
  vm2.ip('link set eth0 down')
  inside.ip('link set proxy up')
  await until(() => proxy.show('link show dev eth1')[0].operstate === 'UP')
  await until(() => !isRouted())
  t.pass('a host that is gone meanwhile has none in the end')
})

t.test('forwarding yes: an upstream that is late still accepts router advertisements', async (t) => {
  const stage = await scene(t, [2])
  const { proxy, lab, outside } = stage
  proxy.ip('link del eth0')
  proxy.sysctl({ 'conf/all/forwarding': 0, 'conf/default/accept_ra': 1 })
  const daemon = await stage.start(`forwarding yes\n${CONFIG}`)
  t.equal(proxy.readSysctl('conf/all/forwarding'), 1)
  lab.link(proxy, 'eth0', outside, 'proxy')
  await until(() => proxy.readSysctl('conf/eth0/accept_ra') === 2)
  t.equal(proxy.readSysctl('conf/eth1/accept_ra'), 1, 'other links are as before')
  t.equal(await daemon.stop(), 0)
})
