/** The lab without ndp6d: the kernel's own proxy and hand-made routes work, and nothing works without them. */
import t from 'tap'
import { Lab } from './kit/lab.ts'
import { PROXY, ROUTER, SERVER, buildTopology, proxyByHand, vmAddress } from './kit/topology.ts'

t.test('nothing is reached without a proxy, everything with the kernel\'s', async (t) => {
  const lab = Lab.create()
  t.teardown(() => lab.close())
  const { server, router, proxy, vms: [vm2, vm3] } = await buildTopology(lab)
  t.equal(await router.reaches(PROXY, 5000), true, 'the router and the proxy are neighbors')
  t.equal(await server.reaches(vmAddress(2), 300), false, 'nothing answers for the VM')
  proxyByHand(proxy, [2, 3])
  const traffic = { rate: 100, seconds: 1, patience: 5000 }
  t.match(await Promise.all([server.traffic(vmAddress(2), traffic), vm3.traffic(SERVER, traffic)]),
    [{ sent: 100, received: 100, lost: 0 }, { sent: 100, received: 100, lost: 0 }])
  proxy.ip(`neigh del proxy ${vmAddress(2)} dev eth0`, `route del ${vmAddress(2)}/128`)
  const cut = await server.traffic(vmAddress(2), { rate: 50, seconds: 0.2, patience: 200 })
  t.match(cut, { sent: 10, received: 0, lost: 10 }, 'lost datagrams are counted')
  t.equal(await vm2.reaches(ROUTER), false)
})
