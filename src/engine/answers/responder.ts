/** Decides whether a solicitation leads to an answer, to probes or to nothing (RFC 4861 7.2.3, 7.2.4, 7.2.8; RFC 4862 5.4.3). */
import { type Address, isLinkLocalWord, type Mac } from '../../address.ts'
import type { NdiscView } from '../../wire/ndisc-decode.ts'
import type { Lane } from '../budget/probe-budget.ts'
import type { ClaimParts } from '../cache/claims.ts'
import { type Neighbor, NONE } from '../cache/neighbor.ts'
import { isDead, type Request } from '../cache/resolution.ts'
import type { Solicitor } from '../cache/waiting-solicitors.ts'
import type { AdvertisementBuilder } from '../effects/advertisement-builder.ts'
import { isResolved } from '../links/links.ts'
import { Part } from '../rules/context.ts'
import { isAnycast } from '../rules/anycast.ts'
import { type ActiveRule, allows, allowsNamed, isStatic, isUpstream } from '../rules/rule.ts'
import type { Mutable } from '../tables/pool.ts'
import type { Instant, Link } from '../../engine-types.ts'
import type { Limit, Outcome } from '../../events.ts'
import { Dad, type DadParts } from './dad.ts'
import { answersForOwn } from './own-addresses.ts'

type ResponderParts = ClaimParts & DadParts & { readonly advertiser: AdvertisementBuilder }

export class Responder extends Part<ResponderParts> {
  readonly #dad = new Dad(this.parts)
  /** Reused, because most packets of a scan are refused and should allocate nothing. */
  readonly #candidates: number[] = []
  readonly #request: Mutable<Request> = { t0: 0, t1: 0, t2: 0, t3: 0, rule: undefined as unknown as ActiveRule, links: this.#candidates,
    byRoute: false, lane: 'unknown', from: 0, mac: -1, account: undefined, reason: 'solicited' }

  #link: Link | undefined
  #view: NdiscView | undefined
  readonly #solicitor = (): Solicitor => solicitorOf(this.#link!, this.#view!)

  get limits(): Limit[] { return this.#dad.limits }

  solicitation(link: Link, view: NdiscView, now: Instant): Outcome {
    const { t0, t1, t2, t3 } = view
    const { rules: all, cache, links } = this.parts
    if (isLinkLocalWord(t0)) return 'link-local'
    const rules = all.match(link.ifindex, t0, t1, t2, t3)
    if (rules.length === 0) return 'no-rule'
    if (all.excluded(t0, t1, t2, t3)) return 'excluded'
    const isDad = (view.s0 | view.s1 | view.s2 | view.s3) === 0
    const neighbor = cache.get(t0, t1, t2, t3)
    const own = links.own(t0, t1, t2, t3)
    if (own !== undefined) {
      // Another host on this link has the address, too. A second answer would make the conflict worse.
      if (neighbor?.isOwned && neighbor.ifindex === link.ifindex) return 'same-link'
      return answersForOwn(own, rules, link.ifindex) ? this.#answer(link, view, rules[0]) : 'own-address'
    }
    if (isAnycast(rules, links, t0, t1, t2, t3)) return 'anycast'
    if (neighbor !== undefined && neighbor.isOwned) return this.#owned(neighbor, link, view, rules, isDad, now)
    const rule = rules.find(isStatic)
    if (rule !== undefined) return isDad ? this.#dad.lookUp(view.target(), rule, solicitorOf(link, view)) : this.#answer(link, view, rule)
    this.#link = link
    this.#view = view
    return this.#search(neighbor, link.ifindex, t0, t1, t2, t3, rules, view.sourceMac, now, this.#solicitor)
  }

  /**
   * Handles a packet of the kernel that is to leave on this link: probes the other links for the target. If a probe finds the owner, a
   * host route carries later packets.
   */
  local(ifindex: number, target: Address, now: Instant): void {
    const { w0, w1, w2, w3 } = target
    const { rules: all, cache, links } = this.parts
    const neighbor = cache.get(w0, w1, w2, w3)
    const rules = all.match(ifindex, w0, w1, w2, w3).filter(({ settings }) => settings.routes)
    const link = links.get(ifindex)
    // While ndp6d probes the target on this link, and for `deadtime` after that, a solicitation of the kernel starts no search. On a link
    // without neighbor resolution, the kernel sends the packet itself instead of a solicitation, and each packet may start a search.
    const isProbed = neighbor?.work.probed.includes(ifindex) === true && link !== undefined && isResolved(link)
    if (neighbor?.isOwned || isProbed || rules.length === 0 || target.isLinkLocal) return
    if (all.excluded(w0, w1, w2, w3) || links.own(w0, w1, w2, w3) !== undefined || isAnycast(rules, links, w0, w1, w2, w3)) return
    this.#search(neighbor, ifindex, w0, w1, w2, w3, rules, -1, now)
  }

  /** Handles the kernel's reply to a route lookup. @param local whether the target is an address of this machine. If so, DAD is answered */
  lookedUp(target: Address, local: boolean): void {
    const pending = this.#dad.take(target)
    if (pending !== undefined && local) for (const solicitor of pending.solicitors) this.#answerSolicitor(pending.rule, target, solicitor)
  }

  /**
   * Answers the solicitors that wait for an owned target, if the kernel's routes are settled. A solicitor in DAD, or one that claims the
   * target, waits until the owner is verified.
   */
  release(neighbor: Neighbor, now: Instant): void {
    const { state, work: { waiting, rivalMac } } = neighbor
    if (waiting.length === 0 || !neighbor.isOwned || !neighbor.isReady) return
    const isReleased = ({ source, mac }: Solicitor): boolean => state === 'REACHABLE' || !(source.isUnspecified || mac === rivalMac)
    neighbor.set({ waiting: state === 'REACHABLE' ? NONE : waiting.filter((solicitor) => !isReleased(solicitor)) })
    for (const solicitor of waiting) if (isReleased(solicitor)) this.#answerWaiting(neighbor, solicitor, now)
  }

  #answerWaiting(neighbor: Neighbor, solicitor: Solicitor, now: Instant): void {
    const { target, target: { w0, w1, w2, w3 }, ifindex, mac } = neighbor
    const isDad = solicitor.source.isUnspecified
    if (neighbor.isForeign || solicitor.ifindex === ifindex || (isDad && solicitor.mac === mac)) return
    // The target may be an own address on the solicitor's link by now, and then the kernel answers.
    if (this.parts.links.own(w0, w1, w2, w3)?.some((own) => own.ifindex === solicitor.ifindex)) return
    // A rule of another link may have led to the owner, but an answer needs a rule of the solicitor's link.
    const rules = this.parts.rules.match(solicitor.ifindex, w0, w1, w2, w3)
    if (rules.length === 0 || !serves(this.parts, neighbor, rules, isDad) || (isDad && neighbor.isOverridable)) return
    if (isDad) this.#dad.conflict(neighbor, solicitor.ifindex, solicitor.mac, now)
    this.#answerSolicitor(rules[0], target, solicitor)
  }

  #owned(neighbor: Neighbor, link: Link, view: NdiscView, rules: readonly ActiveRule[], isDad: boolean, now: Instant): Outcome {
    if (neighbor.ifindex === link.ifindex) {
      // The proxy that answered for the target now solicits it: the host may have left that proxy.
      if (neighbor.isVouched && view.sourceMac === neighbor.mac && !isDad) this.parts.reachability.verify(neighbor, now, 'solicited')
      return 'same-link'
    }
    if (neighbor.isForeign) return 'foreign'
    if (!serves(this.parts, neighbor, rules, isDad)) return 'no-candidate'
    neighbor.used = true
    const outcome = isDad ? this.#dad.owned(neighbor, solicitorOf(link, view), now) : undefined
    if (outcome !== undefined) return outcome
    // A solicitor that itself claims the target gets no answer from the cache: the owner is verified first.
    const { rival, rivalMac } = neighbor.work
    if (rival === link.ifindex && rivalMac === view.sourceMac) return this.parts.reachability.confirm(neighbor, solicitorOf(link, view), now)
    if (!neighbor.isReady) return this.parts.resolution.wait(neighbor, solicitorOf(link, view)) ? 'probing' : 'limit'
    if (isDad) this.#dad.conflict(neighbor, link.ifindex, view.sourceMac, now)
    return this.#answer(link, view, rules[0])
  }

  /** Searches for the owner of a target: probes all links of the target's rules except `from`. */
  #search(neighbor: Neighbor | undefined, from: number, t0: number, t1: number, t2: number, t3: number, rules: readonly ActiveRule[],
    mac: number, now: Instant, solicitor?: () => Solicitor): Outcome {
    const { rules: { config: { hosts } }, links: present, resolution } = this.parts
    const request = this.#request
    const links = this.#candidates
    const isHost = hosts.has(t0, t1, t2, t3)
    let rule: ActiveRule | undefined
    let size = 0
    request.byRoute = false
    for (const one of rules) {
      if (!one.settings.learn && !isHost) continue
      rule ??= one
      request.byRoute ||= one.kind === 'auto'
      for (const ifindex of one.links.ifindexes) {
        if (ifindex === from || !present.up(ifindex)) continue
        const at = links.indexOf(ifindex)
        if (at < 0 || at >= size) links[size++] = ifindex
      }
    }
    if (rule === undefined) return 'unknown-host'
    if (size === 0 && !request.byRoute) return 'no-candidate'
    // Setting the length of an array reallocates it, even if the length is the same.
    if (links.length !== size) links.length = size
    if (neighbor !== undefined && isDead(neighbor, links)) return 'failed'
    request.t0 = t0
    request.t1 = t1
    request.t2 = t2
    request.t3 = t3
    request.rule = rule
    request.from = from
    request.mac = mac
    request.lane = this.#laneOf(neighbor, isHost, t0, t1, t2, t3)
    request.reason = solicitor === undefined ? 'local traffic' : 'solicited'
    // `host-limit` holds for downstream hosts only: a router upstream solicits on behalf of many hosts.
    request.account = rule.subnet !== undefined && mac >= 0 && !isUpstream(rule, present.get(from)) ? mac as Mac : undefined
    return resolution.resolve(request, now, solicitor)
  }

  #laneOf(neighbor: Neighbor | undefined, isHost: boolean, t0: number, t1: number, t2: number, t3: number): Lane {
    const hadOwner = neighbor !== undefined && neighbor.verified !== Number.NEGATIVE_INFINITY
    return isHost || hadOwner || this.parts.budget.hadOwner(t0, t1, t2, t3) ? 'seen' : 'unknown'
  }

  #answer(link: Link, view: NdiscView, { settings }: ActiveRule): Outcome {
    const { t0, t1, t2, t3, s0, s1, s2, s3, sourceMac } = view
    if (!this.parts.advertiser.answer(link, settings, t0, t1, t2, t3, s0, s1, s2, s3, sourceMac)) return 'no-source'
    return (s0 | s1 | s2 | s3) === 0 ? 'defended' : 'answered'
  }

  #answerSolicitor({ settings }: ActiveRule, target: Address, { ifindex, source, mac }: Solicitor): void {
    const link = this.parts.links.get(ifindex)
    if (link === undefined) return
    const { w0, w1, w2, w3 } = source
    const { advertiser, effects: { events } } = this.parts
    const isAnswered = advertiser.answer(link, settings, target.w0, target.w1, target.w2, target.w3, w0, w1, w2, w3, mac)
    if (isAnswered) events.push({ kind: 'answered', target, ifindex, source, mac })
  }
}

/**
 * @returns whether one of these rules answers for the owner. While the owner's link is down or does not exist, an answer would attract
 * packets that cannot be delivered. Only DAD for a pinned address is answered then, because no other host may take the address
 */
export function serves({ links, rules: { config: { hosts } } }: Pick<ResponderParts, 'links' | 'rules'>,
  { ifindex, target, isPinned }: Neighbor, rules: readonly ActiveRule[], isDad: boolean): boolean {
  if (links.up(ifindex)) return allows(rules, ifindex)
  const home = isDad && isPinned ? hosts.linkOf(target) : undefined
  return home !== undefined && allowsNamed(rules, home)
}

function solicitorOf({ ifindex }: Link, view: NdiscView): Solicitor {
  return { ifindex, source: view.source(), mac: view.sourceMac }
}
