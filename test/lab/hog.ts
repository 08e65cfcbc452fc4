/**
 * One host that claims ten thousand addresses (product: every table bounded; RFC 6957 4.1, RFC 6583 7): it gets as many as
 * one host may have, and nobody else notices.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { na, ns } from '../kit/frames.ts'
import type { Host } from './kit/lab.ts'
import { until } from '../kit/until.ts'
import { SERVER, vmAddress } from './kit/topology.ts'
import { twoLinks } from './kit/two-links.ts'

/** Resident memory of a process, in MiB. */
function residentOf(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}

/** Claims `2001:db8::WAVE:1` and so on in three ways in turn, 2000 a second unless the machine is busy. */
async function claimMany(hog: Host, wave: string, count: number): Promise<void> {
  const from = hog.mac('eth0')
  const frames = Array.from({ length: count }, (_, i) => {
    const address = `2001:db8::${wave}:${(i + 1).toString(16)}`
    if (i % 3 === 0) return ns({ from, source: address, target: vmAddress(0xee) })
    return i % 3 === 1 ? ns({ from, source: '::', target: address }) : na({ from, target: address })
  })
  const started = performance.now()
  for (let i = 0; i < count; i += 100) {
    await hog.inject('eth0', frames.slice(i, i + 100))
    await sleep(Math.max(0, started + i / 2 - performance.now()))
  }
}

t.test('one host claims 10 000 addresses: the others do not notice, and it gets 64', async (t) => {
  const stage = await twoLinks(t)
  const { server, proxy, eth0, captures: [, eth2] } = stage
  const [victim, hog] = [await stage.addVmOn(0, 2), await stage.addVmOn(0, 3)]
  const daemon = await stage.start(stage.config(), { isBare: true })
  for (const vm of [victim, hog]) t.equal(await vm.reaches(SERVER, 2000), true)
  const from = hog.mac('eth0')
  // It answers for all of them.
  const questions = await hog.capture('eth0')
  questions.onFrame = ({ kind, outgoing, from: to, source, target }) => {
    if (kind !== 'NS' || outgoing || !/^2001:db8::[ab]:/.test(target)) return
    hog.inject('eth0', [na({ from, target, to: source, toMac: to })]).catch(() => {})
  }
  // What a busy Node takes for its work is not what the claims cost: it gives it back when it rests.
  await claimMany(hog, 'a', 4000)
  const memory = (): number => residentOf(daemon.proc.pid)
  await until(() => memory() < 35)
  const resident = memory()
  const traffic = { rate: 100, seconds: 6, patience: 1000 }
  const reports = Promise.all([server.traffic(vmAddress(2), traffic), victim.traffic(SERVER, traffic)])
  const claims = claimMany(hog, 'b', 10_000)
  await sleep(2000)
  const newcomer = await stage.addVmOn(1, 4)
  t.equal(await newcomer.reaches(SERVER, 2000), true)
  t.equal(await server.reaches(vmAddress(4), 1000), true)
  const born = eth2.frames.find(({ outgoing, source }) => !outgoing && source === vmAddress(4))
  const known = eth0.of('NA', vmAddress(4)).find(({ outgoing }) => outgoing)
  const took = Math.round(known!.at - born!.at)
  t.ok(took < 1000, `a new VM is known ${took} ms after its first word`)
  await claims
  t.match(await reports, [{ sent: 600, lost: 0 }, { sent: 600, lost: 0 }], 'the others lose nothing')
  t.comment(`${resident.toFixed(1)} MiB before, ${memory().toFixed(1)} MiB now`)
  t.ok(memory() < resident + 20, 'nor is there much memory in use')
  const gained = proxy.ourRoutes().filter((address) => /^2001:db8::[ab]:/.test(address))
  // One is its own.
  t.equal(gained.length, 63, 'it has 63 of them, and its own')
  // A question too many may be told of beside them, for want of budget.
  const limits = () => daemon.records.filter(({ event, lladdr, reason }) => event === 'limit' && lladdr === from && reason === 'host')
  const summed = () => limits().slice(1).reduce((sum, { count }) => sum + Number(count), 0)
  // Each 10 s, so the first may come while it still claims.
  await until(() => summed() > 1000)
  t.match(limits()[0], { size: 64, count: undefined }, 'said once')
  t.ok(limits().length <= 3, `and summed up (${summed()} more)`)
  await until(() => memory() < resident + 3)
})
