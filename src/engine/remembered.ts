/** What is worth knowing after a restart. */
import type { Links } from './links.ts'
import type { Neighbors } from './neighbors.ts'
import type { SavedHost } from './types.ts'

/** The learned owners, but for those that another router answers for. May be read bit by bit while things change. */
export function * remembered(neighbors: Neighbors, links: Links): Generator<SavedHost> {
  for (const neighbor of neighbors.values()) {
    const { target, ifindex, mac, router } = neighbor
    const link = links.get(ifindex)
    if (neighbor.isOwned && !neighbor.isPinned && neighbor.via === undefined && link !== undefined) {
      yield { target, iface: link.name, mac, router }
    }
  }
}
