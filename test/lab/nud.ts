/**
 * Unicast reachability checks of a real Linux router (RFC 4861 7.3): each is answered, and nothing is lost meanwhile.
 * `NDP6D_LAB_SECONDS` makes it last longer than its 15 s; below 10 s a STALE entry would hide a failure.
 */
import t from 'tap'
import { setTimeout as sleep } from 'node:timers/promises'
import { allAnswered } from '../kit/manners.ts'
import { goodManners, ROUTER, scene, SERVER, vmAddress } from './kit/scene.ts'

const SECONDS = Number(process.env.NDP6D_LAB_SECONDS ?? 15)

t.test('unicast solicitations are answered, and nothing is lost', async (t) => {
  t.setTimeout((SECONDS + 60) * 1000)
  const stage = await scene(t)
  const { server, router, vms: [vm2, vm3], eth0, eth1 } = stage
  for (const host of [router, vm2, vm3]) host.sysctl({ 'neigh/eth0/base_reachable_time_ms': 2000, 'neigh/eth0/delay_first_probe_time': 1 })
  await stage.start()
  const traffic = { rate: 50, seconds: SECONDS, patience: 5000 }
  const reports = await Promise.all([server.traffic(vmAddress(2), traffic), vm3.traffic(SERVER, traffic)])
  for (const report of reports) t.match(report, { sent: SECONDS * 50, lost: 0 })
  for (const [capture, target] of [[eth0, vmAddress(2)], [eth0, vmAddress(3)], [eth1, ROUTER]] as const) {
    const checks = capture.of('NS', target).filter((ns) => !ns.outgoing && !ns.destination.startsWith('ff'))
    t.ok(checks.length >= SECONDS / 6, `${target} was checked by unicast NS (${checks.length} times)`)
    await allAnswered(t, () => capture.frames, checks, sleep)
  }
  goodManners(t, stage)
})
