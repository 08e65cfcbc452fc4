/**
 * The entries of each link-layer address: lists in both directions through the rows, and an index of their first ones. The
 * first one of a list has its length, negative, in place of one before it.
 */
import type { Mac } from '../address.ts'
import { hashAddress } from './hash.ts'
import { IdIndex } from './id-index.ts'
import { Neighbor } from './neighbor.ts'
import { FLAGS, MAC, NEXT, PREVIOUS } from './neighbor-rows.ts'
import type { NeighborRows } from './neighbor-rows.ts'

export class HostLists {
  readonly #rows: NeighborRows
  readonly #seed: number
  readonly #firsts: IdIndex

  constructor(rows: NeighborRows, seed: number) {
    this.#rows = rows
    this.#seed = seed
    this.#firsts = new IdIndex((id) => hashAddress(seed, 0, 0, rows.get(id, FLAGS) >>> 16, rows.get(id, MAC)))
  }

  /** Link-layer addresses that have entries. */
  get size(): number { return this.#firsts.size }

  /** How many entries an address has. */
  count(mac: Mac): number {
    const first = this.#first(mac)
    return first < 0 ? 0 : -this.#rows.get(first, PREVIOUS)
  }

  /** They may not change meanwhile. */
  * of(mac: Mac): Generator<Neighbor> {
    for (let id = this.#first(mac); id >= 0; id = this.#rows.get(id, NEXT) - 1) yield new Neighbor(this.#rows, id)
  }

  /** It may not be in a list already, and keeps its link-layer address until it is removed. */
  add({ id }: Neighbor, mac: Mac): void {
    const rows = this.#rows
    const first = this.#first(mac)
    if (first < 0) {
      rows.set(id, PREVIOUS, -1)
      this.#firsts.add(id)
    } else {
      this.#join(id, rows.get(first, NEXT) - 1)
      this.#join(first, id)
      rows.set(first, PREVIOUS, rows.get(first, PREVIOUS) - 1)
    }
  }

  remove({ id }: Neighbor, mac: Mac): void {
    const rows = this.#rows
    const previous = rows.get(id, PREVIOUS)
    const next = rows.get(id, NEXT) - 1
    if (previous === -1) {
      this.#firsts.remove(id)
    } else if (previous < 0) {
      this.#firsts.replace(id, next)
      rows.set(next, PREVIOUS, previous + 1)
    } else {
      this.#join(previous - 1, next)
      const first = this.#first(mac)
      rows.set(first, PREVIOUS, rows.get(first, PREVIOUS) + 1)
    }
    rows.set(id, PREVIOUS, 0)
    rows.set(id, NEXT, 0)
  }

  /** @param next negative: none */
  #join(id: number, next: number): void {
    this.#rows.set(id, NEXT, next + 1)
    if (next >= 0) this.#rows.set(next, PREVIOUS, id + 1)
  }

  /** Negative: none. */
  #first(mac: Mac): number {
    const rows = this.#rows
    const index = this.#firsts
    const { last } = index
    const high = Math.floor(mac / 2 ** 32)
    const low = mac | 0
    for (let i = hashAddress(this.#seed, 0, 0, high, low) & last; ; i = (i + 1) & last) {
      const id = index.at(i)
      if (id < 0 || (rows.get(id, MAC) === low && rows.get(id, FLAGS) >>> 16 === high)) return id
    }
  }
}
