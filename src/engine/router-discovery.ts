/**
 * `snooping mrd`: tells snooping switches that multicast is to be forwarded to us, by Multicast Router Advertisements
 * (RFC 4286 3, 4.4, 5.3). We forward none: it is the solicitations to solicited-node groups that we want to hear.
 */
import type { Address } from '../address.ts'
import { Deadlines } from './deadlines.ts'
import type { Timed } from './deadlines.ts'
import type { Links } from './links.ts'
import type { Instant, Random, Sink } from './types.ts'
import {
  ADVERTISEMENT_INTERVAL, ADVERTISEMENT_JITTER, MAX_INITIAL_ADVERTISEMENT_INTERVAL, MAX_INITIAL_ADVERTISEMENTS,
  MAX_MESSAGE_RATE,
} from '../wire/constants.ts'

const SECOND = 1000
/** The most that an answer to a solicitation is delayed, below what RFC 4286 8 allows (MAX_RESPONSE_DELAY, 2 s). */
const RESPONSE_DELAY = 1000
/** How often a link without a usable address is looked at again. */
const RETRY = 1000

/** A link with advertisements; its deadline is the next one. */
interface Speaker extends Timed {
  readonly ifindex: number
  /** Advertisements since the link could be used. */
  sent: number
  lastSent: Instant
}

/** The link's usable link-local address, which is all that MLD and MRD may come from; undefined when there is none. */
export function linkLocal(links: Links, ifindex: number): Address | undefined {
  const link = links.get(ifindex)
  const source = link?.up ? links.source(link, 'link-local', undefined) : undefined
  return source?.isLinkLocal ? source : undefined
}

export class RouterDiscovery {
  readonly #links: Links
  readonly #sink: Sink
  readonly #random: Random
  readonly #speakers = new Map<number, Speaker>()
  readonly #deadlines = new Deadlines<Speaker>()

  constructor(links: Links, sink: Sink, random: Random) {
    this.#links = links
    this.#sink = sink
    this.#random = random
  }

  get deadline(): Instant | undefined { return this.#deadlines.next }

  /** The links to advertise on from now on. Those that are none any more are told so (RFC 4286 5.3). */
  configure(ifindexes: ReadonlySet<number>, now: Instant): void {
    for (const { ifindex } of this.#speakers.values()) {
      if (ifindexes.has(ifindex)) continue
      this.#terminate(ifindex)
      this.gone(ifindex)
    }
    for (const ifindex of ifindexes) {
      if (this.#speakers.has(ifindex)) continue
      const speaker = { ifindex, sent: 0, lastSent: -Infinity as Instant, deadline: now, place: -1 }
      this.#speakers.set(ifindex, speaker)
      this.#deadlines.set(speaker, (now + this.#random() * MAX_INITIAL_ADVERTISEMENT_INTERVAL) as Instant)
    }
  }

  /** A Multicast Router Solicitation: the next advertisement comes soon, one for all who ask meanwhile. */
  solicited(ifindex: number, now: Instant): void {
    const speaker = this.#speakers.get(ifindex)
    if (speaker === undefined) return
    const at = this.#spaced(speaker, now + this.#random() * RESPONSE_DELAY)
    if (at < speaker.deadline) this.#deadlines.set(speaker, at)
  }

  wake(now: Instant): void {
    for (let due = this.#deadlines.due(now); due !== undefined; due = this.#deadlines.due(now)) {
      this.#deadlines.set(due, this.#advertise(due, now))
    }
  }

  gone(ifindex: number): void {
    const speaker = this.#speakers.get(ifindex)
    if (speaker === undefined) return
    this.#speakers.delete(ifindex)
    this.#deadlines.remove(speaker)
  }

  /** The end: terminations (RFC 4286 5.3), at most one for each link. */
  stop(): void {
    for (const { ifindex } of this.#speakers.values()) {
      this.#terminate(ifindex)
      this.gone(ifindex)
    }
  }

  /** Advertises, if the link can be used. Returns when to do so next. */
  #advertise(speaker: Speaker, now: Instant): Instant {
    const { ifindex } = speaker
    const source = linkLocal(this.#links, ifindex)
    if (source === undefined) {
      speaker.sent = 0
      return (now + RETRY) as Instant
    }
    this.#sink.multicast(ifindex, { kind: 'router-advertisement', source, interval: ADVERTISEMENT_INTERVAL / SECOND })
    speaker.sent++
    speaker.lastSent = now
    if (speaker.sent < MAX_INITIAL_ADVERTISEMENTS) {
      return this.#spaced(speaker, now + this.#random() * MAX_INITIAL_ADVERTISEMENT_INTERVAL)
    }
    const jitter = ADVERTISEMENT_JITTER * (2 * this.#random() - 1)
    return (now + ADVERTISEMENT_INTERVAL * (1 + jitter)) as Instant
  }

  #terminate(ifindex: number): void {
    const source = linkLocal(this.#links, ifindex)
    if (source === undefined || this.#speakers.get(ifindex)!.sent === 0) return
    this.#sink.multicast(ifindex, { kind: 'router-termination', source })
  }

  /** Not before MaxMessageRate allows it. */
  #spaced({ lastSent }: Speaker, at: number): Instant {
    return Math.max(at, lastSent + SECOND / MAX_MESSAGE_RATE) as Instant
  }
}
