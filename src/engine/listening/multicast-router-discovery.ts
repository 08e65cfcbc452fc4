/** Sends Multicast Router Advertisements for `snooping mrd` (RFC 4286), so that snooping switches forward solicitations to this machine. */
import { ADVERTISEMENT_INTERVAL, ADVERTISEMENT_JITTER, MAX_INITIAL_ADVERTISEMENT_INTERVAL, MAX_INITIAL_ADVERTISEMENTS,
  MAX_MESSAGE_RATE } from '../../wire/constants.ts'
import { linkLocal } from '../links/source-address.ts'
import { type Context, TimedPart } from '../rules/context.ts'
import type { Timed } from '../tables/deadlines.ts'
import type { Instant } from '../../engine-types.ts'

const SECOND = 1000
/** The longest delay of an answer to a solicitation, milliseconds. RFC 4286 8 allows 2 s. */
const RESPONSE_DELAY = 1000
/** Milliseconds between two checks of a link without a usable address. */
const RETRY = 1000

/** A link to advertise on. Its deadline is the time of the next advertisement. */
interface Advertiser extends Timed {
  readonly ifindex: number
  sent: number
  lastSent: Instant
}

export class MulticastRouterDiscovery extends TimedPart<Omit<Context, 'rules'>, Advertiser> {
  /** Sets the links to advertise on. A link that is not in `ifindexes` any more gets a termination (RFC 4286 5.3). */
  configure(ifindexes: ReadonlySet<number>, now: Instant): void {
    for (const ifindex of this.records.keys()) if (!ifindexes.has(ifindex)) this.#end(ifindex)
    for (const ifindex of ifindexes) {
      if (this.records.has(ifindex)) continue
      const advertiser = { ifindex, sent: 0, lastSent: -Infinity as Instant, deadline: now, place: -1 }
      this.records.set(ifindex, advertiser)
      this.deadlines.set(advertiser, now + this.parts.random() * MAX_INITIAL_ADVERTISEMENT_INTERVAL as Instant)
    }
  }

  /** Handles a Multicast Router Solicitation. One advertisement answers all solicitations that arrive before it is sent. */
  solicited(ifindex: number, now: Instant): void {
    const advertiser = this.records.get(ifindex)
    if (advertiser === undefined) return
    const at = this.#spaced(advertiser, now + this.parts.random() * RESPONSE_DELAY)
    if (at < advertiser.deadline) this.deadlines.set(advertiser, at)
  }

  protected override due(advertiser: Advertiser, now: Instant): void {
    this.deadlines.set(advertiser, this.#advertise(advertiser, now))
  }

  /** Sends the terminations, one per link at most, before the end of the process (RFC 4286 5.3). */
  stop(): void { for (const ifindex of this.records.keys()) this.#end(ifindex) }

  /** Advertises on a link, if it has a usable address. @returns the time of the next advertisement or check */
  #advertise(advertiser: Advertiser, now: Instant): Instant {
    const { links, effects, random } = this.parts
    const { ifindex } = advertiser
    const source = linkLocal(links, ifindex)
    if (source === undefined) {
      advertiser.sent = 0
      return now + RETRY as Instant
    }
    effects.multicasts.push({ ifindex, message: { kind: 'router-advertisement', source, interval: ADVERTISEMENT_INTERVAL / SECOND } })
    advertiser.sent++
    advertiser.lastSent = now
    if (advertiser.sent < MAX_INITIAL_ADVERTISEMENTS) {
      return this.#spaced(advertiser, now + random() * MAX_INITIAL_ADVERTISEMENT_INTERVAL)
    }
    return now + ADVERTISEMENT_INTERVAL * (1 + ADVERTISEMENT_JITTER * (2 * random() - 1)) as Instant
  }

  #end(ifindex: number): void {
    const source = linkLocal(this.parts.links, ifindex)
    if (source !== undefined && this.records.get(ifindex)!.sent > 0) {
      this.parts.effects.multicasts.push({ ifindex, message: { kind: 'router-termination', source } })
    }
    this.gone(ifindex)
  }

  /** @returns `at`, or the first time that MAX_MESSAGE_RATE allows, if that is later */
  #spaced({ lastSent }: Advertiser, at: number): Instant {
    return Math.max(at, lastSent + SECOND / MAX_MESSAGE_RATE) as Instant
  }
}
