/**
 * How many entries of the neighbor cache there are of each kind and for each host, so that there is room for others
 * (RFC 6957 4.1, RFC 6583 7): one host can neither fill the cache nor use up the probes.
 */
import type { Mac } from '../address.ts'
import type { HostLists } from './host-lists.ts'
import type { Neighbor } from './neighbor.ts'
import type { ActiveRule } from './rules.ts'
import type { Sink } from './types.ts'

/** INCOMPLETE and FAILED entries in all; the oldest FAILED one makes room. */
export const UNPROVEN_LIMIT = 4096
/** As many more for hosts that showed themselves (RFC 6583 7.1): a scan keeps none of them out. */
export const ALIVE_RESERVE = 1024
/** Routers that are gone keep their places among the FAILED, when these are all taken, up to this number. */
export const SILENT_ROUTER_LIMIT = 256

export class Census {
  readonly #hosts: HostLists
  readonly #pending = new Map<Mac, number>()
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

  /** Whether a host has as many addresses as it may; says so. */
  isSated(mac: Mac, rule: ActiveRule): boolean { return this.#isEnough(mac, this.#hosts.count(mac), rule) }

  /** Whether as many questions as there may be are under way on a host's account; says so. */
  isBusy(mac: Mac, rule: ActiveRule): boolean { return this.#isEnough(mac, this.#pending.get(mac) ?? 0, rule) }

  /** Counts the entry as what it is now. It must not change in state, lladdr or account until {@link remove}. */
  add(neighbor: Neighbor): void {
    const { state, mac, account, isPinned } = neighbor
    if (isPinned) return
    if (neighbor.isOwned) {
      this.#owned++
      this.revision++
      if (mac !== undefined) this.#hosts.add(neighbor, mac)
    } else {
      this.#unproven++
      if (state === 'INCOMPLETE' && account !== undefined) this.#pending.set(account, (this.#pending.get(account) ?? 0) + 1)
      // What is known of routers is worth more than room.
      if (state === 'FAILED') (neighbor.router ? this.#silentRouters : this.#failed).set(neighbor.id, neighbor)
    }
  }

  remove(neighbor: Neighbor): void {
    const { state, mac, account, isPinned } = neighbor
    if (isPinned) return
    if (neighbor.isOwned) {
      this.#owned--
      this.revision++
      if (mac !== undefined) this.#hosts.remove(neighbor, mac)
    } else {
      this.#unproven--
      this.#failed.delete(neighbor.id)
      this.#silentRouters.delete(neighbor.id)
      if (state !== 'INCOMPLETE' || account === undefined) return
      const count = this.#pending.get(account)! - 1
      if (count > 0) this.#pending.set(account, count)
      else this.#pending.delete(account)
    }
  }

  #isEnough(mac: Mac, count: number, { settings: { hostLimit } }: ActiveRule): boolean {
    const isEnough = count >= hostLimit
    if (isEnough) this.#sink.event({ kind: 'limit', limit: 'host', size: hostLimit, mac })
    return isEnough
  }
}
