/**
 * Hosts that move between two downstream links of the proxy while the server sends to them, with and without an announcement. A
 * `ttl` that outlasts the limits of `until` shows that no timer found them.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { goodMannersOf, type Host, PINNED, PROXY, ROUTER, scene, SERVER, type TwoLinks, twoLinks, until, vmAddress } from './kit/two-links.ts'

const PATIENT = 'ttl 120s'

/** Every VM `::N` has a second address, `::1:N`. */
function addressesOf(n: number): string[] { return [vmAddress(n), `2001:db8::1:${n.toString(16)}`] }

const MOVING = [2, 3, 4].flatMap(addressesOf)

async function startHosts(stage: TwoLinks, numbers: readonly number[], config: string): Promise<Map<number, Host>> {
  const { server, start } = stage
  const vms = new Map<number, Host>()
  // Hosts that stay: a bridge of the proxy without a port has no carrier.
  for (const link of [0, 1] as const) await stage.addVmOn(link, 0xa0 + link)
  for (const n of numbers) {
    const vm = await stage.addVmOn(0, n)
    vm.ip(`addr add ${addressesOf(n)[1]}/64 dev eth0`)
    vms.set(n, vm)
  }
  await start(config)
  await until(async () => (await Promise.all(numbers.flatMap(addressesOf).map((to) => server.reaches(to, 500)))).every(Boolean))
  return vms
}

/** Moves one host after the other under traffic, and waits until all are reached again. */
async function moveAll(t: Test, stage: TwoLinks, vms: ReadonlyMap<number, Host>, to: 0 | 1, isAnnounced: boolean): Promise<void> {
  const { server, links, proxy } = stage
  const addresses = [...vms.keys()].flatMap(addressesOf)
  const watch = stage.watchRoutes()
  const all = (seconds: number) => Promise.all([...vms].flatMap(([n, vm]) => [...addressesOf(n).map((address) =>
    server.traffic(address, { rate: 100, seconds, patience: 5000 })), vm.traffic(SERVER, { rate: 100, seconds, patience: 5000 })]))
  const meanwhile = all(3)
  for (const [n, vm] of vms) {
    await sleep(400)
    stage.move(vm, to)
    if (isAnnounced) await stage.announce(vm, addressesOf(n))
  }
  const isMoved = (route: Record<string, unknown>): boolean => !addresses.includes(String(route.dst)) || route.dev === links[to]
  await until(() => proxy.show('route show proto 136').every(isMoved))
  t.comment(`longest gaps: ${(await meanwhile).map(({ longestGap }) => longestGap).join(' ')} ms`)
  await until(async () => (await all(0.05)).every(({ lost }) => lost === 0))
  t.ok((await all(1)).every(({ lost }) => lost === 0), 'afterwards nothing is lost')
  const looks = await watch.stop()
  t.ok(looks.length > 10, `${looks.length} looks at the routes`)
  t.same(looks.filter((look) => [...look.values()].some((devs) => devs.length !== 1)), [], 'never two routes for one address')
  t.same(looks.filter((look) => addresses.some((address) => !look.has(address))), [], 'and never none')
  t.same(addresses.map((address) => looks.at(-1)!.get(address)), addresses.map(() => [links[to]]), `all are on ${links[to]}`)
}

t.test('bridges elsewhere: a host that announces itself is found by that', async (t) => {
  const stage = await twoLinks(t)
  const vms = await startHosts(stage, [2, 3, 4], stage.config(PINNED, PATIENT))
  await moveAll(t, stage, vms, 1, true)
  await moveAll(t, stage, vms, 0, true)
  goodMannersOf(t, stage, [...MOVING, ROUTER, PROXY])
})

t.test('bridges elsewhere: a silent host is found after ttl', async (t) => {
  const stage = await twoLinks(t)
  const vms = await startHosts(stage, [2, 3, 4], stage.config(PINNED, 'ttl 5s'))
  await moveAll(t, stage, vms, 1, false)
  goodMannersOf(t, stage, [...MOVING, ROUTER, PROXY])
})

t.test('bridges of the proxy: their forwarding tables are enough; the router is learned', async (t) => {
  const stage = await twoLinks(t, 'on the proxy')
  const vms = await startHosts(stage, [2, 3, 4], stage.config('learn yes', PATIENT))
  await moveAll(t, stage, vms, 1, true)
  await moveAll(t, stage, vms, 0, false)
  goodMannersOf(t, stage, [...MOVING, ROUTER, PROXY])
})

t.test('two addresses of a host are two targets: one goes, the other stays', async (t) => {
  const stage = await twoLinks(t)
  const { server, proxy } = stage
  const vms = await startHosts(stage, [2], stage.config(PINNED, 'ttl 2s', 'timeout 100'))
  const [first, second] = addressesOf(2)
  const routed = () => proxy.ourRoutes().filter((address) => address === first || address === second)
  t.same(routed(), [second, first])
  const traffic = server.traffic(first, { rate: 100, seconds: 4, patience: 5000 })
  vms.get(2)!.ip(`addr del ${second}/64 dev eth0`)
  await until(() => !routed().includes(second))
  t.match(await traffic, { sent: 400, lost: 0 }, 'the other is not disturbed')
  t.same(routed(), [first])
  t.equal(await server.reaches(second, 300), false)
  goodMannersOf(t, stage)
})

t.test('bridges of the proxy on both sides: a silent host moves from the upstream to a downstream', async (t) => {
  const stage = await scene(t, [])
  const { lab, proxy, server, start } = stage
  const [vm, other] = await Promise.all([lab.host('vm'), lab.host('other')])
  proxy.ip('route del default', 'addr flush dev eth0', ...['vmbr0', 'vmbr1'].flatMap((name, i) =>
    [`link add ${name} address 02:00:00:00:b0:0${i} type bridge mcast_snooping 0`, `link set ${name} up`]),
  'link set eth0 master vmbr0', `addr add ${PROXY}/64 dev vmbr0 nodad`, `route add default via ${ROUTER}`)
  for (const [host, name, bridge, n] of [[vm, 'tap0', 'vmbr0', 0xb], [other, 'tap1', 'vmbr1', 0xc]] as const) {
    lab.link(host, 'eth0', proxy, name)
    proxy.ip(`link set ${name} master ${bridge}`)
    await host.up('eth0')
    host.ip(`addr add ${vmAddress(n)}/64 dev eth0`, `route add default via ${ROUTER}`)
  }
  const daemon = await start(`subnet 2001:db8::/64 {\n upstream vmbr0\n downstream vmbr1\n host ${ROUTER} vmbr0\n ttl 120s\n}`)
  // The discovery of hosts on vmbr1 is over, so it does not find the host.
  await until(() => other.reaches(vmAddress(0xb), 500))
  await daemon.proc.line(/found 2001:db8::b on vmbr0/)
  await sleep(11_000)
  proxy.ip('link set tap0 master vmbr1')
  await daemon.proc.line(/2001:db8::b moved from vmbr0 to vmbr1/, 5000)
  await until(() => server.reaches(vmAddress(0xb), 500))
  t.same(proxy.ourRoutes(), [vmAddress(0xb), vmAddress(0xc)])
  t.equal(await daemon.stop(), 0)
})
