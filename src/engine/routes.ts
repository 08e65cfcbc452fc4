/** Host routes as desired state: each owner behind a downstream link has one, unless the kernel finds it anyway. */
import type { Address } from '../address.ts'
import type { Links } from './links.ts'
import type { Neighbor } from './neighbor.ts'
import { isUpstream } from './rules.ts'
import type { HostRoute, RouteChange } from './types.ts'

/** The route that should be there for `neighbor`; undefined for none. */
export function desiredRoute(neighbor: Neighbor, links: Links): HostRoute | undefined {
  if (!isWanted(neighbor, links)) return undefined
  const { target, ifindex, via } = neighbor
  return via === undefined ? { target, ifindex } : { target, ifindex, via }
}

/** Whether its route is the desired one, or it should have none and has none. Makes nothing in order to see that. */
export function isSettled(neighbor: Neighbor, links: Links): boolean {
  const { ifindex, routed } = neighbor
  if (!isWanted(neighbor, links)) return routed === 0
  return routed === ifindex && sameGateway(neighbor.via, neighbor.routeVia)
}

function isWanted(neighbor: Neighbor, links: Links): boolean {
  const { isOwned, rule, rule: { settings, kind }, ifindex } = neighbor
  if (!isOwned || !settings.routes || kind !== 'iface') return false
  const link = links.get(ifindex)
  // The rest of the prefix is on-link at the upstream: nothing to say about hosts there.
  return link !== undefined && link.up && !isUpstream(rule, link) && !links.covers(ifindex, neighbor.target)
}

function sameGateway(a: Address | undefined, b: Address | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && a.equals(b))
}

export function sameRoute(a: HostRoute | undefined, b: HostRoute | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return a.ifindex === b.ifindex && a.target.equals(b.target) && sameGateway(a.via, b.via)
}

/** What turns the routes that are present into those of the neighbors. @param find the neighbor of a target */
export function plan(neighbors: Iterable<Neighbor>, find: (target: Address) => Neighbor | undefined,
  present: readonly HostRoute[]): RouteChange[] {
  const settled = new Set<number>()
  const changes: RouteChange[] = []
  for (const route of present) {
    const neighbor = find(route.target)
    const desired = neighbor?.route
    if (desired === undefined) changes.push({ op: 'delete', route })
    else if (sameRoute(route, desired)) settled.add(neighbor!.id)
  }
  for (const { id, route } of neighbors) if (route !== undefined && !settled.has(id)) changes.push({ op: 'add', route })
  return changes
}
