/**
 * A solicitation on a proxied link: answer, ask, or stay silent (RFC 4861 7.2.3, 7.2.4, 7.2.8; RFC 4862 5.4.3).
 *
 * Flags and destination of the answers: S=1 to the asker; for DAD (source `::`) S=0 to all nodes. Override is 0, so that
 * a real owner on the asker's link always wins.
 */
import { Address } from '../address.ts'
import type { Mac } from '../address.ts'
import type { Settings } from '../config/config.ts'
import type { NdiscView } from '../wire/ndisc.ts'
import type { Links, OwnAddress } from './links.ts'
import type { Asker, Neighbor } from './neighbor.ts'
import { ASKER_LIMIT } from './neighbors.ts'
import type { Neighbors } from './neighbors.ts'
import { isAnycast } from './rules.ts'
import type { ActiveRule, Rules } from './rules.ts'
import type { Advertisement, Instant, Link, Outcome, Sink } from './types.ts'

/** 33:33 and the low 32 bits of ff02::1 (RFC 2464 7). */
const ALL_NODES_MAC = 0x333300000001 as Mac

/** Solicitations of DAD that wait for the kernel's word on whether the target is ours. */
const LOOKUP_LIMIT = 1024

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

export class Proxy {
  rules: Rules
  readonly #links: Links
  readonly #neighbors: Neighbors
  readonly #sink: Sink
  readonly #lookups = new Map<string, { rule: ActiveRule; target: Address; askers: Asker[] }>()
  /** The one advertisement object, filled for each answer. */
  readonly #message: Mutable<Advertisement> = {
    ifindex: 0, source: Address.unspecified, d0: 0, d1: 0, d2: 0, d3: 0, t0: 0, t1: 0, t2: 0, t3: 0, to: 0 as Mac,
    router: false, solicited: false, override: false,
  }

  constructor(rules: Rules, links: Links, neighbors: Neighbors, sink: Sink) {
    this.rules = rules
    this.#links = links
    this.#neighbors = neighbors
    this.#sink = sink
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
    return this.#ask(neighbor, link, view, rules, now)
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
    if (rules.length > 0 && allows(rules, ifindex)) this.#answerAsker(rules[0], target, asker)
  }

  #owned(neighbor: Neighbor, link: Link, view: NdiscView, rules: readonly ActiveRule[], dad: boolean, now: Instant): Outcome {
    const { ifindex, mac, pinned } = neighbor
    if (ifindex === link.ifindex) return 'same-link'
    if (ifindex === 0 || !this.#links.up(ifindex) || !allows(rules, ifindex)) return 'no-candidate'
    neighbor.used = true
    if (dad && mac === view.sourceMac) return 'dad-own-mac'
    if (dad && pinned === undefined) return this.#neighbors.confirm(neighbor, askerOf(link, view), now)
    return this.#answerView(link, view, rules[0])
  }

  #ask(neighbor: Neighbor | undefined, link: Link, view: NdiscView, rules: readonly ActiveRule[], now: Instant): Outcome {
    let rule: ActiveRule | undefined
    let byRoute = false
    const candidates: number[] = []
    const isHost = this.rules.isHost(view.t0, view.t1, view.t2, view.t3)
    for (const one of rules) {
      if (!one.settings.learn && !isHost) continue
      rule ??= one
      byRoute ||= one.kind === 'auto'
      for (const ifindex of one.links.ifindexes) {
        if (ifindex !== link.ifindex && this.#links.up(ifindex) && !candidates.includes(ifindex)) candidates.push(ifindex)
      }
    }
    if (rule === undefined) return 'unknown-host'
    if (candidates.length === 0 && !byRoute) return 'no-candidate'
    if (neighbor?.state === 'FAILED' && candidates.every((ifindex) => neighbor.asking.includes(ifindex))) return 'failed'
    return this.#neighbors.ask(view.target(), rule, candidates, byRoute, askerOf(link, view), now, 'solicited')
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
    if (!this.#send(link, settings, t0, t1, t2, t3, s0, s1, s2, s3, sourceMac)) return 'no-source'
    return (s0 | s1 | s2 | s3) === 0 ? 'defended' : 'answered'
  }

  #answerAsker({ settings }: ActiveRule, target: Address, { ifindex, source, mac }: Asker): void {
    const link = this.#links.get(ifindex)
    if (link === undefined) return
    const { w0, w1, w2, w3 } = source
    this.#send(link, settings, target.w0, target.w1, target.w2, target.w3, w0, w1, w2, w3, mac)
  }

  /** Advertises target `t` to asker `d`; to all nodes when that is `::`. False: the link has no usable source address. */
  #send(link: Link, { source: choice, router, override }: Settings, t0: number, t1: number, t2: number, t3: number,
    d0: number, d1: number, d2: number, d3: number, mac: Mac): boolean {
    const source = this.#links.source(link, choice, choice === 'target' ? new Address(t0, t1, t2, t3) : undefined)
    if (source === undefined) return false
    const dad = (d0 | d1 | d2 | d3) === 0
    const message = this.#message
    message.ifindex = link.ifindex
    message.source = source
    message.t0 = t0
    message.t1 = t1
    message.t2 = t2
    message.t3 = t3
    message.d0 = dad ? Address.allNodes.w0 : d0
    message.d1 = dad ? Address.allNodes.w1 : d1
    message.d2 = dad ? Address.allNodes.w2 : d2
    message.d3 = dad ? Address.allNodes.w3 : d3
    message.to = dad ? ALL_NODES_MAC : mac
    message.router = router
    message.override = override === 'always'
    message.solicited = !dad
    this.#sink.advertise(message)
    return true
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
