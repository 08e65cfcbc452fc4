/**
 * Which links are heard, how, and which solicited-node groups are joined on them whatever is known: those of single-address
 * rules, of the hosts in the file, and of this machine's own addresses that are asked for on another link.
 */
import { Address } from '../address.ts'
import type { Groups } from './groups.ts'
import type { Links } from './links.ts'
import type { Rules } from './rules.ts'
import type { Hearing, Limit, Link, Sink } from './types.ts'

const BY_ROUTE: Hearing = { promiscuous: false, ring: false, ownSolicitations: false, reports: false, routerSolicitations: false, prefixes: false }

/** Rings take 4 MiB each, for good: links beyond this number are heard without. */
const RING_LIMIT = 8

/** Links that are heard, each with sockets and buffers of its own. */
export const HEARD_LIMIT = 4096

const NO_WORDS = new Int32Array(0)

interface Heard {
  readonly link: Link
  readonly hearing: Hearing
}

/** What is joined on a link: the last words of addresses, since there may be very many. */
interface Fixed {
  /** What the rules say of links of this name, and which rules said it. */
  readonly rules: Rules
  readonly revision: number
  readonly name: string
  readonly byRules: Int32Array
  /** This machine's own addresses on other links. */
  readonly own: Int32Array
}

export class Hearings {
  rules: Rules
  readonly #links: Links
  readonly #groups: Groups
  readonly #sink: Sink
  readonly #heard = new Map<number, Heard>()
  readonly #fixed = new Map<number, Fixed>()

  constructor(rules: Rules, links: Links, groups: Groups, sink: Sink) {
    this.rules = rules
    this.#links = links
    this.#groups = groups
    this.#sink = sink
  }

  get limits(): Limit[] { return [{ name: 'links that are heard', used: this.#heard.size, size: HEARD_LIMIT }] }

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
    if (heard === undefined && this.#heard.size >= HEARD_LIMIT) {
      return this.#sink.event({ kind: 'limit', limit: 'links', size: HEARD_LIMIT, ifindex })
    }
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
    for (const [ifindex, { link: { name } }] of this.#heard) {
      const elsewhere = own.filter(({ address: { w0, w1, w2, w3 }, ifindex: home }) =>
        home !== ifindex && this.rules.match(ifindex, w0, w1, w2, w3).length > 0)
      const { rules, rules: { revision } } = this
      const before = this.#fixed.get(ifindex)
      const isSame = before?.rules === rules && before.revision === revision && before.name === name
      const byRules = isSame ? before.byRules : lastWords(rules.fixed(name))
      this.#fixed.set(ifindex, { rules, revision, name, byRules, own: lastWords(elsewhere.map(({ address }) => address)) })
      this.#replace(ifindex, before)
    }
  }

  /** Joins what is fixed now and leaves what was `before`; in this order, so that what stays is not left. */
  #replace(ifindex: number, before: Fixed | undefined): void {
    const now = this.#fixed.get(ifindex)
    for (const part of ['byRules', 'own'] as const) {
      if (before?.[part] === now?.[part]) continue
      for (const word of now?.[part] ?? NO_WORDS) this.#groups.add(ifindex, addressOf(word))
    }
    for (const part of ['byRules', 'own'] as const) {
      if (before?.[part] === now?.[part]) continue
      for (const word of before?.[part] ?? NO_WORDS) this.#groups.remove(ifindex, addressOf(word))
    }
  }

  #stop(ifindex: number): void {
    this.#heard.delete(ifindex)
    this.#groups.gone(ifindex)
    const before = this.#fixed.get(ifindex)
    this.#fixed.delete(ifindex)
    this.#replace(ifindex, before)
    this.#sink.ignore(ifindex)
  }
}

function isSame(a: Hearing, b: Hearing): boolean {
  return (Object.keys(a) as (keyof Hearing)[]).every((key) => a[key] === b[key])
}

function lastWords(addresses: Iterable<Address>): Int32Array { return Int32Array.from(addresses, ({ w3 }) => w3) }

/** One whose group is that of all addresses with this last word. */
function addressOf(word: number): Address { return new Address(0, 0, 0, word) }
