/** Machines whose routes are not those of the story: host routes follow from what the kernel would do without them. */
import t from 'tap'
import { cutOff } from './kit/pairs.ts'
import { goodManners, type Host, PROXY, ROUTER, scene, type Scene, SERVER, until, vmAddress } from './kit/scene.ts'

const NEIGHBOR = '2001:db8::77'

async function neighborOf(stage: Scene): Promise<Host> {
  const neighbor = await stage.addNeighbor('neighbor')
  neighbor.ip(`addr add ${NEIGHBOR}/64 dev eth0 nodad`, `route add default via ${ROUTER}`)
  return neighbor
}

t.test('addresses of the prefix on both sides: everybody reaches everybody', async (t) => {
  const stage = await scene(t, [2, 3])
  const { server, router, proxy, vms: [vm2, vm3] } = stage
  const neighbor = await neighborOf(stage)
  proxy.ip('addr add 2001:db8::fe/64 dev eth1 nodad')
  const wayTo = (target: string, from: string, link: string): unknown => proxy.show(`route get ${target} from ${from} iif ${link}`)[0].dev
  t.equal(wayTo(ROUTER, vmAddress(2), 'eth1'), 'eth1', 'without host routes, packets stay on their link')
  await stage.start()
  t.same(await cutOff({ vm2: [vm2, vmAddress(2)], vm3: [vm3, vmAddress(3)], router: [router, ROUTER], neighbor: [neighbor, NEIGHBOR],
    server: [server, SERVER] }), [])
  t.equal(wayTo(ROUTER, vmAddress(2), 'eth1'), 'eth0')
  t.equal(wayTo(NEIGHBOR, vmAddress(2), 'eth1'), 'eth0')
  t.equal(wayTo(vmAddress(2), NEIGHBOR, 'eth0'), 'eth1')
  t.same(proxy.ourRoutes(), [ROUTER, vmAddress(2), vmAddress(3), NEIGHBOR])
  // The second address goes, and with it the need for routes to the upstream.
  proxy.ip('addr del 2001:db8::fe/64 dev eth1')
  t.same(await cutOff({ vm2: [vm2, vmAddress(2)], router: [router, ROUTER], neighbor: [neighbor, NEIGHBOR] }), [])
  goodManners(t, stage)
})

t.test('a prefix without its connected route, and a single address upstream', async (t) => {
  const stage = await scene(t, [2, 3])
  const { server, router, proxy, vms: [vm2, vm3] } = stage
  const gateway = router.linkLocal('eth0')
  proxy.ip('route del default', `addr del ${PROXY}/64 dev eth0`, `addr add ${PROXY}/128 dev eth0 nodad`, `route add default via ${gateway} dev eth0`,
    'addr add 2001:db8::fe/64 dev eth1 nodad noprefixroute')
  await stage.start()
  t.same(await cutOff({ vm2: [vm2, vmAddress(2)], vm3: [vm3, vmAddress(3)], router: [router, ROUTER], server: [server, SERVER] }), [])
  t.equal(proxy.show(`route get ${vmAddress(2)} from ${SERVER} iif eth0`)[0].dev, 'eth1')
  goodManners(t, stage)
})

t.test('addresses that the kernel routes to other links stay there', async (t) => {
  const stage = await scene(t, [2, 3])
  const { router, proxy, vms: [vm2, vm3] } = stage
  const [CONTAINER, CLIENT] = ['2001:db8::d:5', '2001:db8::e:5']
  proxy.ip('link add docker0 type veth peer name vpn0', 'link set docker0 up', 'link set vpn0 up',
    'addr add 2001:db8::d:1/112 dev docker0 nodad', `route add ${CLIENT}/128 dev vpn0 metric 1024`)
  const daemon = await stage.start()
  vm2.ip(`addr add ${CONTAINER}/64 dev eth0 nodad`, `addr add ${CLIENT}/64 dev eth0 nodad`)
  for (const target of [CONTAINER, CLIENT]) {
    t.equal(await router.reaches(target, 2000), false, `${target} is not the guest's`)
    t.same(stage.eth0.of('NA', target).filter((na) => na.outgoing), [], 'no answer')
    await daemon.proc.line(new RegExp(`eth1 uses ${target}, but the kernel has a route for it to (docker0|vpn0)`))
  }
  t.equal(await router.reaches(vmAddress(3), 5000), true)
  t.same(proxy.ourRoutes().filter((target) => [CONTAINER, CLIENT].includes(target)), [])
  t.equal(proxy.show(`route get ${CONTAINER} from ${SERVER} iif eth0`)[0].dev, 'docker0')

  // The route comes after the guest.
  const shared = vmAddress(3)
  proxy.ip(`route add ${shared}/128 dev vpn0 metric 1024`)
  await until(() => !proxy.ourRoutes().includes(shared))
  t.equal(proxy.show(`route get ${shared} from ${SERVER} iif eth0`)[0].dev, 'vpn0')
  proxy.ip(`route del ${shared}/128 dev vpn0 metric 1024`)
  await until(() => proxy.ourRoutes().includes(shared))
  t.equal(await router.reaches(shared, 5000), true, 'served again when the route is gone')
  proxy.ip('route add 2001:db8::/120 dev docker0', 'rule add iif eth0 lookup 300', `route add ${shared}/128 dev vpn0 table 300`)
  await until(() => !proxy.ourRoutes().includes(shared))
  t.equal(await vm3.reaches(ROUTER, 1000), false)
  goodManners(t, stage)
})
