/**
 * The neighbor cache: who owns an address, on which link, and how that is verified (RFC 4861 5.1, 7.2.2, 7.3.2).
 *
 *     (none) --asked, evidence--> INCOMPLETE --proof--> REACHABLE --ttl--> PROBE --proof--> REACHABLE
 *                                  | retries                                | retries
 *                                  +------------> FAILED <-----------------+     FAILED --deadtime--> (none)
 *
 * Only a solicited advertisement on a link that is being asked makes an owner; an owner that still answers is not
 * displaced (RFC 6620 in spirit, RFC 3756 4.1.1).
 */
import type { Address, Mac } from '../address.ts'
import type { PinnedHost } from '../config/config.ts'
import type { NdiscView } from '../wire/ndisc.ts'
import { AddressMap } from './address-map.ts'
import { Deadlines } from './deadlines.ts'
import type { Links } from './links.ts'
import { Neighbor } from './neighbor.ts'
import type { Asker } from './neighbor.ts'
import { isUpstream } from './rules.ts'
import type { ActiveRule } from './rules.ts'
import type { HostRoute, Instant, NeighborState, Outcome, Random, Sink } from './types.ts'

/** INCOMPLETE and FAILED entries in all; the oldest FAILED one makes room. */
export const UNPROVEN_LIMIT = 4096
/** Askers that wait for one target. */
export const ASKER_LIMIT = 16
/** Probes to an owner's own lladdr before its group is asked (RFC 4861 10, MAX_UNICAST_SOLICIT). */
const MAX_UNICAST_SOLICIT = 3
/** A table that stays full is told once in this time. */
const LIMIT_EVENT_INTERVAL = 10_000

/** What follows from a change of owner. */
export interface NeighborFollower {
  /** An owner came, moved or went: its route. Comes before `answer`. */
  owner(neighbor: Neighbor): void
  /** The neighbor has an owner now, and this asker waits. */
  answer(neighbor: Neighbor, asker: Asker): void
}

export class Neighbors {
  readonly #table: AddressMap<Neighbor>
  readonly #deadlines = new Deadlines<Neighbor>()
  readonly #failed = new Set<Neighbor>()
  readonly #links: Links
  readonly #sink: Sink
  readonly #follower: NeighborFollower
  readonly #hosts = new Map<Mac, number>()
  /** Owners that are not pinned. */
  #owned = 0
  #unproven = 0
  #limitSaid = Number.NEGATIVE_INFINITY

  constructor(links: Links, sink: Sink, follower: NeighborFollower, random: Random) {
    this.#table = new AddressMap(random)
    this.#links = links
    this.#sink = sink
    this.#follower = follower
  }

  get size(): number { return this.#table.size }
  get deadline(): Instant | undefined { return this.#deadlines.next }
  values(): Generator<Neighbor> { return this.#table.values() }

  get(w0: number, w1: number, w2: number, w3: number): Neighbor | undefined {
    return this.#table.get(w0, w1, w2, w3)
  }

  find({ w0, w1, w2, w3 }: Address): Neighbor | undefined {
    return this.#table.get(w0, w1, w2, w3)
  }

  /**
   * Asks for the owner on `links`, for `asker` if there is one. What is being asked already is not asked twice (I3).
   * @param byRoute ask the kernel's route, too
   */
  ask(target: Address, rule: ActiveRule, links: readonly number[], byRoute: boolean, asker: Asker | undefined,
    now: Instant, reason: string): Outcome {
    let neighbor = this.find(target)
    if (neighbor === undefined || neighbor.state === 'FAILED') {
      if (neighbor === undefined) {
        if (this.#isFull(rule, now)) return 'limit'
        neighbor = new Neighbor(target, rule)
        this.#table.set(target.w0, target.w1, target.w2, target.w3, neighbor)
        this.#unproven++
      }
      neighbor.asking = []
      this.#enter(neighbor, 'INCOMPLETE', reason)
    }
    if (asker !== undefined && !this.#wait(neighbor, asker)) return 'limit'
    const fresh = links.filter((ifindex) => !neighbor.asking.includes(ifindex))
    const asksRoute = byRoute && !neighbor.byRoute
    if (neighbor.state !== 'INCOMPLETE' || (fresh.length === 0 && !asksRoute)) return 'asked'
    neighbor.asking.push(...fresh)
    neighbor.byRoute ||= byRoute
    neighbor.probes = 1
    for (const ifindex of fresh) this.#sink.solicit(ifindex, target)
    if (asksRoute) this.#sink.lookup(target)
    this.#deadlines.set(neighbor, neighbor.afterTimeout(now))
    return 'asked'
  }

  /** An asker waits until the owner has proved that it lives. */
  confirm(neighbor: Neighbor, asker: Asker, now: Instant): Outcome {
    if (!this.#wait(neighbor, asker)) return 'limit'
    this.verify(neighbor, now, 'DAD')
    return 'asked'
  }

  /** Verifies an owner now, unless that is under way. */
  verify(neighbor: Neighbor, now: Instant, reason: string): void {
    if (neighbor.state !== 'REACHABLE' || neighbor.pinned !== undefined) return
    this.#enter(neighbor, 'PROBE', reason)
    neighbor.probes = 0
    this.#probe(neighbor, now)
  }

  /**
   * Somebody else claims an owner's address. First come, first served: the owner is asked, and only its silence gives the
   * address away; a pinned one keeps it. @param mac undefined when that is not known any more
   */
  contest(neighbor: Neighbor, ifindex: number, mac: Mac | undefined, now: Instant): void {
    const { target, pinned } = neighbor
    if (pinned !== undefined) {
      if (mac !== undefined && ifindex !== neighbor.ifindex) this.#sink.event({ kind: 'conflict', target, ifindex, mac })
      return
    }
    neighbor.rival = ifindex
    neighbor.rivalMac = mac
    this.verify(neighbor, now, 'claimed by another')
  }

  /** A valid NA. @returns `unsolicited` when it answers no probe: then it is evidence at most */
  advertisement(ifindex: number, view: NdiscView, now: Instant): 'proof' | 'proxied' | 'unsolicited' {
    const neighbor = this.get(view.t0, view.t1, view.t2, view.t3)
    if (neighbor === undefined || !view.solicited) return 'unsolicited'
    const lladdr = view.tlla >= 0 ? view.tlla : view.sourceMac
    // Absent on links without such addresses.
    const mac = lladdr < 0 ? undefined : lladdr
    const isOwner = neighbor.state === 'PROBE' && mac === neighbor.mac
    // Linux answers a unicast probe with O=0; from anybody but the owner that is another proxy's word (RFC 4861 7.2.8).
    const isDownstream = neighbor.rule.subnet !== undefined && !isUpstream(neighbor.rule, this.#links.get(ifindex))
    if (!view.override && !isOwner && isDownstream) {
      return 'proxied'
    }
    if (neighbor.state === 'INCOMPLETE') {
      if (!neighbor.asking.includes(ifindex)) return 'unsolicited'
    } else if (neighbor.state === 'PROBE') {
      if (ifindex !== neighbor.ifindex) return 'unsolicited'
      // Another lladdr is believed only when the owner did not answer at its own.
      const asksGroup = neighbor.mac === undefined || neighbor.probes > this.#unicastProbes(neighbor)
      if (!isOwner && !asksGroup) {
        this.#sink.event({ kind: 'conflict', target: neighbor.target, ifindex, mac: lladdr })
        return 'unsolicited'
      }
    } else {
      return 'unsolicited'
    }
    const source = view.source()
    this.prove(neighbor, ifindex, mac, neighbor.rule.autovia && !source.equals(neighbor.target) ? source : undefined, now)
    return 'proof'
  }

  /** Makes or keeps an owner, then answers those who wait. */
  prove(neighbor: Neighbor, ifindex: number, mac: Mac | undefined, via: Address | undefined, now: Instant): void {
    const { settings } = neighbor.rule
    const changed = !neighbor.isOwned || neighbor.ifindex !== ifindex || neighbor.mac !== mac
    if (changed && !this.#admit(neighbor, ifindex, mac, now)) return
    neighbor.via = via
    const { target, rival, rivalMac } = neighbor
    if (!changed && rival !== 0 && rivalMac !== undefined) {
      this.#sink.event({ kind: 'conflict', target, ifindex: rival, mac: rivalMac })
    }
    neighbor.rival = 0
    neighbor.used = false
    neighbor.asking = []
    neighbor.byRoute = false
    this.#enter(neighbor, 'REACHABLE', changed ? 'proof' : 'verified')
    if (neighbor.pinned === undefined) this.#deadlines.set(neighbor, (now + settings.ttl) as Instant)
    else this.#deadlines.remove(neighbor)
    this.#follower.owner(neighbor)
    const { askers } = neighbor
    neighbor.askers = []
    for (const asker of askers) this.#follower.answer(neighbor, asker)
  }

  /** An owner of a former life, by its route: answered for while it is verified. */
  restore(route: HostRoute, rule: ActiveRule, now: Instant): void {
    const { target, ifindex } = route
    if (this.find(target) !== undefined || this.#isFull(rule, now)) return
    const neighbor = new Neighbor(target, rule)
    this.#table.set(target.w0, target.w1, target.w2, target.w3, neighbor)
    neighbor.ifindex = ifindex
    neighbor.via = route.via
    neighbor.route = route
    this.#owned++
    neighbor.state = 'REACHABLE'
    this.verify(neighbor, now, 'route of a former run')
  }

  /** Makes an owner that is always known, or tells one where its link is. @param ifindex 0 when that link is absent */
  pin(host: PinnedHost, rule: ActiveRule, ifindex: number, now: Instant): void {
    const { w0, w1, w2, w3 } = host.address
    const neighbor = this.find(host.address) ?? new Neighbor(host.address, rule)
    const known = this.#table.get(w0, w1, w2, w3) !== undefined
    if (known) this.#leave(neighbor)
    else this.#table.set(w0, w1, w2, w3, neighbor)
    if (neighbor.ifindex !== ifindex) neighbor.mac = undefined
    neighbor.pinned = host
    neighbor.rule = rule
    neighbor.ifindex = ifindex
    neighbor.state = 'REACHABLE'
    if (ifindex !== 0) return this.prove(neighbor, ifindex, neighbor.mac, undefined, now)
    this.#deadlines.remove(neighbor)
    this.#follower.owner(neighbor)
  }

  /** The owner is gone, or nobody answered. */
  fail(neighbor: Neighbor, reason: string, now: Instant, deadtime = neighbor.rule.settings.deadtime): void {
    this.#leave(neighbor)
    neighbor.ifindex = 0
    neighbor.askers = []
    neighbor.byRoute = false
    this.#unproven++
    this.#enter(neighbor, 'FAILED', reason)
    this.#failed.add(neighbor)
    this.#follower.owner(neighbor)
    this.#deadlines.set(neighbor, (now + deadtime) as Instant)
  }

  remove(neighbor: Neighbor, reason: string): void {
    const wasOwned = neighbor.isOwned
    this.#leave(neighbor)
    neighbor.ifindex = 0
    neighbor.state = 'FAILED'
    this.#follower.owner(neighbor)
    const { w0, w1, w2, w3 } = neighbor.target
    this.#table.delete(w0, w1, w2, w3)
    this.#deadlines.remove(neighbor)
    if (wasOwned) this.#tell(neighbor, 'GONE', reason)
  }

  /** Does what is due. */
  wake(now: Instant): void {
    for (let neighbor = this.#deadlines.due(now); neighbor !== undefined; neighbor = this.#deadlines.due(now)) {
      const { keepalive, retries } = neighbor.rule.settings
      switch (neighbor.state) {
        case 'FAILED':
          this.remove(neighbor, 'deadtime')
          break
        case 'REACHABLE':
          if (keepalive || neighbor.used) this.verify(neighbor, now, 'ttl')
          else this.remove(neighbor, 'ttl')
          break
        case 'INCOMPLETE': case 'PROBE':
          if (neighbor.probes <= retries) this.#probe(neighbor, now)
          else this.#giveUp(neighbor, now)
          break
      }
    }
  }

  #giveUp(neighbor: Neighbor, now: Instant): void {
    const { rival, rule, target } = neighbor
    this.fail(neighbor, 'no answer', now)
    neighbor.rival = 0
    if (rival !== 0 && this.#links.up(rival)) this.ask(target, rule, [rival], false, undefined, now, 'owner silent')
  }

  #probe(neighbor: Neighbor, now: Instant): void {
    const { target, ifindex, mac } = neighbor
    neighbor.probes++
    if (neighbor.state === 'PROBE') {
      const link = this.#links.get(ifindex)
      const source = link && this.#links.source(link, 'link-local', undefined)
      if (mac !== undefined && source !== undefined && neighbor.probes <= this.#unicastProbes(neighbor)) {
        this.#sink.confirm({ ifindex, source, destination: target, target, to: mac })
      } else {
        this.#sink.solicit(ifindex, target)
      }
    } else {
      for (const asked of neighbor.asking) this.#sink.solicit(asked, target)
      if (neighbor.byRoute) this.#sink.lookup(target)
    }
    this.#deadlines.set(neighbor, neighbor.afterTimeout(now))
  }

  #unicastProbes(neighbor: Neighbor): number {
    return Math.min(MAX_UNICAST_SOLICIT, neighbor.rule.settings.retries)
  }

  #wait(neighbor: Neighbor, asker: Asker): boolean {
    const { askers } = neighbor
    if (askers.some(({ ifindex, source, mac }) => ifindex === asker.ifindex && mac === asker.mac && source.equals(asker.source))) {
      return true
    }
    if (askers.length >= ASKER_LIMIT) return false
    askers.push(asker)
    return true
  }

  /** Takes the place of an owner, within the limits; false: there is none left. */
  #admit(neighbor: Neighbor, ifindex: number, mac: Mac | undefined, now: Instant): boolean {
    const { rule, pinned } = neighbor
    const count = (mac !== undefined && this.#hosts.get(mac)) || 0
    const same = neighbor.isOwned && neighbor.mac === mac
    const isLimited = pinned === undefined && !isUpstream(rule, this.#links.get(ifindex))
    if (isLimited && !same && count >= rule.settings.hostLimit) {
      this.#tellLimit('host', count, now, mac)
      this.fail(neighbor, 'host-limit', now)
      return false
    }
    // Many may have been asked for while there was room.
    if (pinned === undefined && !neighbor.isOwned && this.#owned >= rule.settings.limit) {
      this.#tellLimit('neighbors', this.#owned, now)
      this.fail(neighbor, 'limit', now)
      return false
    }
    this.#leave(neighbor)
    neighbor.ifindex = ifindex
    neighbor.mac = mac
    if (pinned === undefined) {
      this.#owned++
      if (mac !== undefined) this.#hosts.set(mac, (this.#hosts.get(mac) ?? 0) + 1)
    }
    // It counts as an owner from here on, whatever it was.
    neighbor.state = 'REACHABLE'
    return true
  }

  /** Takes the neighbor out of the counts of the state that it is in. */
  #leave(neighbor: Neighbor): void {
    const { mac, pinned } = neighbor
    if (pinned !== undefined) return
    if (!neighbor.isOwned) {
      this.#failed.delete(neighbor)
      this.#unproven--
      return
    }
    this.#owned--
    const count = (mac !== undefined && this.#hosts.get(mac)) || 0
    if (count > 1) this.#hosts.set(mac!, count - 1)
    else if (count === 1) this.#hosts.delete(mac!)
  }

  #enter(neighbor: Neighbor, state: NeighborState, reason: string): void {
    if (neighbor.state === 'FAILED') this.#failed.delete(neighbor)
    neighbor.state = state
    this.#tell(neighbor, state, reason)
  }

  #isFull(rule: ActiveRule, now: Instant): boolean {
    const { limit } = rule.settings
    if (this.#owned >= limit) {
      this.#tellLimit('neighbors', this.#owned, now)
      return true
    }
    if (this.#unproven < UNPROVEN_LIMIT) return false
    const oldest = this.#failed.values().next().value
    if (oldest !== undefined) this.remove(oldest, 'limit')
    else this.#tellLimit('askers', this.#unproven, now)
    return oldest === undefined
  }

  #tellLimit(limit: 'neighbors' | 'host' | 'askers', size: number, now: Instant, mac?: Mac): void {
    if (now - this.#limitSaid < LIMIT_EVENT_INTERVAL) return
    this.#limitSaid = now
    this.#sink.event({ kind: 'limit', limit, size, ...(mac === undefined ? {} : { mac }) })
  }

  #tell(neighbor: Neighbor, state: NeighborState | 'GONE', reason: string): void {
    const { target, ifindex, mac } = neighbor
    this.#sink.event({ kind: 'neighbor', target, state, ifindex: ifindex === 0 ? undefined : ifindex, mac, reason })
  }
}
