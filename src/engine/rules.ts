/**
 * The configuration, made ready to be asked: which rules hold a target on a link, in time that grows neither with the
 * rules nor with the links. `subnet` and `proxy` blocks become the same rules here.
 */
import type { Prefix } from '../address.ts'
import { wordMask } from '../address.ts'
import type { Config, PinnedHost, Settings, Subnet } from '../config/config.ts'
import { matchesIface } from '../config/config.ts'
import { AddressMap } from './address-map.ts'
import type { Link, QuietRule, Random } from './types.ts'

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
  readonly #promiscuous = new Set<string>()
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

  constructor(config: Config, random: Random) {
    this.#config = config
    this.#random = random
    this.#all = new PrefixTable(random)
    this.#excluded = new PrefixTable(random)
    let order = 0
    for (const { iface, settings, rules } of config.proxies) {
      if (settings.promiscuous) this.#promiscuous.add(iface)
      this.#listen(iface)
      for (const rule of rules) {
        const links = rule.kind === 'iface' ? this.#set(rule.ifaces) : NOWHERE
        const autovia = rule.kind === 'iface' && rule.autovia
        this.#add([iface], { order: order++, kind: rule.kind, prefix: rule.prefix, settings, links, autovia, subnet: undefined })
      }
    }
    const hosts = config.subnets.flatMap((subnet) => {
      const names = [subnet.upstream, ...subnet.downstream]
      const rule: ActiveRule = { order: order++, kind: 'iface', prefix: subnet.prefix, settings: subnet.settings,
        links: this.#set(names), autovia: false, subnet }
      this.#add(names, rule)
      if (subnet.settings.promiscuous) for (const name of names) this.#promiscuous.add(name)
      for (const prefix of subnet.exclude) this.#excluded.add(prefix, true)
      return subnet.hosts.map((host) => ({ host, rule }))
    })
    this.pinned = hosts.filter(({ host, rule }) => host.iface !== undefined || isOneLink(rule.subnet!.downstream))
    this.#hosts = new AddressMap(random)
    for (const { host: { address: { w0, w1, w2, w3 } } } of hosts) this.#hosts.set(w0, w1, w2, w3, true)
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

  /** Whether a link of this name is heard, and how; undefined when the configuration does not name it. */
  wants(name: string): { promiscuous: boolean } | undefined {
    const heard = this.#heard(name)
    const asked = [...this.#sets.values()].some(({ names }) => names.some((pattern) => fits(pattern, name)))
    return heard.length > 0 || asked ? { promiscuous: heard.some((pattern) => this.#promiscuous.has(pattern)) } : undefined
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
  get quiet(): QuietRule[] {
    return [...this.#tables].map(([ifindex, table]) => ({ ifindex, prefixes: table.prefixes }))
  }

  /** The upstreams of all subnets. */
  get upstreams(): string[] {
    return [...new Set(this.#config.subnets.map(({ upstream }) => upstream))]
  }

  #add(listeners: readonly string[], rule: ActiveRule): void {
    for (const name of listeners) this.#listen(name).push(rule)
    this.#all.add(rule.prefix, rule)
  }

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
