/**
 * Detects that this machine's firewall drops Neighbor Advertisements before the kernel gets them. The packet sockets of ndp6d receive
 * packets before the firewall does. So ndp6d finds owners, but the kernel cannot resolve their addresses, and no traffic reaches them.
 */
import { Part, type Context } from '../rules/context.ts'
import type { Instant, KernelNeighbor } from '../../engine-types.ts'
import type { NeighborCache } from './neighbor-cache.ts'

/**
 * A failed address resolution of the kernel contradicts a reply to ndp6d that is at most this old, milliseconds. The kernel's resolution
 * takes 3 s to fail.
 */
const WINDOW = 5000
/** Two contradictions on one link within this many milliseconds confirm each other. */
const MEMORY = 60_000
/** The shortest time between two reports about one link, milliseconds. */
const INTERVAL = 86_400_000

export class FirewallDetector extends Part<Pick<Context, 'effects'> & { readonly cache: NeighborCache }> {
  /** Time of the last contradiction on a link. */
  readonly #contradicted = new Map<number, Instant>()
  readonly #reported = new Map<number, Instant>()

  /**
   * Handles an entry of the kernel's neighbor table. It is a contradiction if the kernel's solicitations fail soon after the owner replied
   * to ndp6d. A host that left or restarted may cause a contradiction, too. So a link is reported only after two contradictions with
   * a reply to ndp6d between them. Any reply to the kernel on the link clears earlier contradictions.
   */
  kernel({ target, ifindex, state }: KernelNeighbor, now: Instant): void {
    if (state === 'reachable') this.#contradicted.delete(ifindex)
    if (state !== 'failed') return
    const neighbor = this.parts.cache.find(target)
    // An owner without a link-layer address is pinned and was never probed, or is on a link without address resolution.
    if (neighbor?.isOwned !== true || neighbor.ifindex !== ifindex || neighbor.mac === undefined || now - neighbor.verified > WINDOW) return
    const previous = this.#contradicted.get(ifindex) ?? Number.NEGATIVE_INFINITY
    if (neighbor.verified <= previous) return
    this.#contradicted.set(ifindex, now)
    const reported = this.#reported.get(ifindex) ?? Number.NEGATIVE_INFINITY
    if (now - previous > MEMORY || now - reported < INTERVAL) return
    this.#reported.set(ifindex, now)
    this.parts.effects.events.push({ kind: 'filtered', ifindex, target, mac: neighbor.mac })
  }

  gone(ifindex: number): void {
    this.#contradicted.delete(ifindex)
    this.#reported.delete(ifindex)
  }
}
