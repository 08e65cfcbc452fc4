/** Random valid configurations. */
import fc from 'fast-check'
import { Address, Prefix } from '../../../src/address.ts'
import type { Config, PinnedHost, Rule, Settings, Subnet } from '../../../src/config/config.ts'

const time = fc.integer({ min: 0, max: 2 ** 31 - 1 })
const count = fc.integer({ min: 1, max: 2 ** 31 - 1 })
const iface = fc.oneof(
  fc.stringMatching(/^[a-z][a-z0-9._-]{0,14}$/), fc.constantFrom('host', 'upstream', 'ttl', 'auto', 'announce', 'eth0#1', '=', ';x', '#'))
const pattern = fc.oneof(iface, fc.stringMatching(/^[a-z]{1,8}\*$/))
const hasNeighbors = (name: string): boolean => name !== 'lo'
const address = fc.tuple(fc.integer(), fc.integer(), fc.integer(), fc.integer()).map((w) => new Address(...w))
const prefix = fc.tuple(address, fc.integer({ min: 0, max: 128 })).map(([a, length]) => new Prefix(a, length))

const settings: fc.Arbitrary<Settings> = fc.record({
  router: fc.boolean(), timeout: time, ttl: time, deadtime: time, retries: time, keepalive: fc.boolean(),
  routes: fc.boolean(), learn: fc.constant(true), promiscuous: fc.boolean(), limit: count, hostLimit: count, probeLimit: count,
  override: fc.constantFrom('auto', 'always', 'never'), source: fc.constantFrom('link-local', 'global', 'target'), neighborRepair: fc.boolean(),
  announce: fc.constantFrom('no', 'yes', 'solicit'), snooping: fc.constantFrom('no', 'mirror', 'mrd'),
  routerAdvertisements: fc.constant(false), defaultRoute: fc.constant('auto' as const),
})

const rule: fc.Arbitrary<Rule> = fc.oneof(
  fc.record({ kind: fc.constant('static' as const), prefix }),
  fc.record({ kind: fc.constant('auto' as const), prefix }),
  fc.record({
    kind: fc.constant('iface' as const), prefix, autovia: fc.boolean(),
    ifaces: fc.uniqueArray(pattern, { minLength: 1, maxLength: 4 }),
  }),
)

/** Valid subnets: a unique prefix or `auto`, with hosts and exclusions inside. */
function subnet(number: number): fc.Arbitrary<Subnet> {
  const whole = new Prefix(new Address(0x20010db8, number, 0, 0), 64)
  const inside = fc.tuple(fc.integer(), fc.integer()).map(([w2, w3]) => new Address(0x20010db8, number, w2, w3))
  return fc.record({
    isAuto: fc.boolean(), upstream: iface.filter(hasNeighbors),
    downstream: fc.uniqueArray(pattern.filter(hasNeighbors), { minLength: 1, maxLength: 3 }),
    hosts: fc.uniqueArray(inside, { maxLength: 4, selector: String }),
    pinned: fc.boolean(),
    exclude: fc.uniqueArray(
      fc.tuple(inside, fc.integer({ min: 64, max: 128 })).map(([a, length]) => new Prefix(a, length)),
      { maxLength: 3, selector: String }),
    settings: fc.tuple(settings, fc.boolean(), fc.boolean(), fc.constantFrom('auto' as const, 'always' as const))
      .map(([s, learn, routerAdvertisements, defaultRoute]) => ({ ...s, learn, routerAdvertisements, defaultRoute })),
    dns: fc.array(address.filter((each) => each.isGlobal || each.isLinkLocal), { minLength: 1, maxLength: 3 }),
    search: fc.array(fc.constantFrom('example.net', 'a', 'x-1.example'), { minLength: 1, maxLength: 2 }),
  }, { requiredKeys: ['isAuto', 'upstream', 'downstream', 'hosts', 'pinned', 'exclude', 'settings'] }).map(({ isAuto, hosts, pinned, downstream, ...rest }) => ({
    ...rest,
    prefix: isAuto ? 'auto' : whole,
    downstream: downstream.filter((name) => name !== rest.upstream).concat('fallback'),
    hosts: hosts.map((host): PinnedHost => ({ address: host, iface: pinned ? rest.upstream : undefined })),
  }))
}

function haveUniqueUpstreams(subnets: readonly Subnet[]): boolean {
  const upstreams = subnets.filter(({ prefix: each }) => each === 'auto').map(({ upstream }) => upstream)
  return new Set(upstreams).size === upstreams.length
}

export const config: fc.Arbitrary<Config> = fc.record({
  forwarding: fc.boolean(), grace: time,
  metrics: fc.record({
    host: fc.oneof(address.map(String), fc.constantFrom('127.0.0.1', 'localhost')),
    port: fc.integer({ min: 1, max: 65535 }),
  }),
  proxies: fc.array(fc.record({ iface, settings, rules: fc.array(rule, { maxLength: 5 }) }), { maxLength: 3 }),
  subnets: fc.tuple(subnet(1), subnet(2), subnet(3)).chain((all) => fc.subarray(all)).filter(haveUniqueUpstreams),
}, { requiredKeys: ['forwarding', 'grace', 'proxies', 'subnets'] })
