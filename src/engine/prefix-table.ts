/**
 * Prefixes by the hundred thousand, each with a value that many of them share: 20 bytes for each in the list, 5 to 11 in
 * an index that finds them by an address. Both lie outside of the JavaScript heap, as columns of numbers.
 */
import { Address, wordMask } from '../address.ts'
import { hashAddress } from './hash.ts'
import { IdIndex } from './id-index.ts'
import type { Random } from './types.ts'

const FIRST_SIZE = 16

/** The first addresses of prefixes, and what is said of each, by number in the order in which they were added. */
export class PrefixList<V> {
  /** Four of each. */
  #words: Int32Array
  #kinds: Uint32Array
  #size = 0
  readonly #values: V[] = []
  readonly #kindOf = new Map<V, number>()

  /** @param capacity room to begin with: it grows */
  constructor(capacity: number) {
    this.#words = new Int32Array(4 * capacity)
    this.#kinds = new Uint32Array(capacity)
  }

  get size(): number { return this.#size }

  /** @returns its number */
  add({ w0, w1, w2, w3 }: Address, value: V): number {
    let kind = this.#kindOf.get(value)
    if (kind === undefined) this.#kindOf.set(value, kind = this.#values.push(value) - 1)
    const id = this.#size
    if (id === this.#kinds.length) this.#resize(Math.max(FIRST_SIZE, 2 * id))
    this.#size++
    this.#kinds[id] = kind
    const words = this.#words
    words[4 * id] = w0
    words[4 * id + 1] = w1
    words[4 * id + 2] = w2
    words[4 * id + 3] = w3
    return id
  }

  /** Keeps the first `size` of them. */
  cut(size: number): void {
    this.#size = size
    const kinds = this.#kinds.subarray(0, size).reduce((most, kind) => Math.max(most, kind + 1), 0)
    for (const value of this.#values.splice(kinds)) this.#kindOf.delete(value)
  }

  value(id: number): V { return this.#values[this.#kinds[id]] }

  address(id: number): Address {
    const words = this.#words
    return new Address(words[4 * id], words[4 * id + 1], words[4 * id + 2], words[4 * id + 3])
  }

  is(id: number, w0: number, w1: number, w2: number, w3: number): boolean {
    const words = this.#words
    return words[4 * id + 3] === w3 && words[4 * id + 2] === w2 && words[4 * id + 1] === w1 && words[4 * id] === w0
  }

  hash(id: number, seed: number): number {
    const words = this.#words
    return hashAddress(seed, words[4 * id], words[4 * id + 1], words[4 * id + 2], words[4 * id + 3])
  }

  #resize(capacity: number): void {
    const words = this.#words
    const kinds = this.#kinds
    this.#words = new Int32Array(4 * capacity)
    this.#words.set(words)
    this.#kinds = new Uint32Array(capacity)
    this.#kinds.set(kinds)
  }
}

/** Those of one length. */
class Level<V> {
  readonly length: number
  readonly #list: PrefixList<V>
  readonly #seed: number
  readonly #index: IdIndex
  readonly #m0: number
  readonly #m1: number
  readonly #m2: number
  readonly #m3: number

  constructor(list: PrefixList<V>, seed: number, length: number) {
    this.length = length
    this.#list = list
    this.#seed = seed
    this.#index = new IdIndex((id) => list.hash(id, seed))
    this.#m0 = wordMask(length, 0)
    this.#m1 = wordMask(length, 1)
    this.#m2 = wordMask(length, 2)
    this.#m3 = wordMask(length, 3)
  }

  /** The one that holds the address; negative when there is none. */
  find(w0: number, w1: number, w2: number, w3: number): number {
    const list = this.#list
    const index = this.#index
    const a0 = w0 & this.#m0
    const a1 = w1 & this.#m1
    const a2 = w2 & this.#m2
    const a3 = w3 & this.#m3
    for (let i = hashAddress(this.#seed, a0, a1, a2, a3) & index.last; ; i = (i + 1) & index.last) {
      const id = index.at(i)
      if (id < 0 || list.is(id, a0, a1, a2, a3)) return id
    }
  }

  /** It must not be there. */
  add(id: number): void { this.#index.add(id) }
}

/** Finds those of a list that hold an address, at the cost of one probe for each prefix length in use. */
export class PrefixIndex<V> {
  readonly #list: PrefixList<V>
  readonly #seed: number
  readonly #levels: Level<V>[] = []
  /** The same prefixes with other values, by the first one. */
  readonly #others = new Map<number, number[]>()

  constructor(list: PrefixList<V>, random: Random) {
    this.#list = list
    this.#seed = Math.floor(random() * 2 ** 32) | 0
  }

  /** Those that say the same of the same prefix count once. @param id its number in the list */
  add(id: number, length: number): void {
    let level = this.#levels.find((known) => known.length === length)
    if (level === undefined) this.#levels.push(level = new Level(this.#list, this.#seed, length))
    const { w0, w1, w2, w3 } = this.#list.address(id)
    const first = level.find(w0, w1, w2, w3)
    if (first < 0) return level.add(id)
    const others = this.#others.get(first)
    const isSame = (other: number): boolean => this.#list.value(other) === this.#list.value(id)
    if (isSame(first) || others?.some(isSame)) return
    if (others === undefined) this.#others.set(first, [id])
    else others.push(id)
  }

  /**
   * Writes the numbers of those that hold the address into `found`, in no order, behind the `count` that are there. An array
   * that is emptied would be allocated again.
   * @returns how many are there then
   */
  collect(w0: number, w1: number, w2: number, w3: number, found: number[], count = 0): number {
    for (const level of this.#levels) {
      const id = level.find(w0, w1, w2, w3)
      if (id < 0) continue
      found[count++] = id
      const others = this.#others.size > 0 ? this.#others.get(id) : undefined
      if (others !== undefined) for (const other of others) found[count++] = other
    }
    return count
  }

  /** Whether one of them holds the address. */
  has(w0: number, w1: number, w2: number, w3: number): boolean {
    for (const level of this.#levels) if (level.find(w0, w1, w2, w3) >= 0) return true
    return false
  }
}
