/** Hosts behind tunnels, whose links have no link-layer addresses: a Linux peer is in no solicited-node group there. */
import t, { type Test } from 'tap'
import { type Scene, scene, until } from './kit/scene.ts'
import { type Tunnel, tun, wireguard } from './kit/tunnel.ts'

const CLIENT = '2001:db8::cafe:20'
const PREFIX = '2001:db8::cafe:0/112'
/** Limit for the first traffic, milliseconds: three seconds, and twice as much again for a busy machine, where wireguard-go is slow. */
const SOON = 9000

interface Setup {
  readonly config: string
  /** Address of this machine on the tunnel. */
  readonly address: string
  /** Whether a host route is needed. */
  readonly isRouted: boolean
}

const SETUPS: Readonly<Record<string, Setup>> = {
  auto: { config: `proxy eth0 { rule ${PREFIX} { auto } }`, address: '2001:db8::cafe:1/112', isRouted: false },
  iface: { config: `proxy eth0 { autowire yes\n rule ${PREFIX} { iface tunnel0 } }`, address: '2001:db8::cafe:1/128', isRouted: true },
  subnet: { config: 'subnet 2001:db8::/64 { upstream eth0\n downstream tunnel0\n host 2001:db8::1 eth0 }',
    address: '2001:db8::cafe:1/128', isRouted: true },
}

/** @returns a function that makes the tunnel, and returns one that removes it */
async function tunnelOf(stage: Scene, make: Tunnel, address: string, isSilent = false): Promise<() => Promise<() => Promise<void>>> {
  const { lab, proxy } = stage
  const client = await lab.host('client')
  return async () => {
    const procs = await make(lab, { host: proxy, iface: 'tunnel0', setUp: [`addr add ${address} dev tunnel0`] },
      { host: client, iface: 'tunnel0', setUp: isSilent ? ['route add default dev tunnel0']
        : [`addr add ${CLIENT}/128 dev tunnel0`, 'route add default dev tunnel0'] })
    return async () => { await Promise.all(procs.map((proc) => proc.stop('SIGTERM'))) }
  }
}

async function isFoundLateAndAgain(t: Test, make: Tunnel, { config, address, isRouted }: Setup): Promise<void> {
  const stage = await scene(t, [])
  const { proxy, server } = stage
  const up = await tunnelOf(stage, make, address)
  const daemon = await stage.start(config)
  const down = await up()
  await until(() => server.reaches(CLIENT, 300), SOON)
  t.same(proxy.ourRoutes(), isRouted ? [CLIENT] : [])
  const ifindex = proxy.ifindex('tunnel0')
  await down()
  await until(() => proxy.show('link show').every(({ ifname }) => ifname !== 'tunnel0'))
  await until(() => proxy.ourRoutes().length === 0)
  proxy.ip('link add fill0 type bridge')   // takes the next ifindex
  await up()
  t.not(proxy.ifindex('tunnel0'), ifindex, 'another ifindex')
  await until(() => server.reaches(CLIENT, 300), SOON)
  t.same(proxy.ourRoutes(), isRouted ? [CLIENT] : [])
  t.equal(await daemon.stop(), 0)
}

for (const [name, make] of Object.entries({ tun, wireguard })) {
  for (const [rule, setup] of Object.entries(SETUPS)) {
    t.test(`${name}, ${rule}: the client is found when the link is late, and when it is back`, (t) => isFoundLateAndAgain(t, make, setup))
  }
}

t.test('an uplink without link-layer addresses: packets for silent addresses of a LAN host find both', async (t) => {
  const stage = await scene(t, [])
  const { lab, proxy, inside } = stage
  const [modem, host] = await Promise.all(['modem', 'host'].map((name) => lab.host(name)))
  await tun(lab, { host: proxy, iface: 'wwan0', setUp: ['addr add 2001:db8:7::ff/64 dev wwan0', 'route replace default dev wwan0'] },
    { host: modem, iface: 'wwan0', setUp: ['addr add 2001:db8:8::1/128 dev wwan0', 'route add 2001:db8:7::/64 dev wwan0'] })
  lab.link(host, 'eth0', inside, 'host')
  const gateway = proxy.show('addr show dev eth1')[0].addr_info.find(({ scope }: { scope: string }) => scope === 'link').local
  const silent = ['2001:db8:7::a', '2001:db8:7::b']
  host.ip(...silent.map((address) => `addr add ${address}/64 dev eth0 nodad`), `route add default via ${gateway} dev eth0`)
  const config = 'subnet auto {\n upstream wwan0\n downstream eth1\n}'
  const areFound = () => Promise.all(silent.map((address) => until(() => modem.reaches(address, 300), SOON)))
  const daemon = await stage.start(config)
  await areFound()
  t.same(proxy.ourRoutes(), silent)
  await daemon.kill()
  proxy.ip('route flush proto 136', 'neigh flush all')
  t.same(proxy.ourRoutes(), [])
  await stage.start(config)
  const began = performance.now()
  await areFound()
  t.comment(`found after ${Math.round(performance.now() - began)} ms`)
  t.same(proxy.ourRoutes(), silent, 'again, after all was flushed')
})

t.test('a pinned host whose tunnel is gone: nobody else takes its address', async (t) => {
  const stage = await scene(t, [2])
  const { proxy, vms: [vm] } = stage
  const up = await tunnelOf(stage, tun, '2001:db8::cafe:1/128')
  const down = await up()
  const daemon = await stage.start(`subnet 2001:db8::/64 {\n upstream eth0\n downstream eth1 tunnel0\n host ${CLIENT} tunnel0\n}`)
  await until(() => proxy.ourRoutes().includes(CLIENT))
  await down()
  await until(() => !proxy.ourRoutes().includes(CLIENT))
  const isRefused = (): boolean => vm.show('addr show dev eth0')[0].addr_info
    .some(({ local, dadfailed }: { local: string; dadfailed?: boolean }) => local === CLIENT && dadfailed)
  vm.sysctl({ 'conf/eth0/accept_dad': 1 })
  vm.ip(`addr add ${CLIENT}/64 dev eth0`)
  await until(isRefused)
  await daemon.proc.line(/2001:db8::cafe:20.*tunnel0.*does not exist/)
  t.notOk(proxy.ourRoutes().includes(CLIENT))
  t.equal(await daemon.stop(), 0)
})

t.test('a peer that answers no solicitation: a warning names what to do', async (t) => {
  const stage = await scene(t, [])
  const up = await tunnelOf(stage, tun, '2001:db8::cafe:1/112', true)
  await up()
  const daemon = await stage.start(SETUPS.auto.config)
  const traffic = stage.server.traffic(CLIENT, { rate: 2, seconds: 8 })
  await daemon.proc.line(/tunnel0.*\bstatic\b/, 10_000)
  t.equal((await traffic).received, 0)
  t.equal(await daemon.stop(), 0)
})
