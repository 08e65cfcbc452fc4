/**
 * The configuration, made ready to be asked: which rules hold a target on a link, in time that grows neither with the
 * rules nor with the links. `subnet` and `proxy` blocks become the same rules here.
 */
import type { Address } from '../address.ts'
import { Prefix } from '../address.ts'
import type { Config, Rule, Settings, Subnet } from '../config/config.ts'
import { Hosts } from './hosts.ts'
import type { Pin, Pinned } from './hosts.ts'
import { fits, fitsAny, LinkSets } from './link-sets.ts'
import type { LinkSet } from './link-sets.ts'
import type { Links } from './links.ts'
import { PrefixIndex, PrefixList } from './prefix-table.ts'
import { learnsOn } from './rule.ts'
import type { ActiveRule, ActiveSubnet } from './rule.ts'
import { Tables } from './rule-tables.ts'
import type { Table } from './rule-tables.ts'
import type { Hearing, Link, QuietRule, Random } from './types.ts'

export { isAnycast, isUpstream } from './rule.ts'
export type { ActiveRule } from './rule.ts'

/** The rules of a proxy block: from one place in the list up to, not including, another. */
interface Block {
  readonly iface: string
  readonly from: number
  readonly to: number
}

/** What a link that listens has to do with. */
interface Listener {
  readonly name: string
  readonly tables: readonly Table[]
  /** All that it listens for; the same object as long as they are the same. */
  readonly prefixes: Iterable<Prefix>
}

const NONE: readonly ActiveRule[] = []
/** Any link may have the hosts of an `auto` rule. */
const ANY: readonly string[] = ['*']
/** No link is asked. */
const BLIND = { ifaces: [], autovia: false }

/** Rules by who listens for them, and by where their hosts may be. */
interface Directions {
  readonly listening: Tables
  readonly owning: Tables
}

function byNumber(a: number, b: number): number { return a - b }

export class Rules {
  readonly #random: Random
  readonly #sets = new LinkSets()
  /** All rules in file order, those of the subnets last, since they follow their prefixes. */
  readonly #list: PrefixList<ActiveRule>
  readonly #blocks: Block[] = []
  readonly #subnets: ActiveSubnet[] = []
  readonly #proxied: Directions
  #routed: Directions
  /** What rules of proxy blocks say, and their settings: each once. */
  readonly #variants = new Map<Settings, Map<string, ActiveRule>>()
  readonly #settings = new Map<string, Settings>()
  /** Interface names and patterns that listen. */
  readonly #listening = new Set<string>()
  /** Manners of hearing, by interface name or pattern. */
  readonly #hearings = new Map<string, Partial<Hearing>>()
  readonly #snooping = new Map<string, { readonly mode: 'mirror' | 'mrd'; readonly outside: LinkSet; readonly inside: LinkSet }>()
  readonly #excluded: PrefixIndex<true>
  readonly #hosts: Hosts
  /** By link, of all that are present. */
  readonly #names = new Map<number, string>()
  readonly #listeners = new Map<number, Listener>()
  readonly #owning = new Map<number, readonly Table[]>()
  readonly #found: number[] = []
  /** The one rule that most targets have. */
  readonly #match: ActiveRule[] = []
  #revision = 0
  /** Some rule asks where the kernel's route leads: any link may be one to hear. */
  readonly hasAuto: boolean

  /** @param onLink the on-link prefixes of each upstream, for `subnet auto` */
  constructor({ proxies, subnets }: Config, random: Random, onLink: ReadonlyMap<string, readonly Prefix[]> = new Map()) {
    this.#random = random
    this.#list = new PrefixList(proxies.reduce((sum, { rules }) => sum + rules.length, subnets.length))
    this.#proxied = this.#directions()
    this.#routed = this.#directions()
    for (const { iface, settings, rules } of proxies) this.#proxy(iface, this.#same(settings), rules)
    this.hasAuto = this.#proxyRules.some(({ kind }) => kind === 'auto')
    const excluded = new PrefixList<true>(0)
    this.#excluded = new PrefixIndex(excluded, random)
    this.#hosts = new Hosts(random, subnets.reduce((sum, { hosts }) => sum + hosts.length, 0))
    for (const subnet of subnets) {
      this.#hosts.add(this.#subnet(subnet), subnet.hosts)
      for (const { address, length } of subnet.exclude) this.#excluded.add(excluded.add(address, true), length)
    }
    this.follow(onLink)
  }

  /** Grows when what is {@link fixed} may be something else. */
  get revision(): number { return this.#revision }

  /** The on-link prefixes of each upstream, from now on. */
  follow(onLink: ReadonlyMap<string, readonly Prefix[]>): void {
    this.#revision++
    this.#list.cut(this.#blocks.at(-1)?.to ?? 0)
    this.#routed = this.#directions()
    for (const subnet of this.#subnets) {
      const { prefix: fixed, upstream, settings, links } = subnet
      const prefixes = fixed === 'auto' ? onLink.get(upstream) ?? [] : [fixed]
      subnet.active = prefixes.map((prefix) => {
        const { address, length } = prefix
        const rule: ActiveRule = { kind: 'iface', length, settings, links, autovia: false, subnet }
        const id = this.#list.add(address, rule)
        this.#routed.listening.add(links.names, id, length)
        this.#routed.owning.add(links.names, id, length)
        return { prefix, rule }
      })
    }
    for (const [ifindex, name] of this.#names) this.#resolve(ifindex, name)
  }

  /** Takes in a link that is new or renamed. */
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

  /** How a link of this name is to be heard; undefined when the configuration does not name it. */
  wants(name: string): Hearing | undefined {
    if (!fitsAny(this.#listening, name) && !this.#sets.has(name)) return undefined
    const says = [...this.#hearings].filter(([pattern]) => fits(pattern, name)).map(([, hearing]) => hearing)
    const any = (key: keyof Hearing): boolean => says.some((hearing) => hearing[key] === true)
    return { promiscuous: any('promiscuous'), ring: any('ring'), ownSolicitations: any('ownSolicitations'), reports: any('reports'),
      routerSolicitations: any('routerSolicitations'), prefixes: any('prefixes') }
  }

  /** Addresses whose solicited-node groups are joined on a link of this name, whatever is known. */
  * fixed(name: string): Generator<Address> {
    for (const { iface, from, to } of this.#blocks) {
      if (!fits(iface, name)) continue
      for (let id = from; id < to; id++) if (this.#list.value(id).length === 128) yield this.#list.address(id)
    }
    yield* this.#hosts.askedOn(name)
  }

  /** See {@link Hosts}. */
  get pins(): readonly Pin[] { return this.#hosts.pins }
  pinned(pins: ReadonlySet<Pin>): Generator<Pinned> { return this.#hosts.pinned(pins) }

  /** The rules whose hosts may be on this link, and are learned; each of many that differ in their addresses alone once. */
  inside(ifindex: number): ActiveRule[] {
    const rules = [...this.#proxyRules, ...this.#subnets.flatMap(({ active }) => active.map(({ rule }) => rule))]
    return rules.filter((rule) => learnsOn(rule, ifindex))
  }

  /** Whether one of these rules holds the address. */
  isInside(ifindex: number, { w0, w1, w2, w3 }: Address): boolean {
    const count = this.#collect(this.#owning.get(ifindex) ?? [], w0, w1, w2, w3)
    return this.#found.slice(0, count).some((id) => learnsOn(this.#list.value(id), ifindex))
  }

  /** The present upstream of a rule's subnet, if it has one. */
  upstreamsOf({ subnet }: ActiveRule): readonly number[] { return subnet?.upstreams.ifindexes ?? [] }

  /**
   * Where others ask for an owner of this rule on link `ifindex`. Downstream they ask for what is upstream, the router above
   * all; that hosts of two downstreams ask for one another is left to the switches' flooding, or every link would have as
   * many groups as there are hosts.
   */
  askedOn(rule: ActiveRule, { w0, w1, w2, w3 }: Address, ifindex: number): readonly number[] {
    if (rule.subnet === undefined) {
      return [...this.#listeners.keys()].filter((link) => link !== ifindex && this.match(link, w0, w1, w2, w3).length > 0)
    }
    const upstreams = this.upstreamsOf(rule)
    return upstreams.includes(ifindex) ? rule.links.ifindexes.filter((link) => !upstreams.includes(link)) : upstreams
  }

  /** Inside links and where the groups that are reported there are joined; and the links that MRD is spoken on. */
  get snooping(): { mirrors: Map<number, number[]>; routers: Set<number> } {
    const mirrors = new Map<number, number[]>()
    const routers = new Set<number>()
    for (const { mode, outside, inside } of this.#snooping.values()) {
      if (mode === 'mrd') for (const link of outside.ifindexes) routers.add(link)
      else {
        for (const link of inside.ifindexes) {
          const others = outside.ifindexes.filter((other) => other !== link)
          if (others.length > 0) mirrors.set(link, [...new Set([...mirrors.get(link) ?? [], ...others])])
        }
      }
    }
    return { mirrors, routers }
  }

  /** Every name and pattern that the configuration mentions. */
  get names(): string[] { return [...new Set([...this.#listening, ...this.#sets.names])] }

  /** The rules of a link that hold the target, in file order. Valid until the next call. */
  match(ifindex: number, w0: number, w1: number, w2: number, w3: number): readonly ActiveRule[] {
    const listener = this.#listeners.get(ifindex)
    if (listener === undefined) return NONE
    const count = this.#collect(listener.tables, w0, w1, w2, w3)
    if (count === 0) return NONE
    if (count === 1) {
      this.#match[0] = this.#list.value(this.#found[0])
      return this.#match
    }
    const matched: ActiveRule[] = []
    let last = -1
    for (const id of this.#found.slice(0, count).sort(byNumber)) {
      // A link may listen by its name and by a pattern.
      if (id !== last) matched.push(this.#list.value(id))
      last = id
    }
    return matched
  }

  /** The first rule that may have an owner of this address on this link. */
  owning(ifindex: number, w0: number, w1: number, w2: number, w3: number): ActiveRule | undefined {
    const tables = this.#owning.get(ifindex)
    if (tables === undefined) return undefined
    const count = this.#collect(tables, w0, w1, w2, w3)
    let first = this.#found[0]
    for (let i = 1; i < count; i++) first = Math.min(first, this.#found[i])
    return count === 0 ? undefined : this.#list.value(first)
  }

  excluded(w0: number, w1: number, w2: number, w3: number): boolean { return this.#excluded.has(w0, w1, w2, w3) }

  /** Whether the address stands in the file as a host. */
  isHost(w0: number, w1: number, w2: number, w3: number): boolean { return this.#hosts.has(w0, w1, w2, w3) }

  /** Whether it is one of {@link pinned}. */
  isPinned(w0: number, w1: number, w2: number, w3: number): boolean { return this.#hosts.isPinned(w0, w1, w2, w3) }

  /** What the kernel must not react to, for each present link that listens. */
  quiet(links: Pick<Links, 'get'>): QuietRule[] {
    return [...this.#listeners].map(([ifindex, { prefixes }]) => ({ ifindex, mac: links.get(ifindex)?.mac, prefixes }))
  }

  /** The most that some block's `limit` allows. */
  get limit(): number { return [...this.#settings.values()].reduce((most, { limit }) => Math.max(most, limit), 0) }

  /** The upstreams of all subnets. */
  get upstreams(): string[] { return [...new Set(this.#subnets.map(({ upstream }) => upstream))] }

  #proxy(iface: string, settings: Settings, rules: readonly Rule[]): void {
    const { promiscuous, routes: ownSolicitations } = settings
    this.#listen(iface, { promiscuous, ring: true, ownSolicitations })
    const from = this.#list.size
    const listeners = [iface]
    const variants = this.#variants.get(settings)!
    for (const rule of rules) {
      const { kind, prefix: { address, length } } = rule
      const { ifaces, autovia } = rule.kind === 'iface' ? rule : BLIND
      const key = `${kind} ${length} ${autovia} ${ifaces.join(' ')}`
      let variant = variants.get(key)
      if (variant === undefined) {
        variants.set(key, variant = { kind, length, settings, links: this.#sets.of(ifaces), autovia, subnet: undefined })
      }
      const id = this.#list.add(address, variant)
      this.#proxied.listening.add(listeners, id, length)
      this.#proxied.owning.add(kind === 'auto' ? ANY : ifaces, id, length)
      if (kind === 'iface') this.#snoop(settings, iface, ifaces)
    }
    this.#blocks.push({ iface, from, to: this.#list.size })
  }

  #subnet({ prefix, upstream, downstream, settings }: Subnet): ActiveSubnet {
    const names = [upstream, ...downstream]
    const { promiscuous, routes, learn } = settings
    for (const name of names) this.#listen(name, { promiscuous })
    this.#listen(upstream, { ring: true, ownSolicitations: routes && learn, prefixes: prefix === 'auto' })
    this.#snoop(settings, upstream, downstream)
    const subnet = { prefix, upstream, downstream, settings: this.#same(settings), active: [],
      links: this.#sets.of(names), upstreams: this.#sets.of([upstream]) }
    this.#subnets.push(subnet)
    return subnet
  }

  #same(settings: Settings): Settings {
    const key = JSON.stringify(settings)
    const known = this.#settings.get(key)
    if (known !== undefined) return known
    this.#settings.set(key, settings)
    this.#variants.set(settings, new Map())
    return settings
  }

  get #proxyRules(): ActiveRule[] { return [...this.#variants.values()].flatMap((variants) => [...variants.values()]) }

  #directions(): Directions {
    return { listening: new Tables(this.#list, this.#random), owning: new Tables(this.#list, this.#random) }
  }

  #resolve(ifindex: number, name: string): void {
    this.#owning.set(ifindex, [...this.#proxied.owning.of(name), ...this.#routed.owning.of(name)])
    if (!fitsAny(this.#listening, name)) return
    const tables = [...this.#proxied.listening.of(name), ...this.#routed.listening.of(name)]
    this.#listeners.set(ifindex, { name, tables, prefixes: { [Symbol.iterator]: () => this.#prefixesOf(name) } })
  }

  * #prefixesOf(name: string): Generator<Prefix> {
    for (const { iface, from, to } of this.#blocks) {
      if (!fits(iface, name)) continue
      for (let id = from; id < to; id++) yield new Prefix(this.#list.address(id), this.#list.value(id).length)
    }
    for (const { links, active } of this.#subnets) if (fitsAny(links.names, name)) for (const { prefix } of active) yield prefix
  }

  /** Puts the numbers of the rules that hold the address into `#found`. @returns how many they are */
  #collect(tables: readonly Table[], w0: number, w1: number, w2: number, w3: number): number {
    let count = 0
    for (const table of tables) count = table.collect(w0, w1, w2, w3, this.#found, count)
    return count
  }

  #listen(name: string, manner: Partial<Hearing>): void {
    this.#listening.add(name)
    this.#hear(name, manner)
  }

  #hear(name: string, manner: Partial<Hearing>): void {
    const known: Partial<Record<keyof Hearing, boolean>> = this.#hearings.get(name) ?? {}
    this.#hearings.set(name, known)
    for (const key of Object.keys(manner) as (keyof Hearing)[]) if (manner[key] === true) known[key] = true
  }

  #snoop({ snooping: mode }: Settings, outside: string, inside: readonly string[]): void {
    if (mode === 'no') return
    this.#snooping.set(`${mode} ${outside} ${inside.join(' ')}`,
      { mode, outside: this.#sets.of([outside]), inside: this.#sets.of(inside) })
    if (mode === 'mrd') this.#hear(outside, { routerSolicitations: true })
    else for (const name of inside) this.#hear(name, { reports: true })
  }
}
