/** The configuration in the form of tables, in which `Rules` looks up targets. Both `proxy` and `subnet` blocks become rules. */
import type { Address, Prefix } from '../../address.ts'
import type { Config, Proxy, Rule, Settings, StatementKey, Subnet } from '../../config/config.ts'
import type { LinkSets } from '../links/link-sets.ts'
import { PrefixTable } from '../tables/prefix-table.ts'
import type { Random } from '../../engine-types.ts'
import { HostLines } from './host-lines.ts'
import { LinkOptions } from './link-options.ts'
import type { ActiveRule, ActiveSubnet } from './rule.ts'
import { createRuleIndex, type RuleIndex, RuleList } from './rule-tables.ts'

/** A `proxy` block. Its rules have the numbers `from` to `to - 1` in the list of rules. */
export interface Block {
  readonly iface: string
  readonly from: number
  readonly to: number
}

/** The rules of all blocks that have these settings. The addresses of the rules are left out. */
interface Variants {
  readonly settings: Settings
  readonly rules: Map<string, ActiveRule>
}

/** Links where hosts of an `auto` rule may be. */
const ANY: readonly string[] = ['*']

export class CompiledConfig {
  /** The rules of `proxy` blocks. Rules of subnets depend on present prefixes, and are added later. */
  readonly list = new RuleList()
  readonly index: RuleIndex
  readonly blocks: readonly Block[]
  readonly subnets: readonly ActiveSubnet[]
  readonly options: LinkOptions
  readonly hosts: HostLines
  /** Prefixes of all `exclude` lines. */
  readonly exclude: readonly Prefix[]
  /** The same prefixes as a table, for lookups. */
  readonly excluded: PrefixTable<true>
  readonly #exclusions: readonly (readonly Prefix[])[]
  readonly #sets: LinkSets
  readonly #variants = new Map<string, Variants>()

  constructor({ proxies, subnets }: Config, random: Random, sets: LinkSets) {
    this.#sets = sets
    this.index = createRuleIndex(this.list, random)
    this.options = new LinkOptions(sets)
    this.hosts = new HostLines(random)
    this.excluded = new PrefixTable(random)
    this.#exclusions = subnets.map(({ exclude }) => exclude)
    this.exclude = this.#exclusions.flat()
    for (const { address, length } of this.exclude) this.excluded.add(address, length, true)
    this.blocks = proxies.map((proxy) => this.#block(proxy))
    this.subnets = subnets.map((subnet) => this.#subnet(subnet))
  }

  /** The rules of `proxy` blocks, without their addresses. */
  get proxyRules(): ActiveRule[] { return [...this.#variants.values()].flatMap(({ rules }) => [...rules.values()]) }
  get limit(): number { return [...this.#variants.values()].reduce((most, { settings }) => Math.max(most, settings.limit), 0) }

  /** @returns the statement from which the rule with this number in `list` was made */
  keyOf(number: number): StatementKey {
    const block = this.blocks.findIndex(({ from, to }) => number >= from && number < to)
    if (block >= 0) return { kind: 'proxies', block, part: 'rules', index: number - this.blocks[block].from }
    return { kind: 'subnets', block: this.subnets.indexOf(this.list.rules[number].subnet!) }
  }

  /** @returns the first `exclude` prefix that contains the address; undefined: none */
  exclusionOf(address: Address): { prefix: Prefix; key: StatementKey } | undefined {
    for (const [block, prefixes] of this.#exclusions.entries()) {
      const index = prefixes.findIndex((prefix) => prefix.contains(address))
      if (index >= 0) return { prefix: prefixes[index], key: { kind: 'subnets', block, part: 'exclude', index } }
    }
    return undefined
  }

  /** @returns the `host` statement that names the address; undefined: none, or no present prefix of the subnet contains the address */
  hostOf(address: Address): StatementKey | undefined {
    const found = this.hosts.find(address)
    return found && { kind: 'subnets', block: this.subnets.indexOf(found.subnet), part: 'hosts', index: found.index }
  }

  #block(block: Proxy): Block {
    const { iface, settings, rules } = block
    this.options.addProxy(block)
    const from = this.list.size
    const listening = [iface]
    const variants = this.#variantsOf(settings)
    for (const rule of rules) {
      const { kind, prefix } = rule
      const number = this.list.add(prefix, this.#variant(rule, variants))
      this.index.listening.add(listening, number)
      if (kind === 'auto') this.index.owning.add(ANY, number)
      if (kind === 'iface') this.index.owning.add(rule.ifaces, number)
    }
    return { iface, from, to: this.list.size }
  }

  #subnet(block: Subnet): ActiveSubnet {
    const { prefix, upstream, downstream, settings, hosts, dns, search } = block
    this.options.addSubnet(block)
    const subnet = { prefix, upstream, downstream, dns, search, settings: this.#variantsOf(settings).settings, active: [],
      links: this.#sets.of([upstream, ...downstream]), upstreams: this.#sets.of([upstream]) }
    this.hosts.add(subnet, hosts)
    return subnet
  }

  /** @returns the object that this rule shares with all rules that differ from it only in their address */
  #variant(rule: Rule, { settings, rules }: Variants): ActiveRule {
    const { kind, prefix: { length } } = rule
    const [ifaces, autovia] = rule.kind === 'iface' ? [rule.ifaces, rule.autovia] : [[], false]
    const key = `${kind} ${length} ${autovia} ${ifaces.join(' ')}`
    let variant = rules.get(key)
    if (variant === undefined) {
      rules.set(key, variant = { kind, length, settings, links: this.#sets.of(ifaces), autovia, subnet: undefined })
    }
    return variant
  }

  #variantsOf(settings: Settings): Variants {
    const key = JSON.stringify(settings)
    let variants = this.#variants.get(key)
    if (variants === undefined) this.#variants.set(key, variants = { settings, rules: new Map() })
    return variants
  }
}
