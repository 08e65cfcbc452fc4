/**
 * What the router is told before it asks (RFC 4861 7.2.6, RFC 9131): new owners, another link-layer address of ours; and
 * that nothing depends on it.
 */
import t from 'tap'
import { until } from '../kit/until.ts'
import type { Capture, CapturedFrame } from './kit/lab.ts'
import { goodManners, scene } from './kit/scene.ts'
import type { Scene } from './kit/scene.ts'
import { CONFIG, ROUTER, SERVER, vmAddress } from './kit/topology.ts'

const MAC0 = '02:00:00:00:00:ff'
const OTHER = '02:00:00:aa:aa:aa'

const announcing = (how: string): string => CONFIG.replace('}', `  announce ${how}\n}`)

/** Unsolicited advertisements that went out of this link, to one group. */
function told(capture: Capture, group: string, target?: string): CapturedFrame[] {
  return capture.of('NA', target).filter((na) => na.outgoing && na.destination === group)
}

/** When the proxy had the first proof that an address is there. */
function known({ eth1 }: Scene, target: string): number {
  return eth1.of('NA', target).find(({ outgoing, flags }) => !outgoing && flags.includes('S'))?.at ?? NaN
}

/** What the router's kernel has of an address: state and link-layer address. */
function entry({ router }: Scene, address: string): string | undefined {
  const [found] = router.show<{ lladdr?: string; state: string[] }>(`neigh show ${address} dev eth0`)
  return found && `${found.state.join()} ${found.lladdr}`
}

/** Smallest, median and largest. */
function spread(values: readonly number[]): readonly [number, number, number] {
  const sorted = values.map(Math.round).sort((a, b) => a - b)
  return [sorted[0], sorted[sorted.length >> 1], sorted[sorted.length - 1]]
}

t.jobs = 2      // they wait, most of the time

t.test('a new owner: three advertisements to all routers, the first at once; a router may learn from them', async (t) => {
  const stage = await scene(t, [])
  const { router, eth0 } = stage
  router.sysctl({ 'conf/eth0/accept_untracked_na': 1 })
  const asked = await router.capture('eth0')
  await stage.start()
  const targets = [2, 3, 4, 5, 6].map(vmAddress)
  await Promise.all(targets.map((_, i) => stage.addVm(i + 2, { dad: true })))
  await until(() => targets.every((target) => told(eth0, 'ff02::2', target).length >= 3))
  const delays = spread(targets.map((target) => told(eth0, 'ff02::2', target)[0].at - known(stage, target)))
  t.ok(delays[1] < 50, `announced ${delays} ms after the proof (min, median, max)`)
  for (const target of targets) t.equal(entry(stage, target), `STALE ${MAC0}`, `the router has ${target}`)
  t.same(asked.of('NS').filter(({ outgoing, target }) => outgoing && targets.includes(target)), [], 'without having asked')
  await new Promise((resolve) => setTimeout(resolve, 1200))
  for (const target of targets) {
    const all = told(eth0, 'ff02::2', target)
    t.match(all, Array(3).fill({ flags: 'R', to: '33:33:00:00:00:02', from: MAC0, lladdr: MAC0, hopLimit: 255 }))
    t.equal(all.length, 3, 'no more than three')
    const gaps = all.slice(1).map(({ at }, i) => at - all[i].at)
    t.ok(gaps.every((gap) => gap > 950 && gap < 1200), `${spread(gaps)} ms apart`)
  }
  goodManners(t, stage)
})

t.test('another link-layer address of the upstream link: who sends to us hardly notices', async (t) => {
  const stage = await scene(t)
  const { server, proxy, eth0 } = stage
  await stage.start()
  for (const n of [2, 3]) t.equal(await server.reaches(vmAddress(n), 2000), true)
  for (const mac of [OTHER, MAC0, OTHER]) {
    const traffic = server.traffic(vmAddress(2), { rate: 500, seconds: 1 })
    await new Promise((resolve) => setTimeout(resolve, 300))
    proxy.ip(`link set eth0 address ${mac}`)
    const { lost, longestGap } = await traffic
    t.ok(lost < 50, `lost ${lost} of 500 datagrams, at 2 ms each (longest gap ${longestGap} ms)`)
    for (const n of [2, 3]) {
      t.match(told(eth0, 'ff02::1', vmAddress(n)).at(-1), { flags: 'RO', from: mac, lladdr: mac, hopLimit: 255 })
    }
  }
  t.same(told(stage.eth1, 'ff02::1').filter(({ flags }) => flags.includes('O')), [], 'downstream nothing changed')
})

t.test('400 hosts: a thousand announcements a second, at least', async (t) => {
  const stage = await scene(t, [2, 3, 4, 5, 6, 7, 8, 9])
  const { proxy, vms, eth0 } = stage
  await stage.start()
  vms.forEach((vm, i) => {
    vm.sysctl({ 'conf/eth0/accept_dad': 1 })
    vm.ip(...Array.from({ length: 49 }, (_, k) => `addr add 2001:db8::${i + 2}:${k + 1}/64 dev eth0`))
  })
  await until(() => proxy.ourRoutes().length === 400)
  // The rest of the announcements that they came.
  await new Promise((resolve) => setTimeout(resolve, 2500))
  t.equal(told(eth0, 'ff02::2').length, 3 * 400)

  proxy.ip(`link set eth0 address ${OTHER}`)
  const all = await until(() => told(eth0, 'ff02::1').length >= 400 ? told(eth0, 'ff02::1') : undefined)
  const first = all.slice(0, 400)
  t.equal(new Set(first.map(({ target }) => target)).size, 400, 'each once, before any is told again')
  const rate = Math.round(399_000 / (first[399].at - first[0].at))
  t.ok(rate >= 1000, `another link-layer address of ours: ${rate} announcements a second`)
})

t.test('announce solicit: the router learns from a solicitation, and nothing leaks inside', async (t) => {
  const stage = await scene(t, [])
  const { router, eth0, eth1 } = stage
  const asked = await router.capture('eth0')
  await stage.start(announcing('solicit'))
  await stage.addVm(2, { dad: true })
  const first = (capture: Capture) => capture.of('NS', ROUTER).find(({ source }) => source === vmAddress(2))
  const heard = await until(() => first(asked))
  t.match(heard, { destination: 'ff02::1:ff00:1', lladdr: MAC0, from: MAC0, hopLimit: 255 })
  await new Promise((resolve) => setTimeout(resolve, 2500))
  t.match(entry(stage, vmAddress(2)), RegExp(`^(STALE|DELAY) ${MAC0}$`), 'the router has it')
  t.same(asked.of('NS', vmAddress(2)).filter(({ outgoing }) => outgoing), [], 'without having asked')
  t.same(told(eth0, 'ff02::2'), [], 'and without advertisements')
  const answers = (capture: Capture) => capture.of('NA', ROUTER)
    .filter(({ outgoing, destination }) => outgoing && destination === vmAddress(2))
  t.equal(answers(asked).length, 2, 'it answers')
  t.same(answers(eth1), [], 'which goes no further')
  goodManners(t, stage)
})

t.test('announce no: none', async (t) => {
  const stage = await scene(t, [2])
  await stage.start(announcing('no'))
  t.equal(await stage.vms[0].reaches(SERVER, 2500), true)
  await new Promise((resolve) => setTimeout(resolve, 300))
  stage.proxy.ip(`link set eth0 address ${OTHER}`)
  await new Promise((resolve) => setTimeout(resolve, 1300))
  t.same(stage.eth0.of('NA').filter(({ outgoing, destination }) => outgoing && destination.startsWith('ff02::')), [])
  t.same(stage.eth0.of('NS', ROUTER).filter(({ outgoing, source }) => outgoing && source === vmAddress(2)), [])
  goodManners(t, stage)
})

t.test('nothing depends on announcements: where all are dropped, the story is the same', async (t) => {
  const stage = await scene(t, [2])
  const { server, router, vms: [vm2] } = stage
  router.exec('nft', 'table ip6 deaf { chain in { type filter hook input priority 0; '
    + 'icmpv6 type nd-neighbor-advert ip6 daddr { ff02::1, ff02::2 } counter drop; }; }')
  await stage.start()
  t.equal(await server.reaches(vmAddress(2), 2000), true)
  t.equal(await vm2.reaches(SERVER, 2000), true)
  const vm3 = await stage.addVm(3)
  t.equal(await server.reaches(vmAddress(3), 2500), true, 'a newcomer')
  const reports = await Promise.all([server.traffic(vmAddress(2)), server.traffic(vmAddress(3)), vm3.traffic(SERVER)])
  for (const report of reports) t.match(report, { sent: 100, lost: 0 })
  t.notMatch(router.exec('nft', 'list', 'ruleset'), /packets 0 /, 'there were some to drop')
  goodManners(t, stage)
})
