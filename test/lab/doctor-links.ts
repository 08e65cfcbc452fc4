/** `ndp6d doctor`: faults of links, and of what is at their other end. Each is found, and nothing else; the printed line mends it. */
import t from 'tap'
import { checks, type Fault, isFoundAndMended, isHealthy } from './kit/doctor.ts'
import { CONFIG, PROXY, ROUTER, scene, type Scene, until } from './kit/scene.ts'

/** A subnet block with these lines beside its links. */
const subnet = (...lines: readonly string[]): string => CONFIG.replace('}', `  ${lines.join('\n  ')}\n}`)

/** Makes eth0 a port of a bridge br9, which gets its address and its default route. */
function bridge({ proxy }: Scene, options: string): void {
  proxy.ip(`link add br9 type bridge ${options}`, 'route flush default', 'addr flush dev eth0', 'link set eth0 master br9', 'link set br9 up',
    `addr add ${PROXY}/64 dev br9 nodad`, `route add default via ${ROUTER}`)
}

/** A VM uses an address that the configuration does not name. */
async function useAddress({ proxy, addVm }: Scene, address: string): Promise<void> {
  const vm = await addVm(0x22)
  vm.ip('addr flush dev eth0 scope global', `addr add ${address}/64 dev eth0`)
  proxy.ip(`route add ${address} dev eth1`)
  await proxy.reaches(address)
}

const FAULTS: readonly Fault[] = [
  { code: 'no-querier', config: CONFIG.replaceAll('eth0', 'br9'), what: /bridge br9 does MLD snooping/,
    make: (stage) => bridge(stage, 'mcast_snooping 1') },
  { code: 'bridge-port', name: 'an upstream', what: /eth0 is a port of br9/, make: (stage) => bridge(stage, 'mcast_snooping 0'),
    // The `host` line names the link, too.
    config: CONFIG.replace(`host ${ROUTER} eth0`, ''), replaces: /upstream +eth0/ },
  { code: 'bridge-port', name: 'a downstream', what: /eth1 is a port of br9/, replaces: /downstream +eth1/,
    make: ({ proxy }) => proxy.ip('link add br9 type bridge mcast_snooping 0', 'link set eth1 master br9', 'link set br9 up') },
  { code: 'dad-failed', what: /another node has the address 2001:db8::dd of eth0/,
    make: async ({ proxy, addNeighbor }) => {
      const other = await addNeighbor('other')
      other.ip('addr add 2001:db8::dd/64 dev eth0 nodad')
      proxy.sysctl({ 'conf/eth0/accept_dad': 1 })
      proxy.ip('addr add 2001:db8::dd/64 dev eth0')
      await until(() => proxy.exec('ip', '-6', 'addr', 'show', 'dev', 'eth0').includes('dadfailed'))
    } },
  { code: 'odd-address', name: 'of a rule', daemon: 'none', config: 'proxy eth0 { autowire yes rule 2001:db8::12:34/128 { iface eth1 } }',
    what: /^2001:db8::12:34 does not answer, but 2001:db8::12:43 does/, replaces: /rule.*\{ iface eth1 \}/,
    make: async (stage) => useAddress(stage, '2001:db8::12:43') },
  { code: 'odd-address', config: subnet('host 2001:db8::22 eth1'), what: /^2001:db8::22 does not answer, but 2001:db8::2:2 does on eth1/,
    replaces: /host 2001:db8::22 eth1/,
    make: async (stage) => useAddress(stage, '2001:db8::2:2') },
]

void t.test('a querier elsewhere is enough', async (t) => {
  const stage = await scene(t, [2], { outside: { snooping: true, querier: true } })
  bridge(stage, 'mcast_snooping 1')
  const daemon = await stage.start(CONFIG.replaceAll('eth0', 'br9'))
  // Becoming a querier causes a query.
  stage.outside.ip('link set br0 type bridge mcast_querier 0', 'link set br0 type bridge mcast_querier 1')
  await until(() => !checks(stage).findings.some(({ code }) => code === 'no-querier'))
  isHealthy(t, stage, 'with a querier behind eth0')
  await daemon.stop()
})

for (const fault of FAULTS) {
  void t.test(`${fault.code} ${fault.name ?? ''}`, async (t) => isFoundAndMended(t, await scene(t), fault))
}
