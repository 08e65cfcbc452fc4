/** Queue that takes constant time per item. `Array.shift` would move all items behind the first. */

/** Taken items leave the array when the queue is empty, or when at least this many items were taken and fewer items are left than taken. */
const CLEAR = 1024

export class Fifo<T> {
  #items: T[] = []
  #head = 0

  get size(): number { return this.#items.length - this.#head }
  get first(): T | undefined { return this.#items[this.#head] }
  push(item: T): void { this.#items.push(item) }

  shift(): T | undefined {
    if (this.size === 0) return undefined
    const item = this.#items[this.#head++]
    if (this.size === 0 || (this.#head >= CLEAR && this.#head > this.size)) this.filter(() => true)
    return item
  }

  /** Keeps the items that `isKept` returns true for, in their order. */
  filter(isKept: (item: T) => boolean): void {
    this.#items = this.#items.slice(this.#head).filter(isKept)
    this.#head = 0
  }
}
