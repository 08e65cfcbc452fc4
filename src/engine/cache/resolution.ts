/**
 * Address resolution and reachability checks for the entries of the neighbor cache (RFC 4861 7.2.2, 7.3.2, 7.3.3).
 *
 *     (none) --solicited, evidence--> INCOMPLETE --proof--> REACHABLE --ttl--> PROBE --proof--> REACHABLE
 *                                       | retries                               | retries
 *                                       +------------> FAILED <-----------------+     FAILED --deadtime--> (none)
 *
 * Only a solicited advertisement on a probed link adds an owner. An owner that still answers is not displaced (RFC 6620, RFC 3756
 * 4.1.1). If hosts on the upstream and on a downstream link answer the same probe, the upstream host is the owner, because the router is
 * there. But the upstream answer may come from the cache of another proxy, for a host that has moved downstream. Therefore the proxy
 * receives a claim, which makes the proxy verify its host. The downstream host gets the address only if the proxy then stops answering.
 */
import { Address, type Mac } from '../../address.ts'
import { RETRANS_TIMER } from '../../wire/constants.ts'
import type { Lane } from '../budget/probe-budget.ts'
import { Part } from '../rules/context.ts'
import { type ActiveRule, isUpstream } from '../rules/rule.ts'
import type { Instant } from '../../engine-types.ts'
import type { NeighborReason, Outcome } from '../../events.ts'
import { type Neighbor, NONE, type Solicitor, SOLICITOR_LIMIT } from './neighbor.ts'
import type { CacheParts, Owners } from './owners.ts'
import type { Prober } from './prober.ts'
import type { SilentLinks } from './silent-links.ts'

/** The shortest time from the proof of an owner to a verification that a claim on the owner's address causes, milliseconds. */
const CONTEST_INTERVAL = 250
/** Milliseconds from a probe until a sign of life of the target's host may cause another probe on the same link. */
const REPEAT_INTERVAL = 50
/** Milliseconds that unsent probes wait for a usable address once all others timed out: DAD takes up to 1 s + 1 s (RFC 4862 5.4.2). */
const DAD_TIME = 2000
/** The most entries that one call of `wake` handles. Packets wait during the call. */
const WAKE_LIMIT = 64

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

export type ResolutionParts = CacheParts & { readonly owners: Owners; readonly prober: Prober; readonly silentLinks: SilentLinks }

export class Resolution extends Part<ResolutionParts> {
  /**
   * Probes for the owner of a target. A link that is probed already is probed again only after a sign of life.
   * @param solicitor a function that creates the waiting solicitor. The function is not called when a limit refuses the first probes
   * @returns `probing`, `failed` (no link to probe) or `limit`
   */
  resolve(request: Request, now: Instant, solicitor?: () => Solicitor): Outcome {
    const { t0, t1, t2, t3 } = request
    const known = this.parts.cache.get(t0, t1, t2, t3)
    if (known === undefined || known.state === 'FAILED') return this.#begin(known, request, now, solicitor)
    if (solicitor !== undefined && !known.wait(solicitor())) return this.#tooMany()
    if (known.state === 'INCOMPLETE') this.#widen(known, request, now)
    return 'probing'
  }

  #begin(known: Neighbor | undefined, request: Request, now: Instant, solicitor?: () => Solicitor): Outcome {
    const { t0, t1, t2, t3, rule, links, byRoute, lane, from, mac, account, reason } = request
    const { budget, cache, cache: { capacity }, owners } = this.parts
    if (links.length === 0 && !byRoute) return 'failed'
    if (account !== undefined && capacity.isBusy(account, rule) && !(lane === 'alive' && this.#replaceProbed(account, now))) return 'limit'
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

  /**
   * Removes the oldest INCOMPLETE entry that a host caused, if its target had time to answer. So signs of life from forged addresses of a
   * host do not prevent probes for the real addresses of the host. @returns false: the entry is too young
   */
  #replaceProbed(account: Mac, now: Instant): boolean {
    const oldest = this.parts.cache.capacity.oldestProbedFor(account)!
    if (oldest.work.probes === 0 || (oldest.work.probes === 1 && now < oldest.probedAt + REPEAT_INTERVAL)) return false
    this.parts.owners.remove(oldest, 'limit')
    return true
  }

  #widen(neighbor: Neighbor, request: Request, now: Instant): void {
    const { lane, rule, links, byRoute, from, mac } = request
    const { budget, prober, cache } = this.parts
    const { isQueued, probed, byRoute: wasByRoute } = neighbor.work
    const isRepeat = lane === 'alive' && !isQueued && now > neighbor.probedAt + REPEAT_INTERVAL
    const kept = isRepeat ? probed.filter((link) => !links.includes(link)) : probed
    const fresh = links.filter((link) => !kept.includes(link))
    const isRouteNew = byRoute && !wasByRoute
    if (fresh.length === 0 && !isRouteNew) return
    if (!budget.reserve(lane, rule.settings, fresh, from, mac, now)) {
      if (fresh.some((link) => !probed.includes(link))) neighbor.set({ isCurtailed: true })
      return
    }
    // Removing and adding makes the entry the newest one of its host, so `#replaceProbed` takes others first.
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

  /** Makes a solicitor that claims the owner's address wait for a fresh proof. @returns `probing`, or `limit`: too many solicitors wait */
  confirm(neighbor: Neighbor, solicitor: Solicitor, now: Instant): Outcome {
    if (!neighbor.wait(solicitor)) return this.#tooMany()
    const isDad = solicitor.source.isUnspecified
    if (isDad && neighbor.state === 'REACHABLE' && now - neighbor.verified < CONTEST_INTERVAL) this.parts.cache.mark(neighbor)
    else if (neighbor.isQueued) this.probe(neighbor, now)
    else if (isDad) this.verify(neighbor, now, 'DAD')
    else this.contest(neighbor, now)
    return 'probing'
  }

  /** Verifies an owner whose address another host claims. @param delay the shortest time to the verification, milliseconds */
  contest(neighbor: Neighbor, now: Instant, delay = 0): void {
    const at = Math.max(neighbor.verified + CONTEST_INTERVAL, now + delay) as Instant
    if (neighbor.state === 'REACHABLE' && now < at) this.parts.cache.setDeadline(neighbor, Math.min(neighbor.deadline, at) as Instant)
    else this.verify(neighbor, now, 'claimed')
  }

  /** Verifies a REACHABLE owner. Has no effect on a pinned owner, and on entries in other states. */
  verify(neighbor: Neighbor, now: Instant, reason: NeighborReason): void {
    const { owners, cache, budget } = this.parts
    if (neighbor.state !== 'REACHABLE' || neighbor.isPinned) return
    neighbor.set({ probes: 0, probed: NONE, unsent: NONE })
    neighbor.state = 'PROBE'
    owners.report(neighbor, 'PROBE', reason)
    cache.clearDeadline(neighbor)
    // While a solicitor waits, the probe skips the queue: the solicitor may be in DAD, which takes one second only.
    if (neighbor.work.waiting.length > 0) this.probe(neighbor, now)
    else budget.queue.add('known', neighbor, now)
  }

  /** Takes NUD_REACHABLE of the kernel as a further proof of an owner, but never as the first proof: the kernel's state may be old. */
  refresh(neighbor: Neighbor, now: Instant): void {
    const { isPinned, verified, ifindex, mac, isOverridable, isBehindProxy, router, work: { rival, isMissing, via, account, nextHop } } = neighbor
    if (isPinned || rival !== 0 || isMissing || verified === Number.NEGATIVE_INFINITY) return
    // A second answer to a probe of ndp6d counts only within RETRANS_TIMER of the first. When this time is over, the kernel's proof must
    // not restart it.
    if (now - verified >= RETRANS_TIMER) neighbor.set({ probed: NONE })
    this.parts.owners.prove(neighbor, ifindex, mac, now, { isOverridable, isBehindProxy, router, via, account, nextHop })
  }

  /** Handles the loss of an owner's port in the table of a bridge: verifies the owner, which may have moved without sending a packet. */
  missing(neighbor: Neighbor, now: Instant): void {
    if (neighbor.isPinned) return
    neighbor.set({ isMissing: true })
    if (neighbor.state === 'PROBE') this.probe(neighbor, now)
    else this.verify(neighbor, now, 'bridge')
  }

  /** Lets an entry send its next probe at the time `until`, even if all its probes have been sent. */
  postpone(neighbor: Neighbor, until: Instant): void {
    const { isQueued, work: { probes }, rule: { settings: { retries } } } = neighbor
    if (isQueued || (neighbor.state !== 'INCOMPLETE' && neighbor.state !== 'PROBE')) return
    neighbor.set({ probes: Math.min(probes, retries) })
    this.parts.cache.setDeadline(neighbor, until)
  }

  probe(neighbor: Neighbor, now: Instant): void {
    neighbor.isQueued = false
    this.parts.prober.next(neighbor, now)
    this.parts.cache.setDeadline(neighbor, neighbor.timeoutAt(now))
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

  get deadline(): Instant | undefined { return this.parts.cache.deadline }

  wake(now: Instant): void {
    for (let turns = 0; turns < WAKE_LIMIT; turns++) {
      const neighbor = this.parts.cache.due(now)
      if (neighbor === undefined) return
      this.#transition(neighbor, now)
    }
  }

  #transition(neighbor: Neighbor, now: Instant): void {
    const { cache, owners } = this.parts
    const { verified, staleAt, rule: { settings: { keepalive, retries, ttl } } } = neighbor
    switch (neighbor.state) {
      case 'FAILED':
        return owners.remove(neighbor, 'deadtime')
      case 'REACHABLE':
        neighbor.set({ probed: NONE })
        neighbor.rest()
        if (neighbor.work.rival !== 0) return this.verify(neighbor, now, 'claimed')
        if (owners.isDoubtful(neighbor)) return this.verify(neighbor, now, 'new')
        if (now < staleAt) return cache.setDeadline(neighbor, staleAt)
        if (keepalive || neighbor.used) return this.verify(neighbor, now, 'ttl')
        if (now < verified + ttl) return cache.setDeadline(neighbor, verified + ttl as Instant)
        return owners.remove(neighbor, 'ttl')
      case 'INCOMPLETE': case 'PROBE':
        if (neighbor.work.probes <= retries) return this.probe(neighbor, now)
        if (neighbor.work.probes > retries + 1 || !this.#isHeldUp(neighbor)) return this.#giveUp(neighbor, now)
        neighbor.set({ probes: retries + 2 })
        return cache.setDeadline(neighbor, now + DAD_TIME as Instant)
    }
  }

  /** @returns whether a probe waits for a usable address of a link that is up */
  #isHeldUp({ work: { unsent } }: Neighbor): boolean { return unsent.some((ifindex) => this.parts.links.up(ifindex)) }

  /** Handles an entry whose probes got no answer: the entry becomes FAILED. Then a host that claims the address is probed. */
  #giveUp(neighbor: Neighbor, now: Instant): void {
    const { rule, target: { w0: t0, w1: t1, w2: t2, w3: t3 }, work: { rival, rivalMac, nextHop } } = neighbor
    const reason = nextHop === undefined ? unanswered(neighbor) : 'next hop silent'
    // After a refusal by `probe-limit`, the host may be on a link that was not probed, so the FAILED entry lives for `timeout` only.
    this.parts.owners.fail(neighbor, reason, now, reason === 'probe-limit' ? rule.settings.timeout : rule.settings.deadtime)
    this.parts.silentLinks.unanswered(neighbor)
    neighbor.set({ rival: 0, rivalMac: undefined })
    if (rival === 0 || !this.parts.links.up(rival)) return
    const account = this.#isUpstream(rule, rival) ? undefined : rivalMac
    this.resolve({ t0, t1, t2, t3, rule, links: [rival], byRoute: false, lane: 'seen', from: rival, mac: account ?? -1, account,
      reason: 'owner silent' }, now)
  }

  #isUpstream(rule: ActiveRule, ifindex: number): boolean { return isUpstream(rule, this.parts.links.get(ifindex)) }

  #tooMany(): 'limit' {
    this.parts.effects.events.push({ kind: 'limit', limit: 'solicitors', size: SOLICITOR_LIMIT })
    return 'limit'
  }
}

/**
 * @returns whether the negative cache (`deadtime`, RFC 6583) prevents new probes. The entry is FAILED, the target never had an owner, and all
 * these links were probed. A former owner may come back without sending a packet, so its address is probed again
 */
export function isDead({ state, verified, work: { probed } }: Neighbor, links: readonly number[]): boolean {
  return state === 'FAILED' && verified === Number.NEGATIVE_INFINITY && links.every((ifindex) => probed.includes(ifindex))
}

/** @returns why the probes of an entry found no owner */
function unanswered({ isOwned, ifindex, work: { probed, unsent, isCurtailed } }: Neighbor): NeighborReason {
  if (!isOwned && isCurtailed) return 'probe-limit'
  const isUnsent = isOwned ? unsent.includes(ifindex) : unsent.length > 0 && unsent.length === probed.length
  return isUnsent ? 'no address' : 'no answer'
}
