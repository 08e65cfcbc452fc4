/** The entries of the neighbor cache as shown by `ndp6d status`, and as saved for the next run. */
import { formatMac } from '../../address.ts'
import type { Links } from '../links/links.ts'
import type { Instant, SavedHost } from '../../engine-types.ts'
import type { NeighborState } from '../../events.ts'
import type { Neighbor } from './neighbor.ts'
import type { NeighborCache } from './neighbor-cache.ts'

export interface NeighborSnapshot {
  readonly target: string
  readonly state: NeighborState
  /** The owner's link; undefined without an owner. */
  readonly iface: string | undefined
  readonly lladdr: string | undefined
  /** The router in front of the target: the next hop, or the gateway of `autovia`. Undefined: none is known. */
  readonly via?: string
  readonly pinned: boolean
  readonly routed: boolean
  /** Milliseconds since the target got its present owner. Without an owner: since the entry became INCOMPLETE or FAILED. */
  readonly age: number
  /** Milliseconds since the last proof of the owner; infinite without one. */
  readonly proved: number
  readonly proof: Proof | undefined
}

/**
 * What proves the owner: the configuration, the owner's own answer, the answer of another proxy, or the answer of its next hop.
 * Undefined: there is no owner, or the owner is from the previous run and has not answered yet.
 */
export type Proof = 'pinned' | 'answer' | 'proxy' | 'next-hop'

/** @param now present time, for `age` and `proved` */
export function snapshotOf(neighbor: Neighbor, links: Pick<Links, 'get'>, now: Instant): NeighborSnapshot {
  const { target, state, ifindex, mac, isPinned, routed, since, verified, work } = neighbor
  const via = work.nextHop?.address ?? work.via
  return { age: now - since, proved: now - verified, proof: proofOf(neighbor),
    target: target.toString(), state, iface: links.get(ifindex)?.name, lladdr: mac === undefined ? undefined : formatMac(mac),
    pinned: isPinned, routed: routed !== 0, ...(via === undefined ? {} : { via: via.toString() }) }
}

function proofOf({ isPinned, isOwned, isOverridable, isBehindProxy, verified, work: { nextHop } }: Neighbor): Proof | undefined {
  if (isPinned) return 'pinned'
  if (!isOwned || verified === Number.NEGATIVE_INFINITY) return undefined
  if (nextHop !== undefined) return 'next-hop'
  return isOverridable || isBehindProxy ? 'proxy' : 'answer'
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
