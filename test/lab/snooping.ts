/**
 * A switch with MLD snooping and a querier between the router and the proxy (RFC 4541 2.1.2). It passes solicitations only to
 * listeners of their group and to multicast routers.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { framesOf } from '../kit/manners.ts'
import { CONFIG, goodManners, type Host, ROUTER, type Scene, scene, until, vmAddress } from './kit/scene.ts'

t.jobs = 2      // they wait, most of the time

const HOSTS = 1000
const MULTICAST_ROUTER_TERMINATION = 153

/** @returns the groups that a host's kernel listens to on a link, sorted */
function groups(host: Host, iface: string): string[] {
  return host.exec('ip', '-6', 'maddr', 'show', 'dev', iface).match(/ff0\S+/g)!.sort()
}

/** @returns the groups that the switch passes to the proxy */
function passed({ outside }: Scene): string[] {
  return outside.exec('bridge', 'mdb').split('\n').flatMap((line) => /port proxy grp (\S+)/.exec(line)?.[1] ?? [])
}

/** @returns whether a solicitation of the router for an address without a host reaches the proxy */
async function floods({ router, eth0 }: Scene, address: string): Promise<boolean> {
  const before = eth0.of('NS', address).length
  router.ip('neigh flush all')
  await router.reaches(address, 200)
  return eth0.of('NS', address).length > before
}

/** @returns a scene whose switch passes to the proxy only what the proxy listens to */
async function snooped(t: Test, vms: readonly number[] = [2, 3]): Promise<Scene> {
  const stage = await scene(t, vms, { outside: { snooping: true, querier: true, groups: 2 * HOSTS } })
  await until(async () => !await floods(stage, vmAddress(0x7001)))
  return stage
}

/** @returns whether the router reaches an address that is not in its neighbor cache */
async function resolves({ router }: Scene, address: string, patience = 5000): Promise<boolean> {
  router.ip('neigh flush all')
  return router.reaches(address, patience)
}

t.test('the first solicitation for a pinned or learned host reaches us, and no group is left at the end', async (t) => {
  const stage = await snooped(t, [2])
  const { proxy, router } = stage
  const own = groups(proxy, 'eth0')
  const before = passed(stage).sort()
  t.equal(await floods(stage, vmAddress(0x7002)), false, 'without a listener nothing reaches the proxy')
  const config = CONFIG.replace('}', '  host 2001:db8::3 eth1\n}')
  const daemon = await stage.start(config)
  const [vm3, vm4] = await Promise.all([stage.addVm(3), stage.addVm(4, { dad: true })])
  await until(() => !vm4.exec('ip', '-6', 'addr', 'show', 'dev', 'eth0').includes('tentative'))
  await until(() => proxy.ourRoutes().length === 3)
  const [capture, before0] = [await router.capture('eth0'), stage.eth0.frames.length]
  for (const n of [2, 3, 4]) {
    t.equal(await resolves(stage, vmAddress(n)), true, `host ${n}`)
    const received = () => framesOf(stage.eth0.frames.slice(before0), 'NS', vmAddress(n)).filter(({ outgoing }) => !outgoing)
    const sent = () => capture.of('NS', vmAddress(n)).filter(({ outgoing }) => outgoing)
    await until(() => sent().length > 0 && received().length === sent().length)      // every solicitation reaches us
  }
  t.equal(await vm3.reaches(ROUTER), true)
  t.same(groups(proxy, 'eth0'), own, 'the kernel of the proxy joined none of the groups')
  t.equal(await daemon.stop(), 0)
  await until(() => `${passed(stage).sort()}` === `${before}`)      // a stop leaves the groups

  const next = await stage.start(config)
  await until(() => passed(stage).length === before.length + 3)
  for (const n of [2, 3, 4]) t.equal(await resolves(stage, vmAddress(n)), true, `host ${n} after a restart`)
  goodManners(t, stage)
  t.equal(await next.kill(), 'SIGKILL')
  t.same(groups(proxy, 'eth0'), own, 'after SIGKILL as well')
})

t.test('rules: one address has a group; a prefix needs `snooping mirror` or `snooping mrd`', async (t) => {
  const stage = await snooped(t)
  const { proxy, outside } = stage
  const mld = await proxy.capture('eth0', true)
  for (const n of [2, 3]) proxy.ip(`route add ${vmAddress(n)}/128 dev eth1 proto static`)
  const config = (rule: string, option = '') => `proxy eth0 { ${option} rule ${rule} { iface eth1 } }
    proxy eth1 { rule ${ROUTER} { static } }`
  const one = await stage.start(config('2001:db8::2'))
  t.equal(await resolves(stage, vmAddress(2)), true, 'a rule of one address')
  t.equal(await resolves(stage, vmAddress(3), 400), false, 'and nothing else')
  await one.stop()

  const none = await stage.start(config('2001:db8::/64'))
  t.equal(await resolves(stage, vmAddress(3), 400), false, 'a prefix, `snooping no`: no solicitation for an unknown host')
  await none.stop()

  const mirror = await stage.start(config('2001:db8::/64', 'snooping mirror'))
  await stage.addVm(5)
  proxy.ip(`route add ${vmAddress(5)}/128 dev eth1 proto static`)
  await until(() => passed(stage).includes('ff02::1:ff00:5'))
  t.equal(await resolves(stage, vmAddress(5)), true, '`snooping mirror`: a newcomer')
  // Listeners answer the first query within 10 s (RFC 3810 9.3).
  await until(() => /ff00:2 .*ff00:3( |$)/.test(passed(stage).sort().join(' ')))
  t.equal(await resolves(stage, vmAddress(3)), true)
  t.equal(await floods(stage, vmAddress(0x7002)), false, 'a group without listeners stays silent')
  await mirror.stop()

  await until(() => !passed(stage).includes('ff02::1:ff00:3'))
  const mrd = await stage.start(config('2001:db8::/64', 'snooping mrd'))
  await until(() => /router ports on br0: .*proxy/.test(outside.exec('bridge', '-d', 'mdb')))
  t.equal(await resolves(stage, vmAddress(3)), true, '`snooping mrd`')
  t.equal(await floods(stage, vmAddress(0x7003)), true, 'every group reaches us')
  await mrd.stop()
  t.equal(mld.frames.filter(({ outgoing, type }) => outgoing && type === MULTICAST_ROUTER_TERMINATION).length, 1,
    'a termination at the end')
  goodManners(t, stage)
})

t.test('mirrored groups outlast the membership interval of the switch, and go with their hosts', async (t) => {
  const stage = await snooped(t)
  const { proxy, outside, vms: [, vm3] } = stage
  outside.ip('link set br0 type bridge mcast_startup_query_interval 100 mcast_query_interval 100 '
    // Each group that is left defers the next General Query by two seconds.
    + 'mcast_query_response_interval 50 mcast_membership_interval 520 mcast_querier 0', 'link set br0 type bridge mcast_querier 1')
  await stage.start(`proxy eth0 { snooping mirror rule 2001:db8::/64 { iface eth1 } }
    proxy eth1 { rule ${ROUTER} { static } }`)
  proxy.ip(`route add ${vmAddress(2)}/128 dev eth1 proto static`)
  const has = (group: string) => passed(stage).includes(group)
  vm3.ip('addr add 2001:db8::aa:3/64 dev eth0')
  await until(() => has('ff02::1:ff00:2') && has('ff02::1:ffaa:3'))
  vm3.ip('addr del 2001:db8::aa:3/64 dev eth0')
  const began = performance.now()
  // The next query comes 10 s after the last one; listeners have 10 s to answer. The switch queries for two more seconds.
  await until(() => !has('ff02::1:ffaa:3'), 60_000)
  const took = Math.round(performance.now() - began)
  t.ok(took > 10_000, `left ${took} ms after the host: other listeners had the time to answer`)
  t.ok(has('ff02::1:ff00:2'), 'other groups stay')
  t.equal(await resolves(stage, vmAddress(2)), true)
  goodManners(t, stage)
})

t.test('a snooping bridge of this machine queries from our address, and is answered', async (t) => {
  const stage = await scene(t, [2])
  const { proxy } = stage
  proxy.ip('link add br9 type bridge mcast_snooping 1 mcast_startup_query_interval 100 mcast_query_interval 100 '
    + 'mcast_query_response_interval 50 mcast_membership_interval 260 mcast_querier 1',
  'addr flush dev eth0', 'link set eth0 master br9', 'link set br9 up', 'addr add 2001:db8::ff/64 dev br9 nodad')
  await stage.start(CONFIG.replaceAll('eth0', 'br9').replace('}', '  host 2001:db8::3 eth1\n}'))
  const listens = () => /port br9 grp ff02::1:ff00:3 /.test(proxy.exec('bridge', 'mdb'))
  await until(listens)
  for (let i = 0; i < 60 && listens(); i++) await sleep(100)
  t.ok(listens(), '6 s later as well, though the membership interval is 2.6 s')
})

t.test(`${HOSTS} hosts: a group for each, also after the link was down or re-created`, async (t) => {
  const stage = await snooped(t, [])
  const { lab, proxy, outside, eth0 } = stage
  // After a query of version 1 a message holds one group: not all could be left at the end.
  outside.ip('link set br0 type bridge mcast_mld_version 2')
  const hosts = Array.from({ length: HOSTS }, (_, i) => `2001:db8::1:${i.toString(16)}`)
  const wanted = hosts.map((host) => `ff02::1:ff01:${host.slice('2001:db8::1:'.length)}`).sort()
  const isOurs = (group: string) => group.startsWith('ff02::1:ff01:')
  const joined = () => passed(stage).filter(isOurs).sort()
  const all = () => until(() => joined().length === HOSTS)
  const daemon = await stage.start(CONFIG.replace('}', `${hosts.map((host) => `host ${host} eth1`).join('\n')}\n}`))
  await all()
  t.same(joined(), wanted)
  proxy.ip('link set eth0 down', 'link set eth0 up')
  await all()
  proxy.ip('link del eth0')
  await eth0.stop()
  lab.link(proxy, 'eth0', outside, 'proxy')
  await all()
  proxy.ip('addr add 2001:db8::ff/64 dev eth0 nodad')
  t.equal(await daemon.stop(), 0)
  await until(() => joined().length === 0)
  t.same(groups(proxy, 'eth0').filter(isOurs), [])
})
