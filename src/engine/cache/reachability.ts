/**
 * Transitions of cache entries: verification of owners (RFC 4861 7.3), and what follows when probes time out (7.2.2, 7.3.3).
 *
 *     (none) --solicited, evidence--> INCOMPLETE --proof--> REACHABLE --ttl--> PROBE --proof--> REACHABLE
 *                                       | retries                               | retries
 *                                       +------------> FAILED <-----------------+     FAILED --deadtime--> (none)
 */
import { RETRANS_TIMER } from '../../wire/constants.ts'
import { Part } from '../rules/context.ts'
import { isUpstream } from '../rules/rule.ts'
import type { Instant } from '../../engine-types.ts'
import type { NeighborReason, Outcome } from '../../events.ts'
import { type Neighbor, NONE } from './neighbor.ts'
import type { Resolution, ResolutionParts } from './resolution.ts'
import type { SilentLinks } from './silent-links.ts'
import type { Solicitor } from './waiting-solicitors.ts'

/** The shortest time from the proof of an owner to a verification that a claim on the owner's address causes, milliseconds. */
const CONTEST_INTERVAL = 250
/** Milliseconds that probes wait on links where this machine has no usable address, after those on other links: as DAD (RFC 4862 5.4.2). */
const DAD_TIME = 2000
/** The most entries that one call of `wake` handles. Packets wait during the call. */
const WAKE_LIMIT = 64

export type ReachabilityParts = ResolutionParts & { readonly resolution: Resolution; readonly silentLinks: SilentLinks }

export class Reachability extends Part<ReachabilityParts> {
  /**
   * Verifies an owner whose address a solicitor claims. The solicitor waits for the proof.
   * @returns `probing`; `limit`: too many solicitors wait
   */
  confirm(neighbor: Neighbor, solicitor: Solicitor, now: Instant): Outcome {
    if (!this.parts.resolution.wait(neighbor, solicitor)) return 'limit'
    const isDad = solicitor.source.isUnspecified
    if (isDad && neighbor.state === 'REACHABLE' && now - neighbor.verified < CONTEST_INTERVAL) this.parts.cache.mark(neighbor)
    else if (neighbor.isQueued) this.probe(neighbor, now)
    else if (isDad) this.verify(neighbor, now, 'DAD')
    else this.contest(neighbor, now)
    return 'probing'
  }

  /**
   * Verifies an owner whose address another host claims.
   * @param delay the shortest time from the claim to the verification, milliseconds, unless the entry has an earlier deadline
   */
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
    // A second answer to a probe of ndp6d counts only within RETRANS_TIMER of the first answer. The kernel's proof must not restart this
    // time after its end.
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
    const account = isUpstream(rule, this.parts.links.get(rival)) ? undefined : rivalMac
    this.parts.resolution.resolve({ t0, t1, t2, t3, rule, links: [rival], byRoute: false, lane: 'seen', from: rival, mac: account ?? -1,
      account, reason: 'owner silent' }, now)
  }
}

/** @returns why the probes of an entry found no owner */
function unanswered({ isOwned, ifindex, work: { probed, unsent, isCurtailed } }: Neighbor): NeighborReason {
  if (!isOwned && isCurtailed) return 'probe-limit'
  const isUnsent = isOwned ? unsent.includes(ifindex) : unsent.length > 0 && unsent.length === probed.length
  return isUnsent ? 'no address' : 'no answer'
}
