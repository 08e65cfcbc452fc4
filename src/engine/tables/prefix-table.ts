/** Table of values by prefix, looked up by address. A lookup costs one hash lookup for each prefix length in use. */
import { type Address, wordMask } from '../../address.ts'
import type { Random } from '../../engine-types.ts'
import { AddressMap } from './address-map.ts'

/** The prefixes of one length, by their first address. */
interface Level<V> {
  readonly length: number
  readonly m0: number; readonly m1: number; readonly m2: number; readonly m3: number
  readonly first: AddressMap<V>
  /** For the few prefixes with several values: all values but the first. */
  readonly more: AddressMap<V[]>
}

export class PrefixTable<V> {
  readonly #random: Random
  readonly #levels: Level<V>[] = []

  constructor(random: Random) { this.#random = random }

  /** Adds a value to a prefix, once. @param address first address of the prefix: its host bits are zero */
  add({ w0, w1, w2, w3 }: Address, length: number, value: V): void {
    const { first, more } = this.#level(length)
    const known = first.get(w0, w1, w2, w3)
    if (known === undefined) return first.set(w0, w1, w2, w3, value)
    const others = more.get(w0, w1, w2, w3)
    if (known === value || others?.includes(value)) return
    if (others === undefined) more.set(w0, w1, w2, w3, [value])
    else others.push(value)
  }

  /**
   * Writes the values of all prefixes that contain the address into `found`, from index `count` on. The values of one prefix keep
   * their insertion order. Items from the returned index on are left over from earlier calls: removing them would reallocate the array.
   * @returns `count` plus the number of values
   */
  collect(w0: number, w1: number, w2: number, w3: number, found: V[], count = 0): number {
    for (const { m0, m1, m2, m3, first, more } of this.#levels) {
      const value = first.get(w0 & m0, w1 & m1, w2 & m2, w3 & m3)
      if (value === undefined) continue
      found[count++] = value
      const others = more.size > 0 ? more.get(w0 & m0, w1 & m1, w2 & m2, w3 & m3) : undefined
      if (others !== undefined) for (const other of others) found[count++] = other
    }
    return count
  }

  has(w0: number, w1: number, w2: number, w3: number): boolean {
    for (const { m0, m1, m2, m3, first } of this.#levels) if (first.get(w0 & m0, w1 & m1, w2 & m2, w3 & m3) !== undefined) return true
    return false
  }

  #level(length: number): Level<V> {
    let level = this.#levels.find((known) => known.length === length)
    if (level === undefined) {
      const [m0, m1, m2, m3] = [0, 1, 2, 3].map((word) => wordMask(length, word))
      level = { length, m0, m1, m2, m3, first: new AddressMap(this.#random), more: new AddressMap(this.#random) }
      this.#levels.push(level)
    }
    return level
  }
}
