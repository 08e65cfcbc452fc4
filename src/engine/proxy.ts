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
import type { Instant, Link, Outcome, Sink } from './types.ts'

/** Solicitations of DAD that wait for the kernel's word on whether the target is ours. */
const LOOKUP_LIMIT = 1024

export class Proxy {
  rules: Rules
  readonly #links: Links
  readonly #neighbors: Neighbors
  readonly #sink: Sink
  readonly #lookups = new Map<string, { rule: ActiveRule; target: Address; askers: Asker[] }>()
  readonly #advertiser: Advertiser

  constructor(rules: Rules, links: Links, neighbors: Neighbors, sink: Sink) {
    this.rules = rules
    this.#links = links
    this.#neighbors = neighbors
    this.#sink = sink
    this.#advertiser = new Advertiser(links, sink)
  }

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

    const blind = rules.find(({ kind }) => kind === 'static')
    if (blind !== undefined) {
      // Blind defence would refuse every newcomer on the link any address: it takes evidence (RFC 3756 4.1.3).
      return dad ? this.#lookup(link, view, blind) : this.#answerView(link, view, blind)
    }
    return this.#search(neighbor, link.ifindex, view.target(), rules, now, askerOf(link, view))
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
    if (asker.source.isUnspecified) this.#sink.event({ kind: 'conflict', target, ifindex: asker.ifindex, mac: asker.mac })
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
      if (!neighbor.isPinned) return this.#neighbors.confirm(neighbor, askerOf(link, view), now)
      this.#sink.event({ kind: 'conflict', target: neighbor.target, ifindex: link.ifindex, mac: view.sourceMac })
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
    this.#search(neighbor, ifindex, target, rules, now, undefined)
  }

  /** Asks for the owner of a target wherever it may be, but on the link that it is wanted on. */
  #search(neighbor: Neighbor | undefined, from: number, target: Address, rules: readonly ActiveRule[], now: Instant,
    asker: Asker | undefined): Outcome {
    let rule: ActiveRule | undefined
    let byRoute = false
    const links: number[] = []
    const isHost = this.rules.isHost(target.w0, target.w1, target.w2, target.w3)
    for (const one of rules) {
      if (!one.settings.learn && !isHost) continue
      rule ??= one
      byRoute ||= one.kind === 'auto'
      for (const ifindex of one.links.ifindexes) {
        if (ifindex !== from && this.#links.up(ifindex) && !links.includes(ifindex)) links.push(ifindex)
      }
    }
    if (rule === undefined) return 'unknown-host'
    if (links.length === 0 && !byRoute) return 'no-candidate'
    // The negative cache is for addresses that nobody had: a host may be back without a word.
    const isDead = neighbor?.state === 'FAILED' && neighbor.verified === Number.NEGATIVE_INFINITY
    if (isDead && links.every((ifindex) => neighbor.asking.includes(ifindex))) return 'failed'
    // A host may have so many questions under way; the upstream's routers ask for everybody there.
    const isCounted = rule.subnet !== undefined && !isUpstream(rule, this.#links.get(from)) && asker !== undefined && asker.mac >= 0
    const account = isCounted ? asker.mac : undefined
    const who = asker === undefined ? {} : { asker }
    return this.#neighbors.ask({ target, rule, links, byRoute, account, reason: asker ? 'solicited' : 'local traffic', ...who }, now)
  }

  #lookup(link: Link, view: NdiscView, rule: ActiveRule): Outcome {
    const target = view.target()
    const key = target.toString()
    const pending = this.#lookups.get(key)
    if (pending === undefined) {
      if (this.#lookups.size >= LOOKUP_LIMIT) return 'limit'
      this.#lookups.set(key, { rule, target, askers: [askerOf(link, view)] })
      this.#sink.lookup(target)
    } else if (pending.askers.length < ASKER_LIMIT) {
      pending.askers.push(askerOf(link, view))
    }
    return 'dad-unproven'
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

function askerOf({ ifindex }: Link, view: NdiscView): Asker {
  return { ifindex, source: view.source(), mac: view.sourceMac }
}

/** Whether these rules let an owner on this link be answered for. */
function allows(rules: readonly ActiveRule[], ifindex: number): boolean {
  return rules.some(({ kind, links }) => kind !== 'iface' || links.ifindexes.includes(ifindex))
}

/** An address of this machine on loopback is on no link, so nobody else would answer for it. */
function isReachable(own: readonly OwnAddress[], rules: readonly ActiveRule[]): boolean {
  return own.some(({ ifindex, loopback }) => loopback || allows(rules, ifindex))
}
