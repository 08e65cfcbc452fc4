/**
 * Learns from signs of life, which cause probes (RFC 4861 7.2.5, RFC 9131, RFC 6957 4.1): sources of solicitations, unsolicited
 * advertisements, DAD without an answer, the kernel's neighbor table, a bridge's forwarding table, and echo replies.
 */
import { Address, isLinkLocalWord, type Mac } from '../../address.ts'
import { NEIGHBOR_ADVERTISEMENT, NEIGHBOR_SOLICITATION } from '../../wire/constants.ts'
import type { NdiscView } from '../../wire/ndisc-decode.ts'
import type { ClaimParts, Claims } from '../cache/claims.ts'
import { Part } from '../rules/context.ts'
import { isAnycast } from '../rules/anycast.ts'
import { type ActiveRule, isUpstream } from '../rules/rule.ts'
import type { Input, Instant, KernelNeighbor } from '../../engine-types.ts'
import type { Limit } from '../../events.ts'
import { evidence, isSignOfLife } from './evidence.ts'
import { TentativeAddresses } from './tentative-addresses.ts'

type LearnerParts = ClaimParts & { readonly claims: Claims }

export class Learner extends Part<LearnerParts> {
  readonly #tentative = new TentativeAddresses(this.parts)

  get deadline(): Instant | undefined { return this.#tentative.next }
  get limits(): Limit[] { return this.#tentative.limits }

  /** Learns from a valid packet that proves no owner. @returns whether the packet claims the address of another host */
  packet(ifindex: number, view: NdiscView, now: Instant): boolean {
    // Most solicitations come from link-local addresses of routers. This check dismisses these solicitations without a lookup.
    if (view.type === NEIGHBOR_SOLICITATION && isLinkLocalWord(view.s0)) return false
    const mac = view.sourceMac < 0 ? undefined : view.sourceMac
    if (view.type === NEIGHBOR_ADVERTISEMENT) {
      const { lladdr } = view
      return this.#sign(view.t0, view.t1, view.t2, view.t3, ifindex, lladdr < 0 ? undefined : lladdr, now, mac)
    }
    // A claim of another proxy has a link-local target with the interface identifier of the source, see `Prober.claim`.
    if (mac !== undefined && isLinkLocalWord(view.t0) && view.t2 === view.s2 && view.t3 === view.s3) this.parts.otherProxies.register(mac)
    if ((view.s0 | view.s1 | view.s2 | view.s3) !== 0) return this.#sign(view.s0, view.s1, view.s2, view.s3, ifindex, mac, now)
    const rule = this.parts.rules.owning(ifindex, view.t0, view.t1, view.t2, view.t3)
    if (rule !== undefined) this.#tentative.add(ifindex, mac, view.t0, view.t1, view.t2, view.t3, now)
    return false
  }

  /**
   * Learns from an entry of the kernel's neighbor table. A REACHABLE entry confirms the owner that it shows. A failed or deleted entry of
   * an owner starts a verification. Other entries with a link-layer address may be evidence.
   */
  kernel({ target: { w0, w1, w2, w3 }, ifindex, mac, state, router, permanent }: KernelNeighbor, now: Instant): void {
    const { rules, links, cache, reachability } = this.parts
    const neighbor = cache.get(w0, w1, w2, w3)
    const isHome = neighbor?.isOwned === true && neighbor.ifindex === ifindex
    const isLost = state === 'failed' || state === 'deleted'
    if (isHome) {
      const isOther = !isLost && permanent !== true && mac !== undefined && neighbor.mac !== undefined && mac !== neighbor.mac
      neighbor.set({ isMisdirected: isOther && !neighbor.isPinned })
    }
    if (isLost) {
      if (isHome) reachability.verify(neighbor, now, 'kernel')
      return
    }
    if (mac === undefined) return
    if (isHome && neighbor.mac === mac) {
      if (state === 'reachable') reachability.refresh(neighbor, now)
      return
    }
    if (!isSignOfLife(state, neighbor)) return
    // On the upstream, another proxy may answer the kernel for a downstream host, so only entries of routers and upstream owners count.
    const rule = rules.owning(ifindex, w0, w1, w2, w3)
    if (rule === undefined || (isUpstream(rule, links.get(ifindex)) && !router && !isHome)) return
    this.#sign(w0, w1, w2, w3, ifindex, mac, now)
  }

  station({ ifindex, mac, port }: Extract<Input, { kind: 'station' }>, now: Instant): void {
    const { rules, cache, reachability, claims } = this.parts
    cache.capacity.station(ifindex, mac, port)
    for (const neighbor of cache.capacity.of(mac)) {
      const { target: { w0, w1, w2, w3 } } = neighbor
      if (port === undefined && neighbor.ifindex === ifindex) {
        reachability.missing(neighbor, now)
      } else if (port !== undefined && neighbor.ifindex !== ifindex && rules.owning(ifindex, w0, w1, w2, w3) !== undefined) {
        claims.contest(neighbor, ifindex, undefined, now)
      }
    }
  }

  echo(ifindex: number, { w0, w1, w2, w3 }: Address, mac: Mac | undefined, now: Instant): void {
    this.#sign(w0, w1, w2, w3, ifindex, mac, now)
  }

  /** Probes for an address on the link where its owner was before: the link was gone, and is usable again. */
  seek({ w0: t0, w1: t1, w2: t2, w3: t3 }: Address, rule: ActiveRule, ifindex: number, now: Instant): void {
    const { cache, resolution } = this.parts
    if (cache.get(t0, t1, t2, t3)?.isOwned) return
    resolution.resolve({ t0, t1, t2, t3, rule, links: [ifindex], byRoute: false, lane: 'alive', from: ifindex, mac: -1,
      account: undefined, reason: 'link back' }, now)
  }

  wake(now: Instant): void {
    for (let due = this.#tentative.due(now); due !== undefined; due = this.#tentative.due(now)) {
      const { target: { w0, w1, w2, w3 }, ifindex, mac } = due
      this.#sign(w0, w1, w2, w3, ifindex, mac, now)
    }
  }

  /**
   * Handles a sign that a host uses an address on a link.
   * @param mac link-layer address of the host, if the link has such addresses
   * @param sender Ethernet source of the packet, by default `mac`. The probes count for the `host-limit` of this address
   * @returns whether the address belongs to another host, or to a default gateway on another link
   */
  #sign(t0: number, t1: number, t2: number, t3: number, ifindex: number, mac: Mac | undefined, now: Instant, sender = mac): boolean {
    if (isLinkLocalWord(t0)) return false
    const { rules, cache, claims, links, conflicts } = this.parts
    const neighbor = cache.get(t0, t1, t2, t3)
    const rule = rules.owning(ifindex, t0, t1, t2, t3)
    const meaning = evidence(neighbor, rule, ifindex, mac)
    if (meaning === 'contest') {
      const isOther = mac !== neighbor!.mac
      claims.contest(neighbor!, ifindex, mac, now)
      return isOther
    }
    if (meaning !== 'probe') return false
    if (links.isGatewayElsewhere(t0, t1, t2, t3, ifindex)) {
      if (mac !== undefined) conflicts.report(new Address(t0, t1, t2, t3), ifindex, mac, 'gateway', now)
      return true
    }
    this.#probe(t0, t1, t2, t3, rule!, ifindex, sender, now)
    return false
  }

  #probe(t0: number, t1: number, t2: number, t3: number, rule: ActiveRule, ifindex: number, account: Mac | undefined, now: Instant): void {
    const { rules, links, cache, resolution } = this.parts
    if (!links.up(ifindex) || rules.excluded(t0, t1, t2, t3) || links.own(t0, t1, t2, t3) !== undefined) return
    if (isAnycast([rule], links, t0, t1, t2, t3)) return
    // `host-limit` applies to hosts on the upstream as well: they may belong to other networks.
    if (account !== undefined && cache.capacity.hasEnough(account, rule)) return
    // The upstream is probed as well, because a downstream host must not take the address of an upstream host.
    const upstreams = isUpstream(rule, links.get(ifindex)) ? [] : rules.upstreamsOf(rule).filter((link) => links.up(link))
    resolution.resolve({ t0, t1, t2, t3, rule, links: [ifindex, ...upstreams], byRoute: false, lane: 'alive', from: ifindex,
      mac: account ?? -1, account, reason: 'evidence' }, now)
  }
}
