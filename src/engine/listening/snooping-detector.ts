/** Detects upstreams that pass traffic but no multicast solicitations, most likely because of a switch with MLD snooping (RFC 4541 3). */
import { type Context, Part } from '../rules/context.ts'
import { Deadlines, type Timed } from '../tables/deadlines.ts'
import type { Instant } from '../types.ts'

/** The event is emitted after this many minutes with traffic and without a multicast solicitation. */
const MINUTES = 10
const PATIENCE = MINUTES * 60_000

interface Upstream extends Timed {
  readonly ifindex: number
  /** Time of the last multicast solicitation. Until one is received: time of the first packet that was sent. */
  solicited: Instant
  /** Time of the last packet sent to a host that others reach through this link. */
  traffic: Instant
  isReported: boolean
}

export class SnoopingDetector extends Part<Pick<Context, 'links' | 'effects'>> {
  readonly #upstreams = new Map<number, Upstream>()
  readonly #deadlines = new Deadlines<Upstream>()

  get deadline(): Instant | undefined { return this.#deadlines.next }

  /** Records a received multicast solicitation. Called for each solicitation, so it must be fast. */
  solicited(ifindex: number, now: Instant): void {
    const upstream = this.#upstreams.get(ifindex)
    if (upstream === undefined) return
    upstream.solicited = now
    upstream.isReported = false
  }

  /** Records that this machine sends packets to a host that others reach through `ifindex`. */
  traffic(ifindex: number, now: Instant): void {
    let upstream = this.#upstreams.get(ifindex)
    if (upstream === undefined) {
      upstream = { ifindex, solicited: now, traffic: now, isReported: false, deadline: now, place: -1 }
      this.#upstreams.set(ifindex, upstream)
    }
    upstream.traffic = now
    if (!upstream.isReported && upstream.place < 0) this.#deadlines.set(upstream, upstream.solicited + PATIENCE as Instant)
  }

  gone(ifindex: number): void {
    this.#deadlines.remove(this.#upstreams.get(ifindex))
    this.#upstreams.delete(ifindex)
  }

  wake(now: Instant): void {
    for (let due = this.#deadlines.due(now); due !== undefined; due = this.#deadlines.due(now)) {
      const { solicited, traffic, ifindex } = due
      const link = this.parts.links.get(ifindex)
      // Without traffic since the last solicitation, the upstream is forgotten: the next packet starts the time again.
      if (traffic <= solicited || link === undefined) {
        this.#upstreams.delete(ifindex)
      } else if (now < solicited + PATIENCE) {
        this.#deadlines.set(due, solicited + PATIENCE as Instant)
      } else {
        due.isReported = true
        this.parts.effects.events.push({ kind: 'snooped', iface: link.name, minutes: MINUTES })
      }
    }
  }
}
