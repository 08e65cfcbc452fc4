/** Limits of the neighbor cache, in total and per host: no host can fill the cache or use up the probes (RFC 6957 4.1, RFC 6583 7). */
import type { Mac } from '../../address.ts'
import { type Context, Part } from '../rules/context.ts'
import type { ActiveRule } from '../rules/rule.ts'
import { Counts } from '../tables/counts.ts'
import type { Instant } from '../../engine-types.ts'
import type { Limit } from '../../events.ts'
import { type Neighbor, NONE } from './neighbor.ts'
import { UnconfirmedOwners } from './unconfirmed-owners.ts'

/** The most INCOMPLETE and FAILED entries together. At this limit, a new entry replaces the oldest FAILED one. */
export const UNPROVEN_LIMIT = 4096
/** Places beyond UNPROVEN_LIMIT, only for hosts that sent a packet themselves. A scan cannot take these places (RFC 6583 7.1). */
export const ALIVE_RESERVE = 4096
/** The most addresses behind next hops. These addresses do not count for `limit`. At this number, a new address replaces the oldest one. */
export const BEHIND_HOPS_LIMIT = 4096
/**
 * Where `sizeOf` demands it, the owners of one link leave this part of `limit` to other links. Confirmed owners always leave as large a part
 * to unconfirmed owners.
 */
const OTHERS_SHARE = 1 / 4
/**
 * While owners use at least this part of `sizeOf`, a new owner is verified a second after its proof. A forged owner that does not answer
 * again then loses its place.
 */
const CROWD = 1 / 2

export class Capacity extends Part<Pick<Context, 'effects'>> {
  /** Learned owners by link-layer address. A change replaces the list, so a list does not change while it is iterated over. */
  readonly #byMac = new Map<Mac, readonly Neighbor[]>()
  readonly #ownedOn = new Counts<number>()
  /** Numbers of owners that answered a verification, by link. */
  readonly #confirmedOn = new Counts<number>()
  readonly #unconfirmed = new UnconfirmedOwners()
  /** Numbers of owners by link-layer address. An owner is counted if the sender of its proof has another link-layer address. */
  readonly #named = new Counts<Mac>()
  /** Numbers of the same owners as in `#named`, by the sender of the proof. */
  readonly #charged = new Counts<Mac>()
  /** INCOMPLETE entries by the host that caused the probes, the oldest first. */
  readonly #probedFor = new Map<Mac, Set<Neighbor>>()
  /** FAILED entries, the oldest first. */
  readonly #failed = new Set<Neighbor>()
  /** Owned entries behind next hops, the oldest first. */
  readonly #behindHops = new Set<Neighbor>()
  #owned = 0
  #confirmed = 0
  #unproven = 0
  /** Increases with every change of a learned owner. */
  revision = 0

  /** @param size the highest `limit` of all blocks */
  limits(size: number): Limit[] {
    return [{ name: 'learned addresses', used: this.#owned, size },
      { name: 'targets being probed, or without an owner', used: this.#unproven, size: UNPROVEN_LIMIT + ALIVE_RESERVE },
      { name: 'addresses behind next hops', used: this.#behindHops.size, size: BEHIND_HOPS_LIMIT }]
  }

  /** The entry to be replaced by a new address behind a next hop; undefined: the limit is not reached. */
  get oldestBehindHops(): Neighbor | undefined {
    return this.#behindHops.size < BEHIND_HOPS_LIMIT ? undefined : this.#behindHops.values().next().value
  }

  /** FAILED entries. Entries may be removed during an iteration. */
  get failed(): Iterable<Neighbor> { return this.#failed }
  of(mac: Mac): readonly Neighbor[] { return this.#byMac.get(mac) ?? NONE }

  /** @returns whether `limit` is reached. If so, emits an event */
  isFull({ settings: { limit } }: ActiveRule): boolean {
    if (this.#owned < limit) return false
    this.parts.effects.events.push({ kind: 'limit', limit: 'neighbors', size: limit })
    return true
  }

  /** @returns a place for an unproven entry: `free`, or the entry to be removed; undefined: a limit is reached, and an event emitted */
  place(rule: ActiveRule, isAlive: boolean): Neighbor | 'free' | undefined {
    if (this.#unconfirmed.isEmpty && this.isFull(rule)) return undefined
    const size = UNPROVEN_LIMIT + (isAlive ? ALIVE_RESERVE : 0)
    if (this.#unproven < size) return 'free'
    const oldest = this.#failed.values().next().value
    if (oldest === undefined) this.parts.effects.events.push({ kind: 'limit', limit: 'targets', size })
    return oldest
  }

  /**
   * Decides whether an owner may be added.
   * @param host the host that the entry would count for
   * @returns `free`, or the owner to be removed first, or the limit that refuses the owner. Emits an event when a limit is reached
   */
  admission({ rule, isPinned, isOwned, work: { account }, mac }: Neighbor, ifindex: number, host: Mac | undefined, isUpstream: boolean):
  Neighbor | 'free' | 'host-limit' | 'limit' {
    if (isPinned) return 'free'
    const isSame = isOwned && (account ?? mac) === host
    // The limits are checked again at the proof, because more targets may be probed than owners are allowed.
    if (!isSame && host !== undefined && !isUpstream && this.hasEnough(host, rule)) return 'host-limit'
    if (isOwned) return 'free'
    if (this.#isOverrun(ifindex, rule, isUpstream)) return this.#unconfirmed.oldest(ifindex) ?? 'limit'
    return this.isFull(rule) ? this.#unconfirmed.oldest() ?? 'limit' : 'free'
  }

  /** @returns whether an owner is to be confirmed soon, because many places are in use */
  isDoubtful(neighbor: Neighbor, isUpstream: boolean): boolean {
    return !neighbor.isConfirmed && neighbor.work.nextHop === undefined && this.#owned >= CROWD * sizeOf(neighbor.rule, isUpstream)
      && this.#canConfirm(neighbor, isUpstream)
  }

  /** Confirms an owner that answered a verification, unless too few places would be left for unconfirmed owners. */
  confirm(neighbor: Neighbor, isUpstream: boolean): void {
    const { isConfirmed, isPinned, work: { nextHop } } = neighbor
    if (isConfirmed || isPinned || nextHop !== undefined || !this.#canConfirm(neighbor, isUpstream)) return
    this.#unconfirmed.delete(neighbor)
    neighbor.isConfirmed = true
    this.#countConfirmed(neighbor, 1)
  }

  /** Handles a change of the port that a bridge has for a link-layer address. @param port undefined: the bridge forgot the address */
  station(bridge: number, mac: Mac, port: number | undefined): void {
    if (port === undefined) this.#unconfirmed.forgot(bridge, mac)
    else this.#unconfirmed.learned(bridge, mac, port, this.of(mac))
  }

  /** @returns whether a host has `host-limit` addresses. If so, emits an event */
  hasEnough(mac: Mac, rule: ActiveRule): boolean {
    return this.#isReached(mac, this.of(mac).length - this.#named.count(mac) + this.#charged.count(mac), rule)
  }
  /**
   * Decides whether a host may cause probes for one more target. At `host-limit`, a new address that the host uses replaces the oldest
   * INCOMPLETE entry that the host caused, if that address had time to answer. Without this replacement, packets from forged addresses could
   * prevent probes for the host's real addresses.
   * @returns `free`, or the entry to be removed; undefined: the limit holds. Emits an event when the limit is reached
   */
  probePlace(mac: Mac, rule: ActiveRule, isAlive: boolean, now: Instant): Neighbor | 'free' | undefined {
    const probed = this.#probedFor.get(mac)
    if (!this.#isReached(mac, probed?.size ?? 0, rule)) return 'free'
    const oldest: Neighbor | undefined = probed?.values().next().value
    if (!isAlive || oldest === undefined) return undefined
    const { probes } = oldest.work
    return probes > 1 || (probes === 1 && oldest.hadTimeToAnswer(now)) ? oldest : undefined
  }
  /**
   * Counts an entry. Until {@link remove}, the link, MAC address and `account` of the entry must not change, and an owner must neither get
   * nor lose a next hop. The state may change between REACHABLE and PROBE only. Only {@link confirm} may change `isConfirmed`.
   */
  add(neighbor: Neighbor): void { this.#count(neighbor, 1) }
  remove(neighbor: Neighbor): void { this.#count(neighbor, -1) }

  #count(neighbor: Neighbor, by: 1 | -1): void {
    const { state, ifindex, mac, isPinned, isOwned, work: { account, nextHop } } = neighbor
    if (isPinned) return
    if (isOwned && nextHop !== undefined) {
      if (by > 0) this.#behindHops.add(neighbor)
      else this.#behindHops.delete(neighbor)
      return
    }
    if (isOwned) {
      this.#owned += by
      this.revision++
      this.#ownedOn.add(ifindex, by)
      if (neighbor.isConfirmed) this.#countConfirmed(neighbor, by)
      else if (by > 0) this.#unconfirmed.add(neighbor)
      else this.#unconfirmed.delete(neighbor)
      if (mac !== undefined) this.#index(neighbor, mac, by)
      if (account !== undefined) this.#charged.add(account, by)
      if (account !== undefined && mac !== undefined) this.#named.add(mac, by)
      return
    }
    this.#unproven += by
    if (state === 'INCOMPLETE' && account !== undefined) this.#probe(neighbor, account, by)
    if (state !== 'FAILED') return
    if (by > 0) this.#failed.add(neighbor)
    else this.#failed.delete(neighbor)
  }

  #probe(neighbor: Neighbor, account: Mac, by: 1 | -1): void {
    const probed = this.#probedFor.get(account) ?? new Set()
    if (by > 0) this.#probedFor.set(account, probed.add(neighbor))
    else if (probed.delete(neighbor) && probed.size === 0) this.#probedFor.delete(account)
  }

  #index(neighbor: Neighbor, mac: Mac, by: 1 | -1): void {
    const others = this.of(mac).filter((other) => other !== neighbor)
    const entries = by > 0 ? [...others, neighbor] : others
    if (entries.length > 0) this.#byMac.set(mac, entries)
    else this.#byMac.delete(mac)
  }

  #countConfirmed({ ifindex }: Neighbor, by: 1 | -1): void {
    this.#confirmed += by
    this.#confirmedOn.add(ifindex, by)
  }

  #canConfirm({ ifindex, rule }: Neighbor, isUpstream: boolean): boolean {
    return this.#confirmed < lessShare(rule.settings.limit) && this.#confirmedOn.count(ifindex) < lessShare(sizeOf(rule, isUpstream))
  }

  /** @returns whether the owners of one link use up their share of `limit`. If so, emits an event */
  #isOverrun(ifindex: number, rule: ActiveRule, isUpstream: boolean): boolean {
    const size = sizeOf(rule, isUpstream)
    if (size === rule.settings.limit || this.#ownedOn.count(ifindex) < size) return false
    this.parts.effects.events.push({ kind: 'limit', limit: 'neighbors', size, ifindex })
    return true
  }

  #isReached(mac: Mac, count: number, { settings: { hostLimit } }: ActiveRule): boolean {
    if (count < hostLimit) return false
    this.parts.effects.events.push({ kind: 'limit', limit: 'host', size: hostLimit, mac })
    return true
  }
}

function lessShare(size: number): number { return size - Math.floor(size * OTHERS_SHARE) }

/** @returns the most owners on one link: `limit`, minus OTHERS_SHARE of it on an upstream or if the rule has several links with hosts */
function sizeOf({ settings: { limit }, subnet, links: { ifindexes } }: ActiveRule, isUpstream: boolean): number {
  return isUpstream || ifindexes.length > (subnet === undefined ? 1 : 2) ? lessShare(limit) : limit
}
