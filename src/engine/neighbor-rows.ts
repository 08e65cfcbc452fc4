/**
 * The neighbor cache's memory: a row of numbers for each entry, outside of the JavaScript heap, with some 90 bytes in all for
 * an owner that is at rest. What only an entry has about which something is under way lies in an object beside its row.
 * {@link Neighbor} gives all of it names.
 */
import type { Address, Mac } from '../address.ts'
import { grown } from './columns.ts'
import { IdDeadlines } from './deadlines.ts'
import { Palette } from './palette.ts'
import type { ActiveRule } from './rules.ts'
import type { Instant } from './types.ts'

/** Who waits for an answer. */
export interface Asker {
  readonly ifindex: number
  readonly source: Address
  readonly mac: Mac
}

/** What an owner at rest does not have. */
export interface Details {
  asking: readonly number[]
  byRoute: boolean
  account: Mac | undefined
  probes: number
  askers: readonly Asker[]
  rival: number
  rivalMac: Mac | undefined
  via: Address | undefined
  routeVia: Address | undefined
}

/** No links. */
export const NOWHERE: readonly number[] = []

/** At rest. */
export const NO_DETAILS: Readonly<Details> = {
  asking: NOWHERE, byRoute: false, account: undefined, probes: 0, askers: [], rival: 0, rivalMac: undefined, via: undefined,
  routeVia: undefined,
}

/** Integers of one row, and where each is. */
const SIZE = 16
export const TARGET = 0
export const IFINDEX = 4
export const HOME = 5
/** The low 32 bits; the high 16 are those of FLAGS. */
export const MAC = 6
export const FLAGS = 7
/** Odd while the row is in use; another one in each of its lives. */
const GENERATION = 8
export const ROUTED = 9
/** Of the same link-layer address, see {@link HostLists}. */
export const NEXT = 10
export const PREVIOUS = 11
/** As a float of 64 bits. */
export const VERIFIED = 12
/** By their numbers. */
const RULE = 14
const JOINED = 15

/** Who says which entry it means. */
export interface Row {
  readonly id: number
  readonly generation: number
}

/** What takes an id takes it at its word; what takes a {@link Row} throws when that entry is gone. */
export class NeighborRows {
  /** Rows, one after the other; the floats are the same memory. Others after each {@link add}. */
  #ints = new Int32Array(0)
  #floats = new Float64Array(0)
  readonly #rules = new Palette<ActiveRule>()
  readonly #lists = new Palette<readonly number[]>()
  readonly #details = new Map<number, Details>()
  readonly deadlines = new IdDeadlines()
  /** 1 + the row that was given back last; those before it follow by NEXT. */
  #free = 0
  #height = 0

  /** Rows that are in use, or were. */
  get height(): number { return this.#height }

  /** A row of zeros. @returns its number: the id of an entry */
  add(rule: ActiveRule): number {
    let id = this.#free - 1
    if (id < 0) {
      id = this.#height++
      if (SIZE * id === this.#ints.length) this.#grow()
    } else {
      this.#free = this.get(id, NEXT)
      this.set(id, NEXT, 0)
    }
    this.#ints[SIZE * id + GENERATION]++
    this.set(id, RULE, this.#rules.take(rule))
    this.set(id, JOINED, this.#lists.take(NOWHERE))
    return id
  }

  remove(row: Row): void {
    const start = this.#start(row)
    const { id } = row
    const generation = this.generation(id) + 1
    this.#rules.drop(this.get(id, RULE))
    this.#lists.drop(this.get(id, JOINED))
    this.#ints.fill(0, start, start + SIZE)
    this.set(id, GENERATION, generation)
    this.set(id, NEXT, this.#free)
    this.#free = id + 1
    this.#details.delete(id)
    this.deadlines.remove(id)
  }

  isUsed(id: number): boolean { return (this.generation(id) & 1) === 1 }
  generation(id: number): number { return this.get(id, GENERATION) }
  get(id: number, field: number): number { return this.#ints[SIZE * id + field] }
  set(id: number, field: number, value: number): void { this.#ints[SIZE * id + field] = value }

  isAt(id: number, w0: number, w1: number, w2: number, w3: number): boolean {
    const ints = this.#ints
    const at = SIZE * id + TARGET
    return ints[at + 3] === w3 && ints[at + 2] === w2 && ints[at + 1] === w1 && ints[at] === w0
  }

  read(row: Row, field: number): number { return this.#ints[this.#start(row) + field] }
  write(row: Row, field: number, value: number): void { this.#ints[this.#start(row) + field] = value }
  readFloat(row: Row, field: number): number { return this.#floats[(this.#start(row) + field) >> 1] }
  writeFloat(row: Row, field: number, value: number): void { this.#floats[(this.#start(row) + field) >> 1] = value }

  /** Bits of FLAGS. */
  is(row: Row, flag: number): boolean { return (this.#ints[this.#start(row) + FLAGS] & flag) !== 0 }
  turn(row: Row, flag: number, on: boolean): void {
    const at = this.#start(row) + FLAGS
    const flags = this.#ints[at]
    this.#ints[at] = on ? flags | flag : flags & ~flag
  }

  rule(row: Row): ActiveRule { return this.#rules.value(this.read(row, RULE)) }
  setRule(row: Row, rule: ActiveRule): void { this.#exchange(row, RULE, this.#rules, rule) }
  joined(row: Row): readonly number[] { return this.#lists.value(this.read(row, JOINED)) }
  setJoined(row: Row, links: readonly number[]): void { this.#exchange(row, JOINED, this.#lists, links) }
  deadline(row: Row): Instant { return this.deadlines.of(this.#idOf(row)) }

  detail<K extends keyof Details>(row: Row, key: K): Details[K] { return (this.#details.get(this.#idOf(row)) ?? NO_DETAILS)[key] }
  setDetail<K extends keyof Details>(row: Row, key: K, value: Details[K]): void {
    const id = this.#idOf(row)
    const known = this.#details.get(id)
    if (known !== undefined) {
      known[key] = value
      if (isEmpty(known)) this.#details.delete(id)
    } else if (value !== NO_DETAILS[key]) {
      this.#details.set(id, { ...NO_DETAILS, [key]: value })
    }
  }

  #exchange<V>(row: Row, field: number, palette: Palette<V>, value: V): void {
    const before = this.read(row, field)
    if (palette.value(before) === value) return
    this.write(row, field, palette.take(value))
    palette.drop(before)
  }

  /** Where it begins. */
  #start(row: Row): number { return SIZE * this.#idOf(row) }

  #idOf({ id, generation }: Row): number {
    if (this.#ints[SIZE * id + GENERATION] !== generation) throw new Error('this neighbor is gone')
    return id
  }

  #grow(): void {
    this.#ints = grown(this.#ints, this.#height, SIZE)
    this.#floats = new Float64Array(this.#ints.buffer)
  }
}

function isEmpty({ asking, byRoute, account, probes, askers, rival, rivalMac, via, routeVia }: Details): boolean {
  return probes === 0 && asking.length === 0 && askers.length === 0 && !byRoute && account === undefined && rival === 0
    && rivalMac === undefined && via === undefined && routeVia === undefined
}
