/** Routes of a kernel: host routes, the connected prefixes of its links, and those that a test adds. */
import { type Address, Prefix } from '../../../src/address.ts'
import type { HostRoute, Input, Link, PathLookup, RoutingDecision } from '../../../src/engine-types.ts'

export interface Route {
  readonly prefix: Prefix
  readonly ifindex: number | undefined
}

/** The longest prefix decides. Of equal ones, that of the link on which the packet comes in (ip6_pol_route_input), then the first. */
function decide(routes: readonly Route[], target: Address, from: number): RoutingDecision {
  const fitting = routes.filter(({ prefix }) => prefix.contains(target))
  const length = Math.max(0, ...fitting.map(({ prefix }) => prefix.length))
  const best = fitting.filter(({ prefix }) => prefix.length === length)
  const route = best.find(({ ifindex }) => ifindex === from) ?? best[0]
  return { ifindex: route?.ifindex, local: false, via: undefined, length }
}

/** @param ours host routes in the kernel @param added routes of others beside those of the links' addresses @returns the kernel's replies */
export function replyTo({ target, ifindex, from, hidden }: PathLookup, links: Iterable<Link>, ours: Iterable<HostRoute>,
  added: readonly Route[] = []): Extract<Input, { kind: 'path' }> {
  const connected = [...links].flatMap((link) => link.addresses
    .filter(({ address, prefixLength }) => link.up && !address.isLinkLocal && prefixLength < 128)
    .map(({ address, prefixLength }) => ({ prefix: new Prefix(address, prefixLength), ifindex: link.ifindex })))
  const own = [...ours].filter((route) => hidden === undefined || !route.target.equals(hidden.target))
    .map((route) => ({ prefix: new Prefix(route.target, 128), ifindex: route.ifindex }))
  return { kind: 'path', target, ifindex, decisions: from.map((link) => decide([...own, ...added, ...connected], target, link)) }
}
