/** Links that appear while their hosts are already solicited. DAD keeps their link-local addresses tentative for up to two seconds. */
import { readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { pairOf } from '../kit/namespace.ts'
import { ns } from '../kit/frames.ts'
import { type Scene, scene, until, vmAddress } from './kit/scene.ts'

/** Number of links that appear at once; for a try by hand with more. */
const LINKS = Number(process.env['LINKS'] ?? 60)

const TAPS = `subnet 2001:db8::/64 {
  upstream eth0
  downstream vmtap*
  host 2001:db8::1 eth0
}`

/** Solicits for the targets from the router every `pause` milliseconds, until their host routes are there. @returns milliseconds */
async function find({ proxy, router }: Scene, targets: readonly string[], pause: number, limit: number): Promise<number> {
  const began = performance.now()
  const end = { from: router.mac('eth0'), source: router.linkLocal('eth0') }
  await until(async () => {
    const missing = new Set(targets)
    for (const target of proxy.ourRoutes()) missing.delete(target)
    if (missing.size === 0) return true
    await router.inject('eth0', [...missing].map((target) => ns({ ...end, target })))
    await sleep(pause)
    return false
  }, limit, `the hosts of ${targets.length} new links`)
  return Math.round(performance.now() - began)
}

t.test('a silent host on a new link is found although its first probes fall into DAD', async (t) => {
  const stage = await scene(t, [])
  const { proxy, lab } = stage
  proxy.sysctl({ 'conf/default/accept_dad': 1 })
  await stage.start(TAPS.replace('host', 'timeout 3s\n retries 0\n deadtime 60s\n host'))
  const guest = await lab.host('guest')
  // The discovery of hosts does not find it.
  guest.sysctl({ 'icmp/echo_ignore_multicast': 1 })
  lab.link(proxy, 'vmtap1', guest, 'eth0')
  guest.ip(`addr add ${vmAddress(2)}/64 dev eth0 nodad`)
  // The limit is far below `deadtime`, after which the host would be probed again in any case.
  t.comment(`found after ${await find(stage, [vmAddress(2)], 200, 15_000)} ms`)
  t.same(proxy.ourRoutes(), [vmAddress(2)])
})

t.test(`${LINKS} links appear at once, with a silent host each, which are solicited from then on`, async (t) => {
  const stage = await scene(t, [])
  const { proxy, lab } = stage
  proxy.sysctl({ 'conf/default/accept_dad': 1 })
  const daemon = await stage.start(TAPS)
  // One namespace serves for all hosts: Linux answers only for the addresses of the link that a solicitation comes in on.
  const guests = await lab.host('guests')
  guests.sysctl({ 'icmp/echo_ignore_multicast': 1 })
  const numbers = Array.from({ length: LINKS }, (_, n) => 0x1000 + n)
  const began = performance.now()
  proxy.ip(...numbers.flatMap((n) =>
    [pairOf(`vmtap${n} index ${2 * n}`, `eth${n} index ${2 * n + 1} netns ${guests.pid}`), `link set vmtap${n} up`]))
  guests.ip(...numbers.flatMap((n) => [`link set eth${n} up`, `addr add ${vmAddress(n)}/64 dev eth${n} nodad`]))
  t.comment(`made in ${Math.round(performance.now() - began)} ms`)
  t.comment(`found after ${await find(stage, numbers.map(vmAddress), 1000, 25_000)} ms`)
  // The groups of the targets: those of the proxy's own addresses belong to its kernel. gc_thresh3 limits the table.
  const groups = proxy.show('neigh show nud all').filter(({ dst }) => /^ff02::1:ff00:1[0-9a-f]{3}$/.test(String(dst)))
  t.same(groups, [], 'probes make no entries in the neighbor table of the kernel')
  t.same(daemon.records.filter(({ level }) => Number(level) >= 50), [], 'no error')
  // Each discovery of hosts ends with a socket that a thread closes.
  await until(() => readdirSync(`/proc/${daemon.proc.child.pid}/task`).length > 32, 10_000, 'a thread for each of many sockets to be closed')
  const stop = performance.now()
  t.equal(await daemon.stop(), 0)
  t.comment(`stopped after ${Math.round(performance.now() - stop)} ms`)
})
