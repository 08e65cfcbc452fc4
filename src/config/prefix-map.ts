/** Map from prefixes to values with longest-prefix match: one hash table per length, so a lookup reads at most 129 tables. */
import { type Address, Prefix } from '../address.ts'

export class PrefixMap<T> {
  readonly #tables = new Map<number, Map<string, T>>()
  /** Lengths in use, longest first. */
  #lengths: number[] = []

  /** @returns a map with each prefix as its own value */
  static of(prefixes: Iterable<Prefix>): PrefixMap<Prefix> {
    const map = new PrefixMap<Prefix>()
    for (const prefix of prefixes) map.set(prefix, prefix)
    return map
  }

  get(prefix: Prefix): T | undefined { return this.#tables.get(prefix.length)?.get(keyOf(prefix.address)) }

  set(prefix: Prefix, value: T): void {
    let table = this.#tables.get(prefix.length)
    if (table === undefined) {
      this.#tables.set(prefix.length, table = new Map())
      this.#lengths = [...this.#tables.keys()].sort((a, b) => b - a)
    }
    table.set(keyOf(prefix.address), value)
  }

  /** @returns the value of the longest prefix that contains `address` and has fewer than `below` bits */
  covering(address: Address, below = 129): T | undefined {
    for (const length of this.#lengths) {
      if (length >= below) continue
      const found = this.#tables.get(length)!.get(keyOf(new Prefix(address, length).address))
      if (found !== undefined) return found
    }
    return undefined
  }
}

function keyOf({ w0, w1, w2, w3 }: Address): string { return `${w0},${w1},${w2},${w3}` }
