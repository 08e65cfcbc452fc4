/**
 * Links with Ethernet addresses on which the kernel resolves no neighbors (`arp off`, as of LTE modems): frames go to the link's own
 * address, and the other end takes them.
 */
import t from 'tap'
import { routerSolicitation } from '../kit/frames.ts'
import { type Host, type Lab, PROXY, type Scene, scene, until } from './kit/scene.ts'

const MAC = '02:00:00:0a:00:01'
const OTHER = '02:00:00:0a:00:02'
const SILENT = ['2001:db8:7::a', '2001:db8:7::b']

/** Links two hosts in this way. */
function linkWithoutArp(lab: Lab, a: Host, b: Host, iface: string): void {
  lab.link(a, iface, b, iface, { macs: [MAC, MAC] })
  for (const host of [a, b]) host.ip(`link set ${iface} down`, `link set ${iface} arp off`, `link set ${iface} up`)
}

async function clientOf({ lab, proxy }: Scene, address: string): Promise<() => Promise<Host>> {
  const client = await lab.host('client')
  return async () => {
    linkWithoutArp(lab, proxy, client, 'tunnel0')
    proxy.ip('addr add 2001:db8::cafe:1/128 dev tunnel0')
    client.ip(`addr add ${address}/128 dev tunnel0`, 'route add default dev tunnel0')
    return client
  }
}

const CLIENT = '2001:db8::cafe:20'
const CONFIGS = {
  subnet: 'subnet 2001:db8::/64 {\n upstream eth0\n downstream tunnel0\n host 2001:db8::1 eth0\n}',
  iface: 'proxy eth0 {\n autowire yes\n rule 2001:db8::cafe:0/112 { iface tunnel0 }\n}',
}

for (const [name, config] of Object.entries(CONFIGS)) {
  t.test(`downstream, ${name}: the client is found when the link is late, and when it is back`, async (t) => {
    const stage = await scene(t, [])
    const { server, proxy } = stage
    const up = await clientOf(stage, CLIENT)
    const daemon = await stage.start(config)
    for (const turn of ['late', 'back']) {
      await up()
      await until(() => server.reaches(CLIENT, 300), 9000)
      t.same(proxy.ourRoutes(), [CLIENT], turn)
      proxy.ip('link del tunnel0')
      await until(() => proxy.ourRoutes().length === 0)
    }
    t.equal(await daemon.stop(), 0)
  })
}

t.test('downstream: an end that takes no multicast is found by the probe to its address', async (t) => {
  const stage = await scene(t, [])
  const client = await (await clientOf(stage, CLIENT))()
  client.exec('nft', 'table ip6 filter { chain in { type filter hook input priority 0; ip6 daddr ff00::/8 drop; }; }')
  await stage.start(CONFIGS.subnet)
  await until(() => stage.server.reaches(CLIENT, 300), 9000)
  t.same(stage.proxy.ourRoutes(), [CLIENT])
})

t.test('downstream, two link-layer addresses and entries by hand', async (t) => {
  const stage = await scene(t, [])
  const { lab, proxy, server } = stage
  const client = await lab.host('client')
  lab.link(proxy, 'tunnel0', client, 'tunnel0', { macs: [MAC, OTHER] })
  for (const host of [proxy, client]) host.ip('link set tunnel0 arp off')
  const own = '2001:db8::cafe:1'
  proxy.ip(`addr add ${own}/128 dev tunnel0`)
  client.ip(`addr add ${CLIENT}/128 dev tunnel0`, `neigh add ${own} lladdr ${MAC} dev tunnel0 nud permanent`,
    `route add ${own}/128 dev tunnel0`, `route add default via ${own} dev tunnel0`)
  await stage.start(CONFIGS.subnet)
  await until(() => proxy.ourRoutes().includes(CLIENT) || server.reaches(CLIENT, 300).then(() => false), 9000)
  proxy.ip(`neigh replace ${CLIENT} lladdr ${OTHER} dev tunnel0 nud permanent`)
  await until(() => server.reaches(CLIENT, 300), 9000)
  t.same(proxy.ourRoutes(), [CLIENT])
})

t.test('downstream: a router solicitation from our own Ethernet address is answered', async (t) => {
  const stage = await scene(t, [])
  const client = await (await clientOf(stage, CLIENT))()
  const tunnel = await stage.proxy.capture('tunnel0')
  await stage.start(CONFIGS.subnet.replace('host', 'router-advertisements yes\n host'))
  await client.inject('tunnel0', [routerSolicitation(MAC, 'fe80::20')])
  const answer = await until(() => tunnel.of('RA').find(({ destination }) => destination === 'fe80::20'))
  t.equal(answer.outgoing, true)
})

t.test('upstream: packets for silent addresses of a LAN host find both', async (t) => {
  const stage = await scene(t, [])
  const { lab, proxy, inside } = stage
  const [modem, host] = await Promise.all(['modem', 'host'].map((each) => lab.host(each)))
  linkWithoutArp(lab, proxy, modem, 'wwan0')
  proxy.ip(`addr del ${PROXY}/64 dev eth0`, 'addr add 2001:db8:7::ff/64 dev wwan0 nodad', 'route replace default dev wwan0')
  modem.ip('addr add 2001:db8:8::1/128 dev wwan0', 'route add 2001:db8:7::/64 dev wwan0')
  lab.link(host, 'eth0', inside, 'host')
  host.ip(...SILENT.map((address) => `addr add ${address}/64 dev eth0 nodad`), `route add default via ${proxy.linkLocal('eth1')} dev eth0`)
  await stage.start('subnet auto {\n upstream wwan0\n downstream eth1\n}')
  await Promise.all(SILENT.map((address) => until(() => modem.reaches(address, 300), 9000)))
  t.same(proxy.ourRoutes(), SILENT)
})
