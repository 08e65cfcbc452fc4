/** The engine's rules, in hash tables, agree with a scan of the list of all rules. */
import t from 'tap'
import fc from 'fast-check'
import { Address, Prefix } from '../../src/address.ts'
import { type Config, matchesIface, type PinnedHost, type Proxy, type Rule, type Settings, type Subnet } from '../../src/config/config.ts'
import { DEFAULTS } from '../../src/config/defaults.ts'
import { Rules } from '../../src/engine/rules/rules.ts'
import { chance, linkOf } from '../engine/kit/basics.ts'

const RUNS = Number(process.env.RUNS ?? 300)
const NAMES = ['lo', 'eth0', 'eth1', 'tap1', 'tap2']
/** By name. */
const IFINDEX = new Map(NAMES.map((name, i) => [name, i + 1]))

/** Few values per word, so that prefixes overlap, nest and repeat. */
const word = fc.constantFrom(0, 1, 0x80000000, 0xffffffff, 0x20010db8)
const address = fc.tuple(word, word, word, word).map((words) => new Address(...words))
const length = fc.oneof(fc.constantFrom(0, 1, 31, 32, 33, 64, 96, 127, 128), fc.nat(128))
const prefix = fc.tuple(address, length).map(([first, length]) => new Prefix(first, length))
const name = fc.constantFrom('eth0', 'eth1', 'tap1')
const pattern = fc.constantFrom('eth0', 'eth1', 'tap*', '*')
const patterns = fc.uniqueArray(pattern, { minLength: 1, maxLength: 3 })
const settings: fc.Arbitrary<Settings> = fc.record({ routes: fc.boolean(), learn: fc.boolean(), ttl: fc.constantFrom(1, 2) })
  .map((some) => ({ ...DEFAULTS, ...some }))
const rule: fc.Arbitrary<Rule> = fc.oneof(fc.record({ kind: fc.constantFrom('static' as const, 'auto' as const), prefix }),
  fc.record({ kind: fc.constant('iface' as const), prefix, ifaces: patterns, autovia: fc.boolean() }))
const proxy: fc.Arbitrary<Proxy> = fc.record({ iface: name, settings, rules: fc.array(rule, { maxLength: 12 }) })
const subnet: fc.Arbitrary<Subnet> = fc.record({
  prefix: fc.oneof(prefix, fc.constant('auto' as const)), upstream: name, downstream: patterns, settings,
  hosts: fc.uniqueArray(fc.record({ address, iface: fc.option(name, { nil: undefined }) }),
    { maxLength: 4, selector: ({ address }) => String(address) }), exclude: fc.array(prefix, { maxLength: 2 }),
}).map((one) => ({ ...one, hosts: one.hosts.filter(({ address }) => one.prefix === 'auto' || one.prefix.contains(address)) }))
const config: fc.Arbitrary<Config> = fc.record({ forwarding: fc.constant(false), grace: fc.constant(0),
  proxies: fc.array(proxy, { maxLength: 3 }), subnets: fc.array(subnet, { maxLength: 3 }) })
const onLink = fc.array(fc.tuple(name, fc.uniqueArray(prefix, { maxLength: 3, selector: String }))).map((all) => new Map(all))
const step = fc.oneof(fc.record({ kind: fc.constantFrom('link' as const, 'gone' as const), name: fc.constantFrom(...NAMES) }),
  fc.record({ kind: fc.constant('follow' as const), onLink }))

function fits(pattern: string, name: string): boolean { return name !== 'lo' && matchesIface(pattern, name) }

/** One rule, with its content as text. */
interface Plain {
  readonly prefix: Prefix
  readonly listeners: readonly string[]
  readonly owners: readonly string[]
  readonly text: string
  readonly subnet: Subnet | undefined
  readonly settings: Settings
  readonly kind: Rule['kind']
}

/** Reference implementation: one list, scanned. */
class List {
  readonly #config: Config
  readonly present = new Set<string>()
  onLink: ReadonlyMap<string, readonly Prefix[]> = new Map()

  constructor(config: Config) { this.#config = config }

  get rules(): Plain[] {
    const proxied = this.#config.proxies.flatMap(({ iface, settings, rules }) => rules.map((rule): Plain => ({
      prefix: rule.prefix, listeners: [iface], owners: rule.kind === 'auto' ? ['*'] : rule.kind === 'iface' ? rule.ifaces : [],
      text: textOf(rule.kind, rule.prefix.length, settings, rule.kind === 'iface' ? rule.ifaces : [], rule.kind === 'iface' && rule.autovia),
      subnet: undefined, settings, kind: rule.kind })))
    const routed = this.#config.subnets.flatMap((subnet) => this.prefixes(subnet).map((prefix): Plain => {
      const names = [subnet.upstream, ...subnet.downstream]
      return { prefix, listeners: names, owners: names, text: textOf('iface', prefix.length, subnet.settings, names, false),
        subnet, settings: subnet.settings, kind: 'iface' }
    }))
    return [...proxied, ...routed]
  }

  prefixes({ prefix, upstream }: Subnet): readonly Prefix[] { return prefix === 'auto' ? this.onLink.get(upstream) ?? [] : [prefix] }

  match(name: string, target: Address): string[] {
    const found = this.rules.filter(({ prefix, listeners }) => prefix.contains(target) && listeners.some((one) => fits(one, name)))
    // Repetitions are left out.
    return found.filter(({ text, subnet }, i) => subnet !== undefined || found.findIndex((other) => other.text === text) === i)
      .map(({ text }) => text)
  }

  owning(name: string, target: Address): string | undefined {
    return this.rules.find(({ prefix, owners }) => prefix.contains(target) && owners.some((one) => fits(one, name)))?.text
  }

  isInside(name: string, target: Address): boolean {
    return this.rules.some(({ kind, prefix, owners, settings: { learn, routes }, subnet }) => kind === 'iface' && learn
      && prefix.contains(target) && owners.some((one) => fits(one, name)) && (subnet === undefined ? routes : name !== subnet.upstream))
  }

  get hosts(): { host: PinnedHost; subnet: Subnet }[] {
    return this.#config.subnets.flatMap((subnet) => subnet.hosts.map((host) => ({ host, subnet })))
      .filter(({ host: { address }, subnet }) => this.prefixes(subnet).some((prefix) => prefix.contains(address)))
  }

  get pinned(): string[] {
    return this.hosts.filter(({ host: { iface }, subnet: { downstream } }) => iface !== undefined || isSingle(downstream))
      .map(({ host: { address } }) => String(address))
  }

  fixedGroups(name: string): string[] {
    const single = this.#config.proxies.filter(({ iface }) => fits(iface, name))
      .flatMap(({ rules }) => rules.filter(({ prefix: { length } }) => length === 128).map(({ prefix: { address } }) => address))
    const solicited = this.hosts.filter(({ host: { iface }, subnet: { upstream, downstream } }) => iface === upstream
      ? name !== upstream && downstream.some((one) => fits(one, name)) : fits(upstream, name))
    return [...single, ...solicited.map(({ host: { address } }) => address)].map(String)
  }

  excluded(target: Address): boolean {
    return this.#config.subnets.some(({ exclude }) => exclude.some((prefix) => prefix.contains(target)))
  }
}

function isSingle(downstream: readonly string[]): boolean { return downstream.length === 1 && !downstream[0].includes('*') }

function textOf(kind: string, length: number, { ttl, routes, learn }: Settings, names: readonly string[], autovia: boolean): string {
  return `${kind}/${length} ttl ${ttl} ${routes} ${learn} ${names.join(' ')} ${autovia}`
}

t.test('rules, owners, hosts and excluded prefixes agree with a list', async () => {
  fc.assert(fc.property(config, fc.array(step, { maxLength: 12, size: 'max' }), fc.array(address, { minLength: 3, maxLength: 8 }),
    fc.integer(), (config, steps, targets, seed) => {
      const rules = new Rules(config, chance(seed))
      const list = new List(config)
      for (const step of steps) {
        switch (step.kind) {
          case 'link':
            rules.link(linkOf(IFINDEX.get(step.name)!, { name: step.name }))
            list.present.add(step.name)
            break
          case 'gone':
            rules.gone(IFINDEX.get(step.name)!)
            list.present.delete(step.name)
            break
          case 'follow':
            rules.follow(step.onLink)
            list.onLink = step.onLink
        }
        compare(rules, list, targets)
      }
    }), { numRuns: RUNS })

  function compare(rules: Rules, list: List, targets: readonly Address[]): void {
    const hosts = [...rules.config.hosts.pinned(new Set(rules.config.hosts.pins))]
    same(hosts.map(({ address }) => String(address)), list.pinned, 'pinned')
    for (const [name, ifindex] of IFINDEX) {
      same([...rules.fixedGroups(name)].map(String), list.fixedGroups(name), `fixed groups ${name}`)
      const isThere = list.present.has(name)
      for (const target of [...targets, ...hosts.map(({ address }) => address)]) {
        const { w0, w1, w2, w3 } = target
        const texts = rules.match(ifindex, w0, w1, w2, w3)
          .map(({ kind, length, settings, links: { names }, autovia }) => textOf(kind, length, settings, names, autovia))
        same(texts, isThere ? list.match(name, target) : [], `match ${name} ${target}`)
        const owner = rules.owning(ifindex, w0, w1, w2, w3)
        same(owner && textOf(owner.kind, owner.length, owner.settings, owner.links.names, owner.autovia),
          isThere ? list.owning(name, target) : undefined, `owning ${name} ${target}`)
        same(rules.isLearnedOn(ifindex, target), isThere && list.isInside(name, target), `inside ${name} ${target}`)
        same(rules.excluded(w0, w1, w2, w3), list.excluded(target), `excluded ${target}`)
        same(rules.config.hosts.has(w0, w1, w2, w3), list.hosts.some(({ host }) => host.address.equals(target)), `host ${target}`)
        same(rules.config.hosts.isPinned(w0, w1, w2, w3), list.pinned.includes(String(target)), `pinned ${target}`)
      }
    }
  }

  function same(found: unknown, wanted: unknown, what: string): void {
    if (JSON.stringify(found) !== JSON.stringify(wanted)) throw new Error(`${what}: ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`)
  }
})
