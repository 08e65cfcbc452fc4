/**
 * Notices that this machine's firewall keeps the kernel from receiving Neighbor Advertisements. ndp6d gets them by packet sockets, which see
 * packets before the firewall. So owners are found, but the kernel cannot resolve their addresses, and no traffic reaches them.
 */
import { Part, type Context } from '../rules/context.ts'
import type { Instant, KernelNeighbor } from '../types.ts'
import type { NeighborCache } from './neighbor-cache.ts'

/** Milliseconds from a reply to us to a failure of the kernel that contradicts the reply: the kernel solicits for three seconds. */
const WINDOW = 5000
/** Milliseconds in which a second contradiction confirms the first one. */
const MEMORY = 60_000
/** Milliseconds until the same link is reported again. */
const INTERVAL = 86_400_000

export class FirewallDetector extends Part<Pick<Context, 'effects'> & { readonly cache: NeighborCache }> {
  /** Time of the last contradiction on a link. */
  readonly #contradicted = new Map<number, Instant>()
  readonly #reported = new Map<number, Instant>()

  /**
   * Handles an entry of the kernel's neighbor table. The kernel contradicts an owner when its own solicitations failed soon after a reply to
   * us. A link is reported after two contradictions, if the owner replied again in between, as a host that left or restarted did not.
   * A reply that the kernel got on this link refutes them.
   */
  kernel({ target, ifindex, state }: KernelNeighbor, now: Instant): void {
    if (state === 'reachable') this.#contradicted.delete(ifindex)
    if (state !== 'failed') return
    const neighbor = this.parts.cache.find(target)
    // Without a link-layer address the owner is pinned and was never probed, or the link needs no address resolution.
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
