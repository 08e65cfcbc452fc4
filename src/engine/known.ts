/** What is known of each neighbor, for people. */
import { formatMac } from '../address.ts'
import type { Links } from './links.ts'
import type { Neighbor } from './neighbor.ts'
import type { NeighborState } from './types.ts'

export interface KnownNeighbor {
  readonly target: string
  readonly state: NeighborState
  /** Where its owner is; undefined when nobody is. */
  readonly iface: string | undefined
  readonly lladdr: string | undefined
  readonly pinned: boolean
  /** We keep a host route for it. */
  readonly routed: boolean
}

export function describe({ target, state, ifindex, mac, isPinned, routed }: Neighbor, links: Pick<Links, 'get'>): KnownNeighbor {
  return { target: target.toString(), state, iface: links.get(ifindex)?.name, lladdr: mac === undefined ? undefined : formatMac(mac),
    pinned: isPinned, routed: routed !== 0 }
}
