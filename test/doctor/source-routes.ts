/** The check `source-route`, with a kernel that is a table: which links count, and what the printed commands are. */
import t from 'tap'
import { Address, type Mac } from '../../src/address.ts'
import { parseConfig } from '../../src/config/load.ts'
import type { Finding, NeighborFacts } from '../../src/doctor/check.ts'
import { type Kernel, Machine } from '../../src/doctor/machine.ts'
import { sourceRouteChecks } from '../../src/doctor/source-routes.ts'
import { NO_ROUTE } from '../../src/linux/rtnetlink.ts'

const LINKS = ['eth0', 'eth1', 'ppp0', 'wg0']
const CONFIG = 'subnet 2001:db8:1::/64 {\n upstream eth0\n downstream eth1\n}\nsubnet 2001:db8:2::/64 {\n upstream ppp0\n downstream eth1\n}'
const ip = (text: string): Address => Address.parse(text)!

interface Scene {
  readonly config?: string
  /** Link by which packets from a source leave; default: eth0. */
  readonly leave?: Readonly<Record<string, string>>
  /** Default routes: link and gateway. */
  readonly routes?: readonly (readonly [string, string])[]
  readonly pointToPoint?: string
  readonly neighbors?: readonly NeighborFacts[]
  /** Link by which packets to a host leave if their source is in a prefix; default: eth1. */
  readonly returns?: Readonly<Record<string, string>>
}

function findings({ config: text = CONFIG, leave = {}, routes = [], pointToPoint, neighbors = [], returns = {} }: Scene): Finding[] {
  const kernel: Kernel = {
    linkDetails: () => LINKS.map((name, i) => ({ ifindex: i + 1, name, mac: name === pointToPoint ? undefined : 0x020000000001 as Mac, up: true,
      replugged: false, isEnabled: true, type: undefined })),
    addressStates: () => [], neighbors: () => [], proxies: () => [], paths: () => [],
    defaultRoutes: () => routes.map(([link, gateway]) => ({ address: ip(gateway), ifindex: LINKS.indexOf(link) + 1, protocol: 3 })),
    lookup: ({ from, source }) => ({ ...NO_ROUTE, ifindex: LINKS.indexOf(from === 2 ? leave[`${source}`] ?? 'eth0' : returns[`${source}`] ?? 'eth1') + 1 }),
  }
  const { config } = parseConfig(text, 'ndp6d.conf')
  const subject = { machine: new Machine(kernel), config, daemon: undefined, neighbors }
  return sourceRouteChecks[0].look(subject) as Finding[]
}

const show = (scene: Scene): string[] => findings(scene).map(({ link, target, mend }) => `${target} ${link}: ${mend}`)
const RULES = 'ip -6 rule add from 2001:db8:2::/64 lookup 1003 && ip -6 rule add from 2001:db8:2::/64 lookup main suppress_prefixlength 0'

t.test('what is found, and what mends it', async (t) => {
  t.same(show({ leave: { '2001:db8:2::': 'ppp0' } }), [], 'each prefix has its upstream')
  t.same(show({ routes: [['eth0', 'fe80::1'], ['ppp0', 'fe80::2']] }),
    [`2001:db8:2::/64 ppp0: ip -6 route add default via fe80::2 dev ppp0 table 1003 && ${RULES}`])
  t.same(show({ pointToPoint: 'ppp0' }), [`2001:db8:2::/64 ppp0: ip -6 route add default dev ppp0 table 1003 && ${RULES}`])
  t.same(show({}), ['2001:db8:2::/64 ppp0: ping -6 -L -c 3 -I ppp0 ff02::2'], 'a router that is not known')
  t.match(show({ leave: { '2001:db8:1::': 'ppp0' }, routes: [['eth0', 'fe80::1']] }), [/^2001:db8:1::\/64 eth0: .* table 1001 /, /ppp0/])
})

t.test('what is no fault', async (t) => {
  t.same(show({ leave: { '2001:db8:2::': 'wg0' } }), [], 'a tunnel that is no upstream')
  t.same(show({ config: CONFIG.replace('upstream eth0', 'upstream ppp0') }), [], 'one upstream')
  t.same(show({ config: CONFIG.replace('upstream ppp0', 'upstream eth9') }), [], 'an upstream that does not exist')
  t.same(show({ config: CONFIG.replaceAll('downstream eth1', 'downstream eth8') }), [], 'no downstream exists')
})

t.test('a routing rule that hides host routes', async (t) => {
  const leave = { '2001:db8:2::': 'ppp0' }
  const returns = { '2001:db8:1::': 'eth0', '2001:db8:2::': 'ppp0' }
  let reads = 0
  const neighbor = (target: string, iface?: string, state = 'REACHABLE'): NeighborFacts => ({ target, iface, pinned: false,
    get state() { reads++; return state } })
  const neighbors = [neighbor('2001:db8:1::1', 'eth0'), neighbor('2001:db8:1::2', undefined, 'FAILED'), neighbor('2001:db8:1::3', 'eth1', 'PROBE'),
    neighbor('2001:db8:3::4', 'eth1'), neighbor('2001:db8:1::5', 'eth1'), neighbor('2001:db8:2::6', 'eth1'), neighbor('2001:db8:2::7', 'eth1'), neighbor('2001:db8:2::8', 'eth1')]
  t.same(findings({ leave, returns, neighbors }).map(({ what, mend }) => `${/^packets .* leave by [^,]*/.exec(what)} ${mend}`), [
    'packets from 2001:db8:1::/64 to 2001:db8:1::5 leave by eth0 ip -6 rule add from 2001:db8:1::/64 lookup main suppress_prefixlength 0',
    'packets from 2001:db8:2::/64 to 2001:db8:2::6 leave by ppp0 ip -6 rule add from 2001:db8:2::/64 lookup main suppress_prefixlength 0'])
  t.equal(reads, 7, 'one pass over the neighbors, which ends after each prefix has a host')
  t.same(findings({ leave, neighbors }), [], 'host routes count')
  t.same(findings({ leave, returns: { ...returns, undefined: 'eth0' }, neighbors: neighbors.slice(0, 5) }), [], 'no host route')
})
