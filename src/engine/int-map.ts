/**
 * From whole numbers below 2^31 - 1 to such numbers above 0, in 11 to 21 bytes each outside of the JavaScript heap: an open
 * hash table with linear probing. Where others choose the numbers, the hash must be one that they cannot know.
 */
const FIRST_SIZE = 16

export class IntMap {
  readonly #factor: number
  /** 1 and the key; 0 in free slots. Behind each its value. */
  #slots = new Int32Array(2 * FIRST_SIZE)
  #size = 0

  /** @param factor of the hash: odd, below 2^32 */
  constructor(factor = 0x9e3779b1) { this.#factor = factor }

  get size(): number { return this.#size }

  /** 0: it is not there. */
  get(key: number): number { return this.#slots[2 * this.#slot(key) + 1] }

  /** @param value 0 takes the key out */
  set(key: number, value: number): void {
    const slot = this.#slot(key)
    const isThere = this.#slots[2 * slot] !== 0
    if (value === 0) {
      if (isThere) this.#delete(slot)
      return
    }
    this.#slots[2 * slot] = key + 1
    this.#slots[2 * slot + 1] = value
    if (isThere) return
    this.#size++
    if (8 * this.#size > 3 * this.#slots.length) this.#grow()
  }

  /** In no order. The map may not change meanwhile, but for values. */
  * keys(): Generator<number> {
    const slots = this.#slots
    for (let i = 0; i < slots.length; i += 2) if (slots[i] !== 0) yield slots[i] - 1
  }

  /** Where the key is, or the free slot where it would go. */
  #slot(key: number): number {
    const slots = this.#slots
    const last = slots.length / 2 - 1
    let i = this.#home(key) & last
    while (slots[2 * i] !== 0 && slots[2 * i] !== key + 1) i = (i + 1) & last
    return i
  }

  /** Closes the gap: what probed past it moves up, so that no chain is cut. */
  #delete(hole: number): void {
    const slots = this.#slots
    const last = slots.length / 2 - 1
    this.#size--
    for (let i = (hole + 1) & last; slots[2 * i] !== 0; i = (i + 1) & last) {
      if (((i - this.#home(slots[2 * i] - 1)) & last) < ((i - hole) & last)) continue
      slots.copyWithin(2 * hole, 2 * i, 2 * i + 2)
      hole = i
    }
    slots[2 * hole] = slots[2 * hole + 1] = 0
  }

  #grow(): void {
    const slots = this.#slots
    this.#slots = new Int32Array(2 * slots.length)
    for (let i = 0; i < slots.length; i += 2) {
      if (slots[i] === 0) continue
      const slot = this.#slot(slots[i] - 1)
      this.#slots[2 * slot] = slots[i]
      this.#slots[2 * slot + 1] = slots[i + 1]
    }
  }

  #home(key: number): number {
    const h = Math.imul(key, this.#factor)
    return h ^ (h >>> 15)
  }
}
