/**
 * Finds out which next hops are alive. A host behind a router receives no solicitations of this machine. So the next hop of the route to
 * the host is probed, once for all addresses behind this next hop. While the next hop is alive, ndp6d answers for these addresses.
 *
 *     (none) --entry waits--> probing --solicited advertisement--> alive --ttl--> (none)
 *                               | no reply                          | an entry waits at the end of ttl, or the kernel gets no reply
 *                               |                                   +--> probing
 *                               +--> silent --deadtime, sign of life--> (none)
 */
import type { Address, Mac, Prefix } from '../../address.ts'
import type { Settings } from '../../config/config.ts'
import { MAX_UNICAST_SOLICIT, NEIGHBOR_ADVERTISEMENT } from '../../wire/constants.ts'
import type { NdiscView } from '../../wire/ndisc-decode.ts'
import { Part } from '../rules/context.ts'
import { AddressMap } from '../tables/address-map.ts'
import { Batches } from '../tables/batches.ts'
import { Deadlines, earliest, type Timed } from '../tables/deadlines.ts'
import type { Instant, KernelNeighbor } from '../../engine-types.ts'
import type { Limit } from '../../events.ts'
import { type Neighbor, type NextHop, isSameHop } from './neighbor.ts'
import type { Reachability, ReachabilityParts } from './reachability.ts'

/** The most next hops that are known at one time. */
export const HOP_LIMIT = 1024
/** The most next hops that one call of `wake` handles. Packets wait during the call. Each silent next hop costs a search of all entries. */
const WAKE_LIMIT = 16
/** The most entries whose routes are looked up again in one millisecond. */
const LOOKUP_BATCH = 24

export type NextHopParts = ReachabilityParts & { readonly reachability: Reachability }

class Hop implements NextHop, Timed {
  readonly ifindex: number
  readonly address: Address
  state: 'new' | 'probing' | 'alive' | 'silent' = 'new'
  /** Link-layer address. Undefined while it is unknown, and on links without such addresses. */
  mac: Mac | undefined
  /** The next hop has not replied yet, or did not reply to the last probes. */
  isLost = true
  /** Time of the last proof; negative infinity without one. */
  verified = Number.NEGATIVE_INFINITY as Instant
  /** Probes sent since the last proof. */
  probes = 0
  /** The longest `ttl` of the entries behind the next hop. The proof is kept for this time. */
  ttl = 0
  /** Settings of the entry that caused the last probes. */
  settings: Settings
  /** INCOMPLETE and PROBE entries that wait for a reply. An entry may have another state or next hop by now, and is skipped then. */
  readonly waiting = new Set<Neighbor>()
  deadline = 0 as Instant
  place = -1

  constructor(ifindex: number, address: Address, settings: Settings) {
    this.ifindex = ifindex
    this.address = address
    this.settings = settings
  }

  /** Number of unicast probes to a known link-layer address, before the solicited-node group is probed. */
  get unicastProbes(): number { return this.mac === undefined ? 0 : Math.min(MAX_UNICAST_SOLICIT, this.settings.retries) }
}

export class NextHops extends Part<NextHopParts> {
  readonly #byLink = new Map<number, AddressMap<Hop>>()
  readonly #deadlines = new Deadlines<Hop>()
  #size = 0
  /** Entries whose route has to be looked up again. */
  readonly #stale = new Batches<Neighbor>(LOOKUP_BATCH)

  get limits(): Limit[] { return [{ name: 'next hops of routes', used: this.#size, size: HOP_LIMIT }] }

  /**
   * Sets the next hop of an entry. A REACHABLE entry becomes PROBE if it had another next hop. An INCOMPLETE or PROBE entry becomes
   * REACHABLE if the next hop replied within `ttl`, or FAILED if the next hop is silent and never replied. Otherwise the entry waits for a
   * reply, or is removed if no budget is left for a probe. While the target itself is being probed, the entry stays INCOMPLETE instead of
   * becoming FAILED or being removed. At HOP_LIMIT, an INCOMPLETE or PROBE entry with an unknown next hop is always removed.
   */
  follow(neighbor: Neighbor, ifindex: number, address: Address, now: Instant): void {
    const { owners, reachability } = this.parts
    const { state, work: { nextHop, probed } } = neighbor
    if (state === 'REACHABLE') return isSameHop(nextHop, { ifindex, address }) ? undefined : reachability.verify(neighbor, now, 'route')
    const hop = this.#get(ifindex, address) ?? this.#create(ifindex, address, neighbor.rule.settings)
    if (hop === undefined) return owners.remove(neighbor, 'limit')
    neighbor.set({ nextHop: hop })
    hop.ttl = Math.max(hop.ttl, neighbor.rule.settings.ttl)
    this.#adopt(hop, now)
    if (hop.state === 'alive' && now < neighbor.staleAfter(hop.verified)) return this.#prove(neighbor, hop)
    // The host may still answer a probe for the target itself.
    const isProbed = state === 'INCOMPLETE' && probed.length > 0
    if (hop.state === 'silent' && hop.verified === Number.NEGATIVE_INFINITY) {
      return isProbed ? undefined : owners.fail(neighbor, 'next hop silent', now)
    }
    hop.waiting.add(neighbor)
    if (hop.state !== 'probing' && !this.#probe(hop, neighbor.rule.settings, now) && !isProbed) owners.remove(neighbor, 'limit')
  }

  /** Handles a valid ND message: the proof of a next hop, or a sign of life. @returns whether the message is a proof */
  packet(ifindex: number, view: NdiscView, now: Instant): boolean {
    const hops = this.#byLink.get(ifindex)
    if (hops === undefined) return false
    const { type, t0, t1, t2, t3, s0, s1, s2, s3 } = view
    const isTarget = type === NEIGHBOR_ADVERTISEMENT || (s0 | s1 | s2 | s3) === 0
    const hop = isTarget ? hops.get(t0, t1, t2, t3) : hops.get(s0, s1, s2, s3)
    if (hop === undefined) return false
    if (hop.state === 'silent') this.#forget(hop)
    if (type !== NEIGHBOR_ADVERTISEMENT || !view.solicited || hop.state !== 'probing') return false
    const mac = view.lladdr < 0 ? undefined : view.lladdr
    // Another link-layer address counts only after the unicast probes to the known one were not answered.
    if (mac !== hop.mac && hop.probes <= hop.unicastProbes) return false
    this.parts.silentLinks.answered(ifindex)
    this.#alive(hop, mac, now)
    return true
  }

  /** Handles an entry of the kernel's neighbor table. The kernel solicits next hops itself while it has packets for them. */
  kernel({ target: { w0, w1, w2, w3 }, ifindex, mac, state }: KernelNeighbor, now: Instant): void {
    const hop = this.#byLink.get(ifindex)?.get(w0, w1, w2, w3)
    if (hop === undefined) return
    const isGone = state === 'failed' || state === 'deleted'
    if (hop.state === 'silent' && !isGone && mac !== undefined) this.#forget(hop)
    if (hop.state !== 'alive') return
    if (isGone) this.#probe(hop, hop.settings, now)
    else if (state === 'reachable' && mac === hop.mac) this.#alive(hop, mac, now)
  }

  /**
   * Forgets the next hops on a link that is gone or came up: other routers may be there. Waiting entries repeat the route lookup when their
   * present probe times out.
   */
  gone(ifindex: number): void {
    for (const hop of this.#byLink.get(ifindex)?.values() ?? []) this.#deadlines.remove(hop)
    this.#size -= this.#byLink.get(ifindex)?.size ?? 0
    this.#byLink.delete(ifindex)
  }

  /** Repeats the route lookups that a change of a route to `prefix` may concern. @param prefix undefined: any route may have changed */
  rerouted(prefix: Prefix | undefined, now: Instant): void {
    this.#stale.add([...this.parts.cache.values()].filter(({ target, state, rule: { kind }, work: { nextHop } }) => {
      const isByRoute = nextHop !== undefined || (kind === 'auto' && state === 'FAILED')
      return isByRoute && (prefix === undefined || prefix.contains(target))
    }), now)
  }

  get deadline(): Instant | undefined { return earliest(this.#deadlines.next, this.#stale.deadline) }

  wake(now: Instant): void {
    for (const neighbor of this.#stale.take(now)) this.#lookUp(neighbor)
    for (let turns = 0; turns < WAKE_LIMIT; turns++) {
      const hop = this.#deadlines.due(now)
      if (hop === undefined) return
      if (hop.state !== 'probing') this.#delete(hop)
      else if (hop.probes > hop.settings.retries) this.#silent(hop, now)
      else this.#send(hop, now)
    }
  }

  #lookUp(neighbor: Neighbor): void {
    const { cache, owners, prober } = this.parts
    if (cache.find(neighbor.target) !== neighbor) return
    // A host that has not replied may be reachable by the new route.
    if (neighbor.state === 'FAILED') owners.remove(neighbor, 'route')
    else if (neighbor.work.nextHop !== undefined) prober.lookUp(neighbor)
  }

  /** Takes over a newer proof of the next hop from the cache entry of its address. */
  #adopt(hop: Hop, now: Instant): void {
    const known = this.parts.cache.find(hop.address)
    if (known?.state !== 'REACHABLE' || known.isPinned || known.ifindex !== hop.ifindex || known.work.nextHop !== undefined) return
    if (known.verified > hop.verified && now < known.staleAt) this.#alive(hop, known.mac, known.verified)
  }

  /** Begins to probe a next hop. @returns false: no budget */
  #probe(hop: Hop, settings: Settings, now: Instant): boolean {
    const { state } = hop
    hop.state = 'probing'
    hop.settings = settings
    hop.probes = 0
    if (this.#send(hop, now)) return true
    hop.waiting.clear()
    if (state === 'silent') hop.state = state
    else this.#delete(hop)
    return false
  }

  /** Sends the next probe. Like the verification of an owner, that of a known next hop needs no budget. @returns false: no budget */
  #send(hop: Hop, now: Instant): boolean {
    const { prober } = this.parts
    const { ifindex, address, mac, probes, unicastProbes, waiting: [first] } = hop
    const isPaid = mac !== undefined || first?.state !== 'INCOMPLETE' || prober.repeat(first, [ifindex], now).length > 0
    if (isPaid) prober.solicit(address, ifindex, probes < unicastProbes ? mac : undefined)
    hop.probes++
    this.#deadlines.set(hop, now + Math.max(1, hop.settings.timeout) as Instant)
    return isPaid
  }

  #alive(hop: Hop, mac: Mac | undefined, verified: Instant): void {
    const { cache } = this.parts
    if (hop.mac !== mac || hop.isLost) this.#report(hop, mac, 'alive')
    hop.state = 'alive'
    hop.isLost = false
    hop.mac = mac
    hop.verified = verified
    this.#deadlines.set(hop, verified + hop.ttl as Instant)
    for (const neighbor of hop.waiting) {
      const isWaiting = (neighbor.state === 'INCOMPLETE' || neighbor.state === 'PROBE') && neighbor.work.nextHop === hop
      if (isWaiting && cache.find(neighbor.target) === neighbor) this.#prove(neighbor, hop)
    }
    hop.waiting.clear()
  }

  /** Handles the end of the probes without a reply: all entries behind the next hop fail, unless their targets are probed as well. */
  #silent(hop: Hop, now: Instant): void {
    const { cache, owners, silentLinks } = this.parts
    this.#report(hop, hop.mac, 'silent')
    hop.state = 'silent'
    hop.isLost = true
    hop.mac = undefined
    hop.waiting.clear()
    this.#deadlines.set(hop, now + hop.settings.deadtime as Instant)
    for (const neighbor of cache.values()) {
      const { state, rule, work: { nextHop, probed } } = neighbor
      if (state === 'FAILED' || !isSameHop(nextHop, hop)) continue
      silentLinks.unanswered({ target: hop.address, rule, work: { probed: [hop.ifindex] } })
      if (state !== 'INCOMPLETE' || probed.length === 0) owners.fail(neighbor, 'next hop silent', now)
    }
  }

  /** Makes the entry REACHABLE, with the time of the next hop's proof. So the next verifications of entry and next hop are due together. */
  #prove(neighbor: Neighbor, hop: Hop): void {
    const { owners, cache: { capacity } } = this.parts
    const oldest = neighbor.isOwned ? undefined : capacity.oldestBehindHops
    if (oldest !== undefined) owners.remove(oldest, 'limit')
    // `isOverridable`: the answer of a next hop, like that of another proxy, does not prove that the host exists.
    owners.prove(neighbor, hop.ifindex, hop.mac, hop.verified,
      { via: undefined, isOverridable: true, isBehindProxy: false, router: false, account: undefined, nextHop: hop })
  }

  /** Removes a silent next hop that gave a sign of life, and the FAILED entries behind it. A solicitation may then start new probes. */
  #forget(hop: Hop): void {
    const { cache: { capacity }, owners } = this.parts
    for (const neighbor of capacity.failed) if (isSameHop(neighbor.work.nextHop, hop)) owners.remove(neighbor, 'deadtime')
    this.#delete(hop)
  }

  #report({ ifindex, address, isLost }: Hop, mac: Mac | undefined, state: 'alive' | 'silent'): void {
    const news = state === 'alive' || !isLost
    this.parts.effects.events.push({ kind: 'next-hop', ifindex, address, mac, state, news })
  }

  #get(ifindex: number, { w0, w1, w2, w3 }: Address): Hop | undefined { return this.#byLink.get(ifindex)?.get(w0, w1, w2, w3) }

  /** @returns undefined: the limit is reached */
  #create(ifindex: number, address: Address, settings: Settings): Hop | undefined {
    if (this.#size >= HOP_LIMIT) {
      this.parts.effects.events.push({ kind: 'limit', limit: 'next-hops', size: HOP_LIMIT })
      return undefined
    }
    const { w0, w1, w2, w3 } = address
    let hops = this.#byLink.get(ifindex)
    if (hops === undefined) this.#byLink.set(ifindex, hops = new AddressMap(this.parts.random))
    const hop = new Hop(ifindex, address, settings)
    hops.set(w0, w1, w2, w3, hop)
    this.#size++
    return hop
  }

  #delete(hop: Hop): void {
    const { ifindex, address: { w0, w1, w2, w3 } } = hop
    this.#deadlines.remove(hop)
    const hops = this.#byLink.get(ifindex)
    if (hops?.get(w0, w1, w2, w3) !== hop) return
    hops.delete(w0, w1, w2, w3)
    this.#size--
    if (hops.size === 0) this.#byLink.delete(ifindex)
  }
}
