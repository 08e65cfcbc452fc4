/** `ndp6d doctor`: faults of rules, routes and proxy entries. Each is found, and nothing else; the printed line mends it. */
import t from 'tap'
import { type Fault, isFoundAndMended } from './kit/doctor.ts'
import { CONFIG, ROUTER, scene, vmAddress } from './kit/scene.ts'

/** A subnet block with these lines beside its links. */
const subnet = (...lines: readonly string[]): string => CONFIG.replace('}', `  ${lines.join('\n  ')}\n}`)
const byRules = (rule: string): string => `proxy eth0 { rule ${rule} }\nproxy eth1 { rule ${ROUTER} { static } }\n`

const FAULTS: readonly Fault[] = [
  { code: 'static-prefix', config: byRules('2001:db8::/64 { static }'), what: /2001:db8::\/64 on eth0/, replaces: /rule 2001\S+ \{ static \}/ },
  { code: 'static-prefix', name: 'of a /48', config: byRules('2001:db8::/48 { static }'), what: /2001:db8::\/48/,
    replaces: /rule 2001\S+ \{ static \}/ },
  { code: 'kernel-proxy', what: /entry for 2001:db8::2 on eth0/, make: ({ proxy }) => proxy.ip(`neigh add proxy ${vmAddress(2)} dev eth0`) },
  { code: 'kernel-proxy', name: 'of several addresses, and others outside of the prefix', what: /3 addresses .* on eth0/,
    make: ({ proxy }) => proxy.ip(...[2, 3, 4].map((n) => `neigh add proxy ${vmAddress(n)} dev eth0`), 'neigh add proxy 2001:db8:9::1 dev eth0'),
    undo: ({ proxy }) => proxy.ip('neigh del proxy 2001:db8:9::1 dev eth0') },
  { code: 'host-route', name: 'of a rule without autowire', config: byRules(`${vmAddress(2)} { iface eth1 }`),
    what: /2001:db8::2 is on eth1, but the kernel routes it to eth0/,
    provoke: async ({ server, proxy }) => {
      await server.reaches(vmAddress(2), 1000)
      proxy.ip('neigh flush dev eth1')
    },
    undo: ({ proxy }) => proxy.ip(`route del ${vmAddress(2)}`) },
  { code: 'host-route', name: 'of another program', config: subnet(`host ${vmAddress(2)} eth1`), daemon: 'only',
    what: /2001:db8::2 is on eth1, .* to eth0/,
    make: ({ proxy }) => proxy.ip(`route add ${vmAddress(2)} dev eth0 metric 1`) },
]

void t.test('faults of hosts', async (t) => {
  const stage = await scene(t)
  for (const fault of FAULTS) await t.test(`${fault.code} ${fault.name ?? ''}`, (t) => isFoundAndMended(t, stage, fault))
})
