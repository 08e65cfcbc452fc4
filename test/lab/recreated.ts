/** Links that are created again with another link-layer address while there is traffic: real neighbor tables have the former address. */
import t from 'tap'
import { type Host, PROXY, ROUTER, type Scene, scene, SERVER, until, vmAddress } from './kit/scene.ts'

const OTHER0 = '02:00:00:aa:00:ff'
const OTHER1 = '02:00:00:aa:01:ff'

/** @returns the link-layer address in a host's neighbor entry */
function lladdr(host: Host, address: string): string | undefined {
  return host.show<{ lladdr?: string }>(`neigh show ${address} dev eth0`)[0]?.lladdr
}

function recreate({ proxy, lab, outside, inside }: Scene, iface: 'eth0' | 'eth1', mac: string): void {
  proxy.ip(`link del ${iface}`)
  lab.link(proxy, iface, iface === 'eth0' ? outside : inside, 'proxy', { macs: [mac, '02:00:00:bb:00:ff'] })
  if (iface === 'eth0') proxy.ip(`addr replace ${PROXY}/64 dev eth0 nodad`, `route replace default via ${ROUTER}`)
}

const LINKS: readonly (readonly ('eth0' | 'eth1')[])[] = [['eth0'], ['eth1'], ['eth0', 'eth1']]

for (const links of LINKS) {
  t.test(`${links.join(' and ')} created again with another link-layer address`, async (t) => {
    const stage = await scene(t, [2, 3])
    const { server, router, vms: [vm2, vm3] } = stage
    await stage.start()
    for (const vm of [vm2, vm3]) await until(() => vm.reaches(SERVER))
    for (const n of [2, 3]) await until(() => server.reaches(vmAddress(n)))
    const traffic = [server.traffic(vmAddress(2), { rate: 50, seconds: 6 }), vm3.traffic(SERVER, { rate: 50, seconds: 6 })]
    for (const link of links) recreate(stage, link, link === 'eth0' ? OTHER0 : OTHER1)
    for (const n of links.includes('eth0') ? [2, 3] : []) await until(() => lladdr(router, vmAddress(n)) === OTHER0)
    for (const vm of links.includes('eth1') ? [vm2, vm3] : []) await until(() => lladdr(vm, ROUTER) === OTHER1)
    for (const { sent, lost, longestGap } of await Promise.all(traffic)) {
      t.comment(`lost ${lost} of ${sent} datagrams, longest gap ${longestGap} ms`)
      t.ok(lost < sent / 2, `lost ${lost} of ${sent} datagrams (longest gap ${longestGap} ms)`)
    }
  })
}
