/** How many there are of each kind; kinds of which there are none take no room. */
export class Tally<K> {
  readonly #counts = new Map<K, number>()

  count(kind: K): number { return this.#counts.get(kind) ?? 0 }

  add(kind: K): void { this.#counts.set(kind, this.count(kind) + 1) }

  /** Takes back one `add`. */
  remove(kind: K): void {
    const count = this.count(kind) - 1
    if (count > 0) this.#counts.set(kind, count)
    else this.#counts.delete(kind)
  }
}
