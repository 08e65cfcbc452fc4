/** `ndp6d doctor`: faults at the other end of links. Each is found, and nothing else; the printed line mends it. */
import t from 'tap'
import { type Fault, isFoundAndMended } from './kit/doctor.ts'
import { CONFIG, ROUTER, scene, type Scene } from './kit/scene.ts'
import { tun } from './kit/tunnel.ts'

/** Makes the upstream's neighbors silent: the port of the router leaves the switch. */
function cut({ proxy, outside }: Scene): void {
  outside.ip('link set router nomaster')
  proxy.exec('ip', '-6', 'neigh', 'flush', 'all')
}

const FAULTS: readonly Fault[] = [
  { code: 'two-routers', what: /eth0 has two default gateways, 2001:db8::1 and fe80::bad/,
    make: ({ proxy }) => proxy.ip('route add default via fe80::bad dev eth0 metric 2048') },
  { code: 'two-routers', name: 'of one route; another one has two addresses', what: /eth0 has two default gateways, 2001:db8::1 and fe80::bad$/,
    make: ({ proxy }) => proxy.ip('route append default via fe80::bad dev eth0', 'route append default via fe80::1:1 dev eth0',
      `neigh replace ${ROUTER} dev eth0 lladdr 02:00:00:00:00:01 nud stale`, 'neigh replace fe80::1:1 dev eth0 lladdr 02:00:00:00:00:01 nud stale') },
  { code: 'silent-upstream', name: 'the router is away', daemon: 'none', what: /no router was heard on the upstream eth0/, make: cut,
    repair: ({ outside }) => outside.ip('link set router master br0') },
  { code: 'silent-upstream', name: 'the link is down', daemon: 'none', what: /upstream eth0 is down/,
    make: ({ proxy }) => {
      proxy.sysctl({ 'conf/eth0/accept_ra': 0 })
      proxy.ip('link set eth0 down')
    } },
  { code: 'silent-upstream', name: 'another link', config: CONFIG.replace(/host .*/, '').replace('eth0', 'eth5'),
    replaces: /upstream +eth5/,
    what: /no router was heard on the upstream eth5; the default route of this machine is on eth0/,
    make: async ({ proxy, lab }) => lab.link(proxy, 'eth5', await lab.bridge('empty'), 'unused') },
  { code: 'silent-upstream', name: 'a link that does not exist', config: CONFIG.replace(/host .*/, '').replace('eth0', 'eth9'),
    what: /upstream eth9 does not exist; the default route of this machine is on eth0/, replaces: /upstream +eth9/ },
  { code: 'silent-tunnel', daemon: 'only', what: /no host on tunnel0 answers: 2001:db8::cafe:20/,
    config: 'subnet 2001:db8::/64 {\n upstream eth0\n downstream tunnel0\n host 2001:db8::1 eth0\n # more hosts\n}', replaces: /# more hosts/,
    make: async ({ lab, proxy }) => {
      const client = await lab.host('client')
      await tun(lab, { host: proxy, iface: 'tunnel0', setUp: ['addr add 2001:db8::cafe:1/112 dev tunnel0'] },
        { host: client, iface: 'tunnel0', setUp: ['route add default dev tunnel0'] })
    },
    provoke: async ({ server }) => { await server.traffic('2001:db8::cafe:20', { rate: 2, seconds: 5 }) } },
]

for (const fault of FAULTS) {
  void t.test(`${fault.code} ${fault.name ?? ''}`, async (t) => isFoundAndMended(t, await scene(t), fault))
}
