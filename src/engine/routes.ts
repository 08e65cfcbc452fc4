/** Host routes as desired state: each owner behind a downstream link has one, unless the kernel finds it anyway. */
import type { Links } from './links.ts'
import type { Neighbor } from './neighbor.ts'
import { isUpstream } from './rules.ts'
import type { HostRoute, RouteChange } from './types.ts'

/** The route that should be there for `neighbor`; undefined for none. */
export function desiredRoute(neighbor: Neighbor, links: Links): HostRoute | undefined {
  const { target, ifindex, via, rule, rule: { settings, kind }, isOwned } = neighbor
  const link = links.get(ifindex)
  if (!isOwned || !settings.routes || kind !== 'iface' || link === undefined || !link.up) return undefined
  // The rest of the prefix is on-link at the upstream: nothing to say about hosts there.
  if (isUpstream(rule, link) || links.covers(ifindex, target)) return undefined
  return via === undefined ? { target, ifindex } : { target, ifindex, via }
}

export function sameRoute(a: HostRoute | undefined, b: HostRoute | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return a.ifindex === b.ifindex && a.target.equals(b.target)
    && (a.via === b.via || (a.via !== undefined && b.via !== undefined && a.via.equals(b.via)))
}

/** What turns the routes that are present into those that are desired. */
export function plan(desired: readonly HostRoute[], present: readonly HostRoute[]): RouteChange[] {
  const wanted = new Map(desired.map((route) => [route.target.toString(), route]))
  const settled = new Set<string>()
  const surplus: RouteChange[] = []
  for (const route of present) {
    const key = route.target.toString()
    if (sameRoute(route, wanted.get(key))) settled.add(key)
    else if (!wanted.has(key)) surplus.push({ op: 'delete', route })
  }
  const missing = [...wanted].filter(([key]) => !settled.has(key))
  return [...surplus, ...missing.map(([, route]): RouteChange => ({ op: 'add', route }))]
}
