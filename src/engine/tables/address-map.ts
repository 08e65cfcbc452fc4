/** Hash table with addresses as keys, each given as four words. Open addressing with linear probing, so a lookup allocates nothing. */
import { hashAddress } from './hash.ts'
import type { Random } from '../../engine-types.ts'

const FIRST_SIZE = 16

export class AddressMap<V> {
  readonly #seed: number
  #keys = new Int32Array(4 * FIRST_SIZE)
  #values: (V | undefined)[] = new Array<V | undefined>(FIRST_SIZE).fill(undefined)
  #mask = FIRST_SIZE - 1
  #size = 0

  constructor(random: Random) { this.#seed = Math.floor(random() * 2 ** 32) | 0 }
  get size(): number { return this.#size }
  get(w0: number, w1: number, w2: number, w3: number): V | undefined { return this.#values[this.#slot(w0, w1, w2, w3)] }

  set(w0: number, w1: number, w2: number, w3: number, value: V): void {
    let slot = this.#slot(w0, w1, w2, w3)
    if (this.#values[slot] === undefined) {
      if (4 * (this.#size + 1) > 3 * (this.#mask + 1)) {
        this.#resize(2 * this.#values.length)
        slot = this.#slot(w0, w1, w2, w3)
      }
      this.#size++
      this.#keys.set([w0, w1, w2, w3], 4 * slot)
    }
    this.#values[slot] = value
  }

  delete(w0: number, w1: number, w2: number, w3: number): boolean {
    let hole = this.#slot(w0, w1, w2, w3)
    if (this.#values[hole] === undefined) return false
    this.#size--
    // A lookup ends at a free slot. So a later entry moves into the hole if the lookup of this entry would otherwise end at the hole.
    const keys = this.#keys
    for (let i = (hole + 1) & this.#mask; this.#values[i] !== undefined; i = (i + 1) & this.#mask) {
      const home = hashAddress(this.#seed, keys[4 * i], keys[4 * i + 1], keys[4 * i + 2], keys[4 * i + 3]) & this.#mask
      if (((i - home) & this.#mask) < ((i - hole) & this.#mask)) continue
      keys.copyWithin(4 * hole, 4 * i, 4 * i + 4)
      this.#values[hole] = this.#values[i]
      hole = i
    }
    this.#values[hole] = undefined
    const slots = this.#values.length
    if (slots > FIRST_SIZE && 8 * this.#size < slots) this.#resize(slots / 2)
    return true
  }

  /** Iterates in no particular order. The map must not change during the iteration. */
  * values(): Generator<V> { for (const value of this.#values) if (value !== undefined) yield value }

  /** @returns the slot of the key, or the free slot for it */
  #slot(w0: number, w1: number, w2: number, w3: number): number {
    const keys = this.#keys
    for (let i = hashAddress(this.#seed, w0, w1, w2, w3) & this.#mask; ; i = (i + 1) & this.#mask) {
      if (this.#values[i] === undefined) return i
      const k = 4 * i
      if (keys[k + 3] === w3 && keys[k + 2] === w2 && keys[k + 1] === w1 && keys[k] === w0) return i
    }
  }

  #resize(slots: number): void {
    const keys = this.#keys
    const values = this.#values
    this.#keys = new Int32Array(4 * slots)
    this.#values = new Array<V | undefined>(slots).fill(undefined)
    this.#mask = slots - 1
    this.#size = 0
    values.forEach((value, i) => {
      if (value !== undefined) this.set(keys[4 * i], keys[4 * i + 1], keys[4 * i + 2], keys[4 * i + 3], value)
    })
  }
}
