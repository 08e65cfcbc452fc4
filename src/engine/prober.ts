/** Which solicitations to send in order to find or verify an owner (RFC 4861 7.2.2, 7.3.3). */
import type { Budget } from './budget.ts'
import type { Links } from './links.ts'
import type { Neighbor } from './neighbor.ts'
import { isUpstream } from './rules.ts'
import type { Instant, Sink } from './types.ts'

export class Prober {
  readonly #links: Links
  readonly #sink: Sink
  readonly #budget: Budget

  constructor(links: Links, sink: Sink, budget: Budget) {
    this.#links = links
    this.#sink = sink
    this.#budget = budget
  }

  /** Asks on those of `links` that are not asked yet. @returns whether there were any */
  widen(neighbor: Neighbor, links: readonly number[]): boolean {
    const fresh = links.filter((ifindex) => !neighbor.asking.includes(ifindex))
    if (fresh.length === 0) return false
    neighbor.asking = neighbor.asking.concat(fresh)
    this.#solicit(neighbor, fresh)
    return true
  }

  /** Asks on a link, even if it is asked already. */
  again(neighbor: Neighbor, ifindex: number): void {
    neighbor.asking = [...new Set([...neighbor.asking, ifindex])]
    this.#solicit(neighbor, [ifindex])
  }

  /** The next probe of a neighbor in INCOMPLETE or PROBE; of the former when there is budget for it, or it counts as lost. */
  next(neighbor: Neighbor, now: Instant): void {
    if (neighbor.probes++ > 0 && neighbor.state === 'PROBE') this.#budget.verify(neighbor.ifindex, now)
    if (neighbor.state === 'PROBE') return this.#verify(neighbor)
    this.#solicit(neighbor, this.#budget.repeat(neighbor, neighbor.asking, now))
    if (neighbor.byRoute) this.#sink.lookup(neighbor.target)
  }

  /** The owner by unicast, then its group (I5); by then, at the latest, the links where it may be now. */
  #verify(neighbor: Neighbor): void {
    const { target, ifindex, mac, absent, proxied, rival, rivalMac, unicastProbes } = neighbor
    const link = this.#links.get(ifindex)
    const source = link && this.#links.source(link, 'link-local', undefined)
    // Nobody is at that lladdr any more: the turn of its unicast probes is over.
    if (absent) neighbor.probes = Math.max(neighbor.probes, unicastProbes)
    const { probes } = neighbor
    const isUnicast = mac !== undefined && source !== undefined && !absent && probes <= unicastProbes
    if (isUnicast) this.#sink.confirm({ ifindex, source, destination: target, target, to: mac })
    else this.#sink.solicit(ifindex, target)
    const isSameHost = rival !== 0 && (rivalMac === undefined || rivalMac === mac)
    const others = absent || proxied || (!isUnicast && probes > 1) ? this.#downstreams(neighbor)
      : isSameHost && probes > 1 ? this.#downstreams(neighbor).filter((other) => other === rival) : []
    neighbor.asking = [...new Set([...neighbor.asking, ...others])]
    this.#solicit(neighbor, others)
  }

  #solicit({ target }: Neighbor, links: readonly number[]): void {
    for (const ifindex of links) this.#sink.solicit(ifindex, target)
  }

  /** Where an owner downstream may have gone. */
  #downstreams({ rule, ifindex, proxied }: Neighbor): readonly number[] {
    const isDownstream = (link: number): boolean => !isUpstream(rule, this.#links.get(link))
    // Of another proxy's word one can be sure only when nobody downstream says otherwise.
    if (!isDownstream(ifindex) && !proxied) return []
    return rule.links.ifindexes.filter((link) => link !== ifindex && this.#links.up(link) && isDownstream(link))
  }
}
