/** Explains the outcome of a solicitation for a target, for `ndp6d explain`. The state of the engine does not change. */
import { type Address, formatMac } from '../../address.ts'
import type { StatementKey } from '../../config/config.ts'
import type { NeighborState, Outcome } from '../../events.ts'
import type { BareLinks } from '../cache/bare-links.ts'
import type { NeighborCache } from '../cache/neighbor-cache.ts'
import type { Neighbor } from '../cache/neighbor.ts'
import type { Prober } from '../cache/prober.ts'
import { isDead } from '../cache/resolution.ts'
import { sourceAddress } from '../links/source-address.ts'
import { type Context, Part } from '../rules/context.ts'
import { isAnycast } from '../rules/anycast.ts'
import { type ActiveRule, isStatic } from '../rules/rule.ts'
import type { Instant, Link } from '../../engine-types.ts'
import { answersForOwn } from './own-addresses.ts'
import { serves } from './responder.ts'

/** A rule that covers a target. */
export interface RuleExplanation {
  readonly kind: ActiveRule['kind'] | 'subnet'
  readonly prefix: string
  readonly statement: StatementKey
}

/** A link whose rules cover the target. */
export interface LinkExplanation {
  readonly iface: string
  readonly ifindex: number
  /** In the order of `RuleList`. */
  readonly rules: readonly RuleExplanation[]
  /** The outcome of a solicitation that a router sends now. `probing`: probes start, or are under way. */
  readonly outcome: Outcome
  /** Names of the links to probe for the owner. Empty if the owner is known, or if the outcome does not depend on an owner. */
  readonly probed: readonly string[]
  /** The ifindexes of the links in `probed`. */
  readonly candidates: readonly number[]
}

/** The cache entry of a target. Times are milliseconds. */
export interface NeighborExplanation {
  readonly state: NeighborState
  readonly iface: string | undefined
  readonly ifindex: number
  readonly lladdr: string | undefined
  readonly pinned: boolean
  readonly via: string | undefined
  /** Another proxy answers for the host. */
  readonly proxied: boolean
  readonly router: boolean
  /** Time since the last proof. */
  readonly proved: number | undefined
  /** Time until the next probe, verification or end of the entry. */
  readonly next: number | undefined
  readonly probed: readonly string[]
  readonly probes: number
  readonly waiting: number
  /** Name of the link where another host claims the address. */
  readonly claimed: string | undefined
  /** Link-layer address of the host that claims the address. */
  readonly claimant: string | undefined
  /** Name of the link of the host route. */
  readonly route: string | undefined
  /** The kernel has not confirmed the host route yet. */
  readonly isRoutePending: boolean
  /** Links where the solicited-node group is joined. */
  readonly groups: readonly string[]
}

export interface Explanation {
  readonly links: readonly LinkExplanation[]
  /** Links of this machine that have the address. `tentative`: DAD is not over, or failed. */
  readonly own: readonly { readonly iface: string; readonly tentative: boolean }[]
  readonly excluded: { readonly prefix: string; readonly statement: StatementKey } | undefined
  readonly host: StatementKey | undefined
  readonly neighbor: NeighborExplanation | undefined
}

type ExplainerParts = Context & { readonly cache: NeighborCache; readonly bareLinks: BareLinks; readonly prober: Prober }

export class Explainer extends Part<ExplainerParts> {
  explain(target: Address, now: Instant): Explanation {
    const { links, rules: { config }, cache } = this.parts
    const excluded = config.exclusionOf(target)
    const neighbor = cache.find(target)
    const { w0, w1, w2, w3 } = target
    return {
      links: [...links.values()].map((link) => this.#link(link, target, neighbor)).filter(({ rules }) => rules.length > 0),
      own: (links.own(w0, w1, w2, w3) ?? []).map(({ ifindex, tentative }) => ({ iface: links.get(ifindex)!.name, tentative })),
      excluded: excluded && { prefix: excluded.prefix.toString(), statement: excluded.key },
      host: config.hostOf(target),
      neighbor: neighbor && this.#neighbor(neighbor, now),
    }
  }

  /** Solicits the target once on each of these links, outside of all budgets. */
  probe(target: Address, links: readonly number[]): void {
    const neighbor = this.parts.cache.find(target)
    for (const ifindex of links) {
      this.parts.prober.solicit(target, ifindex, neighbor?.isOwned && neighbor.ifindex === ifindex ? neighbor.mac : undefined)
    }
  }

  #names(ifindexes: readonly number[]): string[] {
    return ifindexes.map((ifindex) => this.parts.links.get(ifindex)?.name).filter((name) => name !== undefined)
  }

  #link(link: Link, target: Address, neighbor: Neighbor | undefined): LinkExplanation {
    const { rules: all, rules: { config, config: { list } } } = this.parts
    const numbers = all.numbers(link.ifindex, target)
    const rules = numbers.map((number) => list.rules[number])
    const decided = this.#forecast(link, target, rules, neighbor)
    const { candidates, isByRoute, isKnown } = this.#candidates(link, target, decided === undefined ? rules : [])
    const outcome = decided ?? (!isKnown ? 'unknown-host' : candidates.length === 0 && !isByRoute ? 'no-candidate'
      : neighbor !== undefined && isDead(neighbor, candidates) ? 'failed' : 'probing')
    return {
      iface: link.name, ifindex: link.ifindex, outcome, probed: this.#names(candidates), candidates,
      rules: numbers.map((number, i) => ({ kind: rules[i].subnet === undefined ? rules[i].kind : 'subnet',
        prefix: list.prefixes[number].toString(), statement: config.keyOf(number) })),
    }
  }

  /** Decides as `Responder.solicitation` does, without effects. @returns undefined: the owner has to be found by probes */
  #forecast(link: Link, target: Address, rules: readonly ActiveRule[], neighbor: Neighbor | undefined): Outcome | undefined {
    const { links, rules: all } = this.parts
    const { w0, w1, w2, w3 } = target
    if (target.isLinkLocal) return 'link-local'
    if (rules.length === 0) return 'no-rule'
    if (all.excluded(w0, w1, w2, w3)) return 'excluded'
    const own = links.own(w0, w1, w2, w3)
    if (own !== undefined) {
      if (neighbor?.isOwned && neighbor.ifindex === link.ifindex) return 'same-link'
      return answersForOwn(own, rules, link.ifindex) ? this.#answer(link, target, rules[0]) : 'own-address'
    }
    if (isAnycast(rules, links, w0, w1, w2, w3)) return 'anycast'
    if (neighbor?.isOwned) {
      if (neighbor.ifindex === link.ifindex) return 'same-link'
      if (neighbor.isForeign) return 'foreign'
      if (!serves(this.parts, neighbor, rules, false)) return 'no-candidate'
      return neighbor.isReady ? this.#answer(link, target, rules[0]) : 'probing'
    }
    const rule = rules.find(isStatic)
    return rule && this.#answer(link, target, rule)
  }

  #answer(link: Link, target: Address, { settings: { source } }: ActiveRule): Outcome {
    return sourceAddress(link, source, target) === undefined && !this.parts.bareLinks.isBare(link.ifindex) ? 'no-source' : 'answered'
  }

  /** @returns the links to probe for the owner; `isKnown`: false if all rules have `learn no` and no `host` statement names the target */
  #candidates({ ifindex: from }: Link, { w0, w1, w2, w3 }: Address, rules: readonly ActiveRule[]):
  { candidates: number[]; isByRoute: boolean; isKnown: boolean } {
    const { links, rules: { config: { hosts } } } = this.parts
    const isHost = hosts.has(w0, w1, w2, w3)
    const learning = rules.filter(({ settings }) => settings.learn || isHost)
    const probed = new Set(learning.flatMap((rule) => rule.links.ifindexes).filter((ifindex) => ifindex !== from && links.up(ifindex)))
    return { candidates: [...probed], isByRoute: learning.some(({ kind }) => kind === 'auto'), isKnown: learning.length > 0 }
  }

  #neighbor(neighbor: Neighbor, now: Instant): NeighborExplanation {
    const { state, ifindex, mac, isPinned: pinned, isOverridable, isBehindProxy, router, verified, deadline, place, routed, isRoutePending, joined,
      work: { probed, probes, waiting, rival, rivalMac, nextHop, via } } = neighbor
    const [iface, claimed, route] = [ifindex, rival, routed].map((link) => this.parts.links.get(link)?.name)
    return {
      state, iface, ifindex, lladdr: formatted(mac), pinned, proxied: nextHop === undefined && (isOverridable || isBehindProxy), router,
      via: (nextHop?.address ?? via)?.toString(),
      proved: verified === Number.NEGATIVE_INFINITY ? undefined : now - verified,
      next: place < 0 ? undefined : Math.max(0, deadline - now),
      probed: this.#names(probed), probes, waiting: waiting.length, claimed, claimant: formatted(rivalMac), route, isRoutePending,
      groups: this.#names(joined),
    }
  }
}

function formatted(mac: Neighbor['mac']): string | undefined { return mac === undefined ? undefined : formatMac(mac) }
