/**
 * What makes switches with MLD snooping pass solicitations for hosts that are not known yet. `snooping mirror`: the
 * solicited-node groups that hosts report on an inside link are joined on its upstreams (in the spirit of RFC 4605), for
 * which we are a querier there (RFC 3810 7.6, 9). `snooping mrd`: see {@link RouterDiscovery}.
 */
import type { Address } from '../address.ts'
import {
  MULTICAST_ADDRESS_LISTENING_INTERVAL, OTHER_QUERIER_PRESENT_TIMEOUT, QUERY_INTERVAL, QUERY_RESPONSE_INTERVAL,
  STARTUP_QUERY_COUNT, STARTUP_QUERY_INTERVAL,
} from '../wire/constants.ts'
import { AddressMap } from './address-map.ts'
import { Deadlines } from './deadlines.ts'
import type { Timed } from './deadlines.ts'
import type { Groups } from './groups.ts'
import type { Links } from './links.ts'
import { linkLocal, RouterDiscovery } from './router-discovery.ts'
import type { Instant, Limit, Random, Sink } from './types.ts'

/** Mirrored groups of one inside link; of all of them; of one as many as there is room left, at most. */
export const GROUP_LIMIT = 4096
export const MIRROR_LIMIT = 4 * GROUP_LIMIT
/** How often a link without a usable address is looked at again. */
const RETRY = 1000
/** How long after a General Query a listener has been silent for good: RFC 3810 9.3, and the time on the way. */
const SILENCE = QUERY_RESPONSE_INTERVAL + 1000
/** The least time between General Queries: while answers to the last one come in, there is no other. */
const QUERY_GAP = QUERY_RESPONSE_INTERVAL

/** A group that is mirrored, until its deadline. */
interface Mirrored extends Timed {
  readonly group: Address
  readonly inside: Inside
}

/** A link whose groups are mirrored; its deadline is the next General Query. */
interface Inside extends Timed {
  readonly ifindex: number
  upstreams: readonly number[]
  readonly groups: AddressMap<Mirrored>
  /** The limit was met, and told. */
  full: boolean
  /** General Queries since the link could be used. */
  queries: number
  lastQuery: Instant
  /** Until then another querier is taken to be there. */
  otherQuerier: Instant
}

export class Snooping {
  readonly #links: Links
  readonly #groups: Pick<Groups, 'add' | 'remove' | 'query'>
  readonly #sink: Sink
  readonly #random: Random
  readonly #discovery: RouterDiscovery
  readonly #insides = new Map<number, Inside>()
  readonly #queries = new Deadlines<Inside>()
  readonly #mirrored = new Deadlines<Mirrored>()

  constructor(links: Links, groups: Pick<Groups, 'add' | 'remove' | 'query'>, sink: Sink, random: Random) {
    this.#links = links
    this.#groups = groups
    this.#sink = sink
    this.#random = random
    this.#discovery = new RouterDiscovery(links, sink, random)
  }

  get limits(): Limit[] { return [{ name: 'groups reported by hosts', used: this.#mirrored.size, size: MIRROR_LIMIT }] }

  get deadline(): Instant | undefined {
    const { next: query = Infinity } = this.#queries
    const { next: expiry = Infinity } = this.#mirrored
    const next = Math.min(query, expiry, this.#discovery.deadline ?? Infinity)
    return next === Infinity ? undefined : next as Instant
  }

  /**
   * What is to be done from now on; only what differs from before takes effect.
   * @param mirrors the upstreams of each inside link, by ifindex, each once
   * @param routers links for Multicast Router Advertisements
   */
  configure(mirrors: ReadonlyMap<number, readonly number[]>, routers: ReadonlySet<number>, now: Instant): void {
    this.#discovery.configure(routers, now)
    for (const inside of this.#insides.values()) {
      if (!mirrors.has(inside.ifindex)) this.#drop(inside)
    }
    for (const [ifindex, upstreams] of mirrors) {
      const inside = this.#insides.get(ifindex) ?? this.#begin(ifindex, now)
      this.#redirect(inside, upstreams)
    }
  }

  /** Solicited-node groups that a host on this link listens to or left. */
  report(ifindex: number, joined: readonly Address[], left: readonly Address[], now: Instant): void {
    const inside = this.#insides.get(ifindex)
    if (inside === undefined) return
    for (const group of left) this.#leave(inside, group, now)
    for (const group of joined) this.#join(inside, group, now)
  }

  /** Another router's General Query, to all: the lowest address is the querier (RFC 3810 7.6.2). */
  query(ifindex: number, source: Address, now: Instant): void {
    const inside = this.#insides.get(ifindex)
    const ours = linkLocal(this.#links, ifindex)
    if (inside === undefined || ours === undefined || source.compare(ours) >= 0) return
    inside.otherQuerier = (now + OTHER_QUERIER_PRESENT_TIMEOUT) as Instant
    this.#queries.set(inside, inside.otherQuerier)
  }

  /** A Multicast Router Solicitation. */
  solicited(ifindex: number, now: Instant): void { this.#discovery.solicited(ifindex, now) }

  wake(now: Instant): void {
    this.#discovery.wake(now)
    for (let due = this.#queries.due(now); due !== undefined; due = this.#queries.due(now)) {
      this.#queries.set(due, this.#ask(due, now))
    }
    for (let due = this.#mirrored.due(now); due !== undefined; due = this.#mirrored.due(now)) this.#forget(due)
  }

  /** The link is no more, inside, upstream or router's. */
  gone(ifindex: number): void {
    this.#discovery.gone(ifindex)
    const gone = this.#insides.get(ifindex)
    if (gone !== undefined) this.#drop(gone)
    for (const inside of this.#insides.values()) {
      if (inside.upstreams.includes(ifindex)) this.#redirect(inside, inside.upstreams.filter((each) => each !== ifindex))
    }
  }

  /** The end of advertisements. */
  stop(): void { this.#discovery.stop() }

  #begin(ifindex: number, now: Instant): Inside {
    const inside: Inside = {
      ifindex, upstreams: [], groups: new AddressMap(this.#random), full: false,
      queries: 0, lastQuery: -Infinity as Instant, otherQuerier: -Infinity as Instant, deadline: now, place: -1,
    }
    this.#insides.set(ifindex, inside)
    this.#queries.set(inside, now)
    return inside
  }

  #drop(inside: Inside): void {
    this.#redirect(inside, [])
    for (const mirrored of inside.groups.values()) this.#mirrored.remove(mirrored)
    this.#queries.remove(inside)
    this.#insides.delete(inside.ifindex)
  }

  #redirect(inside: Inside, upstreams: readonly number[]): void {
    const before = inside.upstreams
    inside.upstreams = upstreams
    const come = upstreams.filter((ifindex) => !before.includes(ifindex))
    const go = before.filter((ifindex) => !upstreams.includes(ifindex))
    if (come.length + go.length === 0) return
    for (const { group } of inside.groups.values()) {
      for (const ifindex of come) this.#groups.add(ifindex, group)
      for (const ifindex of go) this.#groups.remove(ifindex, group)
    }
  }

  #join(inside: Inside, group: Address, now: Instant): void {
    const { groups, upstreams } = inside
    let mirrored = groups.get(group.w0, group.w1, group.w2, group.w3)
    if (mirrored === undefined) {
      const size = Math.min(GROUP_LIMIT, MIRROR_LIMIT - this.#mirrored.size)
      if (groups.size >= size) {
        if (!inside.full) this.#sink.event({ kind: 'limit', limit: 'groups', size, ifindex: inside.ifindex })
        inside.full = true
        return
      }
      mirrored = { group, inside, deadline: now, place: -1 }
      groups.set(group.w0, group.w1, group.w2, group.w3, mirrored)
      for (const upstream of upstreams) this.#groups.add(upstream, group)
    }
    this.#mirrored.set(mirrored, (now + MULTICAST_ADDRESS_LISTENING_INTERVAL) as Instant)
  }

  /**
   * Others may still listen: all are asked, and the group goes when nobody names it. Only the querier does that (RFC 3810
   * 7.6.3); its query is a general one, so that many leaves cost no more than one.
   */
  #leave(inside: Inside, group: Address, now: Instant): void {
    const mirrored = inside.groups.get(group.w0, group.w1, group.w2, group.w3)
    if (mirrored === undefined || inside.otherQuerier > now) return
    const query = Math.max(now, inside.lastQuery + QUERY_GAP) as Instant
    this.#queries.set(inside, query)
    if (query + SILENCE < mirrored.deadline) this.#mirrored.set(mirrored, (query + SILENCE) as Instant)
  }

  #forget({ group, inside }: Mirrored): void {
    inside.groups.delete(group.w0, group.w1, group.w2, group.w3)
    inside.full = false
    for (const upstream of inside.upstreams) this.#groups.remove(upstream, group)
  }

  /** Sends a General Query, if the link can be used. Returns when to do so next. */
  #ask(inside: Inside, now: Instant): Instant {
    const source = linkLocal(this.#links, inside.ifindex)
    if (source === undefined) {
      inside.queries = 0
      return (now + RETRY) as Instant
    }
    this.#sink.multicast(inside.ifindex, { kind: 'query', source })
    // A switch there wants to hear of our own groups, too.
    this.#groups.query(inside.ifindex, { version: 2, groups: undefined, delay: QUERY_RESPONSE_INTERVAL }, now)
    inside.lastQuery = now
    inside.queries++
    return (now + (inside.queries < STARTUP_QUERY_COUNT ? STARTUP_QUERY_INTERVAL : QUERY_INTERVAL)) as Instant
  }
}
