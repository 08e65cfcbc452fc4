/** Cache entries by their owner's link-layer address. */
import type { Mac } from '../../address.ts'
import { type Neighbor, NONE } from './neighbor.ts'

export class ByMac {
  /** Most link-layer addresses have one entry, which needs no list. */
  readonly #entries = new Map<Mac, Neighbor | readonly Neighbor[]>()

  /** @returns a list that does not change */
  of(mac: Mac): readonly Neighbor[] {
    const entry = this.#entries.get(mac)
    return entry === undefined ? NONE : Array.isArray(entry) ? entry : [entry as Neighbor]
  }

  add(neighbor: Neighbor, mac: Mac): void {
    const others = this.of(mac)
    this.#entries.set(mac, others.length === 0 ? neighbor : [...others, neighbor])
  }

  remove(neighbor: Neighbor, mac: Mac): void {
    const others = this.of(mac).filter((other) => other !== neighbor)
    if (others.length === 0) this.#entries.delete(mac)
    else this.#entries.set(mac, others.length === 1 ? others[0] : others)
  }
}
