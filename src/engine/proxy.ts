/**
 * A solicitation on a proxied link: answer, ask, or stay silent (RFC 4861 7.2.3, 7.2.4, 7.2.8; RFC 4862 5.4.3).
 */
import type { Address } from '../address.ts'
import type { NdiscView } from '../wire/ndisc.ts'
import { Advertiser } from './advertiser.ts'
import type { Links, OwnAddress } from './links.ts'
import { ASKER_LIMIT } from './neighbor.ts'
import type { Asker, Neighbor } from './neighbor.ts'
import type { Neighbors } from './neighbors.ts'
import { isAnycast, isUpstream } from './rules.ts'
import type { ActiveRule, Rules } from './rules.ts'
import type { Instant, Lane, Limit, Link, Outcome, Sink } from './types.ts'

/** Solicitations of DAD that wait for the kernel's word on whether the target is ours. */
const LOOKUP_LIMIT = 1024

/** Where to ask. */
interface Search {
  rule: ActiveRule
  readonly links: number[]
  byRoute: boolean
  lane: Lane
}

export class Proxy {
  rules: Rules
  readonly #links: Links
  readonly #neighbors: Neighbors
  readonly #sink: Sink
  readonly #lookups = new Map<string, { rule: ActiveRule; target: Address; askers: Asker[] }>()
  readonly #advertiser: Advertiser
  /** The one result of a search: read it before the next one. */
  readonly #found: Search = { rule: undefined as unknown as ActiveRule, links: [] as number[], byRoute: false, lane: 'unknown' }

  constructor(rules: Rules, links: Links, neighbors: Neighbors, sink: Sink) {
    this.rules = rules
    this.#links = links
    this.#neighbors = neighbors
    this.#sink = sink
    this.#advertiser = new Advertiser(links, sink)
  }

  get limits(): Limit[] { return [{ name: 'DAD that waits for the kernel\'s word', used: this.#lookups.size, size: LOOKUP_LIMIT }] }

  /** Judges a valid NS that came in on `link`. */
  solicitation(link: Link, view: NdiscView, now: Instant): Outcome {
    const { t0, t1, t2, t3 } = view
    if (t0 >>> 22 === 0x3fa) return 'link-local'
    const rules = this.rules.match(link.ifindex, t0, t1, t2, t3)
    if (rules.length === 0) return 'no-rule'
    if (this.rules.excluded(t0, t1, t2, t3)) return 'excluded'
    const dad = (view.s0 | view.s1 | view.s2 | view.s3) === 0

    const neighbor = this.#neighbors.get(t0, t1, t2, t3)
    const own = this.#links.own(t0, t1, t2, t3)
    if (own !== undefined) {
      // Somebody there has it as well, which is trouble enough without a second answer.
      if (neighbor?.isOwned && neighbor.ifindex === link.ifindex) return 'same-link'
      const elsewhere = own.every(({ ifindex, tentative }) => ifindex !== link.ifindex && !tentative)
      if (!elsewhere || !isReachable(own, rules)) return 'own-address'
      return this.#answerView(link, view, rules[0])
    }

    if (isAnycast(rules, t0, t1, t2, t3)) return 'anycast'
    if (neighbor !== undefined && neighbor.isOwned) return this.#owned(neighbor, link, view, rules, dad, now)

    const blind = rules.find(isStatic)
    if (blind !== undefined) {
      // Blind defence would refuse every newcomer on the link any address: it takes evidence (RFC 3756 4.1.3).
      return dad ? this.#lookup(link, view, blind) : this.#answerView(link, view, blind)
    }
    const search = this.#search(neighbor, link.ifindex, t0, t1, t2, t3, rules, view.sourceMac, now)
    if (typeof search === 'string') return search
    const [target, asker] = [view.target(), askerOf(link, view)]
    return neighbor === undefined ? this.#askInTurn(search, target, asker, now) : this.#ask(search, target, link.ifindex, now, asker)
  }

  /** The kernel's word on a target that was looked up: what is this machine's own is defended. */
  route(target: Address, local: boolean): void {
    const pending = this.#lookups.get(target.toString())
    if (pending === undefined) return
    this.#lookups.delete(target.toString())
    if (local) for (const asker of pending.askers) this.#answerAsker(pending.rule, target, asker)
  }

  /** An owner is known now: tells an asker that waited. */
  answer(neighbor: Neighbor, asker: Asker): void {
    const { target, target: { w0, w1, w2, w3 }, ifindex, mac } = neighbor
    const isDadOfOwner = asker.source.isUnspecified && asker.mac === mac
    if (asker.ifindex === ifindex || isDadOfOwner) return
    // It may have become ours meanwhile.
    if (this.#links.own(w0, w1, w2, w3)?.some((own) => own.ifindex === asker.ifindex)) return
    // Another link's rules may have found the owner: what counts is where the asker is.
    const rules = this.rules.match(asker.ifindex, w0, w1, w2, w3)
    if (rules.length === 0 || !allows(rules, ifindex) || (asker.source.isUnspecified && neighbor.proxied)) return
    if (asker.source.isUnspecified) this.#sink.event({ kind: 'conflict', target, ifindex: asker.ifindex, mac: asker.mac, basis: 'answered' })
    this.#answerAsker(rules[0], target, asker)
  }

  #owned(neighbor: Neighbor, link: Link, view: NdiscView, rules: readonly ActiveRule[], dad: boolean, now: Instant): Outcome {
    const { ifindex } = neighbor
    if (ifindex === link.ifindex) return 'same-link'
    if (ifindex === 0 || !this.#links.up(ifindex) || !allows(rules, ifindex)) return 'no-candidate'
    neighbor.used = true
    if (dad) {
      if (neighbor.mac === view.sourceMac) return 'dad-own-mac'
      // Another proxy's word is no evidence against a host that is there.
      if (neighbor.proxied) return 'dad-unproven'
      if (!neighbor.isPinned) {
        const outcome = this.#neighbors.confirm(neighbor, askerOf(link, view), now)
        return outcome === 'limit' ? this.#full('solicitors', ASKER_LIMIT) : outcome
      }
      this.#sink.event({ kind: 'conflict', target: neighbor.target, ifindex: link.ifindex, mac: view.sourceMac, basis: 'pinned' })
    }
    return this.#answerView(link, view, rules[0])
  }

  /** The kernel itself asks on `link`: it has a packet for a host that may be elsewhere (its next one finds the route). */
  local({ ifindex }: Link, target: Address, now: Instant): void {
    const { w0, w1, w2, w3 } = target
    const neighbor = this.#neighbors.get(w0, w1, w2, w3)
    const rules = this.rules.match(ifindex, w0, w1, w2, w3).filter(({ settings }) => settings.routes)
    // What is asked on this link by ourselves looks the same.
    if (neighbor?.isOwned || neighbor?.asking.includes(ifindex) || rules.length === 0 || target.isLinkLocal) return
    if (this.rules.excluded(w0, w1, w2, w3) || this.#links.own(w0, w1, w2, w3) !== undefined || isAnycast(rules, w0, w1, w2, w3)) return
    const search = this.#search(neighbor, ifindex, w0, w1, w2, w3, rules, -1, now)
    if (typeof search !== 'string') this.#ask(search, target, ifindex, now)
  }

  /**
   * Where to ask for the owner of a target that is wanted on link `from`: everywhere else, if there is budget for it. In a
   * scan this is the way of nearly all packets, so nothing is made here.
   */
  #search(neighbor: Neighbor | undefined, from: number, t0: number, t1: number, t2: number, t3: number,
    rules: readonly ActiveRule[], mac: number, now: Instant, paid = false): Search | Outcome {
    const search = this.#found
    const { links } = search
    const isHost = this.rules.isHost(t0, t1, t2, t3)
    let rule: ActiveRule | undefined
    let size = 0
    search.byRoute = false
    for (const one of rules) {
      if (!one.settings.learn && !isHost) continue
      rule ??= one
      search.byRoute ||= one.kind === 'auto'
      for (const ifindex of one.links.ifindexes) {
        if (ifindex === from || !this.#links.up(ifindex)) continue
        const at = links.indexOf(ifindex)
        if (at < 0 || at >= size) links[size++] = ifindex
      }
    }
    if (rule === undefined) return 'unknown-host'
    if (size === 0 && !search.byRoute) return 'no-candidate'
    // Most often it is as long as the last time, and then keeps its memory.
    if (links.length !== size) links.length = size
    search.rule = rule
    const { budget } = this.#neighbors
    search.lane = isHost ? 'seen' : budget.lane(neighbor, t0, t1, t2, t3)
    if (neighbor !== undefined && neighbor.state !== 'FAILED') return search
    // The negative cache is for addresses that nobody had: a host may be back without a word.
    const isDead = neighbor?.verified === Number.NEGATIVE_INFINITY
    if (isDead && links.every((ifindex) => neighbor!.asking.includes(ifindex))) return 'failed'
    return paid || budget.allows(search.lane, rule.settings, links, from, mac, now) ? search : 'limit'
  }

  /** Asks for a stranger, now or later. */
  #askInTurn(search: Search, target: Address, asker: Asker, now: Instant): Outcome {
    const { budget, budget: { pace: { unknown: pace } } } = this.#neighbors
    budget.charge(search.lane, search.rule.settings, search.links, asker.ifindex, asker.mac, now)
    if (search.lane === 'seen' || pace.isFree(now)) return this.#ask(search, target, asker.ifindex, now, asker, true)
    return pace.defer((later) => this.#askLater(target, asker, later)) ? 'probing' : 'limit'
  }

  /** The turn of a question that had to wait; by now things may be otherwise. */
  #askLater(target: Address, asker: Asker, now: Instant): void {
    const { w0, w1, w2, w3 } = target
    const neighbor = this.#neighbors.get(w0, w1, w2, w3)
    if (neighbor?.isOwned) return this.answer(neighbor, asker)
    const rules = this.rules.match(asker.ifindex, w0, w1, w2, w3)
    if (rules.length === 0 || this.rules.excluded(w0, w1, w2, w3) || this.#links.own(w0, w1, w2, w3) !== undefined) return
    const search = this.#search(neighbor, asker.ifindex, w0, w1, w2, w3, rules, asker.mac, now, true)
    if (typeof search !== 'string') this.#ask(search, target, asker.ifindex, now, asker, true)
  }

  #ask({ rule, links, byRoute, lane }: Search, target: Address, from: number, now: Instant, asker?: Asker, paid = false): Outcome {
    // A host may have so many questions under way; the upstream's routers ask for everybody there.
    const isCounted = rule.subnet !== undefined && !isUpstream(rule, this.#links.get(from)) && asker !== undefined && asker.mac >= 0
    const account = isCounted ? asker.mac : undefined
    const who = asker === undefined ? {} : { asker }
    const known = this.#neighbors.find(target)
    const outcome = this.#neighbors.ask({ target, rule, links, byRoute, lane, paid, from, account, reason: asker ? 'solicited' : 'local traffic', ...who }, now)
    return outcome === 'limit' && known?.askers.length === ASKER_LIMIT ? this.#full('solicitors', ASKER_LIMIT) : outcome
  }

  #lookup(link: Link, view: NdiscView, rule: ActiveRule): Outcome {
    const target = view.target()
    const key = target.toString()
    const pending = this.#lookups.get(key)
    if (pending === undefined) {
      if (this.#lookups.size >= LOOKUP_LIMIT) return this.#full('lookups', LOOKUP_LIMIT)
      this.#lookups.set(key, { rule, target, askers: [askerOf(link, view)] })
      this.#sink.lookup(target)
    } else if (pending.askers.length < ASKER_LIMIT) {
      pending.askers.push(askerOf(link, view))
    }
    return 'dad-unproven'
  }

  #full(limit: 'lookups' | 'solicitors', size: number): 'limit' {
    this.#sink.event({ kind: 'limit', limit, size })
    return 'limit'
  }

  #answerView(link: Link, view: NdiscView, { settings }: ActiveRule): Outcome {
    const { t0, t1, t2, t3, s0, s1, s2, s3, sourceMac } = view
    if (!this.#advertiser.answer(link, settings, t0, t1, t2, t3, s0, s1, s2, s3, sourceMac)) return 'no-source'
    return (s0 | s1 | s2 | s3) === 0 ? 'defended' : 'answered'
  }

  #answerAsker({ settings }: ActiveRule, target: Address, { ifindex, source, mac }: Asker): void {
    const link = this.#links.get(ifindex)
    if (link === undefined) return
    const { w0, w1, w2, w3 } = source
    this.#advertiser.answer(link, settings, target.w0, target.w1, target.w2, target.w3, w0, w1, w2, w3, mac)
  }
}

/** Here, so that no packet makes a function. */
function isStatic({ kind }: ActiveRule): boolean { return kind === 'static' }

function askerOf({ ifindex }: Link, view: NdiscView): Asker {
  return { ifindex, source: view.source(), mac: view.sourceMac }
}

/** Whether these rules let an owner on this link be answered for. */
function allows(rules: readonly ActiveRule[], ifindex: number): boolean {
  for (const { kind, links } of rules) if (kind !== 'iface' || links.ifindexes.includes(ifindex)) return true
  return false
}

/** An address of this machine on loopback is on no link, so nobody else would answer for it. */
function isReachable(own: readonly OwnAddress[], rules: readonly ActiveRule[]): boolean {
  return own.some(({ ifindex, loopback }) => loopback || allows(rules, ifindex))
}
