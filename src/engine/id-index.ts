/**
 * Hash table from what numbered things stand for to their numbers: open addressing with linear probing, 4 bytes a slot. It
 * knows neither keys nor things; who owns it has both, and compares.
 *
 *     for (let i = hash & index.last; ; i = (i + 1) & index.last) {
 *       const id = index.at(i)
 *       if (id < 0 || isIt(id)) return id
 *     }
 */
const FIRST_SIZE = 16

export class IdIndex {
  readonly #hashOf: (id: number) => number
  /** 1 + id; 0 where a slot is free. */
  #slots = new Int32Array(FIRST_SIZE)
  #size = 0

  /** @param hashOf may not change while the id is here */
  constructor(hashOf: (id: number) => number) { this.#hashOf = hashOf }

  get size(): number { return this.#size }
  /** The highest slot: a mask. */
  get last(): number { return this.#slots.length - 1 }

  /** The id in a slot; negative: the slot is free. */
  at(slot: number): number { return this.#slots[slot] - 1 }

  /** It may not be there already. */
  add(id: number): void {
    this.#size++
    if (4 * this.#size > 3 * this.#slots.length) this.#resize(2 * this.#slots.length)
    this.#put(id)
  }

  /** @throws Error when it is not there */
  remove(id: number): void {
    const slots = this.#slots
    const { last } = this
    let hole = this.#hashOf(id) & last
    while (slots[hole] !== id + 1) {
      if (slots[hole] === 0) throw new Error(`${id} is not in the index`)
      hole = (hole + 1) & last
    }
    // Close the gap: what probed past it moves up, so that no chain is cut.
    for (let i = (hole + 1) & last; slots[i] !== 0; i = (i + 1) & last) {
      const home = this.#hashOf(slots[i] - 1) & last
      if (((i - home) & last) < ((i - hole) & last)) continue
      slots[hole] = slots[i]
      hole = i
    }
    slots[hole] = 0
    this.#size--
    if (slots.length > FIRST_SIZE && 8 * this.#size < slots.length) this.#resize(slots.length / 2)
  }

  /** Takes another id for the same key. */
  replace(id: number, other: number): void {
    const { last } = this
    for (let i = this.#hashOf(id) & last; ; i = (i + 1) & last) {
      if (this.#slots[i] !== id + 1) continue
      this.#slots[i] = other + 1
      return
    }
  }

  #put(id: number): void {
    const slots = this.#slots
    const { last } = this
    let i = this.#hashOf(id) & last
    while (slots[i] !== 0) i = (i + 1) & last
    slots[i] = id + 1
  }

  #resize(size: number): void {
    const slots = this.#slots
    this.#slots = new Int32Array(size)
    for (const one of slots) if (one !== 0) this.#put(one - 1)
  }
}
