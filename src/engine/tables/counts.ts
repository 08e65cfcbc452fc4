/** Multiset: the number of items of each kind. A kind without items needs no memory. */
export class Counts<K> {
  readonly #counts = new Map<K, number>()

  get size(): number { return this.#counts.size }
  kinds(): Iterable<K> { return this.#counts.keys() }
  count(kind: K): number { return this.#counts.get(kind) ?? 0 }

  /** Adds items of a kind. @param by the number of items; a negative number removes items. @returns the new count */
  add(kind: K, by = 1): number {
    const count = this.count(kind) + by
    if (count > 0) this.#counts.set(kind, count)
    else this.#counts.delete(kind)
    return count
  }
}
