/**
 * Which links are heard, how, and which solicited-node groups are joined on them whatever is known: those of single-address
 * rules, of the hosts in the file, and of this machine's own addresses that are asked for on another link.
 */
import type { Address } from '../address.ts'
import type { Groups } from './groups.ts'
import type { Links } from './links.ts'
import type { Rules } from './rules.ts'
import type { Hearing, Link, Sink } from './types.ts'

const BY_ROUTE: Hearing = { promiscuous: false, ring: false, ownSolicitations: false, reports: false, routerSolicitations: false, prefixes: false }

/** Rings take 2 MiB each, for good: links beyond this number are heard without. */
const RING_LIMIT = 8

const NO_ADDRESSES: ReadonlySet<Address> = new Set()

interface Heard {
  readonly link: Link
  readonly hearing: Hearing
}

export class Hearings {
  rules: Rules
  readonly #links: Links
  readonly #groups: Groups
  readonly #sink: Sink
  readonly #heard = new Map<number, Heard>()
  /** Which object it is counts, not what it says: of thousands, at each change of a link, that costs far less. */
  readonly #fixed = new Map<number, ReadonlySet<Address>>()

  constructor(rules: Rules, links: Links, groups: Groups, sink: Sink) {
    this.rules = rules
    this.#links = links
    this.#groups = groups
    this.#sink = sink
  }

  has(ifindex: number): boolean { return this.#heard.has(ifindex) }

  /** Brings the hearing of a link to what the rules want. @param byRoute a route leads there, so it is heard in any case */
  update(link: Link, byRoute = false): void {
    const { ifindex, name, up } = link
    const heard = this.#heard.get(ifindex)
    // Where a route led, it may lead again.
    const isKept = byRoute || (heard !== undefined && this.rules.hasAuto)
    const wanted = this.rules.wants(name) ?? (isKept ? BY_ROUTE : undefined)
    if (wanted === undefined) {
      if (heard !== undefined) this.#stop(ifindex)
      return
    }
    const hearing = { ...wanted, ring: wanted.ring && (heard?.hearing.ring === true || this.#rings < RING_LIMIT) }
    if (heard?.link === link && isSame(heard.hearing, hearing)) return
    this.#heard.set(ifindex, { link, hearing })
    this.#sink.listen(link, hearing)
    if (heard === undefined) this.#groups.heard(ifindex)
    if (heard?.link.up !== up) this.#sink.event({ kind: 'link', iface: name, state: up ? 'up' : 'down' })
  }

  /** The link is no more. @returns whether it was heard */
  gone(ifindex: number): boolean {
    const wasHeard = this.#heard.has(ifindex)
    if (wasHeard) this.#stop(ifindex)
    return wasHeard
  }

  get #rings(): number { return [...this.#heard.values()].filter(({ hearing }) => hearing.ring).length }

  /** Joins what is to be joined on all heard links, after a change of the rules, the links or their addresses. */
  join(): void {
    const own = [...this.#links.values()].flatMap(({ ifindex, name, addresses }) => name === 'lo' ? []
      : addresses.filter(({ address }) => !address.isLinkLocal).map(({ address }) => ({ address, ifindex })))
    for (const [ifindex, { link }] of this.#heard) {
      const elsewhere = own.filter(({ address: { w0, w1, w2, w3 }, ifindex: home }) =>
        home !== ifindex && this.rules.match(ifindex, w0, w1, w2, w3).length > 0)
      this.#setFixed(ifindex, new Set([...this.rules.fixed(link.name), ...elsewhere.map(({ address }) => address)]))
    }
  }

  #setFixed(ifindex: number, wanted: ReadonlySet<Address>): void {
    const before = this.#fixed.get(ifindex) ?? NO_ADDRESSES
    // Joined first: of what stays under another object no group is left.
    for (const address of wanted) if (!before.has(address)) this.#groups.add(ifindex, address)
    for (const address of before) if (!wanted.has(address)) this.#groups.remove(ifindex, address)
    if (wanted.size > 0) this.#fixed.set(ifindex, wanted)
    else this.#fixed.delete(ifindex)
  }

  #stop(ifindex: number): void {
    this.#heard.delete(ifindex)
    this.#groups.gone(ifindex)
    this.#setFixed(ifindex, NO_ADDRESSES)
    this.#sink.ignore(ifindex)
  }
}

function isSame(a: Hearing, b: Hearing): boolean {
  return (Object.keys(a) as (keyof Hearing)[]).every((key) => a[key] === b[key])
}
