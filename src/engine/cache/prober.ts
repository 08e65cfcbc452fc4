/** Chooses the solicitations that find or verify an owner: on which links, unicast or multicast (RFC 4861 7.2.2, 7.3.3). */
import { Address } from '../../address.ts'
import { multicastMac } from '../../wire/frame.ts'
import { NO_LLADDR } from '../../wire/ndisc-decode.ts'
import { probeSource, tunnelSource } from '../links/source-address.ts'
import { Part } from '../rules/context.ts'
import { isUpstream } from '../rules/rule.ts'
import type { Instant, Link } from '../types.ts'
import type { BareLinks } from './bare-links.ts'
import type { Neighbor } from './neighbor.ts'
import type { CacheParts } from './owners.ts'

export type ProberParts = Pick<CacheParts, 'links' | 'effects' | 'budget'> & { readonly bareLinks: BareLinks }

export class Prober extends Part<ProberParts> {
  /** Sends a multicast probe on each of `links` that is not probed yet. @returns false: all are probed already */
  widen(neighbor: Neighbor, links: readonly number[]): boolean {
    const { probed } = neighbor.work
    const fresh = links.filter((ifindex) => !probed.includes(ifindex))
    if (fresh.length === 0) return false
    neighbor.set({ probed: probed.concat(fresh) })
    this.#solicit(neighbor, fresh)
    return true
  }

  /** Sends a multicast probe on a link, even if the link is probed already. */
  again(neighbor: Neighbor, ifindex: number): void {
    neighbor.set({ probed: [...new Set([...neighbor.work.probed, ifindex])] })
    this.#solicit(neighbor, [ifindex])
  }

  /** Sends the next probe of an INCOMPLETE or PROBE entry. Without budget, an INCOMPLETE entry skips a retransmission. */
  next(neighbor: Neighbor, now: Instant): void {
    const { probes, probed, unsent, byRoute } = neighbor.work
    neighbor.set({ probes: probes + 1 })
    if (neighbor.state === 'PROBE') return this.#verify(neighbor)
    this.#solicit(neighbor, probes === 0 ? probed : this.repeat(neighbor, probed.filter((ifindex) => !unsent.includes(ifindex)), now))
    if (byRoute) this.lookUp(neighbor)
  }

  /** Requests the kernel's route for the packets of the first solicitor, so that policy routing by incoming link and source counts. */
  lookUp({ target, work: { waiting: [solicitor] } }: Neighbor): void {
    const source = solicitor === undefined || solicitor.source.isUnspecified ? undefined : solicitor.source
    this.parts.effects.lookups.push({ target, from: solicitor?.ifindex ?? 0, source })
  }

  /** Reserves a retransmission. @returns the links of `links` that have budget for it */
  repeat({ rule: { settings }, work }: Neighbor, links: readonly number[], now: Instant): readonly number[] {
    const { lane, waiting: [solicitor], account } = work
    const from = solicitor?.ifindex ?? links[0] ?? 0
    return this.parts.budget.repeat(lane, settings, links, from, solicitor?.mac ?? account ?? -1, now)
  }

  /** Probes the owner: first by unicast, then its solicited-node group. Later probes also go to links where the owner may be now. */
  #verify(neighbor: Neighbor): void {
    const { links, effects } = this.parts
    const { target, ifindex, mac, proxied, unicastProbes, work: { isMissing, rival, rivalMac, probed } } = neighbor
    const link = links.get(ifindex)
    const source = link && this.#source(link, target)
    // The bridge has no port for the owner's address, so unicast probes would reach no host, and are skipped.
    if (isMissing) neighbor.set({ probes: Math.max(neighbor.work.probes, unicastProbes) })
    const { probes } = neighbor.work
    const isUnicast = mac !== undefined && source !== undefined && !isMissing && probes <= unicastProbes
    if (isUnicast) effects.probes.push({ ifindex, source, destination: target, target, to: mac })
    else this.#solicit(neighbor, [ifindex])
    const isSameHost = rival !== 0 && (rivalMac === undefined || rivalMac === mac)
    const others = isMissing || proxied || (!isUnicast && probes > 1) ? this.#downstreams(neighbor)
      : isSameHost && probes > 1 ? this.#downstreams(neighbor).filter((other) => other === rival) : []
    neighbor.set({ probed: [...new Set([...probed, ...others])] })
    this.#solicit(neighbor, others)
  }

  /** Sends the probe that waits for a usable address of a link, and starts over with the probes of an owner there. */
  catchUp(neighbor: Neighbor, ifindex: number, now: Instant): void {
    const isOwner = neighbor.isOwned && neighbor.ifindex === ifindex
    neighbor.set({ unsent: neighbor.work.unsent.filter((link) => link !== ifindex), probes: isOwner ? 0 : 1 })
    if (isOwner) this.next(neighbor, now)
    else this.#solicit(neighbor, [ifindex])
  }

  /** Sends multicast probes. Probes on a link without a usable address wait for `catchUp`. */
  #solicit(neighbor: Neighbor, links: readonly number[]): void {
    const { target } = neighbor
    const late: number[] = []
    for (const ifindex of links) {
      const link = this.parts.links.get(ifindex)
      if (link === undefined) continue
      if (link.mac === undefined) {
        this.#solicitTunnel(link, target)
        continue
      }
      const source = this.#source(link, target)
      const destination = target.solicitedNode
      if (source !== undefined) this.parts.effects.probes.push({ ifindex, source, destination, target, to: multicastMac(destination.w3) })
      else if (link.up) late.push(ifindex)
    }
    if (late.length > 0) neighbor.set({ unsent: [...new Set([...neighbor.work.unsent, ...late])] })
  }

  /**
   * Solicits a target on a link without link-layer addresses. Linux joins no solicited-node groups there, and WireGuard passes no
   * multicast: the target itself gets the probe. All nodes get it as well, for an other end that forwards no packet to the target yet.
   */
  #solicitTunnel(link: Link, target: Address): void {
    const source = tunnelSource(this.parts.links, link) ?? this.parts.bareLinks.source(link, target)
    if (source === undefined) return
    for (const destination of [target, Address.allNodes]) {
      this.parts.effects.probes.push({ ifindex: link.ifindex, source, destination, target, to: NO_LLADDR })
    }
  }

  /** @returns undefined while the link has no usable address */
  #source(link: Link, target: Address): Address | undefined { return probeSource(link, target) ?? this.parts.bareLinks.source(link, target) }

  /** @returns the links that a downstream owner may have moved to */
  #downstreams({ rule, ifindex, proxied }: Neighbor): readonly number[] {
    const { links } = this.parts
    const isDownstream = (link: number): boolean => !isUpstream(rule, links.get(link))
    // The answer of another proxy on the upstream holds only while no downstream host answers.
    if (!isDownstream(ifindex) && !proxied) return []
    return rule.links.ifindexes.filter((link) => link !== ifindex && links.up(link) && isDownstream(link))
  }
}
