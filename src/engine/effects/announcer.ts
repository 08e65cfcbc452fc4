/**
 * Announces owners before routers solicit for them. For a new owner, unsolicited NAs go to the routers (RFC 9131 6.1.2). After a change,
 * unsolicited NAs go to all nodes (RFC 4861 7.2.6, 7.2.8). With `announce solicit`, an NS from the owner's address goes to each router,
 * which adds the source of the NS to its cache (RFC 4861 7.2.3). Announcements may be late or dropped, since no answer depends on them.
 *
 * Repetitions for one target on one link are at least 1 s apart. One wake sends at most 32 messages on all links, and the next wake
 * that sends follows 6 to 14 ms later: 3200 messages per second on average.
 */
import { Address, type Mac } from '../../address.ts'
import type { Settings } from '../../config/config.ts'
import { MAX_NEIGHBOR_ADVERTISEMENT, RETRANS_TIMER } from '../../wire/constants.ts'
import { multicastMac } from '../../wire/frame.ts'
import { type Context, Part } from '../rules/context.ts'
import type { Instant } from '../../engine-types.ts'
import type { Limit } from '../../events.ts'
import type { AdvertisementBuilder } from './advertisement-builder.ts'
import { type Announcement, AnnouncementQueue } from './announcement-queue.ts'

/** The most messages of one wake, on all links together. */
const BATCH = 32
/** Milliseconds between two batches: a random whole number from MIN_PAUSE to MAX_PAUSE. */
const MIN_PAUSE = 6
const MAX_PAUSE = 14
/** Number of solicitations to a router with `announce solicit`. The second is sent in case the first is lost. */
const SOLICITATIONS = 2
/** The most announcements that one wake handles. BATCH does not limit those on links that are not ready, which send no message. */
const LOOKS = 256
/** The most times that an announcement is postponed by a second because its link is not ready. */
const POSTPONE_LIMIT = 10
/** The most routers of one link. It must not exceed BATCH, because one wake solicits either all routers of a link or none. */
const ROUTER_LIMIT = 16
export const QUEUE_LIMIT = 16_384

type AnnouncerParts = Context & { readonly advertiser: AdvertisementBuilder }

export class Announcer extends Part<AnnouncerParts> {
  readonly #routers = new Map<number, readonly Address[]>()
  readonly #queue = new AnnouncementQueue(this.parts.random)
  #pausedUntil = 0 as Instant

  get size(): number { return this.#queue.size }

  get limits(): Limit[] {
    const routers = [...this.#routers.values()].reduce((most, { length }) => Math.max(most, length), 0)
    return [{ name: 'announcements in the queue', used: this.size, size: QUEUE_LIMIT },
      { name: 'routers on one link, at most', used: routers, size: ROUTER_LIMIT }]
  }

  get deadline(): Instant | undefined {
    const first = this.#queue.next
    return first === undefined || first > this.#pausedUntil ? first : this.#pausedUntil
  }

  /** Announces an owner. Replaces all announcements of the target. @param isChange true: hosts may know another link-layer address */
  announce(target: Address, settings: Settings, ifindexes: readonly number[], isChange: boolean, now: Instant): void {
    this.withdraw(target)
    for (const ifindex of ifindexes) if (!this.#add(target, settings, ifindex, isChange, now)) return
  }

  /** Announces a change on one more link. Announcements of the target on other links are kept. */
  announceAlso(target: Address, settings: Settings, ifindex: number, now: Instant): void {
    for (const announcement of this.#queue.of(target)) if (announcement.ifindex === ifindex) this.#queue.drop(announcement)
    this.#add(target, settings, ifindex, true, now)
  }

  withdraw(target: Address): void { for (const announcement of this.#queue.of(target)) this.#queue.drop(announcement) }

  /** Registers a router of a link, or removes it. Beyond the limit, a new router is not registered. */
  router(ifindex: number, address: Address, isPresent: boolean): void {
    const others = this.#routersOn(ifindex).filter((router) => !router.equals(address))
    const routers = isPresent && others.length < ROUTER_LIMIT ? [...others, address] : others
    if (routers.length > 0) this.#routers.set(ifindex, routers)
    else this.#routers.delete(ifindex)
  }

  gone(ifindex: number): void {
    this.#routers.delete(ifindex)
    for (const announcement of this.#queue.on(ifindex)) this.#queue.drop(announcement)
  }

  wake(now: Instant): void {
    if (now < this.#pausedUntil) return
    let left = BATCH
    let looks = 0
    for (; looks < LOOKS; looks++) {
      const announcement = this.#queue.due(now)
      if (announcement === undefined || this.#cost(announcement) > left) break
      const sent = this.#send(announcement)
      left -= sent
      this.#again(announcement, sent > 0, now)
    }
    if (looks === 0) return
    this.#pausedUntil = now + MIN_PAUSE + Math.floor((MAX_PAUSE - MIN_PAUSE + 1) * this.parts.random()) as Instant
  }

  /** Adds an announcement. If the queue is full, the oldest repetition is dropped. @returns false: not added */
  #add(target: Address, settings: Settings, ifindex: number, isChange: boolean, now: Instant): boolean {
    if (settings.announce === 'no') return false
    if (this.size >= QUEUE_LIMIT) {
      this.parts.effects.events.push({ kind: 'limit', limit: 'announcements', size: QUEUE_LIMIT })
      const { oldest } = this.#queue
      if (oldest === undefined) return false
      this.#queue.drop(oldest)
    }
    this.#queue.add(target, ifindex, settings, isChange, now)
    return true
  }

  /** Schedules the next repetition, or drops the announcement after the last one. */
  #again(announcement: Announcement, isSent: boolean, now: Instant): void {
    const { settings, sent, postponed } = announcement
    const times = settings.announce === 'solicit' ? SOLICITATIONS : MAX_NEIGHBOR_ADVERTISEMENT
    const isLast = isSent ? sent + 1 === times : postponed === POSTPONE_LIMIT
    if (isLast) this.#queue.drop(announcement)
    else this.#queue.again(announcement, isSent, now + RETRANS_TIMER as Instant)
  }

  #routersOn(ifindex: number): readonly Address[] { return this.#routers.get(ifindex) ?? [] }
  /** @returns the number of messages that {@link #send} sends on a link that is ready */
  #cost({ settings, ifindex }: Announcement): number { return settings.announce === 'solicit' ? this.#routersOn(ifindex).length : 1 }

  /** @returns the number of messages; 0: the link is down or has no usable source, there is no router, or the target is excluded */
  #send({ target, ifindex, settings, isChange }: Announcement): number {
    const { rules, links, effects, advertiser } = this.parts
    const link = links.get(ifindex)
    // Own addresses of this machine may be excluded by a reload while their announcements are in the queue.
    if (!link?.up || rules.excluded(target.w0, target.w1, target.w2, target.w3)) return 0
    if (settings.announce === 'solicit') {
      const routers = this.#routersOn(ifindex)
      for (const router of routers) {
        const destination = router.solicitedNode
        const to = multicastMac(destination.w3) as Mac
        effects.probes.push({ ifindex, source: target, destination, target: router, to })
      }
      return routers.length
    }
    // With O=0, another owner on the link takes precedence. After a change, only O=1 replaces the former link-layer address in caches.
    const override = isChange ? settings.override !== 'never' : settings.override === 'always'
    return Number(advertiser.announce(link, settings, target, isChange ? Address.allNodes : Address.allRouters, override))
  }
}
