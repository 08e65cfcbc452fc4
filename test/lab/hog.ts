/** One host claims thousands of addresses (RFC 6957 4.1, RFC 6583 7): it gets as many as one host may have, and no other is affected. */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { na, ns } from '../kit/frames.ts'
import { type Host, SERVER, twoLinks, until, vmAddress } from './kit/two-links.ts'

/** Addresses of one host, by default. */
const LIMIT = 64

/** Claims `2001:db8::WAVE:1` and so on in three ways in turn, at most 2000 a second. */
async function claimMany(hog: Host, inject: ReturnType<Host['injector']>, wave: string, count: number): Promise<void> {
  const from = hog.mac('eth0')
  const frames = Array.from({ length: count }, (_, i) => {
    const address = `2001:db8::${wave}:${(i + 1).toString(16)}`
    if (i % 3 === 0) return ns({ from, source: address, target: vmAddress(0xee) })
    return i % 3 === 1 ? ns({ from, source: '::', target: address }) : na({ from, target: address })
  })
  const started = performance.now()
  for (let i = 0; i < count; i += 100) {
    await inject(frames.slice(i, i + 100))
    await sleep(Math.max(0, started + i / 2 - performance.now()))
  }
}

t.test('one host claims 10 000 addresses: others are not affected, and it gets 64', async (t) => {
  const stage = await twoLinks(t)
  const { server, proxy } = stage
  const [victim, hog] = [await stage.addVmOn(0, 2), await stage.addVmOn(0, 3)]
  const daemon = await stage.start(stage.config())
  for (const vm of [victim, hog]) t.equal(await vm.reaches(SERVER, 5000), true)
  const from = hog.mac('eth0')
  const inject = hog.injector('eth0')
  // It answers for all of them.
  const probes = await hog.capture('eth0')
  probes.onFrame = ({ kind, outgoing, from: toMac, source, target }) => {
    if (kind !== 'NS' || outgoing || !/^2001:db8::[ab]:/.test(target)) return
    inject([na({ from, target, to: source, toMac })]).catch(() => {})
  }
  // The first wave is for the memory that a busy Node takes.
  await claimMany(hog, inject, 'a', 4000)
  const memory = daemon.memory()
  const traffic = { rate: 100, seconds: 6, patience: 5000 }
  const reports = Promise.all([server.traffic(vmAddress(2), traffic), victim.traffic(SERVER, traffic)])
  const claims = claimMany(hog, inject, 'b', 10_000)
  await sleep(2000)
  const newcomer = await stage.addVmOn(1, 4)
  t.equal(await newcomer.reaches(SERVER, 5000), true, 'a new VM works meanwhile')
  t.equal(await server.reaches(vmAddress(4), 5000), true)
  await claims
  t.match(await reports, [{ sent: 600, lost: 0 }, { sent: 600, lost: 0 }], 'others lose nothing')
  t.ok(daemon.memory() < memory + 20, `${memory.toFixed(1)} MiB before, ${daemon.memory().toFixed(1)} MiB now`)
  const gained = proxy.ourRoutes().filter((address) => /^2001:db8::[ab]:/.test(address))
  t.equal(gained.length, LIMIT - 1, 'beside its own')
  const limits = () => daemon.records.filter(({ event, lladdr, reason }) => event === 'limit' && lladdr === from && reason === 'host')
  const refused = () => limits().slice(1).reduce((sum, { count }) => sum + Number(count), 0)
  // The sum comes after a minute.
  await until(() => refused() > 1000, 90_000)
  t.match(limits()[0], { size: LIMIT, count: undefined }, 'reported once')
  t.ok(limits().length * 100 < refused(), `then summed up: ${limits().length} records of ${refused()}`)
})
