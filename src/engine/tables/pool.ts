/** List that keeps its items when it is cleared, so that filling it again allocates nothing. */

export type Mutable<T> = { -readonly [K in keyof T]: T[K] }

export class Pool<T extends object> {
  readonly #create: () => Mutable<T>
  readonly #items: Mutable<T>[] = []
  #size = 0

  /** @param create returns a new item with every property present */
  constructor(create: () => Mutable<T>) { this.#create = create }
  get size(): number { return this.#size }

  /** Adds an item. @returns the item, with the values of its previous use, to be filled */
  add(): Mutable<T> {
    if (this.#size === this.#items.length) this.#items.push(this.#create())
    return this.#items[this.#size++]
  }

  /** @param i below `size` */
  at(i: number): T { return this.#items[i] }
  clear(): void { this.#size = 0 }

  /** Iterates over the items, which are valid until `clear`. */
  * [Symbol.iterator](): Generator<T> { for (let i = 0; i < this.#size; i++) yield this.#items[i] }
}
