/**
 * Announcements: advertisements that no host solicited (RFC 4861 7.2.6, RFC 9131), of new owners and of another link-layer address
 * of the proxy. Nothing depends on them.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { type Capture, type CapturedFrame, CONFIG, goodManners, ROUTER, type Scene, scene, SERVER, until, vmAddress } from './kit/scene.ts'

const MAC0 = '02:00:00:00:00:ff'
const OTHER = '02:00:00:aa:aa:aa'

const announcing = (how: string): string => CONFIG.replace('}', `  announce ${how}\n}`)

/** Announcements that went out of this link to one group. */
function announced(capture: Capture, group: string, target?: string): CapturedFrame[] {
  return capture.of('NA', target).filter((na) => na.outgoing && na.destination === group)
}

/** The router's neighbor entry: state and link-layer address. */
function entry({ router }: Scene, address: string): string | undefined {
  const [found] = router.show<{ lladdr?: string; state: string[] }>(`neigh show ${address} dev eth0`)
  return found && `${found.state.join()} ${found.lladdr}`
}

t.jobs = 2      // they wait, most of the time

t.test('a new owner: three advertisements to all routers; a router may learn from them', async (t) => {
  const stage = await scene(t, [])
  const { router, eth0 } = stage
  router.sysctl({ 'conf/eth0/accept_untracked_na': 1 })
  const seen = await router.capture('eth0')
  await stage.start()
  const targets = [2, 3, 4, 5, 6].map(vmAddress)
  await Promise.all(targets.map((_, i) => stage.addVm(i + 2, { dad: true })))
  await until(() => targets.every((target) => announced(eth0, 'ff02::2', target).length >= 3))
  for (const target of targets) t.equal(entry(stage, target), `STALE ${MAC0}`, `the router has ${target}`)
  t.same(seen.of('NS').filter(({ outgoing, target }) => outgoing && targets.includes(target)), [], 'and did not solicit it')
  await sleep(1200)
  for (const target of targets) {
    const all = announced(eth0, 'ff02::2', target)
    t.match(all, Array(3).fill({ flags: 'R', to: '33:33:00:00:00:02', from: MAC0, lladdr: MAC0, hopLimit: 255 }))
    t.equal(all.length, 3, 'no more than three')
    t.ok(all.slice(1).every(({ at }, i) => at - all[i].at > 500), 'about a second apart')
  }
  goodManners(t, stage)
})

t.test('another link-layer address of the upstream link is announced to all nodes', async (t) => {
  const stage = await scene(t)
  const { server, proxy, eth0 } = stage
  await stage.start()
  for (const n of [2, 3]) t.equal(await server.reaches(vmAddress(n), 5000), true)
  for (const mac of [OTHER, MAC0, OTHER]) {
    const traffic = server.traffic(vmAddress(2), { rate: 500, seconds: 1 })
    await sleep(300)
    const before = eth0.frames.length
    proxy.ip(`link set eth0 address ${mac}`)
    for (const n of [2, 3]) {
      await until(() => entry(stage, vmAddress(n))?.endsWith(mac))
      await until(() => announced(eth0, 'ff02::1', vmAddress(n)).at(-1)?.from === mac)
      t.match(announced(eth0, 'ff02::1', vmAddress(n)).at(-1), { flags: 'RO', from: mac, lladdr: mac, hopLimit: 255 })
    }
    const announcement = eth0.frames.slice(before).find(({ kind, destination }) => kind === 'NA' && destination === 'ff02::1')!
    const { sent, lost, longestGap } = await traffic
    t.ok(lost < sent / 2, `lost ${lost} of ${sent} datagrams (longest gap ${longestGap} ms)`)
    t.same(eth0.frames.slice(before, eth0.frames.indexOf(announcement))
      .filter(({ kind, outgoing, to }) => kind === 'NS' && !outgoing && to.startsWith('33:33')), [], 'before the router solicits')
  }
  t.same(announced(stage.eth1, 'ff02::1').filter(({ flags }) => flags.includes('O')), [], 'downstream nothing changed')
})

t.test('400 hosts: each is announced, and again once before any is repeated', async (t) => {
  const stage = await scene(t, [2, 3, 4, 5, 6, 7, 8, 9])
  const { proxy, vms, eth0 } = stage
  await stage.start()
  vms.forEach((vm, i) => {
    vm.sysctl({ 'conf/eth0/accept_dad': 1 })
    vm.ip(...Array.from({ length: 49 }, (_, k) => `addr add 2001:db8::${i + 2}:${k + 1}/64 dev eth0`))
  })
  await until(() => proxy.ourRoutes().length === 400)
  await until(() => announced(eth0, 'ff02::2').length >= 3 * 400)
  await sleep(1200)
  t.equal(announced(eth0, 'ff02::2').length, 3 * 400)

  proxy.ip(`link set eth0 address ${OTHER}`)
  await until(() => announced(eth0, 'ff02::1').length >= 400)
  const first = announced(eth0, 'ff02::1').slice(0, 400)
  t.equal(new Set(first.map(({ target }) => target)).size, 400)
})

t.test('announce solicit: the router learns from a solicitation, and nothing leaks inside', async (t) => {
  const stage = await scene(t, [])
  const { router, eth0, eth1 } = stage
  // The router's answers use the entry. On a busy machine, the checks below may come more than the default five seconds later.
  router.sysctl({ 'neigh/eth0/delay_first_probe_time': 600 })
  const seen = await router.capture('eth0')
  await stage.start(announcing('solicit'))
  await stage.addVm(2, { dad: true })
  const received = await until(() => seen.of('NS', ROUTER).find(({ source }) => source === vmAddress(2)))
  t.match(received, { destination: 'ff02::1:ff00:1', lladdr: MAC0, from: MAC0, hopLimit: 255 })
  await sleep(2500)
  t.match(entry(stage, vmAddress(2)), RegExp(`^(STALE|DELAY) ${MAC0}$`), 'the router has it')
  t.same(seen.of('NS', vmAddress(2)).filter(({ outgoing }) => outgoing), [], 'and did not solicit it')
  t.same(announced(eth0, 'ff02::2'), [], 'there are no advertisements')
  const answers = (capture: Capture) => capture.of('NA', ROUTER)
    .filter(({ outgoing, destination }) => outgoing && destination === vmAddress(2))
  t.equal(answers(seen).length, 2, 'the router answers')
  t.same(answers(eth1), [], 'its answers go no further')
  goodManners(t, stage)
})

t.test('announce no: none', async (t) => {
  const stage = await scene(t, [2])
  await stage.start(announcing('no'))
  t.equal(await stage.vms[0].reaches(SERVER, 5000), true)
  await sleep(300)
  stage.proxy.ip(`link set eth0 address ${OTHER}`)
  await sleep(1300)
  t.same(stage.eth0.of('NA').filter(({ outgoing, destination }) => outgoing && destination.startsWith('ff02::')), [])
  t.same(stage.eth0.of('NS', ROUTER).filter(({ outgoing, source }) => outgoing && source === vmAddress(2)), [])
  goodManners(t, stage)
})

t.test('where all announcements are dropped, everything works', async (t) => {
  const stage = await scene(t, [2])
  const { server, router, vms: [vm2] } = stage
  router.exec('nft', 'table ip6 deaf { chain in { type filter hook input priority 0; '
    + 'icmpv6 type nd-neighbor-advert ip6 daddr { ff02::1, ff02::2 } counter drop; }; }')
  await stage.start()
  t.equal(await server.reaches(vmAddress(2), 5000), true)
  t.equal(await vm2.reaches(SERVER, 5000), true)
  const vm3 = await stage.addVm(3)
  t.equal(await server.reaches(vmAddress(3), 5000), true, 'a newcomer')
  const reports = await Promise.all([server.traffic(vmAddress(2)), server.traffic(vmAddress(3)), vm3.traffic(SERVER)])
  for (const report of reports) t.match(report, { sent: 100, lost: 0 })
  t.notMatch(router.exec('nft', 'list', 'ruleset'), /packets 0 /, 'some were dropped')
  goodManners(t, stage)
})
