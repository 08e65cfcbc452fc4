/** Restarts that nobody notices, stops that leave nothing, and a memory that may be damaged (product: `grace`, `--state`). */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { Test } from 'tap'
import type { Daemon } from './kit/daemon.ts'
import type { Host } from './kit/lab.ts'
import { until } from '../kit/until.ts'
import { goodManners, scene, unanswered } from './kit/scene.ts'
import type { Scene } from './kit/scene.ts'
import { CONFIG, vmAddress } from './kit/topology.ts'

const VMS = [2, 3, 4, 5, 6]
/** Forty more addresses of each VM: hosts of their own for everybody else. */
const HOSTS = VMS.flatMap((n) => Array.from({ length: 40 }, (_, i) => `2001:db8::${n}:${(i + 1).toString(16)}`))

/** The clock of a capture. */
const clock = (): number => Number(process.hrtime.bigint() / 1000n) / 1000

/** What netfilter does there: all of it is ours. */
const ruleset = (proxy: Host): string => proxy.exec('nft', 'list', 'ruleset')

/** The hosts without a route. */
function unrouted(proxy: Host): string[] {
  const routed = new Set(proxy.ourRoutes())
  return HOSTS.filter((address) => !routed.has(address))
}

/** What becomes of the traffic of all hosts, and of the router's questions, when `restart` is under way. */
async function during(t: Test, { server, router, proxy, eth0 }: Scene, restart: () => Promise<Daemon>): Promise<Daemon> {
  router.ip('neigh flush dev eth0')
  const begin = clock()
  // One after the other, so that the router asks for one after the other.
  const traffic = Promise.all(HOSTS.map(async (address, i) => {
    await sleep(10 * i)
    return server.traffic(address, { rate: 5, seconds: 4, patience: 2000 })
  }))
  await sleep(2200)
  const down = clock()
  const daemon = await restart()
  const up = clock()
  const reports = await traffic
  const lost = reports.reduce((sum, report) => sum + report.lost, 0)
  t.equal(lost, 0, `nothing lost of ${reports.reduce((sum, { sent }) => sum + sent, 0)} datagrams`)
  const asked = eth0.of('NS').filter(({ at, outgoing }) => !outgoing && at >= begin)
  // Of what was asked just before it nobody knows.
  const isMeanwhile = ({ at }: { at: number }): boolean => at >= down - 200 && at <= up
  const missed = unanswered(eth0, asked.filter(isMeanwhile)).length
  t.ok(missed > 0, `${missed} of ${asked.length} questions in vain, in the ${Math.round(up - down)} ms of the restart`)
  t.same(unanswered(eth0, asked.filter((ns) => !isMeanwhile(ns))), [], 'and none before and after')
  t.same(unrouted(proxy), [], 'all are routed')
  return daemon
}

t.test('a restart with 200 hosts loses no packet, whether the daemon was told to stop or killed', async (t) => {
  const stage = await scene(t, VMS)
  const { lab, server, router, proxy, vms } = stage
  for (const [i, vm] of vms.entries()) {
    vm.ip(...HOSTS.slice(40 * i, 40 * i + 40).map((address) => `addr add ${address}/64 dev eth0`))
  }
  // It asks for each host that it uses every second or two.
  router.sysctl({ 'neigh/eth0/base_reachable_time_ms': 500, 'neigh/eth0/delay_first_probe_time': 1 })
  const start = () => stage.start(CONFIG, { state: join(lab.directory, 'state') })
  const first = await start()
  const reached = await Promise.all(HOSTS.map((address) => server.reaches(address, 3000)))
  t.equal(reached.filter(Boolean).length, HOSTS.length, 'all are reached, by the first datagram to each')
  t.same(unrouted(proxy), [])
  const second = await during(t, stage, async () => {
    t.equal(await first.stop(), 0)
    return start()
  })
  await during(t, stage, async () => {
    t.match(ruleset(proxy), /chain prerouting[^]*drop[^]*chain output[^]*log group/)
    t.equal(await second.kill(), 'SIGKILL')
    t.equal(ruleset(proxy), '')
    return start()
  })
})

t.test('a stop without a start: routes without effect after `grace`', async (t) => {
  const stage = await scene(t)
  const { server, proxy } = stage
  const daemon = await stage.start(`grace 2s\n${CONFIG}`)
  for (const n of [2, 3]) t.equal(await server.reaches(vmAddress(n), 2000), true)
  const traffic = server.traffic(vmAddress(2), { seconds: 4 })
  const before = performance.now()
  t.equal(await daemon.stop(), 0)
  const stopped = performance.now()
  t.equal(ruleset(proxy), '')
  const way = () => proxy.show(`route get ${vmAddress(3)}`)[0].dev as string
  t.equal(way(), 'eth1', 'it goes on')
  await until(() => way() === 'eth0')
  const end = performance.now()
  t.ok(end - before >= 1900 && end - stopped <= 2300, `it ended after ${Math.round(end - stopped)} ms`)
  const { sent, lost, lostAt } = await traffic
  t.ok(lost < sent / 2 + 20 && lostAt[0] > 1900, `the first one of ${lost} lost datagrams after ${lostAt[0]} ms`)
})

t.test('the memory brings all back though the routes are gone; a damaged one is put aside', async (t) => {
  const stage = await scene(t)
  const { lab, proxy, server, vms: [, vm3] } = stage
  const state = join(lab.directory, 'state')
  const config = `grace 0\n${CONFIG}`
  const first = await stage.start(config, { state })
  for (const n of [2, 3]) t.equal(await server.reaches(vmAddress(n), 2000), true)
  t.equal(await first.stop(), 0)
  t.same(proxy.ourRoutes(), [], 'no routes left')
  vm3.ip('link set eth0 down')
  const second = await stage.start(config, { state })
  t.same(proxy.ourRoutes(), [2, 3].map(vmAddress), 'all are back when it is ready')
  await until(() => proxy.ourRoutes().join() === vmAddress(2))
  t.equal(await second.stop(), 0)

  const file = join(state, 'hosts.json')
  writeFileSync(file, readFileSync(file).subarray(0, 40))
  const third = await stage.start(config, { state })
  t.match(third.records.find(({ event }) => event === 'memory'), { level: 40, msg: /is damaged .*hosts\.json\.damaged/ }, 'a warning')
  t.equal(existsSync(`${file}.damaged`), true, 'it is there for whoever wants to look')
  await until(() => server.reaches(vmAddress(2), 200))
  t.equal(await third.stop(), 0)
  t.match(JSON.parse(readFileSync(file, 'utf8')), { hosts: [{ target: vmAddress(2), iface: 'eth1' }] }, 'and remembers again')
  goodManners(t, stage)
})
