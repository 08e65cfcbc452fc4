/**
 * The configuration, made ready to be asked: which rules hold a target on a link, in time that grows neither with the
 * rules nor with the links. `subnet` and `proxy` blocks become the same rules here.
 */
import type { Address, Prefix } from '../address.ts'
import { wordMask } from '../address.ts'
import type { Config, PinnedHost, Settings, Subnet } from '../config/config.ts'
import { matchesIface } from '../config/config.ts'
import { AddressMap } from './address-map.ts'
import type { Links } from './links.ts'
import type { Hearing, Link, QuietRule, Random } from './types.ts'

/** The present links of a list of interface names. Rules with the same names share one. */
export interface LinkSet {
  readonly names: readonly string[]
  readonly ifindexes: number[]
}

export interface ActiveRule {
  /** Place in the file. */
  readonly order: number
  readonly kind: 'static' | 'iface' | 'auto'
  readonly prefix: Prefix
  readonly settings: Settings
  /** Where to ask; empty unless `kind` is `iface`. May hold the listening link, which is never asked. */
  readonly links: LinkSet
  readonly autovia: boolean
  /** The subnet block that it comes from. */
  readonly subnet: Subnet | undefined
}

/** Values by prefix; a lookup costs one probe for each prefix length in use. */
class PrefixTable<V> {
  readonly #random: Random
  readonly #lengths: { length: number; m0: number; m1: number; m2: number; m3: number; table: AddressMap<V[]> }[] = []
  readonly prefixes: Prefix[] = []

  constructor(random: Random) { this.#random = random }

  add(prefix: Prefix, value: V): void {
    const { length, address: { w0, w1, w2, w3 } } = prefix
    let level = this.#lengths.find((known) => known.length === length)
    if (level === undefined) {
      const [m0, m1, m2, m3] = [0, 1, 2, 3].map((index) => wordMask(length, index))
      level = { length, m0, m1, m2, m3, table: new AddressMap(this.#random) }
      this.#lengths.push(level)
    }
    const values = level.table.get(w0, w1, w2, w3)
    if (values === undefined) {
      level.table.set(w0, w1, w2, w3, [value])
      this.prefixes.push(prefix)
    } else {
      values.push(value)
    }
  }

  * values(): Generator<V> {
    for (const { table } of this.#lengths) for (const values of table.values()) yield* values
  }

  /** Puts the values of all prefixes that hold the address into `found`, instead of what is there. */
  collect(w0: number, w1: number, w2: number, w3: number, found: V[]): void {
    found.length = 0
    for (const { m0, m1, m2, m3, table } of this.#lengths) {
      const values = table.get(w0 & m0, w1 & m1, w2 & m2, w3 & m3)
      if (values !== undefined) for (const value of values) found.push(value)
    }
  }
}

type Table = PrefixTable<ActiveRule>

const NONE: readonly ActiveRule[] = []
const NOWHERE: LinkSet = { names: [], ifindexes: [] }
const byOrder = (a: ActiveRule, b: ActiveRule): number => a.order - b.order

export class Rules {
  readonly #config: Config
  readonly #random: Random
  readonly #sets = new Map<string, LinkSet>()
  /** Rules by the interface name or pattern that listens. */
  readonly #listeners = new Map<string, ActiveRule[]>()
  /** Manners of hearing, by interface name or pattern. */
  readonly #hearings = new Map<string, Partial<Hearing>>()
  /** Addresses whose groups are joined on a link whatever is known, by interface name or pattern. */
  readonly #fixed = new Map<string, { address: Address; except: string }[]>()
  readonly #snooping = new Map<string, { readonly mode: 'mirror' | 'mrd'; readonly outside: LinkSet; readonly inside: LinkSet }>()
  /** All rules, for the question which of them may have an owner on a link. */
  readonly #all: Table
  readonly #excluded: PrefixTable<true>
  readonly #hasExcluded: boolean
  /** Rules by the link that listens. */
  readonly #tables = new Map<number, Table>()
  readonly #found: ActiveRule[] = []
  readonly #hits: true[] = []
  readonly #hosts: AddressMap<true>
  /** Some rule asks where the kernel's route leads: any link may be one to hear. */
  readonly hasAuto: boolean
  /** Hosts of one certain link. The others are looked for like any host, and asked for even with `learn no`. */
  readonly pinned: readonly { readonly host: PinnedHost; readonly rule: ActiveRule }[]

  /** @param onLink the on-link prefixes of each upstream, for `subnet auto` */
  constructor(config: Config, random: Random, onLink: ReadonlyMap<string, readonly Prefix[]> = new Map()) {
    this.#config = config
    this.#random = random
    this.#all = new PrefixTable(random)
    this.#excluded = new PrefixTable(random)
    this.#hosts = new AddressMap(random)
    let order = 0
    for (const { iface, settings, rules } of config.proxies) {
      this.#listen(iface)
      this.#hear(iface, { promiscuous: settings.promiscuous, ring: true, ownSolicitations: settings.routes })
      for (const rule of rules) {
        const { kind, prefix } = rule
        const links = rule.kind === 'iface' ? this.#set(rule.ifaces) : NOWHERE
        this.#add([iface], { order: order++, kind, prefix, settings, links, autovia: rule.kind === 'iface' && rule.autovia, subnet: undefined })
        if (prefix.length === 128) this.#fix(iface, prefix.address)
        if (rule.kind === 'iface') this.#snoop(settings, iface, rule.ifaces)
      }
    }
    const pinned: { host: PinnedHost; rule: ActiveRule }[] = []
    for (const subnet of config.subnets) {
      const { upstream, downstream, settings } = subnet
      const names = [upstream, ...downstream]
      const prefixes = subnet.prefix === 'auto' ? onLink.get(upstream) ?? [] : [subnet.prefix]
      for (const name of names) {
        this.#listen(name)
        this.#hear(name, { promiscuous: settings.promiscuous })
      }
      this.#hear(upstream, { ring: true, ownSolicitations: settings.routes && settings.learn, prefixes: subnet.prefix === 'auto' })
      this.#upstream(subnet)
      this.#snoop(settings, upstream, downstream)
      for (const prefix of subnet.exclude) this.#excluded.add(prefix, true)
      for (const prefix of prefixes) {
        const rule: ActiveRule = { order: order++, kind: 'iface', prefix, settings, links: this.#set(names), autovia: false, subnet }
        this.#add(names, rule)
        for (const host of subnet.hosts.filter(({ address }) => prefix.contains(address))) {
          const { address, address: { w0, w1, w2, w3 }, iface } = host
          this.#hosts.set(w0, w1, w2, w3, true)
          if (iface === upstream) for (const name of downstream) this.#fix(name, address, upstream)
          else this.#fix(upstream, address)
          if (iface !== undefined || isOneLink(downstream)) pinned.push({ host, rule })
        }
      }
    }
    this.pinned = pinned
    this.hasAuto = config.proxies.some(({ rules }) => rules.some(({ kind }) => kind === 'auto'))
    this.#hasExcluded = this.#excluded.prefixes.length > 0
  }

  /** Takes in a link that is new or renamed. */
  link({ ifindex, name }: Link): void {
    this.gone(ifindex)
    for (const { names, ifindexes } of this.#sets.values()) {
      if (names.some((pattern) => fits(pattern, name))) ifindexes.push(ifindex)
    }
    const heard = this.#heard(name)
    if (heard.length === 0) return
    const table: Table = new PrefixTable(this.#random)
    for (const rule of new Set(heard.flatMap((pattern) => this.#listeners.get(pattern)!))) table.add(rule.prefix, rule)
    this.#tables.set(ifindex, table)
  }

  gone(ifindex: number): void {
    this.#tables.delete(ifindex)
    for (const { ifindexes } of this.#sets.values()) {
      const at = ifindexes.indexOf(ifindex)
      if (at >= 0) ifindexes.splice(at, 1)
    }
  }

  /** How a link of this name is to be heard; undefined when the configuration does not name it. */
  wants(name: string): Hearing | undefined {
    const heard = this.#heard(name)
    const asked = [...this.#sets.values()].some(({ names }) => names.some((pattern) => fits(pattern, name)))
    if (heard.length === 0 && !asked) return undefined
    const says = [...this.#hearings].filter(([pattern]) => fits(pattern, name)).map(([, hearing]) => hearing)
    const any = (key: keyof Hearing): boolean => says.some((hearing) => hearing[key] === true)
    return { promiscuous: any('promiscuous'), ring: any('ring'), ownSolicitations: any('ownSolicitations'), reports: any('reports'),
      routerSolicitations: any('routerSolicitations'), prefixes: any('prefixes') }
  }

  /** Addresses whose solicited-node groups are joined on a link of this name, whatever is known. */
  fixed(name: string): Address[] {
    return [...this.#fixed].filter(([pattern]) => fits(pattern, name))
      .flatMap(([, found]) => found.filter(({ except }) => except !== name).map(({ address }) => address))
  }

  /** The rules whose hosts may be on this link, and are learned. */
  inside(ifindex: number): ActiveRule[] {
    return [...this.#all.values()].filter(({ settings, subnet, links, kind }) => kind === 'iface' && settings.learn
      && (subnet === undefined ? settings.routes : !this.#upstream(subnet).ifindexes.includes(ifindex)) && links.ifindexes.includes(ifindex))
  }

  /** The present upstream of a rule's subnet, if it has one. */
  upstreamsOf({ subnet }: ActiveRule): readonly number[] {
    return subnet === undefined ? [] : this.#upstream(subnet).ifindexes
  }

  /**
   * Where others ask for an owner of this rule on link `ifindex`. Downstream they ask for what is upstream, the router above
   * all; that hosts of two downstreams ask for one another is left to the switches' flooding, or every link would have as
   * many groups as there are hosts.
   */
  askedOn(rule: ActiveRule, { w0, w1, w2, w3 }: Address, ifindex: number): readonly number[] {
    if (rule.subnet === undefined) {
      return [...this.#tables.keys()].filter((link) => link !== ifindex && this.match(link, w0, w1, w2, w3).length > 0)
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
  get names(): string[] {
    return [...new Set([...this.#listeners.keys(), ...[...this.#sets.values()].flatMap(({ names }) => names)])]
  }

  /** The rules of a link that hold the target, in file order. Valid until the next call. */
  match(ifindex: number, w0: number, w1: number, w2: number, w3: number): readonly ActiveRule[] {
    const table = this.#tables.get(ifindex)
    if (table === undefined) return NONE
    table.collect(w0, w1, w2, w3, this.#found)
    return this.#found.length > 1 ? this.#found.sort(byOrder) : this.#found
  }

  /** The first rule that may have an owner of this address on this link. */
  owning(ifindex: number, w0: number, w1: number, w2: number, w3: number): ActiveRule | undefined {
    this.#all.collect(w0, w1, w2, w3, this.#found)
    let best: ActiveRule | undefined
    for (const rule of this.#found) {
      if (rule.kind !== 'auto' && !rule.links.ifindexes.includes(ifindex)) continue
      if (best === undefined || rule.order < best.order) best = rule
    }
    return best
  }

  excluded(w0: number, w1: number, w2: number, w3: number): boolean {
    if (!this.#hasExcluded) return false
    this.#excluded.collect(w0, w1, w2, w3, this.#hits)
    return this.#hits.length > 0
  }

  /** Whether the address stands in the file as a host. */
  isHost(w0: number, w1: number, w2: number, w3: number): boolean {
    return this.#hosts.get(w0, w1, w2, w3) !== undefined
  }

  /** What the kernel must not react to, for each present link that listens. */
  quiet(links: Pick<Links, 'get'>): QuietRule[] {
    return [...this.#tables].map(([ifindex, table]) => ({ ifindex, mac: links.get(ifindex)?.mac, prefixes: table.prefixes }))
  }

  /** The upstreams of all subnets. */
  get upstreams(): string[] {
    return [...new Set(this.#config.subnets.map(({ upstream }) => upstream))]
  }

  #add(listeners: readonly string[], rule: ActiveRule): void {
    for (const name of listeners) this.#listen(name).push(rule)
    this.#all.add(rule.prefix, rule)
  }

  #hear(name: string, more: Partial<Hearing>): void {
    const known = this.#hearings.get(name) ?? {}
    const wanted = Object.entries(more).filter(([, value]) => value)
    this.#hearings.set(name, { ...known, ...Object.fromEntries(wanted) })
  }

  #fix(name: string, address: Address, except = ''): void {
    const known = this.#fixed.get(name)
    if (known === undefined) this.#fixed.set(name, [{ address, except }])
    else known.push({ address, except })
  }

  #snoop({ snooping: mode }: Settings, outside: string, inside: readonly string[]): void {
    if (mode === 'no') return
    this.#snooping.set(`${mode} ${outside} ${inside.join(' ')}`, { mode, outside: this.#set([outside]), inside: this.#set(inside) })
    if (mode === 'mrd') this.#hear(outside, { routerSolicitations: true })
    else for (const name of inside) this.#hear(name, { reports: true })
  }

  #upstream({ upstream }: Subnet): LinkSet { return this.#set([upstream]) }

  #listen(name: string): ActiveRule[] {
    let rules = this.#listeners.get(name)
    if (rules === undefined) this.#listeners.set(name, rules = [])
    return rules
  }

  #set(names: readonly string[]): LinkSet {
    const key = names.join(' ')
    let set = this.#sets.get(key)
    if (set === undefined) this.#sets.set(key, set = { names, ifindexes: [] })
    return set
  }

  #heard(name: string): string[] {
    return [...this.#listeners.keys()].filter((pattern) => fits(pattern, name))
  }
}

/** Whether the link is the upstream of the rule's subnet. */
export function isUpstream({ subnet }: ActiveRule, link: Link | undefined): boolean {
  return subnet !== undefined && link?.name === subnet.upstream
}

/**
 * Whether the address is, for the rules that hold it, a subnet-router (RFC 4291 2.6.1) or reserved anycast (RFC 2526)
 * address: many machines have these.
 */
export function isAnycast(rules: readonly ActiveRule[], t0: number, t1: number, t2: number, t3: number): boolean {
  let found = (t2 | t3) === 0
  for (const { prefix: { length, address: { w0, w1, w2, w3 } } } of rules) {
    if (length === 128) return false
    found ||= (length < 127 && w3 === t3 && w2 === t2 && w1 === t1 && w0 === t0)
      || (length <= 64 && t2 === (0xfdffffff | 0) && t3 >>> 7 === 0xffffff80 >>> 7)
  }
  return found
}

function isOneLink(patterns: readonly string[]): boolean {
  return patterns.length === 1 && !patterns[0].includes('*')
}

/** Loopback has no neighbors: `*` does not mean it. */
function fits(pattern: string, name: string): boolean {
  return name !== 'lo' && matchesIface(pattern, name)
}
