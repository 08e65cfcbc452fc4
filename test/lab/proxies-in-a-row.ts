/**
 * Two proxies in a row with the same five lines: ndp6d twice, or ndp6d in front of the kernel's own proxy.
 *
 *     server ---- router ==== eth0 [proxy] eth1 ==== vm2
 *                                               ==== eth0 [second] eth1 ==== far
 *                 ::1              ::ff                    ::fe              ::4
 */
import t, { type Test } from 'tap'
import { na } from '../kit/frames.ts'
import { Daemon } from './kit/daemon.ts'
import { CONFIG, goodManners, type Host, PROXY, ROUTER, scene, type Scene, SERVER, until, vmAddress } from './kit/scene.ts'

const [NEAR, FAR, SECOND] = [vmAddress(2), vmAddress(4), '2001:db8::fe']

interface Row extends Scene { readonly second: Host; readonly far: Host; readonly near: Host }

async function row(t: Test): Promise<Row> {
  const stage = await scene(t, [2])
  const { lab, inside, vms: [near] } = stage
  const [second, far] = await Promise.all([lab.host('second', { forwarding: true }), lab.host('far')])
  lab.link(second, 'eth0', inside, 'second')
  lab.link(second, 'eth1', far, 'eth0')
  second.ip(`addr add ${SECOND}/64 dev eth0 nodad`, `route add default via ${ROUTER}`)
  far.ip(`addr add ${FAR}/64 dev eth0 nodad`, `route add default via ${ROUTER} dev eth0`)
  return { ...stage, second, far, near }
}

async function reachesAll(t: Test, { server, near, far }: Row): Promise<void> {
  for (const [host, targets] of [[server, [FAR, NEAR, SECOND]], [far, [SERVER, NEAR, PROXY]], [near, [FAR, SERVER]]] as const) {
    for (const target of targets) t.equal(await host.reaches(target, 5000), true, `${host.name} reaches ${target}`)
  }
}

t.test('ndp6d twice', async (t) => {
  const stage = await row(t)
  const { lab, proxy, second, far, near, server } = stage
  await stage.start()
  await new Daemon(lab, second, CONFIG).ready()
  await reachesAll(t, stage)
  t.same([proxy.ourRoutes().includes(FAR), second.ourRoutes().includes(FAR)], [true, true], 'both have its host route')
  t.match(await Promise.all([server.traffic(FAR, { rate: 100, seconds: 2 }), far.traffic(SERVER, { rate: 100, seconds: 2 }),
    near.traffic(FAR, { rate: 100, seconds: 2 })]), [{ lost: 0 }, { lost: 0 }, { lost: 0 }])

  far.ip(`addr del ${FAR}/64 dev eth0`)
  near.ip(`addr add ${FAR}/64 dev eth0 nodad`)
  await near.inject('eth0', [na({ from: near.mac('eth0'), target: FAR })])
  await until(async () => await server.reaches(FAR, 1000) && !second.ourRoutes().includes(FAR), 60_000)
  t.pass('the address moves to a guest in the middle')
  goodManners(t, stage, [FAR, NEAR, SECOND, ROUTER, PROXY])
})

t.test('ndp6d in front of a proxy entry of the kernel', async (t) => {
  const stage = await row(t)
  const { second } = stage
  second.sysctl({ 'conf/all/proxy_ndp': 1, 'conf/eth0/proxy_ndp': 1, 'conf/eth1/proxy_ndp': 1, 'neigh/eth1/proxy_delay': 0 })
  second.ip(`neigh add proxy ${FAR} dev eth0`, `route add ${FAR}/128 dev eth1`,
    ...[ROUTER, NEAR, PROXY].map((address) => `neigh add proxy ${address} dev eth1`))
  const daemon = await stage.start(CONFIG.replace('host', 'ttl 4s\n host'))
  await reachesAll(t, stage)
  const { received } = await stage.server.traffic(FAR, { rate: 50, seconds: 12 })
  t.equal(received, 600, 'it stays known while it is verified again and again')
  t.same(daemon.records.filter(({ event }) => event === 'conflict'), [])
})
