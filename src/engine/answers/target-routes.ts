/** Handles the kernel's replies to route lookups: for targets of `auto` rules, and for DAD of targets of static rules. */
import type { NextHops } from '../cache/next-hops.ts'
import type { CacheParts, Owners } from '../cache/owners.ts'
import type { Resolution } from '../cache/resolution.ts'
import type { Subscriptions } from '../listening/subscriptions.ts'
import { Part } from '../rules/context.ts'
import type { Input, Instant } from '../../engine-types.ts'
import type { Responder } from './responder.ts'

interface LookupParts extends CacheParts {
  readonly owners: Owners
  readonly resolution: Resolution
  readonly nextHops: NextHops
  readonly responder: Responder
  readonly subscriptions: Subscriptions
}

export class TargetRoutes extends Part<LookupParts> {
  replied({ target, decision: { ifindex, local, via } }: Extract<Input, { kind: 'lookup' }>, now: Instant): void {
    const { links, cache, owners, resolution, nextHops, responder, subscriptions } = this.parts
    responder.lookedUp(target, local)
    const neighbor = cache.find(target)
    if (neighbor === undefined) return
    const { isOwned, state, work: { byRoute, nextHop, origin, probed } } = neighbor
    if (isOwned ? nextHop === undefined : state !== 'INCOMPLETE' || !byRoute) return
    const link = ifindex === undefined ? undefined : links.get(ifindex)
    // A solicitor on the link that the route leads to is on the target's own link, so it gets no answer.
    const waiting = neighbor.work.waiting.filter((solicitor) => solicitor.ifindex !== ifindex)
    neighbor.set({ waiting })
    const isProbed = !isOwned && probed.length > 0
    const isBack = isOwned ? origin?.from === ifindex : waiting.length === 0
    if (link === undefined || link.name === 'lo' || isBack) {
      // Routes may change, and a lookup is cheap, so the negative entry lives for `timeout` only.
      return isProbed ? undefined : owners.fail(neighbor, 'no route', now, neighbor.rule.settings.timeout)
    }
    if (!subscriptions.has(link.ifindex)) subscriptions.update(link, true)
    if (via !== undefined) return nextHops.follow(neighbor, link.ifindex, via, now)
    // The route has no next hop any more, so the target is on the link itself. The next solicitation starts probes for the target.
    if (isOwned) return owners.remove(neighbor, 'route')
    neighbor.set({ nextHop: undefined })
    if (!resolution.widenTo(neighbor, link.ifindex, now) && !isProbed) owners.remove(neighbor, 'limit')
  }
}
