/**
 * Unicast reachability checks of a real Linux router (RFC 4861 7.3): every one is answered, and nothing is lost while
 * they go on. `NDP6D_LAB_SECONDS` makes it last longer than its 15 s; below 10 s a STALE entry would hide a failure.
 */
import t from 'tap'
import { unanswered } from '../kit/manners.ts'
import { goodManners, scene } from './kit/scene.ts'
import { SERVER, vmAddress } from './kit/topology.ts'

const SECONDS = Number(process.env.NDP6D_LAB_SECONDS ?? 15)
const UNICAST = (destination: string) => !destination.startsWith('ff')

t.test('unicast solicitations are answered, and nothing is lost for as long as they come', async (t) => {
  t.setTimeout((SECONDS + 30) * 1000)
  const stage = await scene(t)
  const { server, router, vms: [vm2, vm3], eth0, eth1 } = stage
  const short = { base_reachable_time_ms: 2000, delay_first_probe_time: 1 }
  for (const host of [router, vm2, vm3]) {
    host.sysctl(Object.fromEntries(Object.entries(short).map(([key, value]) => [`neigh/eth0/${key}`, value])))
  }
  await stage.start()
  const reports = await Promise.all([
    server.traffic(vmAddress(2), { rate: 50, seconds: SECONDS, patience: 1000 }),
    vm3.traffic(SERVER, { rate: 50, seconds: SECONDS, patience: 1000 })])
  for (const report of reports) t.match(report, { sent: SECONDS * 50, lost: 0 })
  for (const [capture, target] of [[eth0, vmAddress(2)], [eth0, vmAddress(3)], [eth1, '2001:db8::1']] as const) {
    const checks = capture.of('NS', target).filter((ns) => !ns.outgoing && UNICAST(ns.destination))
    t.ok(checks.length >= SECONDS / 6, `${target} was checked by unicast NS (${checks.length} times)`)
    t.same(unanswered(capture.frames, checks), [], 'each one answered')
  }
  goodManners(t, stage)
})
