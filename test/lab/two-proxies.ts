/** Two machines with ndp6d on the same two links. */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { Daemon, type LogRecord } from './kit/daemon.ts'
import { CONFIG, PROXY, ROUTER, scene, SERVER, until, vmAddress } from './kit/scene.ts'

const SECOND = '2001:db8::fe'

t.test('each reports the other once a link, and no conflict about its addresses', async (t) => {
  const stage = await scene(t, [2, 3, 4])
  const { lab, outside, inside, router, proxy, vms, server } = stage
  const second = await lab.host('second', { forwarding: true })
  lab.link(second, 'eth0', outside, 'second')
  lab.link(second, 'eth1', inside, 'second')
  second.ip(`addr add ${SECOND}/64 dev eth0 nodad`, `route add default via ${ROUTER}`)
  const first = await stage.start()
  const other = await new Daemon(lab, second, CONFIG).ready()
  for (let round = 0; round < 3; round++) {
    for (const vm of vms) {
      // While the two learn who is where, a datagram may be lost.
      for (const target of [SERVER, PROXY, SECOND]) await until(() => vm.reaches(target, 1000))
    }
    for (const n of [2, 3, 4]) await until(() => server.reaches(vmAddress(n), 1000))
    for (const host of [router, ...vms]) host.ip('neigh flush dev eth0')
    await sleep(2000)
  }
  for (const [daemon, peer] of [[first, second], [other, proxy]] as const) {
    const macs = ['eth0', 'eth1'].map((iface) => peer.mac(iface))
    const of = (kind: string): LogRecord[] => daemon.records.filter(({ event, lladdr }) => event === kind && macs.includes(String(lladdr)))
    await until(() => of('proxy').length >= 1)
    t.same(of('conflict'), [])
    t.same(macs.map((mac) => of('proxy').filter(({ lladdr }) => lladdr === mac).length > 1), [false, false], 'each of its addresses once')
  }
})
