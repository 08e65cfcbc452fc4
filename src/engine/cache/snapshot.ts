/** The entries of the neighbor cache as shown by `ndp6d status`, and as saved for the next run. */
import { formatMac } from '../../address.ts'
import type { Links } from '../links/links.ts'
import type { SavedHost } from '../types.ts'
import type { NeighborState } from '../../events.ts'
import type { Neighbor } from './neighbor.ts'
import type { NeighborCache } from './neighbor-cache.ts'

export interface NeighborSnapshot {
  readonly target: string
  readonly state: NeighborState
  /** The owner's link; undefined without an owner. */
  readonly iface: string | undefined
  readonly lladdr: string | undefined
  /** The router that leads to the target, if there is one: the next hop, or the gateway of `autovia`. */
  readonly via?: string
  readonly pinned: boolean
  readonly routed: boolean
}

export function snapshotOf({ target, state, ifindex, mac, isPinned, routed, work }: Neighbor, links: Pick<Links, 'get'>): NeighborSnapshot {
  const via = work.nextHop?.address ?? work.via
  return { target: target.toString(), state, iface: links.get(ifindex)?.name, lladdr: mac === undefined ? undefined : formatMac(mac),
    pinned: isPinned, routed: routed !== 0, ...(via === undefined ? {} : { via: via.toString() }) }
}

/** Iterates over the learned owners, except those behind another router. Entries may change during the iteration. */
export function * savedHosts(cache: NeighborCache, links: Links): Generator<SavedHost> {
  for (const neighbor of cache.values()) {
    const { target, ifindex, mac, router, work: { via, nextHop } } = neighbor
    const link = links.get(ifindex)
    if (neighbor.isOwned && !neighbor.isPinned && (via ?? nextHop) === undefined && link !== undefined) {
      yield { target, iface: link.name, mac, router }
    }
  }
}
