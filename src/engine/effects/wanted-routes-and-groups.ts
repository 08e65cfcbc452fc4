/** The effects that an owner should have: its host route, and the links where its solicited-node group is joined (RFC 4861 7.2.8). */
import { type Neighbor, NONE } from '../cache/neighbor.ts'
import type { Context } from '../rules/context.ts'
import type { HostRoute } from '../../engine-types.ts'

export function wants(neighbor: Neighbor, { rules, links }: Pick<Context, 'rules' | 'links'>):
{ route: HostRoute | undefined; groups: readonly number[] } {
  const { isOwned, isForeign, ifindex, rule, target } = neighbor
  const isServed = isOwned && !isForeign && ifindex !== 0
  return { route: wantedRoute(neighbor, links), groups: isServed ? rules.solicitedOn(rule, target, ifindex) : NONE }
}

/**
 * @returns the host route that the entry needs. Undefined if the entry has no owner, the owner's link is down, the rule makes no host
 *   routes, or `path` is not `detour`
 */
function wantedRoute(neighbor: Neighbor, links: Context['links']): HostRoute | undefined {
  const { isOwned, path, rule: { settings, kind }, ifindex, target, work: { via } } = neighbor
  if (!isOwned || !settings.routes || kind !== 'iface' || path !== 'detour' || !links.up(ifindex)) return undefined
  return via === undefined ? { target, ifindex } : { target, ifindex, via }
}

export function isRoutedBy({ routed, work: { routedVia } }: Neighbor, { ifindex, via }: HostRoute): boolean {
  return routed === ifindex && (routedVia === via || (routedVia !== undefined && via !== undefined && routedVia.equals(via)))
}
