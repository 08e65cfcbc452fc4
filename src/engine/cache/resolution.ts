/**
 * Requests for the owner of a target (RFC 4861 7.2.2): decides which links are probed. Timeouts and retransmissions are in reachability.ts.
 *
 * Only a solicited advertisement on a probed link adds an owner. An owner that still answers is not displaced (RFC 6620, RFC 3756
 * 4.1.1). If hosts on the upstream and on a downstream link answer the same probe, the upstream host is the owner, because the router is
 * there. But the upstream answer may come from the cache of another proxy, for a host that has moved downstream. Therefore the proxy
 * receives a claim, which makes the proxy verify its host. The downstream host gets the address only if the proxy then stops answering.
 */
import { Address, type Mac } from '../../address.ts'
import type { Lane } from '../budget/probe-budget.ts'
import { Part } from '../rules/context.ts'
import type { ActiveRule } from '../rules/rule.ts'
import type { Instant } from '../../engine-types.ts'
import type { NeighborReason, Outcome } from '../../events.ts'
import { type Neighbor, NONE } from './neighbor.ts'
import type { CacheParts, Owners } from './owners.ts'
import type { Prober } from './prober.ts'
import { type Solicitor, SOLICITOR_LIMIT } from './waiting-solicitors.ts'

/** A request for a target's owner. `Resolution.resolve` does not keep the object, so callers may reuse it. */
export interface Request {
  readonly t0: number; readonly t1: number; readonly t2: number; readonly t3: number
  readonly rule: ActiveRule
  readonly links: readonly number[]
  /** Probe the link of the kernel's route, too. */
  readonly byRoute: boolean
  /** `alive`: the host just sent a packet itself, so it may answer now even if earlier probes were not answered. */
  readonly lane: Lane
  /** The link that the request comes from. */
  readonly from: number
  /** Link-layer address of the host that causes the probes, for the budget; -1: no host. */
  readonly mac: number
  /** Link-layer address of the host whose `host-limit` the probes count for; undefined: no limit. */
  readonly account: Mac | undefined
  readonly reason: NeighborReason
}

export type ResolutionParts = CacheParts & { readonly owners: Owners; readonly prober: Prober }

export class Resolution extends Part<ResolutionParts> {
  /**
   * Starts or extends the search for the owner of a target. A link that is probed already is probed again only after a sign of life.
   * @param solicitor a function that creates the waiting solicitor. The function is not called when a limit refuses the first probes
   * @returns `probing`, `failed` (no link to probe) or `limit`
   */
  resolve(request: Request, now: Instant, solicitor?: () => Solicitor): Outcome {
    const { t0, t1, t2, t3 } = request
    const known = this.parts.cache.get(t0, t1, t2, t3)
    if (known === undefined || known.state === 'FAILED') return this.#begin(known, request, now, solicitor)
    if (solicitor !== undefined && !this.wait(known, solicitor())) return 'limit'
    if (known.state === 'INCOMPLETE') this.#widen(known, request, now)
    return 'probing'
  }

  #begin(known: Neighbor | undefined, request: Request, now: Instant, solicitor?: () => Solicitor): Outcome {
    const { t0, t1, t2, t3, rule, links, byRoute, lane, from, mac, account, reason } = request
    const { budget, cache, cache: { capacity }, owners } = this.parts
    if (links.length === 0 && !byRoute) return 'failed'
    if (account !== undefined && !owners.makeProbePlace(account, rule, lane === 'alive', now)) return 'limit'
    if (!budget.reserve(lane, rule.settings, links, from, mac, now)) return 'limit'
    if (known === undefined && !owners.makePlace(rule, lane === 'alive')) return 'limit'
    if (known !== undefined) capacity.remove(known)
    const neighbor = known ?? cache.create(new Address(t0, t1, t2, t3), rule)
    neighbor.set({ probed: [...links], unsent: NONE, isCurtailed: false, probes: 0, byRoute, account, lane, nextHop: undefined })
    neighbor.state = 'INCOMPLETE'
    neighbor.since = now
    capacity.add(neighbor)
    if (solicitor !== undefined) neighbor.wait(solicitor())
    owners.report(neighbor, 'INCOMPLETE', reason)
    cache.clearDeadline(neighbor)
    budget.queue.add(lane === 'seen' ? 'known' : lane, neighbor, now)
    return 'probing'
  }

  #widen(neighbor: Neighbor, request: Request, now: Instant): void {
    const { lane, rule, links, byRoute, from, mac } = request
    const { budget, prober, cache } = this.parts
    const { isQueued, probed, byRoute: wasByRoute } = neighbor.work
    const isRepeat = lane === 'alive' && !isQueued && neighbor.hadTimeToAnswer(now)
    const kept = isRepeat ? probed.filter((link) => !links.includes(link)) : probed
    const fresh = links.filter((link) => !kept.includes(link))
    const isRouteNew = byRoute && !wasByRoute
    if (fresh.length === 0 && !isRouteNew) return
    if (!budget.reserve(lane, rule.settings, fresh, from, mac, now)) {
      if (fresh.some((link) => !probed.includes(link))) neighbor.set({ isCurtailed: true })
      return
    }
    // Removing and adding makes the entry the newest one of its host, so `makeProbePlace` removes others first.
    cache.capacity.remove(neighbor)
    cache.capacity.add(neighbor)
    neighbor.set({ byRoute: byRoute || wasByRoute, lane: lane === 'alive' ? lane : neighbor.work.lane,
      probed: isQueued ? kept.concat(fresh) : kept })
    if (isQueued) return
    prober.widen(neighbor, fresh)
    neighbor.set({ probes: 1 })
    if (isRouteNew) prober.lookUp(neighbor)
    cache.setDeadline(neighbor, neighbor.timeoutAt(now))
  }

  /** Probes the target of an INCOMPLETE entry on the link of the kernel's route, too. @returns false: no budget */
  widenTo(neighbor: Neighbor, ifindex: number, now: Instant): boolean {
    const { prober } = this.parts
    return neighbor.work.probed.includes(ifindex) || prober.widen(neighbor, prober.repeat(neighbor, [ifindex], now))
  }

  /** Sends the probes that waited for a usable address of a link. */
  catchUp(ifindex: number, now: Instant): void {
    const { cache, prober } = this.parts
    for (const neighbor of cache.values()) {
      if (!neighbor.work.unsent.includes(ifindex)) continue
      prober.catchUp(neighbor, ifindex, now)
      cache.setDeadline(neighbor, neighbor.timeoutAt(now))
    }
  }

  /** Lets a solicitor wait for a proof or for the host route. @returns false: too many solicitors wait, and an event is emitted */
  wait(neighbor: Neighbor, solicitor: Solicitor): boolean {
    const isWaiting = neighbor.wait(solicitor)
    if (!isWaiting) this.parts.effects.events.push({ kind: 'limit', limit: 'solicitors', size: SOLICITOR_LIMIT })
    return isWaiting
  }
}

/**
 * @returns whether the negative cache (`deadtime`, RFC 6583) prevents new probes: true if the entry is FAILED, no host ever proved to be its
 * owner, and all these links were probed. A former owner may come back without sending a packet, so its address is probed again
 */
export function isDead({ state, verified, work: { probed } }: Neighbor, links: readonly number[]): boolean {
  return state === 'FAILED' && verified === Number.NEGATIVE_INFINITY && links.every((ifindex) => probed.includes(ifindex))
}
