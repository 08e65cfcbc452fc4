/**
 * A switch with MLD snooping and a querier between the router and the proxy (RFC 4541 2.1.2): solicitations reach only those
 * that listen to their group, or that it takes for multicast routers.
 */
import t from 'tap'
import type { Test } from 'tap'
import { Daemon } from './kit/daemon.ts'
import type { Host } from './kit/lab.ts'
import { until } from '../kit/until.ts'
import { goodManners, scene } from './kit/scene.ts'
import type { Scene } from './kit/scene.ts'
import { CONFIG, ROUTER, vmAddress } from './kit/topology.ts'

t.jobs = 2      // they wait, most of the time

const HOSTS = 1000
const MULTICAST_ROUTER_TERMINATION = 153

/** Groups that the kernel of a host listens to on a link. */
function groups(host: Host, iface: string): string[] {
  return host.exec('ip', '-6', 'maddr', 'show', 'dev', iface).match(/ff0\S+/g)!.sort()
}

/** Groups that the switch passes to the proxy. */
function passed({ outside }: Scene): string[] {
  return outside.exec('bridge', 'mdb').split('\n').flatMap((line) => /port proxy grp (\S+)/.exec(line)?.[1] ?? [])
}

/** Whether a solicitation of the router for an address that nobody has comes through to the proxy. */
async function floods({ router, eth0 }: Scene, address: string): Promise<boolean> {
  const before = eth0.of('NS', address).length
  router.ip('neigh flush all')
  await router.reaches(address, 200)
  return eth0.of('NS', address).length > before
}

/** A scene whose switch withholds from the proxy what it did not ask for. */
async function snooped(t: Test, vms: readonly number[] = [2, 3]): Promise<Scene> {
  const stage = await scene(t, vms, { outside: { snooping: true, querier: true, groups: 2 * HOSTS } })
  await until(async () => !await floods(stage, vmAddress(0x7001)))
  return stage
}

/** Whether the router, which knows nothing of it, reaches an address. */
async function resolves({ router }: Scene, address: string, patience = 1000): Promise<boolean> {
  router.ip('neigh flush all')
  return router.reaches(address, patience)
}

t.test('hosts that are pinned or learned are heard of by the first solicitation, and no group is left', async (t) => {
  const stage = await snooped(t, [2])
  const { proxy, router } = stage
  const own = groups(proxy, 'eth0')
  const before = passed(stage).sort()
  t.equal(await floods(stage, vmAddress(0x7002)), false, 'nobody listens: the proxy hears nothing')
  const config = CONFIG.replace('}', '  host 2001:db8::3 eth1\n}')
  const daemon = await stage.start(config)
  const [vm3, vm4] = await Promise.all([stage.addVm(3), stage.addVm(4, { dad: true })])
  await until(() => !vm4.exec('ip', '-6', 'addr', 'show', 'dev', 'eth0').includes('tentative'))
  const began = performance.now()
  await until(() => proxy.ourRoutes().length === 3)
  t.ok(performance.now() - began < 500, `it is known ${Math.round(performance.now() - began)} ms after its DAD`)
  const capture = await router.capture('eth0')
  for (const n of [2, 3, 4]) {
    t.equal(await resolves(stage, vmAddress(n)), true, `host ${n}`)
    t.equal(capture.of('NS', vmAddress(n)).filter(({ outgoing }) => outgoing).length, 1, 'by one solicitation')
  }
  t.equal(await vm3.reaches(ROUTER), true)
  t.same(groups(proxy, 'eth0'), own, 'the kernel knows nothing of that')
  t.equal(await daemon.stop(), 0)
  await until(() => `${passed(stage).sort()}` === `${before}`)

  const next = await stage.start(config)
  await until(() => passed(stage).length === before.length + 3)
  for (const n of [2, 3, 4]) t.equal(await resolves(stage, vmAddress(n)), true, `host ${n} after a restart`)
  goodManners(t, stage)
  t.equal(await next.kill(), 'SIGKILL')
  t.same(groups(proxy, 'eth0'), own, 'SIGKILL: the switch has to find out by itself')
})

t.test('rules: one address is heard of, a prefix by `snooping mirror` and `snooping mrd` only', async (t) => {
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
  t.equal(await resolves(stage, vmAddress(3), 400), false, 'a prefix, `snooping no`: who is not known is not heard of')
  await none.stop()

  const mirror = await stage.start(config('2001:db8::/64', 'snooping mirror'))
  await stage.addVm(5)
  proxy.ip(`route add ${vmAddress(5)}/128 dev eth1 proto static`)
  await until(() => passed(stage).includes('ff02::1:ff00:5'))
  t.equal(await resolves(stage, vmAddress(5)), true, '`snooping mirror`: a newcomer at once')
  // They answer the first query when they please, within 10 s (RFC 3810 9.3).
  const began = performance.now()
  await until(() => /ff00:2 .*ff00:3( |$)/.test(passed(stage).sort().join(' ')))
  t.pass(`hosts that were there after ${Math.round(performance.now() - began)} ms`)
  t.equal(await resolves(stage, vmAddress(3)), true)
  t.equal(await floods(stage, vmAddress(0x7002)), false, 'what nobody listens to is not heard')
  await mirror.stop()

  await until(() => !passed(stage).includes('ff02::1:ff00:3'))
  const mrd = await stage.start(config('2001:db8::/64', 'snooping mrd'))
  await until(() => /router ports on br0: .*proxy/.test(outside.exec('bridge', '-d', 'mdb')))
  t.equal(await resolves(stage, vmAddress(3)), true, '`snooping mrd`')
  t.equal(await floods(stage, vmAddress(0x7003)), true, 'all is heard')
  await mrd.stop()
  t.equal(mld.frames.filter(({ outgoing, type }) => outgoing && type === MULTICAST_ROUTER_TERMINATION).length, 1,
    'it says that it is no router any more')
  goodManners(t, stage)
})

t.test('mirrored groups stay beyond the memory of the switch, and go with their hosts', async (t) => {
  const stage = await snooped(t)
  const { proxy, outside, vms: [, vm3] } = stage
  outside.ip('link set br0 type bridge mcast_startup_query_interval 100 mcast_query_interval 100 '
    // Each group that is left puts the next General Query off by two seconds.
    + 'mcast_query_response_interval 50 mcast_membership_interval 520 mcast_querier 0', 'link set br0 type bridge mcast_querier 1')
  await stage.start(`proxy eth0 { snooping mirror rule 2001:db8::/64 { iface eth1 } }
    proxy eth1 { rule ${ROUTER} { static } }`)
  proxy.ip(`route add ${vmAddress(2)}/128 dev eth1 proto static`)
  const has = (group: string) => passed(stage).includes(group)
  vm3.ip('addr add 2001:db8::aa:3/64 dev eth0')
  await until(() => has('ff02::1:ff00:2') && has('ff02::1:ffaa:3'))
  vm3.ip('addr del 2001:db8::aa:3/64 dev eth0')
  const began = performance.now()
  // Nobody is asked within 10 s of the last query; then there are 10 s to answer, and one more; the switch asks for two.
  await until(() => !has('ff02::1:ffaa:3'))
  const took = Math.round(performance.now() - began)
  t.ok(took > 10_000, `left ${took} ms after the host, not before others could have said that they listen`)
  t.ok(has('ff02::1:ff00:2'), 'others are not')
  t.equal(await resolves(stage, vmAddress(2)), true)
  goodManners(t, stage)
})

t.test('a bridge of this machine that snoops asks for listeners in our name, and is answered', async (t) => {
  const stage = await scene(t, [2])
  const { proxy } = stage
  proxy.ip('link add br9 type bridge mcast_snooping 1 mcast_startup_query_interval 100 mcast_query_interval 100 '
    + 'mcast_query_response_interval 50 mcast_membership_interval 260 mcast_querier 1',
  'addr flush dev eth0', 'link set eth0 master br9', 'link set br9 up', 'addr add 2001:db8::ff/64 dev br9 nodad')
  await stage.start(CONFIG.replaceAll('eth0', 'br9').replace('}', '  host 2001:db8::3 eth1\n}'))
  const listens = () => /port br9 grp ff02::1:ff00:3 /.test(proxy.exec('bridge', 'mdb'))
  await until(listens)
  const began = performance.now()
  while (performance.now() - began < 6000) {
    await new Promise((resolve) => setTimeout(resolve, 100))
    if (!listens()) break
  }
  t.ok(listens(), `${Math.round(performance.now() - began)} ms later, too, though it forgets in 2600`)
})

t.test(`${HOSTS} hosts: a group for each, also after the link was down, or another`, async (t) => {
  const stage = await snooped(t, [])
  const { lab, proxy, outside, eth0 } = stage
  // Once the switch has asked by version 1, a message has room for one group: not all of them could be left at the end.
  outside.ip('link set br0 type bridge mcast_mld_version 2')
  const hosts = Array.from({ length: HOSTS }, (_, i) => `2001:db8::1:${i.toString(16)}`)
  const wanted = hosts.map((host) => `ff02::1:ff01:${host.slice('2001:db8::1:'.length)}`).sort()
  const isOurs = (group: string) => group.startsWith('ff02::1:ff01:')
  const joined = () => passed(stage).filter(isOurs).sort()
  const all = async (what: string) => {
    const began = performance.now()
    await until(() => joined().length === HOSTS)
    t.pass(`${what}: passed after ${Math.round(performance.now() - began)} ms`)
  }
  const start = async () => {
    const began = performance.now()
    const config = CONFIG.replace('}', `${hosts.map((host) => `host ${host} eth1`).join('\n')}\n}`)
    const daemon = await new Daemon(lab, proxy, config).ready(20_000)
    t.pass(`ready after ${Math.round(performance.now() - began)} ms`)
    return daemon
  }
  const daemon = await start()
  await all('start')
  t.same(joined(), wanted)
  proxy.ip('link set eth0 down', 'link set eth0 up')
  await all('down and up')
  proxy.ip('link del eth0')
  await eth0.stop()
  lab.link(proxy, 'eth0', outside, 'proxy')
  await all('deleted and re-created')
  proxy.ip('addr add 2001:db8::ff/64 dev eth0 nodad')
  t.equal(await daemon.stop(), 0)
  await until(() => joined().length === 0)
  t.same(groups(proxy, 'eth0').filter(isOurs), [])
})
