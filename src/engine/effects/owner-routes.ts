/**
 * Looks up the kernel's route to each owner, for packets from each link where the owner is solicited. Repeats the lookup after a change of
 * routes that may concern the owner, and after a change of the links that packets for the owner come in on.
 */
import type { Prefix } from '../../address.ts'
import type { CacheParts } from '../cache/owners.ts'
import type { Neighbor } from '../cache/neighbor.ts'
import { Part } from '../rules/context.ts'
import { Batches } from '../tables/batches.ts'
import { earliest } from '../tables/deadlines.ts'
import type { Input, Instant, RoutingDecision } from '../../engine-types.ts'

/** The most links from which the route to one owner is looked up: subnets may have hundreds of downstream links. */
const ORIGIN_LIMIT = 16
/**
 * The most owners that are looked up, or checked, in one millisecond. A lookup may change a route twice. A steady rate of more than 25
 * changes per millisecond could overrun the receive buffers of routing daemons (src/linux/host-routes.ts).
 */
const BATCH = 12

export class OwnerRoutes extends Part<CacheParts> {
  /** Owners whose routes are looked up again. Each lookup deletes the host route of the owner, and adds it again. */
  readonly #stale = new Batches<Neighbor>(BATCH)
  /** Owners to check: packets for them may come in on other links now. */
  readonly #unchecked = new Batches<Neighbor>(BATCH)

  get deadline(): Instant | undefined { return earliest(this.#stale.deadline, this.#unchecked.deadline) }

  /** Requests a lookup if one is due, or if the owner moved to another link after the last lookup. @returns whether the reply is pending */
  isAwaited(neighbor: Neighbor): boolean {
    const { isOwned, rule: { kind, settings }, ifindex, target, route, work: { nextHop } } = neighbor
    if (nextHop !== undefined) {
      // The owner is behind this next hop. The kernel's own route leads there, so no host route is needed.
      neighbor.path = 'right'
      neighbor.pathOn = 0
      return false
    }
    if (!isOwned || kind !== 'iface' || !settings.routes || !this.parts.links.up(ifindex)) return false
    if (neighbor.pathOn !== ifindex) {
      // A lookup deletes the host route for a moment. So no lookup is made after a move to a link without the target's prefix, where the
      // owner most likely needs a host route.
      const isReplaced = route !== undefined && route.ifindex !== ifindex && !this.parts.links.hasPrefixOf(ifindex, target)
      this.assume(neighbor, isReplaced ? 'detour' : 'unknown')
      if (!isReplaced) this.parts.effects.paths.push({ target, ifindex, from: neighbor.pathFrom, hidden: route })
    }
    return neighbor.path === 'unknown'
  }

  /** Sets the path of an owner without a lookup. */
  assume(neighbor: Neighbor, path: Neighbor['path']): void {
    neighbor.path = path
    neighbor.pathOn = neighbor.ifindex
    neighbor.pathFrom = this.#origins(neighbor)
  }

  /** Handles the kernel's reply. Emits an event if a route now discards packets, or leads packets to a link that the rule does not use. */
  replied({ target, ifindex, decisions }: Extract<Input, { kind: 'path' }>): void {
    const neighbor = this.parts.cache.find(target)
    if (neighbor === undefined || neighbor.pathOn !== ifindex) return
    const { mac, rule: { length }, work: { via } } = neighbor
    const foreign = neighbor.isPinned ? undefined : decisions.find((decision) => this.#isForeign(neighbor, decision))
    const isRight = decisions.every((decision) => decision.ifindex === ifindex
      && (via === undefined || decision.via?.equals(via) === true))
    const wasForeign = neighbor.isForeign
    neighbor.isForeign = foreign !== undefined
    neighbor.path = foreign !== undefined || isRight ? 'right' : 'detour'
    this.parts.cache.mark(neighbor)
    if (foreign === undefined || wasForeign) return
    this.parts.effects.events.push({ kind: 'foreign', target, length, ifindex, mac, other: foreign.ifindex })
  }

  /**
   * Repeats the lookups for the owners that a change of routes to `prefix` may concern. A lookup removes the host route of the owner for a
   * moment. So an owner with a host route is looked up only if `prefix` is longer than the prefix of its rule. Other changes can only make
   * the host route needless, which does no harm.
   * @param prefix undefined: any route may have changed
   */
  changed(prefix: Prefix | undefined, now: Instant): void {
    this.stale([...this.parts.cache.values()].filter(({ target, route, rule }) =>
      prefix === undefined || (prefix.contains(target) && (route === undefined || prefix.length > rule.length))), now)
  }

  /** Repeats the lookups for these owners, a few at a time. */
  stale(neighbors: Iterable<Neighbor>, now: Instant): void { this.#stale.add(neighbors, now) }

  /** Repeats the lookup only for owners whose packets come in on other links now, because a lookup removes the host route for a moment. */
  linksChanged(now: Instant): void { this.#unchecked.add(this.parts.cache.values(), now) }

  wake(now: Instant): void {
    const moved = this.#unchecked.take(now).filter((neighbor) => String(this.#origins(neighbor)) !== String(neighbor.pathFrom))
    for (const neighbor of [...this.#stale.take(now), ...moved]) {
      neighbor.pathOn = 0
      if (neighbor.isOwned) this.parts.cache.mark(neighbor)
    }
  }

  /** @returns the links that packets for the owner come in on; if there are none, [0], for packets that this machine sends */
  #origins({ rule, target, ifindex }: Neighbor): number[] {
    const { rules, links } = this.parts
    // Of routes with the same prefix and metric, the kernel prefers the route by the link that the packet comes in on. Each link with a
    // prefix of the target has a route to that prefix. So links with such a prefix come first, and ORIGIN_LIMIT leaves out other links.
    const own = rule.links.ifindexes.filter((link) => link !== ifindex && links.hasPrefixOf(link, target))
    const all = new Set([...own, ...rules.solicitedOn(rule, target, ifindex)].filter((link) => links.up(link)))
    return all.size === 0 ? [0] : [...all].slice(0, ORIGIN_LIMIT)
  }

  /** @returns whether a route longer than the prefix of the rule discards packets, or leads to a link that the rule does not use */
  #isForeign({ rule, target, ifindex: home }: Neighbor, { ifindex, length, local }: RoutingDecision): boolean {
    if (length <= rule.length || local || ifindex === home) return false
    return ifindex === undefined
      || !(rule.links.ifindexes.includes(ifindex) || this.parts.rules.solicitedOn(rule, target, home).includes(ifindex))
  }
}
