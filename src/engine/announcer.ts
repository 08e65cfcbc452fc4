/**
 * Tells the asking side what changed before it asks: unsolicited NAs (RFC 4861 7.2.6, 7.2.8), for a new owner to the
 * routers (RFC 9131 6.1.2), after a change to all nodes; or, with `announce solicit`, an NS to each router that makes it
 * learn from the source (RFC 4861 7.2.3). Nothing depends on these: they may be late, or dropped.
 *
 * Pacing, over all links: a wake sends at most 32 messages, and the next one that sends comes 6 to 14 ms later: 3200
 * messages a second on average, 2285 to 5333 at the extremes. Repeats of one target on one link are 1 s apart or more.
 */
import { Address } from '../address.ts'
import type { Settings } from '../config/config.ts'
import { MAX_NEIGHBOR_ADVERTISEMENT, RETRANS_TIMER } from '../wire/constants.ts'
import { multicastMac } from '../wire/frame.ts'
import { Advertiser } from './advertiser.ts'
import { Announcements } from './announcements.ts'
import type { Links } from './links.ts'
import type { Instant, Limit, Link, Random, Sink } from './types.ts'

/** Solicitations of `announce solicit`: one may be lost. */
const SOLICITATIONS = 2
/** Messages of one wake. */
const BATCH = 32
/** Announcements that one wake looks at: those whose link is not ready send nothing, but take time. */
const LOOKS = 256
/** From one batch to the next, in whole milliseconds. */
const MIN_PAUSE = 6
const MAX_PAUSE = 14
/** How often an announcement is put off, each time by a second, because its link is not ready. */
const WAIT_LIMIT = 10
/** Routers of one link. No more than BATCH, since their solicitations leave together. */
const ROUTER_LIMIT = 16
/** Announcements under way, each for one target on one link. */
export const QUEUE_LIMIT = 16_384

export class Announcer {
  readonly #links: Links
  readonly #sink: Pick<Sink, 'advertise' | 'confirm' | 'event'>
  readonly #random: Random
  readonly #routers = new Map<number, Address[]>()
  readonly #pending: Announcements
  /** Nothing is sent before. */
  #pause = 0 as Instant
  readonly #advertiser: Advertiser

  constructor(links: Links, sink: Pick<Sink, 'advertise' | 'confirm' | 'event'>, random: Random) {
    this.#links = links
    this.#sink = sink
    this.#random = random
    this.#advertiser = new Advertiser(links, sink)
    this.#pending = new Announcements(random)
  }

  /** Announcements under way. */
  get size(): number { return this.#pending.size }

  get limits(): Limit[] {
    const routers = [...this.#routers.values()].reduce((most, { length }) => Math.max(most, length), 0)
    return [{ name: 'announcements under way', used: this.size, size: QUEUE_LIMIT },
      { name: 'routers on one link, at most', used: routers, size: ROUTER_LIMIT }]
  }

  /** When `wake` has something to do next. */
  get deadline(): Instant | undefined {
    const first = this.#pending.next
    return first === undefined || first > this.#pause ? first : this.#pause
  }

  /** A new owner, answered for on these links. Like `changed`, it replaces what was under way for the target. */
  owner(target: Address, settings: Settings, ifindexes: readonly number[], now: Instant): void {
    this.#announce(target, settings, ifindexes, false, now)
  }

  /** Who knew the target on these links may know an address that is not ours: an earlier owner's, or our former one. */
  changed(target: Address, settings: Settings, ifindexes: readonly number[], now: Instant): void {
    this.#announce(target, settings, ifindexes, true, now)
  }

  /** Like `changed`, on one more link: what is under way for the target on others goes on. */
  changedAlso(target: Address, settings: Settings, ifindex: number, now: Instant): void {
    for (const id of this.#pending.of(target)) if (this.#pending.ifindex(id) === ifindex) this.#pending.drop(id)
    this.#begin(target, settings, [ifindex], true, now)
  }

  /** The owner went: what is not sent yet stays unsaid. */
  withdraw(target: Address): void {
    for (const id of this.#pending.of(target)) this.#pending.drop(id)
  }

  /** A router is there, or not any more. Beyond the limit those that are known stay. */
  router(ifindex: number, address: Address, present: boolean): void {
    const others = (this.#routers.get(ifindex) ?? []).filter((router) => !router.equals(address))
    if (present && others.length < ROUTER_LIMIT) others.push(address)
    if (others.length > 0) this.#routers.set(ifindex, others)
    else this.#routers.delete(ifindex)
  }

  /** The link is no more, nor what was to be said there. */
  gone(ifindex: number): void {
    this.#routers.delete(ifindex)
    for (const id of this.#pending.on(ifindex)) this.#pending.drop(id)
  }

  /** Sends what is due, as far as the pacing lets it. */
  wake(now: Instant): void {
    if (now < this.#pause) return
    let room = BATCH
    let looks = 0
    for (; looks < LOOKS; looks++) {
      const id = this.#pending.due(now)
      if (id < 0 || this.#most(id) > room) break
      const sent = this.#send(id)
      room -= sent
      this.#again(id, sent > 0, now)
    }
    if (looks > 0) this.#pause = now + MIN_PAUSE + Math.floor((MAX_PAUSE - MIN_PAUSE + 1) * this.#random()) as Instant
  }

  #announce(target: Address, settings: Settings, ifindexes: readonly number[], changed: boolean, now: Instant): void {
    this.withdraw(target)
    this.#begin(target, settings, ifindexes, changed, now)
  }

  #begin(target: Address, settings: Settings, ifindexes: readonly number[], changed: boolean, now: Instant): void {
    if (settings.announce === 'no') return
    for (const ifindex of ifindexes) {
      if (!this.#makeRoom()) break
      this.#pending.add(target, ifindex, settings, changed, now)
    }
  }

  /** False: everything under way waits for its first turn. */
  #makeRoom(): boolean {
    if (this.size < QUEUE_LIMIT) return true
    this.#sink.event({ kind: 'limit', limit: 'announcements', size: QUEUE_LIMIT })
    const { oldest } = this.#pending
    if (oldest >= 0) this.#pending.drop(oldest)
    return oldest >= 0
  }

  /** After its turn: the next one, or the end. */
  #again(id: number, isSent: boolean, now: Instant): void {
    const pending = this.#pending
    const times = pending.settings(id).announce === 'solicit' ? SOLICITATIONS : MAX_NEIGHBOR_ADVERTISEMENT
    const isOver = isSent ? pending.sent(id) + 1 === times : pending.waits(id) === WAIT_LIMIT
    if (isOver) pending.drop(id)
    else pending.again(id, isSent, now + RETRANS_TIMER as Instant)
  }

  #routersOf(id: number): readonly Address[] { return this.#routers.get(this.#pending.ifindex(id)) ?? [] }

  /** The messages that it takes if its link is ready. */
  #most(id: number): number {
    return this.#pending.settings(id).announce === 'solicit' ? this.#routersOf(id).length : 1
  }

  /** @returns the messages sent; 0: the link is down or has no usable source, or there is no router to tell */
  #send(id: number): number {
    const link = this.#links.get(this.#pending.ifindex(id))
    if (!link?.up) return 0
    return this.#pending.settings(id).announce === 'solicit' ? this.#solicit(id) : this.#advertise(id, link)
  }

  #solicit(id: number): number {
    const source = this.#pending.target(id)
    const ifindex = this.#pending.ifindex(id)
    const routers = this.#routersOf(id)
    for (const target of routers) {
      const destination = target.solicitedNode
      this.#sink.confirm({ ifindex, source, destination, target, to: multicastMac(destination.w3) })
    }
    return routers.length
  }

  #advertise(id: number, link: Link): number {
    const settings = this.#pending.settings(id)
    const changed = this.#pending.isChanged(id)
    // 0 lets a real owner win; after a change it would leave the wrong address in the caches.
    const override = changed ? settings.override !== 'never' : settings.override === 'always'
    const destination = changed ? Address.allNodes : Address.allRouters
    return Number(this.#advertiser.announce(link, settings, this.#pending.target(id), destination, override))
  }
}
