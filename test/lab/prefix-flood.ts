/** An upstream with a flood of Router Advertisements: each of their prefixes becomes an on-link route of the kernel. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ns } from '../kit/frames.ts'
import { statusOf } from './kit/guests.ts'
import { scene, SERVER, until, vmAddress } from './kit/scene.ts'

const CONFIG = 'subnet auto {\n upstream eth0\n downstream eth1\n host 2001:db8::1 eth0\n}\n'
const FORGED = 20_000
/** As for `subnet auto`. */
const LIMIT = 64

t.test(`${FORGED} forged prefixes: answers go on, the first prefix stays, the limit is logged once`, async (t) => {
  const stage = await scene(t)
  const { lab, router, proxy, server, eth0, vms: [vm] } = stage
  const daemon = await stage.start(CONFIG)
  t.equal(await server.reaches(vmAddress(2), 5000), true)
  const before = daemon.memory()
  // Half of the routes precede the prefix of the link, in the order of addresses.
  const routes = Array.from({ length: FORGED }, (_, n) =>
    `route add 2001:${n % 2 === 0 ? 'd00' : 'dff'}:${(n >> 8).toString(16)}:${(n & 255).toString(16)}::/64 dev eth0 proto ra expires 600\n`)
  const file = join(lab.directory, 'routes')
  writeFileSync(file, routes.join(''))
  const flood = proxy.spawn(['sh', '-c', `ip -6 -batch ${file}; echo complete`])
  const source = router.linkLocal('eth0')
  const frame = ns({ from: router.mac('eth0'), source, to: 'ff02::1:ff00:2', target: vmAddress(2) })
  const solicitations = (): number => eth0.of('NS', vmAddress(2)).filter((each) => !each.outgoing && each.source === source).length
  await router.inject('eth0', Array.from({ length: 100 }, () => frame), 50)
  await flood.line(/complete/, 60_000)
  await until(() => eth0.of('NA', vmAddress(2)).filter(({ outgoing }) => outgoing).length >= solicitations())
  t.pass('all solicitations are answered')
  t.equal(await server.reaches(vmAddress(3), 5000), true)
  t.equal(await vm.reaches(SERVER, 5000), true)
  const reported = () => daemon.records.filter(({ event, reason }) => event === 'limit' && reason === 'prefixes')
  await until(() => reported().length > 0)
  t.match(reported(), [{ iface: 'eth0', size: LIMIT }], 'reported once')
  const status = statusOf(stage, daemon)
  const { prefixes } = status.subnets[0]
  t.equal(prefixes.length, LIMIT)
  t.ok(prefixes.includes('2001:db8::/64'), 'the first one is among them')
  t.match(status.limits.filter(({ name }) => name.startsWith('prefixes')), [{ used: LIMIT, size: LIMIT }])
  t.comment(`memory ${before.toFixed(1)}, then ${daemon.memory().toFixed(1)} MiB`)
  t.ok(daemon.memory() - before < 25, 'memory does not grow with the prefixes')
})
