/** Claims on a target: advertisements that may prove an owner, and other hosts that use the address of an owner. */
import type { Mac } from '../../address.ts'
import type { NdiscView } from '../../wire/ndisc-decode.ts'
import { isResolved } from '../links/links.ts'
import { Part } from '../rules/context.ts'
import { isUpstream } from '../rules/rule.ts'
import type { Instant } from '../../engine-types.ts'
import type { DownstreamProxies } from './downstream-proxies.ts'
import type { Neighbor } from './neighbor.ts'
import { proof } from './proof.ts'
import type { Reachability, ReachabilityParts } from './reachability.ts'

/** Milliseconds between a claim to another proxy (`Prober.claim`) and the next probe: the proxy must receive the claim first. */
const CLAIM_LEAD = 100

/** Milliseconds that a proxy needs, in addition to the time of its own probes, to notice that a host behind it is gone. */
const PROXY_DELAY = 1000

export type ClaimParts = ReachabilityParts & { readonly reachability: Reachability; readonly downstreamProxies: DownstreamProxies }

export class Claims extends Part<ClaimParts> {
  /** Handles a valid NA. @returns a result with the meaning of {@link proof}. An `unsolicited` NA proves no owner, but may be evidence of a host */
  advertisement(ifindex: number, view: NdiscView, now: Instant): 'proof' | 'proxied' | 'unsolicited' {
    const { cache, conflicts, otherProxies, links, owners, silentLinks, reachability, downstreamProxies } = this.parts
    otherProxies.advertisement(view)
    downstreamProxies.advertisement(ifindex, view, now)
    const neighbor = cache.get(view.t0, view.t1, view.t2, view.t3)
    if (neighbor === undefined || !view.solicited || this.#isGatewayElsewhere(neighbor, ifindex)) return 'unsolicited'
    // Only the next hop was probed on this link, so an NA for the target answers no probe.
    if (neighbor.work.nextHop?.ifindex === ifindex && !neighbor.work.probed.includes(ifindex)) return 'unsolicited'
    const { rule: { autovia, subnet }, state, target, isOverridable, isBehindProxy, isOwned, ifindex: former, mac: formerMac } = neighbor
    const link = links.get(ifindex)
    const { lladdr } = view
    const mac = lladdr < 0 ? undefined : lladdr
    const isFromUpstream = isUpstream(neighbor.rule, link)
    // On links without neighbor resolution, a probe goes to the target itself. The answer may lack the link-layer address
    // option, and then has O=0 (RFC 4861 7.2.4). So O=0 is no sign of a proxy on such links.
    const isHost = view.override || mac === undefined || (link !== undefined && !isResolved(link))
    const isDownstream = subnet !== undefined && !isFromUpstream
    const override = isHost || (isDownstream && downstreamProxies.isBehind(ifindex, mac, now))
    const verdict = proof(neighbor, { ifindex, mac, override, isUpstream: isFromUpstream }, now)
    // Linux answers a unicast probe with O=0, so O=0 in the answer of a known owner is no sign of a proxy.
    const isProxied = !isHost && (isOverridable || isBehindProxy || !isOwned || mac !== neighbor.mac)
    // An answer to a multicast probe has a Target Link-Layer Address option (RFC 4861 7.2.4). An NA without this option may be the answer
    // to a unicast probe of the kernel, so `isSearched` is false then.
    const isSearched = verdict === 'proxied' && state !== 'REACHABLE' && view.tlla >= 0
    if (isDownstream && !isHost && (isSearched || (verdict === 'proof' && isProxied))) {
      const end = downstreamProxies.answered(neighbor, ifindex, mac, now)
      if (isSearched && end !== undefined) reachability.postpone(neighbor, end)
    }
    if (verdict !== 'proof') return verdict
    silentLinks.answered(ifindex)
    const isProxiedElsewhere = isOwned && former !== ifindex && isFromUpstream && !override
    if (state === 'REACHABLE' && !isOverridable && !isProxiedElsewhere && neighbor.mac !== undefined) {
      conflicts.report(target, neighbor.ifindex, neighbor.mac, 'answered', now)
    }
    const source = view.source()
    owners.prove(neighbor, ifindex, mac, now, {
      nextHop: undefined,
      via: autovia && !source.equals(target) ? source : undefined,
      isOverridable: isProxied && !isDownstream,
      isBehindProxy: isProxied && isDownstream,
      router: view.router && isFromUpstream,
      // The entry counts for the `host-limit` of the frame's sender, whichever link-layer address the NA names.
      account: view.sourceMac >= 0 && view.sourceMac !== mac ? view.sourceMac : undefined,
    })
    if (isProxiedElsewhere) {
      // The former owner may still be on its link, so hosts there must not get an announcement that directs them to this machine.
      neighbor.home = 0
      this.contest(neighbor, former, formerMac, now)
    }
    return 'proof'
  }

  /**
   * Handles another host that uses the address of an owner. The owner is probed, and loses the address if it is silent. A pinned owner
   * never loses its address. A default gateway of this machine can lose its address only to a host on its own link.
   * @param mac undefined when only a bridge reported the host
   */
  contest(neighbor: Neighbor, ifindex: number, mac: Mac | undefined, now: Instant): void {
    const { reachability, prober, cache, conflicts } = this.parts
    const { target, isPinned, state, work: { isMissing, rival } } = neighbor
    if (isPinned || this.#isGatewayElsewhere(neighbor, ifindex)) {
      if (mac !== undefined && ifindex !== neighbor.ifindex) conflicts.report(target, ifindex, mac, isPinned ? 'pinned' : 'gateway', now)
      return
    }
    if (neighbor.isOverridable && !neighbor.isVouched && ifindex !== neighbor.ifindex && !this.#isUpstream(neighbor, ifindex)) {
      reachability.verify(neighbor, now, 'claimed')
      prober.widen(neighbor, [ifindex])
      return
    }
    // The bridge lost the owner's port, so the owner may be on this link now, even if an earlier probe on this link was not answered.
    if (isMissing && rival !== ifindex && !this.#isUpstream(neighbor, neighbor.ifindex)) prober.again(neighbor, ifindex)
    neighbor.set({ rival: ifindex, rivalMac: mac })
    if (state === 'REACHABLE' && neighbor.isBehindProxy && mac !== undefined && mac !== neighbor.mac) {
      // The proxy answers from its cache, also for a host that has just moved. So the verification waits until the proxy has noticed the
      // move. Further claims do not delay the verification.
      if (rival === 0) cache.setDeadline(neighbor, now + neighbor.patience + PROXY_DELAY as Instant)
      return
    }
    const { isClaimedBehind } = neighbor
    if (isClaimedBehind && rival !== ifindex) prober.claim(neighbor)
    reachability.contest(neighbor, now, isClaimedBehind ? CLAIM_LEAD : 0)
  }

  #isGatewayElsewhere({ isPinned, target: { w0, w1, w2, w3 } }: Neighbor, ifindex: number): boolean {
    return !isPinned && this.parts.links.isGatewayElsewhere(w0, w1, w2, w3, ifindex)
  }

  #isUpstream({ rule }: Neighbor, ifindex: number): boolean { return isUpstream(rule, this.parts.links.get(ifindex)) }
}
