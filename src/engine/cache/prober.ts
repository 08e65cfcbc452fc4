/** Chooses the solicitations that find or verify an owner: on which links, unicast or multicast (RFC 4861 7.2.2, 7.3.3). */
import { Address, type Mac } from '../../address.ts'
import { multicastMac } from '../../wire/frame.ts'
import { NO_LLADDR } from '../../wire/ndisc-decode.ts'
import { isResolved } from '../links/links.ts'
import { probeSource, sourceAddress, tunnelSource } from '../links/source-address.ts'
import { Part } from '../rules/context.ts'
import { isUpstream } from '../rules/rule.ts'
import type { Instant, Link } from '../../engine-types.ts'
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

  /**
   * Informs another proxy on the upstream, which answers for a target, that a downstream host claims this target. The claim is a
   * solicitation with the target as its source. For the other proxy, the claim is a sign of life on another link: that proxy verifies
   * its own host before it answers another probe. The solicited address is link-local, with the interface identifier of the target. A
   * proxy recognizes claims by this identifier.
   */
  claim({ target, ifindex, mac }: Neighbor): void {
    if (mac === undefined) return
    const local = new Address(0xfe800000 | 0, 0, target.w2, target.w3)
    this.parts.effects.probes.push({ ifindex, source: target, destination: local.solicitedNode, target: local, to: mac })
  }

  /** Sends the next probe of an INCOMPLETE or PROBE entry. Retransmissions for an INCOMPLETE entry are left out where there is no budget. */
  next(neighbor: Neighbor, now: Instant): void {
    const { probes, probed, unsent, byRoute } = neighbor.work
    neighbor.set({ probes: probes + 1 })
    if (neighbor.state === 'PROBE') return this.#verify(neighbor)
    this.#solicit(neighbor, probes === 0 ? probed : this.repeat(neighbor, probed.filter((ifindex) => !unsent.includes(ifindex)), now))
    if (byRoute) this.lookUp(neighbor)
  }

  /** Solicits one host for a target. The IPv6 destination is the solicited-node group, so the host does not forward the message. */
  solicitHost(ifindex: number, to: Mac, target: Address): void {
    const link = this.parts.links.get(ifindex)
    const source = link && this.#source(link, target)
    if (source !== undefined) this.parts.effects.probes.push({ ifindex, source, destination: target.solicitedNode, target, to })
  }

  /**
   * Requests the kernel's route for packets that the first solicitor sends. Routing rules may match the solicitor's link and address.
   * Without a solicitor, the request has the link and the address of the entry's previous request.
   */
  lookUp(neighbor: Neighbor): void {
    const { target, work: { waiting: [solicitor], origin: before } } = neighbor
    const origin = solicitor === undefined ? before ?? { from: 0, source: undefined }
      : { from: solicitor.ifindex, source: solicitor.source.isUnspecified ? undefined : solicitor.source }
    neighbor.set({ origin })
    this.parts.effects.lookups.push({ target, ...origin })
  }

  /** Solicits an address on a link. @param mac the link-layer address for a unicast probe; undefined: to the solicited-node group */
  solicit(target: Address, ifindex: number, mac: Mac | undefined): void {
    if (mac === undefined || !this.#confirm(target, ifindex, mac)) this.#multicast(target, ifindex)
  }

  /** Reserves budget for a retransmission. @returns the members of `links` that have budget for the retransmission */
  repeat({ rule: { settings }, work }: Neighbor, links: readonly number[], now: Instant): readonly number[] {
    const { lane, waiting: [solicitor], account } = work
    const from = solicitor?.ifindex ?? links[0] ?? 0
    return this.parts.budget.repeat(lane, settings, links, from, solicitor?.mac ?? account ?? -1, now)
  }

  /**
   * Probes the owner by unicast, and its solicited-node group after the unicast probes. Other links where the owner may be now are probed
   * as well. An owner behind a next hop cannot be probed, so its route is looked up again.
   */
  #verify(neighbor: Neighbor): void {
    const { target, ifindex, mac, isOverridable, unicastProbes, work: { isMissing, rival, rivalMac, probed, nextHop } } = neighbor
    if (nextHop !== undefined) return this.lookUp(neighbor)
    // The bridge has no port for the owner's link-layer address, so unicast probes, which might not reach the owner, are skipped.
    if (isMissing) neighbor.set({ probes: Math.max(neighbor.work.probes, unicastProbes) })
    const { probes } = neighbor.work
    const isUnicast = mac !== undefined && !isMissing && probes <= unicastProbes && this.#confirm(target, ifindex, mac)
    if (!isUnicast) this.#solicit(neighbor, [ifindex])
    const isSameHost = rival !== 0 && (rivalMac === undefined || rivalMac === mac)
    // The host that claims the address is on another link. `Reachability` probes it once the owner has failed to answer.
    if (neighbor.isClaimedBehind) return
    const others = isMissing || isOverridable || (!isUnicast && probes > 1) ? this.#downstreams(neighbor)
      : isSameHost && probes > 1 ? this.#downstreams(neighbor).filter((other) => other === rival) : []
    neighbor.set({ probed: [...new Set([...probed, ...others])] })
    this.#solicit(neighbor, others)
  }

  /** Sends the probe that waited for a usable address of a link. If the owner is on this link, its verification begins again. */
  catchUp(neighbor: Neighbor, ifindex: number, now: Instant): void {
    const isOwner = neighbor.isOwned && neighbor.ifindex === ifindex
    neighbor.set({ unsent: neighbor.work.unsent.filter((link) => link !== ifindex), probes: isOwner ? 0 : 1 })
    if (isOwner) this.next(neighbor, now)
    else this.#solicit(neighbor, [ifindex])
  }

  /** Sends a unicast probe. @returns false: the link is gone or has no usable source */
  #confirm(target: Address, ifindex: number, mac: Mac): boolean {
    const link = this.parts.links.get(ifindex)
    const source = link && this.#source(link, target)
    if (source === undefined) return false
    this.parts.effects.probes.push({ ifindex, source, destination: target, target, to: mac })
    return true
  }

  /** Sends multicast probes. Probes that cannot leave yet are sent by `catchUp`. */
  #solicit(neighbor: Neighbor, links: readonly number[]): void {
    const late = links.filter((ifindex) => !this.#multicast(neighbor.target, ifindex))
    if (late.length > 0) neighbor.set({ unsent: [...new Set([...neighbor.work.unsent, ...late])] })
  }

  /** Sends a multicast probe. @returns false: the link is up, but has no usable address yet */
  #multicast(target: Address, ifindex: number): boolean {
    const link = this.parts.links.get(ifindex)
    if (link === undefined) return true
    if (!isResolved(link)) {
      this.#solicitTunnel(link, target)
      return true
    }
    const source = this.#source(link, target)
    if (source === undefined) return !link.up
    const destination = target.solicitedNode
    this.parts.effects.probes.push({ ifindex, source, destination, target, to: multicastMac(destination.w3) })
    return true
  }

  /**
   * Solicits a target on a link without neighbor resolution. The probe goes to the target itself, because Linux joins no solicited-node
   * groups there, and WireGuard passes no multicast. A second probe goes to ff02::1, for tunnels whose other end does not forward packets
   * to the target yet.
   */
  #solicitTunnel(link: Link, target: Address): void {
    const { links, bareLinks } = this.parts
    const own = target.isLinkLocal ? sourceAddress(link, 'link-local') : tunnelSource(links, link)
    const source = own ?? bareLinks.source(link, target)
    if (source === undefined) return
    const { ifindex, mac } = link
    // On a link with `arp off`, unicast frames go to the link's own link-layer address, as the kernel sends them.
    const [to, toAll] = mac === undefined ? [NO_LLADDR, NO_LLADDR] : [mac, multicastMac(Address.allNodes.w3)]
    this.parts.effects.probes.push({ ifindex, source, destination: target, target, to },
      { ifindex, source, destination: Address.allNodes, target, to: toAll })
  }

  /** @returns undefined while the link has no usable address */
  #source(link: Link, target: Address): Address | undefined { return probeSource(link, target) ?? this.parts.bareLinks.source(link, target) }

  /** @returns the downstream links that an owner may have moved to; none for an upstream owner without a sign that it moved */
  #downstreams({ rule, ifindex, isOverridable, unicastProbes, work: { isMissing, probes } }: Neighbor): readonly number[] {
    const { links } = this.parts
    const isDownstream = (link: number): boolean => !isUpstream(rule, links.get(link))
    // If another proxy on the upstream answered, the host may have moved downstream. If a bridge forgot the owner's port, the owner may
    // still be upstream. In this case, only the owner is probed at first, and then the downstream links as well.
    const hasLeft = isMissing && probes > unicastProbes
    if (!isDownstream(ifindex) && !isOverridable && !hasLeft) return []
    return rule.links.ifindexes.filter((link) => link !== ifindex && links.up(link) && isDownstream(link))
  }
}
