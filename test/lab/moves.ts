/**
 * Hosts that move between two downstream links of the proxy while the world talks to them: how long that is interrupted,
 * with and without a word of the host, and what the route table shows meanwhile (product: who is answered).
 */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { Test } from 'tap'
import type { Host } from './kit/lab.ts'
import { until } from '../kit/until.ts'
import { ROUTER, SERVER, vmAddress } from './kit/topology.ts'
import { goodMannersOf, PINNED, twoLinks } from './kit/two-links.ts'
import type { TwoLinks } from './kit/two-links.ts'

/** Of the proxy on eth0, which hosts may use as their router. */
const PROXY = '2001:db8::ff'

interface Round {
  readonly to: 0 | 1
  /** Between one move and the next. Milliseconds. */
  readonly pause: number
  /** Traffic goes on for so long after the last move. Milliseconds. */
  readonly rest: number
  /** The host says where it is, as after a live migration. */
  readonly isAnnounced: boolean
}

/** Every VM `::N` has a second address, `::1:N`. */
function addressesOf(n: number): string[] {
  return [vmAddress(n), `2001:db8::1:${n.toString(16)}`]
}

async function startHosts(stage: TwoLinks, numbers: readonly number[], config: string): Promise<Map<number, Host>> {
  const { server, start } = stage
  const vms = new Map<number, Host>()
  // Who stays: a bridge of the proxy without a port has no carrier.
  for (const link of [0, 1] as const) await stage.addVmOn(link, 0xa0 + link)
  for (const n of numbers) {
    const vm = await stage.addVmOn(0, n)
    vm.ip(`addr add ${addressesOf(n)[1]}/64 dev eth0`)
    vms.set(n, vm)
  }
  await start(config)
  const all = numbers.flatMap(addressesOf)
  await until(async () => (await Promise.all(all.map((to) => server.reaches(to, 500)))).every(Boolean))
  return vms
}

/** Moves one host after the other. @returns the longest interruption of each address, and of each host as a client */
async function moveAll(t: Test, stage: TwoLinks, vms: ReadonlyMap<number, Host>, round: Round): Promise<number[]> {
  const { server, links } = stage
  const { to, pause, rest, isAnnounced } = round
  const watch = stage.watchRoutes()
  const traffic = { rate: 100, seconds: (vms.size * pause + rest) / 1000, patience: 500 }
  const reports = Promise.all([...vms].flatMap(([n, vm]) =>
    [...addressesOf(n).map((address) => server.traffic(address, traffic)), vm.traffic(SERVER, traffic)]))
  for (const [n, vm] of vms) {
    await sleep(pause)
    stage.move(vm, to)
    if (isAnnounced) await stage.announce(vm, addressesOf(n))
  }
  const all = await reports
  const looks = await watch.stop()
  for (const { sent, received, lost, longestGap } of all) {
    // One datagram before the gap and one after it are not in it; the timer of a busy machine is late.
    t.ok(sent === received + lost && lost <= longestGap / 10 + 5,
      `${lost} of ${sent} lost, in ${longestGap} ms: nothing but that`)
  }
  t.ok(looks.length > traffic.seconds * 15, `${looks.length} looks at the routes`)
  t.same(looks.filter((look) => [...look.values()].some((devs) => devs.length !== 1)), [], 'never two routes for one address')
  const addresses = [...vms.keys()].flatMap(addressesOf)
  t.same(looks.filter((look) => addresses.some((address) => !look.has(address))), [], 'and never none')
  t.same(addresses.map((address) => looks.at(-1)!.get(address)), addresses.map(() => [links[to]]), `all are on ${links[to]}`)
  return all.map(({ longestGap }) => longestGap)
}

/** @param usual limit of the median */
function judge(t: Test, gaps: readonly number[], limit: number, what: string, usual = limit): void {
  const sorted = [...gaps].sort((a, b) => a - b)
  const median = sorted[sorted.length >> 1]
  const said = `${sorted[0]} / ${median} / ${sorted.at(-1)} ms (min / median / max of ${sorted.length})`
  t.ok(sorted.at(-1)! < limit && median < usual, `${what}: ${said}`)
  t.comment(`${what}: ${said}`)
}

t.test('bridges elsewhere: a host that announces itself is back within a second', async (t) => {
  const stage = await twoLinks(t)
  const vms = await startHosts(stage, [2, 3, 4], stage.config())
  const round = { pause: 400, rest: 1500, isAnnounced: true }
  const gaps = [...await moveAll(t, stage, vms, { ...round, to: 1 }), ...await moveAll(t, stage, vms, { ...round, to: 0 })]
  judge(t, gaps, 1000, 'with an announcement')
  goodMannersOf(t, stage, [...[2, 3, 4].flatMap(addressesOf), ROUTER, PROXY])
})

t.test('bridges elsewhere: one that says nothing is found within ttl', async (t) => {
  const stage = await twoLinks(t)
  const vms = await startHosts(stage, [2, 3, 4], stage.config(PINNED, 'ttl 5s'))
  judge(t, await moveAll(t, stage, vms, { to: 1, pause: 700, rest: 5500, isAnnounced: false }), 5000, 'silent, ttl 5s')
  goodMannersOf(t, stage, [...[2, 3, 4].flatMap(addressesOf), ROUTER, PROXY])
})

t.test('bridges of the proxy: their forwarding tables say it at once; the router is known, but not pinned', async (t) => {
  const stage = await twoLinks(t, 'on the proxy')
  const vms = await startHosts(stage, [2, 3, 4], stage.config('learn yes'))
  for (const isAnnounced of [true, false]) {
    const round = { to: isAnnounced ? 1 : 0, pause: 400, rest: 1200, isAnnounced } as const
    // Half a second is what it takes when an owner has to be asked twice.
    judge(t, await moveAll(t, stage, vms, round), 1000, isAnnounced ? 'with an announcement' : 'silent', 400)
  }
  goodMannersOf(t, stage, [...[2, 3, 4].flatMap(addressesOf), ROUTER, PROXY])
})

t.test('two addresses of a host are two neighbors: one goes, the other stays', async (t) => {
  const stage = await twoLinks(t)
  const { server, proxy } = stage
  const vms = await startHosts(stage, [2], stage.config(PINNED, 'ttl 2s', 'timeout 100'))
  const [first, second] = addressesOf(2)
  const known = () => proxy.ourRoutes().filter((address) => address === first || address === second)
  t.same(known(), [second, first])
  const traffic = server.traffic(first, { rate: 100, seconds: 4 })
  vms.get(2)!.ip(`addr del ${second}/64 dev eth0`)
  await until(() => !known().includes(second))
  t.match(await traffic, { sent: 400, lost: 0 }, 'the other is not disturbed')
  t.same(known(), [first])
  t.equal(await server.reaches(second, 300), false)
  goodMannersOf(t, stage)
})
