/**
 * The lab itself, proven without ndp6d: the kernel's own proxy and hand-made routes carry the story, and nothing does
 * without them. When these fail, look at the lab before the daemon.
 */
import t from 'tap'
import { Lab } from './kit/lab.ts'
import { PROXY, ROUTER, SERVER, buildTopology, proxyByHand } from './kit/topology.ts'

t.test('nothing is reached without a proxy, everything with one made by hand', async (t) => {
  const lab = Lab.create()
  t.teardown(() => lab.close())
  const { server, router, proxy, vms: [vm2, vm3] } = await buildTopology(lab)
  t.equal(await router.reaches(PROXY), true, 'the router and the proxy are neighbors')
  t.equal(await server.reaches('2001:db8::2', 300), false, 'no one answers for the VM')
  proxyByHand(proxy, [2, 3])
  const [there, back] = await Promise.all([
    server.traffic('2001:db8::2', { rate: 100, seconds: 1, patience: 1000 }),
    vm3.traffic(SERVER, { rate: 100, seconds: 1, patience: 1000 })])
  t.match(there, { sent: 100, received: 100, lost: 0 })
  t.match(back, { sent: 100, received: 100, lost: 0 })
  proxy.ip('neigh del proxy 2001:db8::2 dev eth0', 'route del 2001:db8::2/128')
  const cut = await server.traffic('2001:db8::2', { rate: 50, seconds: 0.2, patience: 200 })
  t.match(cut, { sent: 10, received: 0, lost: 10 }, 'lost datagrams are counted')
  t.equal(await vm2.reaches(ROUTER), false)
})
