/** The rules of the present links, looked up by target. The cost of a lookup does not grow with the number of rules. */
import type { Address, Prefix } from '../../address.ts'
import type { Config } from '../../config/config.ts'
import { fits, fitsAny, LinkSets } from '../links/link-sets.ts'
import { anycastOf, type Links } from '../links/links.ts'
import type { Filter, Link, Random } from '../../engine-types.ts'
import { CompiledConfig } from './compiled-config.ts'
import { type ActiveRule, learnsOn } from './rule.ts'
import { createRuleIndex, type RuleIndex, type RuleTable } from './rule-tables.ts'

interface Listener {
  readonly tables: readonly RuleTable[]
  readonly prefixes: Iterable<Prefix>
}

const NO_RULES: readonly ActiveRule[] = []
const NO_TABLES: readonly RuleTable[] = []

export class Rules {
  readonly #random: Random
  readonly #sets = new LinkSets()
  /** The part of the rules that does not depend on the present links, such as `host` lines and options of links. */
  readonly config: CompiledConfig
  /** Rules of subnets, replaced when prefixes change. */
  #subnetRules: RuleIndex
  readonly #names = new Map<number, string>()
  readonly #listeners = new Map<number, Listener>()
  readonly #owning = new Map<number, readonly RuleTable[]>()
  readonly #found: number[] = []
  /** Result of `match` when one rule matches, as for most targets. */
  readonly #match: ActiveRule[] = []
  /** Whether an `auto` rule exists, whose hosts may be on any link. */
  readonly hasAuto: boolean

  /** @param onLink the on-link prefixes of each upstream, by the name of the upstream, for `subnet auto` */
  constructor(config: Config, random: Random, onLink: ReadonlyMap<string, readonly Prefix[]> = new Map()) {
    this.#random = random
    this.config = new CompiledConfig(config, random, this.#sets)
    this.#subnetRules = createRuleIndex(this.config.list, random)
    this.hasAuto = this.config.proxyRules.some(({ kind }) => kind === 'auto')
    this.follow(onLink)
  }

  follow(onLink: ReadonlyMap<string, readonly Prefix[]>): void {
    const { list, blocks, subnets } = this.config
    list.truncate(blocks.at(-1)?.to ?? 0)
    this.#subnetRules = createRuleIndex(list, this.#random)
    for (const subnet of subnets) {
      const { settings, links } = subnet
      const prefixes = subnet.prefix === 'auto' ? onLink.get(subnet.upstream) ?? [] : [subnet.prefix]
      subnet.active = prefixes.map((prefix) => {
        const rule: ActiveRule = { kind: 'iface', length: prefix.length, settings, links, autovia: false, subnet }
        const number = list.add(prefix, rule)
        this.#subnetRules.listening.add(links.names, number)
        this.#subnetRules.owning.add(links.names, number)
        return { prefix, rule }
      })
    }
    for (const [ifindex, name] of this.#names) this.#resolve(ifindex, name)
  }

  link(link: Link): void {
    const { ifindex, name } = link
    this.gone(ifindex)
    this.#sets.link(link)
    this.#names.set(ifindex, name)
    this.#resolve(ifindex, name)
  }

  gone(ifindex: number): void {
    this.#sets.gone(ifindex)
    this.#names.delete(ifindex)
    this.#listeners.delete(ifindex)
    this.#owning.delete(ifindex)
  }

  get upstreams(): string[] { return [...new Set(this.config.subnets.map(({ upstream }) => upstream))] }

  /** Iterates over the addresses whose solicited-node groups are joined permanently on a link of this name. */
  * fixedGroups(name: string): Generator<Address> {
    const { list: { prefixes }, blocks, hosts } = this.config
    for (const { iface, from, to } of blocks) {
      if (!fits(iface, name)) continue
      for (let number = from; number < to; number++) if (prefixes[number].length === 128) yield prefixes[number].address
    }
    yield* hosts.solicitedOn(name)
  }

  /** @returns one filter for each present link that rules listen on. Calls return the same `prefixes` object of a link, except after a change */
  filters(links: Pick<Links, 'get'>): Filter[] {
    return [...this.#listeners].map(([ifindex, { prefixes }]) => {
      const link = links.get(ifindex)
      const excluded = [...this.config.exclude, ...link === undefined ? [] : anycastOf(link)]
      return { ifindex, mac: link?.mac, ...link?.noarp && { noarp: true }, prefixes, excluded }
    })
  }

  /** @returns the sorted numbers in `RuleList` of those rules of a link that cover the target */
  numbers(ifindex: number, { w0, w1, w2, w3 }: Address): number[] {
    const count = this.#collect(this.#listeners.get(ifindex)?.tables ?? NO_TABLES, w0, w1, w2, w3)
    return [...new Set(this.#found.slice(0, count))].sort((a, b) => a - b)
  }

  /** @returns those rules of a link that cover the target, in the order of `RuleList`; valid until the next call */
  match(ifindex: number, w0: number, w1: number, w2: number, w3: number): readonly ActiveRule[] {
    const listener = this.#listeners.get(ifindex)
    if (listener === undefined) return NO_RULES
    const { rules } = this.config.list
    const count = this.#collect(listener.tables, w0, w1, w2, w3)
    if (count === 0) return NO_RULES
    if (count === 1) {
      this.#match[0] = rules[this.#found[0]]
      return this.#match
    }
    const numbers = this.#found.slice(0, count).sort((a, b) => a - b)
    // A rule is found twice when both a name and a pattern of its block match the link.
    return numbers.filter((number, i) => number !== numbers[i - 1]).map((number) => rules[number])
  }

  /** @returns the first rule that covers the address and whose hosts may be on this link; undefined: none */
  owning(ifindex: number, w0: number, w1: number, w2: number, w3: number): ActiveRule | undefined {
    const count = this.#collect(this.#owning.get(ifindex) ?? NO_TABLES, w0, w1, w2, w3)
    if (count === 0) return undefined
    let first = this.#found[0]
    for (let i = 1; i < count; i++) first = Math.min(first, this.#found[i])
    return this.config.list.rules[first]
  }

  /** @returns the rules for which hosts on this link are learned. Rules that differ only in their address appear once */
  learning(ifindex: number): ActiveRule[] {
    const { proxyRules, subnets } = this.config
    return [...proxyRules, ...subnets.flatMap(({ active }) => active.map(({ rule }) => rule))].filter((rule) => learnsOn(rule, ifindex))
  }

  isLearnedOn(ifindex: number, { w0, w1, w2, w3 }: Address): boolean {
    const count = this.#collect(this.#owning.get(ifindex) ?? NO_TABLES, w0, w1, w2, w3)
    return this.#found.slice(0, count).some((number) => learnsOn(this.config.list.rules[number], ifindex))
  }

  /** @returns the present upstream of the rule's subnet; empty: none */
  upstreamsOf({ subnet }: ActiveRule): readonly number[] { return subnet?.upstreams.ifindexes ?? [] }

  /**
   * @returns the links where an owner on `ifindex` is solicited. In a subnet, these are the downstream links for an owner on the upstream,
   * and the upstream for any other owner. For a `proxy` block, these are the other links whose rules cover the target
   */
  solicitedOn(rule: ActiveRule, { w0, w1, w2, w3 }: Address, ifindex: number): readonly number[] {
    if (rule.subnet === undefined) {
      return [...this.#listeners.keys()].filter((link) => link !== ifindex && this.match(link, w0, w1, w2, w3).length > 0)
    }
    const upstreams = this.upstreamsOf(rule)
    return upstreams.includes(ifindex) ? rule.links.ifindexes.filter((link) => !upstreams.includes(link)) : upstreams
  }

  excluded(w0: number, w1: number, w2: number, w3: number): boolean { return this.config.excluded.has(w0, w1, w2, w3) }

  #resolve(ifindex: number, name: string): void {
    const { index, options } = this.config
    this.#owning.set(ifindex, [...index.owning.of(name), ...this.#subnetRules.owning.of(name)])
    if (!options.isListening(name)) return
    const tables = [...index.listening.of(name), ...this.#subnetRules.listening.of(name)]
    this.#listeners.set(ifindex, { tables, prefixes: { [Symbol.iterator]: () => this.#prefixesOf(name) } })
  }

  * #prefixesOf(name: string): Generator<Prefix> {
    const { list: { prefixes }, blocks, subnets } = this.config
    for (const { iface, from, to } of blocks) if (fits(iface, name)) yield* prefixes.slice(from, to)
    for (const { links, active } of subnets) if (fitsAny(links.names, name)) for (const { prefix } of active) yield prefix
  }

  /** Writes the numbers of the rules that cover the address into `#found`. @returns the number of these rules */
  #collect(tables: readonly RuleTable[], w0: number, w1: number, w2: number, w3: number): number {
    let count = 0
    for (const table of tables) count = table.collect(w0, w1, w2, w3, this.#found, count)
    return count
  }
}
