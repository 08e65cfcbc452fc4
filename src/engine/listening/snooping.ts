/**
 * With `snooping mirror`, joins on the upstreams the solicited-node groups that downstream hosts report (as in RFC 4605). Switches with MLD
 * snooping then pass solicitations for unknown hosts. Queries on the downstream links ask for these reports (RFC 3810 7.6, 9).
 */
import type { Address } from '../../address.ts'
import { MULTICAST_ADDRESS_LISTENING_INTERVAL, OTHER_QUERIER_PRESENT_TIMEOUT, QUERY_INTERVAL, QUERY_RESPONSE_INTERVAL, STARTUP_QUERY_COUNT,
  STARTUP_QUERY_INTERVAL } from '../../wire/constants.ts'
import type { ListenerQuery } from '../../wire/mld-decode.ts'
import { linkLocal } from '../links/source-address.ts'
import { type Context, Part } from '../rules/context.ts'
import { AddressMap } from '../tables/address-map.ts'
import { Deadlines, earliest, type Timed } from '../tables/deadlines.ts'
import type { Instant } from '../../engine-types.ts'
import type { Limit } from '../../events.ts'
import type { Groups } from './groups.ts'

/** The most mirrored groups of one downstream link. */
export const GROUP_LIMIT = 4096
export const MIRROR_LIMIT = 4 * GROUP_LIMIT
/** Milliseconds between two checks of a link without a usable address. */
const RETRY = 1000
/** Milliseconds from a General Query until a group without report counts as left: RFC 3810 9.3, plus 1 s for delays on the way. */
const SILENCE = QUERY_RESPONSE_INTERVAL + 1000
/** Minimum time from a General Query to the next one that a leave causes, milliseconds. During this time, hosts still answer the first query. */
const QUERY_GAP = QUERY_RESPONSE_INTERVAL

interface MirroredGroup extends Timed {
  readonly group: Address
  readonly downstream: Downstream
}

/** A link whose groups are mirrored. Its deadline is the time of the next General Query. */
interface Downstream extends Timed {
  readonly ifindex: number
  upstreams: readonly number[]
  readonly groups: AddressMap<MirroredGroup>
  /** A limit was reached, and its event was emitted. */
  isFull: boolean
  queries: number
  lastQuery: Instant
  /** End of the Other Querier Present timer (RFC 3810 9.5). */
  otherQuerier: Instant
}

type SnoopingParts = Omit<Context, 'rules'> & { readonly groups: Pick<Groups, 'add' | 'remove' | 'query'> }

export class Snooping extends Part<SnoopingParts> {
  readonly #downstreams = new Map<number, Downstream>()
  readonly #queries = new Deadlines<Downstream>()
  readonly #mirrored = new Deadlines<MirroredGroup>()

  get limits(): Limit[] {
    const used = [...this.#downstreams.values()].reduce((most, { groups: { size } }) => Math.max(most, size), 0)
    return [{ name: 'groups reported by hosts', used: this.#mirrored.size, size: MIRROR_LIMIT },
      { name: 'groups reported by hosts of one link, at most', used, size: GROUP_LIMIT }]
  }

  get deadline(): Instant | undefined { return earliest(this.#queries.next, this.#mirrored.next) }

  /** Sets the links to mirror. @param mirrors the upstreams of each downstream link, by ifindex, without duplicates */
  configure(mirrors: ReadonlyMap<number, readonly number[]>, now: Instant): void {
    for (const downstream of this.#downstreams.values()) if (!mirrors.has(downstream.ifindex)) this.#end(downstream)
    for (const [ifindex, upstreams] of mirrors) this.#redirect(this.#downstreams.get(ifindex) ?? this.#begin(ifindex, now), upstreams)
  }

  /** Handles a report: solicited-node groups that a host on this link joined or left. */
  report(ifindex: number, joined: readonly Address[], left: readonly Address[], now: Instant): void {
    const downstream = this.#downstreams.get(ifindex)
    if (downstream === undefined) return
    for (const group of left) this.#leave(downstream, group, now)
    for (const group of joined) this.#join(downstream, group, now)
  }

  /**
   * Handles a query of another router. The querier is the router with the lowest address (RFC 3810 7.6.2). As in Linux (br_multicast.c),
   * only General Queries count: a router that queries a single group need not query all groups.
   */
  query(ifindex: number, { source, toAll, groups }: ListenerQuery, now: Instant): void {
    if (!toAll || groups !== undefined) return
    const downstream = this.#downstreams.get(ifindex)
    const own = linkLocal(this.parts.links, ifindex)
    if (downstream === undefined || own === undefined || source.compare(own) >= 0) return
    downstream.otherQuerier = now + OTHER_QUERIER_PRESENT_TIMEOUT as Instant
    this.#queries.set(downstream, downstream.otherQuerier)
  }

  wake(now: Instant): void {
    for (let due = this.#queries.due(now); due !== undefined; due = this.#queries.due(now)) {
      this.#queries.set(due, this.#query(due, now))
    }
    for (let due = this.#mirrored.due(now); due !== undefined; due = this.#mirrored.due(now)) this.#expire(due)
  }

  gone(ifindex: number): void {
    const gone = this.#downstreams.get(ifindex)
    if (gone !== undefined) this.#end(gone)
    for (const downstream of this.#downstreams.values()) {
      if (downstream.upstreams.includes(ifindex)) this.#redirect(downstream, downstream.upstreams.filter((each) => each !== ifindex))
    }
  }

  #begin(ifindex: number, now: Instant): Downstream {
    const downstream: Downstream = { ifindex, upstreams: [], groups: new AddressMap(this.parts.random), isFull: false, queries: 0,
      lastQuery: -Infinity as Instant, otherQuerier: -Infinity as Instant, deadline: now, place: -1 }
    this.#downstreams.set(ifindex, downstream)
    this.#queries.set(downstream, now)
    return downstream
  }

  #end(downstream: Downstream): void {
    this.#redirect(downstream, [])
    for (const mirrored of downstream.groups.values()) this.#mirrored.remove(mirrored)
    this.#queries.remove(downstream)
    this.#downstreams.delete(downstream.ifindex)
  }

  #redirect(downstream: Downstream, upstreams: readonly number[]): void {
    const before = downstream.upstreams
    downstream.upstreams = upstreams
    const added = upstreams.filter((ifindex) => !before.includes(ifindex))
    const removed = before.filter((ifindex) => !upstreams.includes(ifindex))
    if (added.length + removed.length === 0) return
    for (const { group } of downstream.groups.values()) {
      for (const ifindex of added) this.parts.groups.add(ifindex, group)
      for (const ifindex of removed) this.parts.groups.remove(ifindex, group)
    }
  }

  #join(downstream: Downstream, group: Address, now: Instant): void {
    const { groups, upstreams } = downstream
    let mirrored = groups.get(group.w0, group.w1, group.w2, group.w3)
    if (mirrored === undefined) {
      // One link may use at most half of the places that the other links leave.
      if (groups.size >= Math.min(GROUP_LIMIT, MIRROR_LIMIT - this.#mirrored.size)) return this.#refuse(downstream)
      mirrored = { group, downstream, deadline: now, place: -1 }
      groups.set(group.w0, group.w1, group.w2, group.w3, mirrored)
      for (const upstream of upstreams) this.parts.groups.add(upstream, group)
    }
    this.#mirrored.set(mirrored, now + MULTICAST_ADDRESS_LISTENING_INTERVAL as Instant)
  }

  /** Emits one event for a link that is full, with the limit that was reached: that of the link, or that of all links together. */
  #refuse(downstream: Downstream): void {
    const { ifindex, groups: { size }, isFull } = downstream
    downstream.isFull = true
    if (isFull) return
    this.parts.effects.events.push({ kind: 'limit', limit: 'groups', ...size < GROUP_LIMIT ? { size: MIRROR_LIMIT } : { size, ifindex } })
  }

  /** If this machine is the querier: schedules a query, after which the group ends soon unless a host reports it (RFC 3810 7.6.3). */
  #leave({ groups, otherQuerier, lastQuery }: Downstream, group: Address, now: Instant): void {
    const mirrored = groups.get(group.w0, group.w1, group.w2, group.w3)
    if (mirrored === undefined || otherQuerier > now) return
    const query = Math.max(now, lastQuery + QUERY_GAP) as Instant
    this.#queries.set(mirrored.downstream, query)
    if (query + SILENCE < mirrored.deadline) this.#mirrored.set(mirrored, query + SILENCE as Instant)
  }

  #expire({ group, downstream }: MirroredGroup): void {
    downstream.groups.delete(group.w0, group.w1, group.w2, group.w3)
    downstream.isFull = false
    for (const upstream of downstream.upstreams) this.parts.groups.remove(upstream, group)
  }

  /** Sends a General Query on a link, if it has a usable address. @returns the time of the next query or check */
  #query(downstream: Downstream, now: Instant): Instant {
    const { links, effects, groups } = this.parts
    const { ifindex } = downstream
    const source = linkLocal(links, ifindex)
    if (source === undefined) {
      downstream.queries = 0
      return now + RETRY as Instant
    }
    effects.multicasts.push({ ifindex, message: { kind: 'query', source } })
    // The switch receives the query as well, and expects reports of our own groups.
    groups.query(ifindex, { version: 2, groups: undefined, delay: QUERY_RESPONSE_INTERVAL }, now)
    downstream.lastQuery = now
    downstream.queries++
    return now + (downstream.queries < STARTUP_QUERY_COUNT ? STARTUP_QUERY_INTERVAL : QUERY_INTERVAL) as Instant
  }
}
