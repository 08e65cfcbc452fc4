/**
 * A scan of the whole /64 by a host on the uplink (RFC 6583 2): the inside sees no more probes than the budget allows, known hosts
 * are answered, new ones are found, and memory does not grow.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { ns } from '../kit/frames.ts'
import { CONFIG, goodManners, scene, SERVER, until, vmAddress } from './kit/scene.ts'

/** Default of the option probe-limit. */
const RATE = 500
const BURST = 4 * RATE
const SECONDS = 4

t.test('a scan by a host on the uplink, while others solicit', async (t) => {
  const stage = await scene(t, [])
  const { router, server, proxy, eth0, eth1 } = stage
  // Captures of so many frames would take more time than all the rest.
  await eth0.stop()
  const scanner = await stage.addNeighbor('scanner')
  const daemon = await stage.start(CONFIG)
  const known = await stage.addVm(2)
  await until(() => known.reaches(SERVER, 500))
  t.equal(await server.reaches(vmAddress(2), 5000), true)

  const frame = ns({ from: scanner.mac('eth0'), source: scanner.linkLocal('eth0'), target: '2001:db8::8000:0:0:1' })
  // The first scan is for the memory that a busy Node takes.
  await scanner.scan('eth0', frame, 30_000, 2)
  await sleep(5000)
  const memory = daemon.memory()
  const before = { frames: eth1.frames.length, counters: await daemon.counters() }

  const began = performance.now()
  const scan = scanner.scan('eth0', frame, 30_000, SECONDS)
  const seen = await router.capture('eth0')
  const solicitor = { from: router.mac('eth0'), source: router.linkLocal('eth0') }
  const soliciting = (async () => {
    const frames = Array<Uint8Array>(20).fill(ns({ ...solicitor, target: vmAddress(2) }))
    for (let i = 0; i < 10 * SECONDS; i++) {
      await router.inject('eth0', frames)
      await sleep(80)
    }
  })()
  await sleep(1000)
  const silent = await stage.addVm(3)
  t.equal(await server.reaches(vmAddress(3), 5000), true, 'a new VM is found meanwhile')
  const sent = await scan
  const seconds = (performance.now() - began) / 1000
  await soliciting
  await sleep(500)
  await seen.stop()

  const probes = eth1.frames.slice(before.frames)
    .filter(({ kind, outgoing, target }) => kind === 'NS' && outgoing && /^2001:db8::[89a-f]...:/.test(target))
  t.ok(probes.length <= BURST + (seconds + 1) * RATE && probes.length > 0, `${probes.length} probes inside in ${seconds.toFixed(1)} s`)
  const answers = seen.of('NA', vmAddress(2)).filter(({ to, flags }) => to === solicitor.from && flags.includes('S')).length
  // A busy machine may lose some on their way to the daemon.
  t.ok(answers >= 100 * SECONDS, `${answers} of ${200 * SECONDS} solicitations for a known host answered`)
  t.equal(await silent.reaches(SERVER, 5000), true)
  const grown = daemon.memory() - memory
  t.ok(grown < 20, `the daemon grew by ${grown.toFixed(1)} MiB, from ${memory.toFixed(1)}`)
  const refused = ((await daemon.counters()).limit ?? 0) - (before.counters.limit ?? 0)
  const record = daemon.records.findLast(({ counters }) => counters !== undefined)!
  const drops = (record.links as { drops: number }[]).reduce((sum, link) => sum + link.drops, 0)
  t.ok(refused + drops > 0.8 * sent, `of ${sent} solicitations ${refused} refused, ${drops} dropped`)
  const reports = daemon.records.filter(({ event }) => event === 'scan')
  t.ok(reports.length >= 1 && reports.length * 1000 < refused, `${reports.length} records in the log`)
  const limits = record.limits as { name: string; used: number; size: number }[]
  t.ok(limits.length > 10 && limits.every(({ used, size }) => used <= size), 'no table holds more than its limit')
  goodManners(t, stage, [], { eth1 })
  t.same(proxy.ourRoutes(), [vmAddress(2), vmAddress(3)])
})
