/** Adds, keeps and removes the owners of targets, and marks changed entries for the reconciler. */
import type { Address, Mac } from '../../address.ts'
import { RETRANS_TIMER } from '../../wire/constants.ts'
import type { ProbeBudget } from '../budget/probe-budget.ts'
import { type Context, Part } from '../rules/context.ts'
import type { Pinned } from '../rules/host-lines.ts'
import { type ActiveRule, isUpstream } from '../rules/rule.ts'
import type { Instant } from '../../engine-types.ts'
import type { NeighborReason, NeighborState } from '../../events.ts'
import type { Conflicts } from './conflicts.ts'
import type { NeighborCache } from './neighbor-cache.ts'
import { Neighbor, NONE } from './neighbor.ts'
import type { OtherProxies } from './other-proxies.ts'

export type CacheParts = Context & {
  readonly cache: NeighborCache
  readonly budget: ProbeBudget<Neighbor>
  readonly otherProxies: OtherProxies
  readonly conflicts: Conflicts
}

export type Proven = Pick<Neighbor, 'isOverridable' | 'isBehindProxy' | 'router'> & Pick<Neighbor['work'], 'via' | 'account' | 'nextHop'>

const PLAIN: Proven = { isOverridable: false, isBehindProxy: false, router: false, via: undefined, account: undefined, nextHop: undefined }

export class Owners extends Part<CacheParts> {
  /** Handles the proof of a new or known owner: the entry becomes REACHABLE, or FAILED if a limit refuses a new owner. */
  prove(neighbor: Neighbor, ifindex: number, mac: Mac | undefined, now: Instant, proven: Proven = PLAIN): void {
    const { cache, conflicts } = this.parts
    const { via, isOverridable, isBehindProxy, router, nextHop } = proven
    const isNew = !neighbor.isOwned || neighbor.ifindex !== ifindex || neighbor.mac !== mac
    if (isNew && !this.#admit(neighbor, ifindex, mac, proven, now)) return
    const { target, isPinned, work: { rival, rivalMac, probed, via: formerVia } } = neighbor
    // A routine verification does not mark the entry for the reconciler: there may be thousands in a second.
    const isRoutine = !isNew && neighbor.home === ifindex && neighbor.router === router && !isPinned && (formerVia ?? via) === undefined
    if (neighbor.router !== router) cache.capacity.revision++
    if (!isNew) this.#confirm(neighbor, router)
    // If another proxy gave this answer, the host that claims the address may be the owner itself, on another link: that is no conflict.
    if (!isNew && rival !== 0 && rivalMac !== undefined && !isOverridable) {
      conflicts.report(target, rival, rivalMac, isPinned ? 'pinned' : 'answered', now)
    }
    neighbor.isOverridable = isOverridable
    neighbor.isBehindProxy = isBehindProxy
    neighbor.router = router
    neighbor.used = false
    neighbor.verified = now
    neighbor.state = 'REACHABLE'
    neighbor.set({ via, rival: 0, rivalMac: undefined, probes: 0, isQueued: false, isMissing: false, isMisdirected: false, byRoute: false,
      unsent: NONE, isCurtailed: false, probed: probed.length === 1 && probed[0] === ifindex ? NONE : probed })
    const reason = isNew ? 'proof' : 'verified'
    this.report(neighbor, 'REACHABLE', isPinned && mac === undefined ? 'pinned' : nextHop === undefined ? reason : 'next hop')
    if (isPinned) cache.clearDeadline(neighbor)
    else {
      const { staleAt, restAt } = neighbor
      cache.setDeadline(neighbor, this.isDoubtful(neighbor) ? Math.min(staleAt, now + RETRANS_TIMER) as Instant : restAt)
    }
    neighbor.rest()
    if (!isRoutine || neighbor.work.waiting.length > 0) cache.mark(neighbor)
  }

  /** Adds an owner of the previous run, to be verified. @returns undefined when the cache is full or has the target already */
  restore(target: Address, ifindex: number, mac: Mac | undefined, rule: ActiveRule, now: Instant): Neighbor | undefined {
    const { cache, budget } = this.parts
    if (cache.find(target) !== undefined || cache.capacity.isFull(rule) || !this.makePlace(rule, false)) return undefined
    const neighbor = cache.create(target, rule)
    neighbor.ifindex = ifindex
    neighbor.mac = mac
    neighbor.state = 'PROBE'
    neighbor.since = now
    cache.capacity.add(neighbor)
    this.report(neighbor, 'PROBE', 'restart')
    budget.queue.add('known', neighbor, now)
    return neighbor
  }

  /** Adds an owner that the configuration names, or moves this owner to another link. @param ifindex 0: the link does not exist */
  pin({ address, rule }: Pinned, ifindex: number, now: Instant): void {
    const { cache } = this.parts
    const known = cache.find(address)
    const neighbor = known ?? cache.create(address, rule)
    if (!neighbor.isOwned || neighbor.ifindex !== ifindex) neighbor.since = now
    if (known !== undefined) cache.capacity.remove(known)
    if (known !== undefined && known.ifindex !== ifindex) {
      known.mac = undefined
      known.isReported = false
    }
    neighbor.isPinned = true
    neighbor.rule = rule
    neighbor.set({ probed: NONE })
    neighbor.ifindex = ifindex
    neighbor.state = 'REACHABLE'
    if (known !== undefined && ifindex !== 0) return this.prove(known, ifindex, known.mac, now)
    cache.clearDeadline(neighbor)
    if (ifindex !== 0) {
      neighbor.verified = now
      this.report(neighbor, 'REACHABLE', 'pinned')
    }
    cache.mark(neighbor)
  }

  /** Puts the entry into the negative cache: the owner is gone, or no host answered. */
  fail(neighbor: Neighbor, reason: NeighborReason, now: Instant, deadtime = neighbor.rule.settings.deadtime): void {
    const { cache, cache: { capacity } } = this.parts
    const { ifindex: former } = neighbor
    capacity.remove(neighbor)
    neighbor.state = 'FAILED'
    neighbor.since = now
    neighbor.ifindex = 0
    neighbor.set({ waiting: NONE, unsent: NONE, isCurtailed: false, isQueued: false, isMisdirected: false, byRoute: false, account: undefined })
    capacity.add(neighbor)
    this.report(neighbor, 'FAILED', reason, former)
    cache.mark(neighbor)
    cache.setDeadline(neighbor, now + deadtime as Instant)
  }

  /** Removes the entry. The reconciler then removes the host route and the groups of the owner. */
  remove(neighbor: Neighbor, reason: NeighborReason): void {
    const { cache, budget } = this.parts
    const { isOwned: wasOwned, ifindex: former } = neighbor
    // The reply of a next hop does not prove that the host exists.
    const isProven = neighbor.verified !== Number.NEGATIVE_INFINITY && neighbor.work.nextHop === undefined
    if (isProven) budget.remember(neighbor.target)
    cache.capacity.remove(neighbor)
    neighbor.ifindex = 0
    neighbor.state = 'FAILED'
    neighbor.set({ waiting: NONE })
    cache.mark(neighbor)
    if (wasOwned) this.report(neighbor, 'GONE', reason, former)
    cache.delete(neighbor)
  }

  /** Makes place for a new entry. If the limit is reached, removes an old entry. @returns false: there is no place */
  makePlace(rule: ActiveRule, isAlive: boolean): boolean { return this.#vacate(this.parts.cache.capacity.place(rule, isAlive)) }

  /** Makes place for one more target for which `host` causes probes. @returns false: `host-limit` is reached */
  makeProbePlace(host: Mac, rule: ActiveRule, isAlive: boolean, now: Instant): boolean {
    return this.#vacate(this.parts.cache.capacity.probePlace(host, rule, isAlive, now))
  }

  /** Removes the entry that is in the way. @returns whether there is a place */
  #vacate(place: Neighbor | 'free' | undefined): boolean {
    if (place instanceof Neighbor) this.remove(place, 'limit')
    return place !== undefined
  }

  /** Emits the event about a transition to `state`. @param former the link of the previous owner; 0: none */
  report(neighbor: Neighbor, state: NeighborState | 'GONE', reason: NeighborReason, former = neighbor.home): void {
    const { target, rule: { length }, ifindex, mac, isReported, work: { nextHop, waiting } } = neighbor
    // Pinned hosts and addresses behind a next hop are not reported as news: there may be thousands of them.
    const isMove = reason === 'proof' && former !== 0 && former !== ifindex
    const news = state === 'REACHABLE' ? (!isReported || isMove) && reason !== 'pinned' && reason !== 'next hop'
      : isReported && (state === 'FAILED' || state === 'GONE')
    if (news) neighbor.isReported = state === 'REACHABLE'
    this.parts.effects.events.push({ kind: 'neighbor', target, state, ifindex: ifindex === 0 ? undefined : ifindex, mac, reason, news,
      former: former === 0 || former === ifindex ? undefined : former, length, via: nextHop?.address,
      source: state === 'INCOMPLETE' ? waiting[0]?.source : undefined })
  }

  /** @returns whether an owner is to be confirmed soon, because many places are in use */
  isDoubtful(neighbor: Neighbor): boolean { return this.parts.cache.capacity.isDoubtful(neighbor, this.#isUpstream(neighbor)) }

  /** Handles another proof of the same owner. */
  #confirm(neighbor: Neighbor, router: boolean): void {
    const { target, ifindex, mac, rule, work: { isMisdirected } } = neighbor
    this.parts.cache.capacity.confirm(neighbor, this.#isUpstream(neighbor))
    // The kernel accepts any forged advertisement with O=1 (RFC 4861 7.2.5, 11.1), so the kernel's entry is set back to the owner.
    if (!isMisdirected || mac === undefined || !rule.settings.neighborRepair) return
    this.parts.effects.repairs.push({ target, ifindex, mac, router })
  }

  #isUpstream({ rule, ifindex }: Neighbor): boolean { return isUpstream(rule, this.parts.links.get(ifindex)) }

  #admit(neighbor: Neighbor, ifindex: number, mac: Mac | undefined, { account, nextHop }: Proven, now: Instant): boolean {
    const { cache: { capacity }, links } = this.parts
    const place = nextHop !== undefined ? undefined
      : capacity.admission(neighbor, ifindex, account ?? mac, isUpstream(neighbor.rule, links.get(ifindex)))
    if (place === 'host-limit' || place === 'limit') {
      this.fail(neighbor, place, now)
      return false
    }
    if (place instanceof Neighbor) this.remove(place, 'limit')
    capacity.remove(neighbor)
    neighbor.ifindex = ifindex
    neighbor.mac = mac
    neighbor.since = now
    neighbor.isReported = false
    neighbor.isConfirmed = false
    neighbor.set({ account, nextHop })
    neighbor.state = 'REACHABLE'
    capacity.add(neighbor)
    return true
  }
}
