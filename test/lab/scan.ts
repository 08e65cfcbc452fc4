/**
 * A scan of the whole /64 by somebody on the uplink (checklist M1, M2, M4, M5; RFC 6583 2): the inside sees no more probes than
 * the budget, who is known is answered as if nothing were, who is new is found, and memory does not grow.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { ns } from '../kit/frames.ts'
import { until } from '../kit/until.ts'
import { goodManners, scene } from './kit/scene.ts'
import { CONFIG, SERVER, vmAddress } from './kit/topology.ts'

/** Of the option probe-limit, by its default. */
const RATE = 500
const BURST = 4 * RATE
const SECONDS = 4

/** Resident memory of a process, in MiB. */
function residentOf(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}

t.test('a scan by a host on the uplink, while others are asked for', async (t) => {
  const stage = await scene(t, [])
  const { router, server, proxy, eth0, eth1 } = stage
  // Captures of so many frames would take more time than all the rest.
  await eth0.stop()
  const scanner = await stage.addNeighbor('scanner')
  const daemon = await stage.start(CONFIG, { isBare: true })
  const known = await stage.addVm(2)
  // How soon a newcomer is reached is tested elsewhere; on a busy machine its link may take a second to come up.
  await until(() => known.reaches(SERVER, 500))
  t.equal(await server.reaches(vmAddress(2), 2000), true)

  const from = scanner.mac('eth0')
  const question = ns({ from, source: scanner.linkLocal('eth0'), target: '2001:db8::8000:0:0:1' })
  // The first one is for what a busy Node keeps.
  await scanner.scan('eth0', question, 30_000, 2)
  await sleep(5000)
  const resident = residentOf(daemon.proc.pid)
  const before = eth1.frames.length

  const scan = scanner.scan('eth0', question, 30_000, SECONDS)
  const answers = await router.capture('eth0')
  const asker = { from: router.mac('eth0'), source: router.linkLocal('eth0') }
  const asking = (async () => {
    const frame = ns({ ...asker, target: vmAddress(2) })
    for (let i = 0; i < 10 * SECONDS; i++) {
      await router.inject('eth0', Array(20).fill(frame))
      await sleep(80)
    }
  })()
  await sleep(1000)
  const silent = await stage.addVm(3)
  const isFound = await server.reaches(vmAddress(3), 3000)
  const sent = await scan
  await asking
  await sleep(500)
  await answers.stop()

  t.ok(sent > 20_000 * SECONDS, `${sent} questions of the scan`)
  const probes = eth1.frames.slice(before).filter(({ kind, outgoing, target }) => kind === 'NS' && outgoing && /^2001:db8::[89a-f]...:/.test(target))
  t.ok(probes.length <= BURST + (SECONDS + 1) * RATE && probes.length > BURST, `${probes.length} probes inside`)
  const got = answers.of('NA', vmAddress(2)).filter(({ to, flags }) => to === asker.from && flags.includes('S')).length
  t.ok(got >= 200 * SECONDS, `${got} answers for who is known, to ${200 * SECONDS} questions of ours`)
  t.equal(isFound, true, 'a new VM is found meanwhile')
  t.equal(await silent.reaches(SERVER, 2000), true)
  const grown = residentOf(daemon.proc.pid) - resident
  t.ok(grown < 20, `the daemon grew by ${grown.toFixed(1)} MiB, from ${resident.toFixed(1)}`)
  const { limit = 0 } = await daemon.counters()
  t.ok(limit > 0.9 * sent, `${limit} refused`)
  const words = daemon.records.filter(({ event, reason }) => event === 'limit' && reason === 'probes')
  t.ok(words.length >= 1 && words.length <= 6, `${words.length} words: ${words.map(({ msg }) => msg)}`)
  const record = daemon.records.find(({ counters }) => counters !== undefined)!
  t.match(record.links, [{ iface: 'eth0', drops: 0 }, { iface: 'eth1', drops: 0 }], 'no packet was dropped')
  const limits = record.limits as { name: string; used: number; size: number }[]
  t.ok(limits.length > 15 && limits.every(({ used, size }) => used <= size), 'no table holds more than it may')
  goodManners(t, stage, [], { eth1 })
  t.same(proxy.ourRoutes(), [vmAddress(2), vmAddress(3)])
})
