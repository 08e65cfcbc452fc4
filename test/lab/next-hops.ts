/** A prefix behind a guest that is a router: the guest is probed, and the hosts behind it are answered for while it is alive. */
import { dirname } from 'node:path'
import t, { type Test } from 'tap'
import type { Status } from '../../src/replies/status.ts'
import { type Daemon, MAIN } from './kit/daemon.ts'
import { goodManners, type Host, type Scene, scene, SERVER, until } from './kit/scene.ts'
import { type Tunnel, tun, wireguard } from './kit/tunnel.ts'

const [GUEST, PREFIX] = ['2001:db8::100:2', '2001:db8::101:0/112']
const HOSTS = ['2001:db8::101:5', '2001:db8::101:6']
const CONFIG = 'proxy eth0 { timeout 250ms ttl 3s\n rule 2001:db8::100:0/111 { auto }\n}\n'

/** Adds a guest on eth1 with two hosts behind it, both on one machine. */
async function addGuest({ lab, inside, proxy }: Scene, name: string, address: string): Promise<{ guest: Host; behind: Host }> {
  const [guest, behind] = await Promise.all([lab.host(name, { forwarding: true }), lab.host(`${name}-lan`)])
  lab.link(guest, 'eth0', inside, name)
  lab.link(behind, 'eth0', guest, 'lan')
  guest.ip(`addr add ${address}/112 dev eth0 nodad`, `route add default via ${proxy.linkLocal('eth1')} dev eth0`,
    'addr add fe80::1/64 dev lan nodad', ...HOSTS.map((host) => `route add ${host}/128 dev lan`))
  behind.ip(...HOSTS.map((host) => `addr add ${host}/128 dev eth0 nodad`), 'route add default via fe80::1 dev eth0')
  return { guest, behind }
}

/** @returns `STATE link via` of a target */
function stateOf({ proxy }: Scene, { configFile }: Daemon, target: string): string {
  const text = proxy.exec('env', `RUNTIME_DIRECTORY=${dirname(configFile)}`, process.execPath, MAIN, 'status', '--all', '--json')
  const found = (JSON.parse(text) as Status).hosts.find(({ address }) => address === target)
  return found === undefined ? '-' : [found.state, found.link ?? '-', found.via ?? '-'].join(' ')
}

async function worksBothWays(t: Test, { server, proxy }: Scene, behind: Host, via: string): Promise<void> {
  for (const host of HOSTS) {
    t.equal(await until(() => server.reaches(host, 500)), true, `to ${host}`)
    t.equal(await behind.traffic(SERVER, { from: host, rate: 10, seconds: 0.5 }).then(({ lost }) => lost), 0, `from ${host}`)
    t.match(proxy.show(`route get ${host} from ${SERVER} iif eth0`), [{ gateway: via }])
  }
}

for (const isLocal of [false, true]) {
  t.test(`a guest with a prefix behind it, whose address is ${isLocal ? 'link-local' : 'global'}`, async (t) => {
    const stage = await scene(t, [])
    const { proxy, eth0, eth1, server } = stage
    const { guest, behind } = await addGuest(stage, 'guest', GUEST)
    const via = isLocal ? guest.linkLocal('eth0') : GUEST
    proxy.ip('route add 2001:db8::100:0/112 dev eth1', `route add ${PREFIX} via ${via} dev eth1`)
    const daemon = await stage.start(CONFIG)
    await worksBothWays(t, stage, behind, via)
    t.equal(await server.reaches(GUEST, 5000), true, 'the guest itself')
    for (const host of HOSTS) t.same(eth1.of('NS', host), [], 'no solicitation where the host is not')
    t.equal(stateOf(stage, daemon, HOSTS[0]), `REACHABLE eth1 ${via}`)
    guest.ip('link set eth0 down')
    await until(() => stateOf(stage, daemon, HOSTS[0]).startsWith('FAILED'))
    const before = eth0.of('NA', HOSTS[0]).length
    t.equal(await server.reaches(HOSTS[0], 1500), false)
    t.equal(eth0.of('NA', HOSTS[0]).length, before, 'no answer while the guest is down')
    t.ok(daemon.records.some(({ msg }) => msg.startsWith(`lost next hop ${via} on eth1`)), 'the log names the next hop')
    guest.ip('link set eth0 up', `addr replace ${GUEST}/112 dev eth0 nodad`, `route replace default via ${proxy.linkLocal('eth1')} dev eth0`)
    await until(() => server.reaches(HOSTS[0], 500))
    goodManners(t, stage)
    t.equal(await daemon.stop(), 0)
  })
}

t.test('the route moves to another guest, and is replaced by a blackhole', async (t) => {
  const stage = await scene(t, [])
  const { proxy, eth0, server } = stage
  const [one, two] = await Promise.all([['one', GUEST], ['two', '2001:db8::100:3']].map(([name, address]) => addGuest(stage, name, address)))
  const [first, second] = [one, two].map(({ guest }) => guest.linkLocal('eth0'))
  proxy.ip(`route add ${PREFIX} via ${first} dev eth1`)
  const daemon = await stage.start(CONFIG)
  await worksBothWays(t, stage, one.behind, first)
  proxy.ip(`route replace ${PREFIX} via ${second} dev eth1`)
  await until(() => stateOf(stage, daemon, HOSTS[0]) === `REACHABLE eth1 ${second}`, 2000)
  one.guest.ip('link set eth0 down')
  await worksBothWays(t, stage, two.behind, second)
  proxy.ip(`route del ${PREFIX}`, `route add blackhole ${PREFIX}`)
  await until(() => /^(FAILED|-)/.test(stateOf(stage, daemon, HOSTS[0])), 2000)
  const before = eth0.of('NA', HOSTS[0]).length
  t.equal(await server.reaches(HOSTS[0], 500), false)
  t.equal(eth0.of('NA', HOSTS[0]).length, before)
  goodManners(t, stage)
})

for (const [name, make] of Object.entries<Tunnel>({ tun, wireguard })) {
  t.test(`${name}: the next hop is at the other end of a tunnel`, async (t) => {
    const stage = await scene(t, [])
    const { lab, proxy } = stage
    const client = await lab.host('client', { forwarding: true })
    client.ip(...HOSTS.map((host) => `addr add ${host}/128 dev lo`))
    await make(lab, { host: proxy, iface: 'tunnel0', setUp: ['addr add fe80::1/64 dev tunnel0'] },
      { host: client, iface: 'tunnel0', setUp: ['addr add fe80::2/64 dev tunnel0', 'route add default via fe80::1 dev tunnel0'] })
    proxy.ip(`route add ${PREFIX} via fe80::2 dev tunnel0`)
    await stage.start(CONFIG)
    await worksBothWays(t, stage, client, 'fe80::2')
  })
}
