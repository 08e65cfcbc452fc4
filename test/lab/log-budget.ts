/** How many lines a day and a flood make at level info, in the log of the real daemon. */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { na, ns } from '../kit/frames.ts'
import { CONFIG, scene, SERVER, until, vmAddress } from './kit/scene.ts'
import { twoLinks } from './kit/two-links.ts'

t.test('a day: at most 40 lines, one for a flap, one for a move', async (t) => {
  const stage = await twoLinks(t)
  const { lab, proxy, inside, server } = stage
  const thief = await stage.addNeighbor('thief')
  const scanner = await stage.addNeighbor('scanner')
  proxy.ip('link del eth2')
  const daemon = await stage.start(stage.config('ttl 10s'))
  await sleep(2000)
  lab.link(proxy, 'eth2', inside, 'proxy2', { macs: ['02:00:00:00:02:ff', '02:00:00:01:02:ff'] })
  inside.ip('link set proxy2 master br1')

  const guests = await Promise.all([2, 3, 4, 5, 6].map((n) => stage.addVmOn(0, n)))
  const mover = await stage.addVmOn(0, 7)
  const leaver = await stage.addVmOn(0, 8)
  const targets = [2, 3, 4, 5, 6, 7, 8].map(vmAddress)
  for (const vm of [...guests, mover, leaver]) await until(() => vm.reaches(SERVER, 500))
  for (const target of targets) await until(() => server.reaches(target, 500))

  stage.move(mover, 1)
  await stage.announce(mover, [vmAddress(7)])
  await until(() => server.reaches(vmAddress(7), 500))
  leaver.ip('link set eth0 down')
  await sleep(2000)
  const claim = { from: thief.mac('eth0'), target: vmAddress(2) }
  await thief.inject('eth0', Array<Uint8Array>(300).fill(na(claim)), 10)
  await scanner.scan('eth0', ns({ from: scanner.mac('eth0'), source: scanner.linkLocal('eth0'), target: '2001:db8::8000:0:0:1' }), 4000, 5)
  proxy.ip('link set eth1 down')
  await sleep(2500)
  proxy.ip('link set eth1 up')
  for (const target of targets.slice(0, 5)) await until(() => server.reaches(target, 500))
  await until(() => daemon.records.some(({ msg }) => msg.includes(`lost ${vmAddress(8)}`)))
  await sleep(12_000)
  await daemon.stop()

  const lines = daemon.records.map(({ level, msg }) => `${Number(level) >= 40 ? 'warning: ' : ''}${msg}`)
  for (const line of lines) t.comment(line)
  t.ok(lines.length <= 40, `${lines.length} lines`)
  t.equal(lines.filter((line) => line.includes('eth1 was down')).length, 1, 'one line for the flap')
  t.equal(lines.filter((line) => line.includes(vmAddress(7)) && line.includes('moved')).length, 1, 'one line for the move')
  t.equal(lines.filter((line) => line.includes(vmAddress(7))).length, 2, 'beside the one for the host that is found')
  for (const target of targets.slice(0, 6)) t.notOk(lines.some((line) => line.includes(`lost ${target}`)), `${target} is not lost`)
})

t.test('100 000 bad frames a second for 10 s: at most 20 lines', async (t) => {
  const stage = await scene(t, [2])
  const { server } = stage
  const [flooder, thief] = [await stage.addNeighbor('flooder'), await stage.addNeighbor('thief')]
  await Promise.all([stage.eth0.stop(), stage.eth1.stop()])
  const daemon = await stage.start(CONFIG)
  await until(() => server.reaches(vmAddress(2), 500))
  const before = daemon.records.length
  const ends = { from: flooder.mac('eth0'), source: flooder.linkLocal('eth0'), target: '2001:db8::8000:0:0:1' }
  const routed = Buffer.from(ns(ends))
  routed[21] = 64      // hop limit
  const damaged = Buffer.from(ns(ends))
  damaged[57] ^= 1     // checksum
  const claims = na({ from: thief.mac('eth0'), target: vmAddress(2) })
  const began = performance.now()
  const sent = await Promise.all([flooder.scan('eth0', routed, 60_000, 10), thief.scan('eth0', damaged, 40_000, 10),
    thief.inject('eth0', Array<Uint8Array>(1000).fill(claims), 10)])
  const seconds = (performance.now() - began) / 1000
  await until(() => server.reaches(vmAddress(2), 500))
  const counters = await daemon.counters()
  const lines = daemon.records.slice(before, -1).map(({ msg }) => msg)
  for (const line of lines) t.comment(line)
  t.comment(`${sent.join(' + ')} frames in ${seconds.toFixed(1)} s; ${counters['hop-limit']} hop-limit, ${counters.checksum} checksum, `
    + `${counters.conflict} conflict`)
  t.ok(lines.length <= 20, `${lines.length} lines`)
})
