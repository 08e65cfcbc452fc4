/**
 * How many entries of the neighbor cache there are of each kind and for each host, so that there is room for others
 * (RFC 6957 4.1, RFC 6583 7): one host can neither fill the cache nor use up the probes.
 */
import type { Mac } from '../address.ts'
import type { HostLists } from './host-lists.ts'
import type { Neighbor } from './neighbor.ts'
import type { ActiveRule } from './rules.ts'
import { Tally } from './tally.ts'
import type { Limit, Sink } from './types.ts'

/** INCOMPLETE and FAILED entries in all; the oldest FAILED one makes room. */
export const UNPROVEN_LIMIT = 4096
/** As many more for hosts that showed themselves (RFC 6583 7.1): a scan keeps none of them out, nor do those of one link. */
export const ALIVE_RESERVE = 4096
/** Routers that are gone keep their places among the FAILED, when these are all taken, up to this number. */
export const SILENT_ROUTER_LIMIT = 256
/** The part of `limit` that the owners of one link leave to those of others. */
const OTHERS_SHARE = 1 / 4

export class Census {
  readonly #hosts: HostLists
  readonly #ownedOn = new Tally<number>()
  /** Owners that name another's link-layer address: how many are not charged to it, and who is charged for how many. */
  readonly #named = new Tally<Mac>()
  readonly #charged = new Tally<Mac>()
  readonly #pending = new Tally<Mac>()
  /** By id, the oldest first. */
  readonly #failed = new Map<number, Neighbor>()
  readonly #silentRouters = new Map<number, Neighbor>()
  readonly #sink: Sink
  #owned = 0
  #unproven = 0
  /** Grows with every change of a learned owner. */
  revision = 0

  constructor(hosts: HostLists, sink: Sink) {
    this.#hosts = hosts
    this.#sink = sink
  }

  /** @param size of the learned owners */
  limits(size: number): Limit[] {
    return [
      { name: 'learned addresses', used: this.#owned, size },
      { name: 'targets asked for, or failed', used: this.#unproven, size: UNPROVEN_LIMIT + ALIVE_RESERVE },
      { name: 'silent routers', used: this.#silentRouters.size, size: SILENT_ROUTER_LIMIT },
    ]
  }

  /** INCOMPLETE and FAILED entries. */
  get unproven(): number { return this.#unproven }
  /** The FAILED entry that may go first. */
  get oldestFailed(): Neighbor | undefined {
    const failed = this.#silentRouters.size > SILENT_ROUTER_LIMIT ? this.#silentRouters : this.#failed
    return failed.values().next().value
  }

  /** FAILED entries, but for routers'. They may be removed meanwhile. */
  get failed(): Iterable<Neighbor> { return this.#failed.values() }

  /** What a link-layer address owns, but for pinned addresses. */
  of(mac: Mac): Iterable<Neighbor> { return this.#hosts.of(mac) }

  /** Whether there are as many owners as there may be; says so. */
  isFull({ settings: { limit } }: ActiveRule): boolean {
    const isFull = this.#owned >= limit
    if (isFull) this.#sink.event({ kind: 'limit', limit: 'neighbors', size: limit })
    return isFull
  }

  /** Where an entry that is not proved yet finds a place: there is room, or instead of that one; undefined: nowhere. Says so. */
  place(rule: ActiveRule, alive: boolean): Neighbor | 'room' | undefined {
    if (this.isFull(rule)) return undefined
    const size = UNPROVEN_LIMIT + (alive ? ALIVE_RESERVE : 0)
    if (this.#unproven < size) return 'room'
    if (this.oldestFailed === undefined) this.#sink.event({ kind: 'limit', limit: 'targets', size })
    return this.oldestFailed
  }

  /** Why an entry cannot become an owner on this link, or undefined. Says so. @param host who would own it */
  refusal({ rule, isPinned, isOwned, account, mac }: Neighbor, ifindex: number, host: Mac | undefined, isUpstream: boolean):
  'host-limit' | 'limit' | undefined {
    if (isPinned) return undefined
    const isSame = isOwned && (account ?? mac) === host
    // Many may have been asked for while there was room.
    if (!isSame && host !== undefined && !isUpstream && this.isSated(host, rule)) return 'host-limit'
    return !isOwned && (this.isFull(rule) || this.#isOverrun(ifindex, rule, isUpstream)) ? 'limit' : undefined
  }

  /** Whether a host has as many addresses as it may; says so. */
  isSated(mac: Mac, rule: ActiveRule): boolean { 
    return this.#isEnough(mac, this.#hosts.count(mac) - this.#named.count(mac) + this.#charged.count(mac), rule)
  }

  /** Whether as many questions as there may be are under way on a host's account; says so. */
  isBusy(mac: Mac, rule: ActiveRule): boolean { return this.#isEnough(mac, this.#pending.count(mac), rule) }

  /** Counts the entry as what it is now. It must not change in state, link, lladdr or account until {@link remove}. */
  add(neighbor: Neighbor): void {
    const { state, ifindex, mac, account, isPinned } = neighbor
    if (isPinned) return
    if (neighbor.isOwned) {
      this.#owned++
      this.revision++
      this.#ownedOn.add(ifindex)
      if (mac !== undefined) this.#hosts.add(neighbor, mac)
      if (account === undefined) return
      this.#charged.add(account)
      if (mac !== undefined) this.#named.add(mac)
    } else {
      this.#unproven++
      if (state === 'INCOMPLETE' && account !== undefined) this.#pending.add(account)
      // What is known of routers is worth more than room.
      if (state === 'FAILED') (neighbor.router ? this.#silentRouters : this.#failed).set(neighbor.id, neighbor)
    }
  }

  remove(neighbor: Neighbor): void {
    const { state, ifindex, mac, account, isPinned } = neighbor
    if (isPinned) return
    if (neighbor.isOwned) {
      this.#owned--
      this.revision++
      this.#ownedOn.remove(ifindex)
      if (mac !== undefined) this.#hosts.remove(neighbor, mac)
      if (account === undefined) return
      this.#charged.remove(account)
      if (mac !== undefined) this.#named.remove(mac)
    } else {
      this.#unproven--
      this.#failed.delete(neighbor.id)
      this.#silentRouters.delete(neighbor.id)
      if (state === 'INCOMPLETE' && account !== undefined) this.#pending.remove(account)
    }
  }

  /** Whether the owners of one link leave no room for those of the others that the rule has. */
  #isOverrun(ifindex: number, { settings: { limit }, subnet, links: { ifindexes } }: ActiveRule, isUpstream: boolean): boolean {
    if (!isUpstream && ifindexes.length <= (subnet === undefined ? 1 : 2)) return false
    const size = limit - Math.floor(limit * OTHERS_SHARE)
    const isOverrun = this.#ownedOn.count(ifindex) >= size
    if (isOverrun) this.#sink.event({ kind: 'limit', limit: 'neighbors', size, ifindex })
    return isOverrun
  }

  #isEnough(mac: Mac, count: number, { settings: { hostLimit } }: ActiveRule): boolean {
    const isEnough = count >= hostLimit
    if (isEnough) this.#sink.event({ kind: 'limit', limit: 'host', size: hostLimit, mac })
    return isEnough
  }
}
