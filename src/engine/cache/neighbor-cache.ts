/** The entries of the neighbor cache by target and by deadline, and the entries that the reconciler has to check. */
import type { Address } from '../../address.ts'
import type { NeighborState } from '../../events.ts'
import { type Context, Part } from '../rules/context.ts'
import type { ActiveRule } from '../rules/rule.ts'
import { AddressMap } from '../tables/address-map.ts'
import { Deadlines } from '../tables/deadlines.ts'
import type { Instant } from '../../engine-types.ts'
import { Capacity } from './capacity.ts'
import { Neighbor, NONE } from './neighbor.ts'

export class NeighborCache extends Part<Pick<Context, 'effects' | 'random'>> {
  readonly capacity = new Capacity(this.parts)
  readonly #byTarget = new AddressMap<Neighbor>(this.parts.random)
  readonly #deadlines = new Deadlines<Neighbor>()
  readonly #dirty: Neighbor[] = []

  /** Numbers of targets with an owner, and of targets with a host route. */
  get totals(): { hosts: number; routes: number } {
    let hosts = 0
    let routes = 0
    for (const { isOwned, routed } of this.#byTarget.values()) {
      if (isOwned) hosts++
      if (routed !== 0) routes++
    }
    return { hosts, routes }
  }

  /** Numbers of entries by state, and of host routes. `installed`: the routes that the kernel has, as far as known. */
  get counts() {
    const neighbors: Record<NeighborState, number> = { INCOMPLETE: 0, REACHABLE: 0, PROBE: 0, FAILED: 0 }
    const routes = { wanted: 0, installed: 0 }
    for (const { state, routed, isRoutePending } of this.#byTarget.values()) {
      neighbors[state]++
      if (routed === 0) continue
      routes.wanted++
      if (!isRoutePending) routes.installed++
    }
    return { neighbors, routes }
  }

  get(w0: number, w1: number, w2: number, w3: number): Neighbor | undefined { return this.#byTarget.get(w0, w1, w2, w3) }
  find({ w0, w1, w2, w3 }: Address): Neighbor | undefined { return this.#byTarget.get(w0, w1, w2, w3) }

  /** Iterates over all entries. Entries that are removed or added during the iteration are left out. */
  * values(): Generator<Neighbor> {
    for (const neighbor of [...this.#byTarget.values()]) if (this.find(neighbor.target) === neighbor) yield neighbor
  }

  /** Iterates like `values`, but only over the entries whose owner is on this link. */
  * on(ifindex: number): Generator<Neighbor> { for (const neighbor of this.values()) if (neighbor.ifindex === ifindex) yield neighbor }

  /** Adds an INCOMPLETE entry. The target must not have an entry yet. */
  create(target: Address, rule: ActiveRule): Neighbor {
    const neighbor = new Neighbor(target, rule)
    this.#byTarget.set(target.w0, target.w1, target.w2, target.w3, neighbor)
    return neighbor
  }

  delete(neighbor: Neighbor): void {
    const { w0, w1, w2, w3 } = neighbor.target
    this.#byTarget.delete(w0, w1, w2, w3)
    this.#deadlines.remove(neighbor)
    neighbor.isQueued = false
  }

  get deadline(): Instant | undefined { return this.#deadlines.next }
  setDeadline(neighbor: Neighbor, deadline: Instant): void { this.#deadlines.set(neighbor, deadline) }
  clearDeadline(neighbor: Neighbor): void { this.#deadlines.remove(neighbor) }
  /** Clears the earliest deadline, if this deadline has come. @returns the entry with this deadline; undefined: no deadline has come */
  due(now: Instant): Neighbor | undefined { return this.#deadlines.due(now) }

  mark(neighbor: Neighbor): void {
    if (neighbor.isDirty) return
    neighbor.isDirty = true
    this.#dirty.push(neighbor)
  }

  markAll(): void { for (const neighbor of this.#byTarget.values()) this.mark(neighbor) }
  /** Takes all marked entries, in the order of their marks. Entries that were removed from the cache are among them. */
  takeDirty(): readonly Neighbor[] { return this.#dirty.length === 0 ? NONE : this.#dirty.splice(0) }
}
