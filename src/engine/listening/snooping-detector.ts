/** Detects upstreams that pass traffic but no multicast solicitations, most likely because of a switch with MLD snooping (RFC 4541 3). */
import { type Context, TimedPart } from '../rules/context.ts'
import type { Timed } from '../tables/deadlines.ts'
import type { Instant } from '../../engine-types.ts'

/** The event `snooped` is emitted after this many minutes with traffic and without a multicast solicitation. */
const MINUTES = 10
const PATIENCE = MINUTES * 60_000

interface Upstream extends Timed {
  readonly ifindex: number
  /** Time of the last multicast solicitation; before any solicitation, the time of the first packet that `traffic` recorded. */
  solicited: Instant
  /** Time of the last packet that this machine sent to a host for which it answers on this link. */
  traffic: Instant
  isReported: boolean
}

export class SnoopingDetector extends TimedPart<Pick<Context, 'links' | 'effects'>, Upstream> {
  /** Records a received multicast solicitation. Called for each solicitation, so it must be fast. */
  solicited(ifindex: number, now: Instant): void {
    const upstream = this.records.get(ifindex)
    if (upstream === undefined) return
    upstream.solicited = now
    upstream.isReported = false
  }

  /** Records that this machine sends packets to a host for which it answers on link `ifindex`. */
  traffic(ifindex: number, now: Instant): void {
    let upstream = this.records.get(ifindex)
    if (upstream === undefined) {
      upstream = { ifindex, solicited: now, traffic: now, isReported: false, deadline: now, place: -1 }
      this.records.set(ifindex, upstream)
    }
    upstream.traffic = now
    if (!upstream.isReported && upstream.place < 0) this.deadlines.set(upstream, upstream.solicited + PATIENCE as Instant)
  }

  protected override due(upstream: Upstream, now: Instant): void {
    const { solicited, traffic, ifindex } = upstream
    const link = this.parts.links.get(ifindex)
    // Without traffic since the last solicitation, the upstream is forgotten: the next packet starts a new period of PATIENCE.
    if (traffic <= solicited || link === undefined) {
      this.records.delete(ifindex)
    } else if (now < solicited + PATIENCE) {
      this.deadlines.set(upstream, solicited + PATIENCE as Instant)
    } else {
      upstream.isReported = true
      this.parts.effects.events.push({ kind: 'snooped', iface: link.name, minutes: MINUTES })
    }
  }
}
