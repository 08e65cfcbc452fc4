/**
 * Finds upstreams that pass traffic but no multicast solicitations: a switch with MLD snooping keeps them back, most likely
 * (RFC 4541 3). Who was asked for before stays known to the routers by their unicast solicitations; nobody else is found.
 */
import { Deadlines } from './deadlines.ts'
import type { Timed } from './deadlines.ts'
import type { Links } from './links.ts'
import type { Instant, Sink } from './types.ts'

const MINUTES = 10
const PATIENCE = MINUTES * 60_000

interface Upstream extends Timed {
  readonly ifindex: number
  /** When a multicast solicitation was heard last, or the wait for the first one began. */
  heard: Instant
  /** When a packet for a host behind us passed last. */
  traffic: Instant
  said: boolean
}

export class Deafness {
  readonly #links: Links
  readonly #sink: Sink
  readonly #upstreams = new Map<number, Upstream>()
  readonly #deadlines = new Deadlines<Upstream>()

  constructor(links: Links, sink: Sink) {
    this.#links = links
    this.#sink = sink
  }

  get deadline(): Instant | undefined { return this.#deadlines.next }

  /** A multicast solicitation came in. Costs next to nothing where no traffic was told of. */
  heard(ifindex: number, now: Instant): void {
    const upstream = this.#upstreams.get(ifindex)
    if (upstream === undefined) return
    upstream.heard = now
    upstream.said = false
  }

  /** This machine sends packets to a host that others reach through `ifindex`. */
  traffic(ifindex: number, now: Instant): void {
    let upstream = this.#upstreams.get(ifindex)
    if (upstream === undefined) {
      upstream = { ifindex, heard: now, traffic: now, said: false, deadline: now, place: -1 }
      this.#upstreams.set(ifindex, upstream)
    }
    upstream.traffic = now
    if (!upstream.said && upstream.place < 0) this.#deadlines.set(upstream, upstream.heard + PATIENCE as Instant)
  }

  gone(ifindex: number): void {
    const upstream = this.#upstreams.get(ifindex)
    if (upstream !== undefined) this.#deadlines.remove(upstream)
    this.#upstreams.delete(ifindex)
  }

  wake(now: Instant): void {
    for (let due = this.#deadlines.due(now); due !== undefined; due = this.#deadlines.due(now)) {
      const { heard, traffic, ifindex } = due
      const link = this.#links.get(ifindex)
      // With no traffic since then there is nothing to wait for; the next packet begins anew.
      if (traffic <= heard || link === undefined) {
        this.#upstreams.delete(ifindex)
        continue
      }
      if (now < heard + PATIENCE) {
        this.#deadlines.set(due, heard + PATIENCE as Instant)
        continue
      }
      due.said = true
      this.#sink.event({ kind: 'snooped', iface: link.name, minutes: MINUTES })
    }
  }
}
