/**
 * What the announcer has under way, each for one target on one link: by target, and in two queues, in the order in which they
 * are due. There may be very many at once, so they are rows of numbers outside of the JavaScript heap, 56 bytes each.
 */
import { Address } from '../address.ts'
import type { Settings } from '../config/config.ts'
import { grown } from './columns.ts'
import { earliest } from './deadlines.ts'
import { hashAddress } from './hash.ts'
import { IdIndex } from './id-index.ts'
import { Palette } from './palette.ts'
import type { Instant, Random } from './types.ts'

/** Integers of one row, and where each is. */
const SIZE = 12
const TARGET = 0
/** 0: the row is free. */
const IFINDEX = 4
const STATE = 5
/** 1 + the one for the same target that came before it. */
const OTHER = 6
/** 1 + its neighbors in its queue; of a free row, the next free one. */
const NEXT = 7
const PREVIOUS = 8
/** Their number. */
const SETTINGS = 9
/** As a float of 64 bits. */
const DEADLINE = 10
/** In STATE: others may know another link-layer address; how often it was sent, and put off. */
const CHANGED = 0x1
const SENT = 0x2
const SENT_MASK = 0xe
const PUT_OFF = 0x10

/** After having been empty, room for more than this is given back. */
const KEPT_ROWS = 1024

/** 1 + the first and the last of a queue; 0: it is empty. */
interface Queue {
  first: number
  last: number
}

export class Announcements {
  #ints = new Int32Array(0)
  /** The same memory. */
  #floats = new Float64Array(0)
  readonly #settings = new Palette<Settings>()
  /** Rows that are in use, or were. */
  #height = 0
  /** 1 + the row that was given back last. */
  #free = 0
  #size = 0
  readonly #seed: number
  /** The last one for each target. */
  readonly #byTarget: IdIndex
  /** What had no turn yet goes before the rest: repeats, and what was put off. */
  readonly #fresh: Queue = { first: 0, last: 0 }
  readonly #later: Queue = { first: 0, last: 0 }

  constructor(random: Random) {
    const seed = this.#seed = Math.floor(random() * 2 ** 32) | 0
    this.#byTarget = new IdIndex((id) => {
      const ints = this.#ints
      const at = SIZE * id + TARGET
      return hashAddress(seed, ints[at], ints[at + 1], ints[at + 2], ints[at + 3])
    })
  }

  get size(): number { return this.#size }

  /** When the first one is due. */
  get next(): Instant | undefined { return earliest(this.#dueAt(this.#fresh), this.#dueAt(this.#later)) }

  /** The one whose turn it is; negative when there is none. */
  due(now: Instant): number {
    for (const queue of [this.#fresh, this.#later]) if (queue.first > 0 && this.#dueAt(queue)! <= now) return queue.first - 1
    return -1
  }

  /** Of those that had a turn, the one that waits longest; negative when there is none. */
  get oldest(): number { return this.#later.first - 1 }

  /** Its first turn comes at once, after those that wait for theirs. @param ifindex not 0 */
  add({ w0, w1, w2, w3 }: Address, ifindex: number, settings: Settings, changed: boolean, now: Instant): void {
    const last = this.#lastOf(w0, w1, w2, w3)
    const id = this.#row()
    const at = SIZE * id
    this.#size++
    const ints = this.#ints
    ints[at + TARGET] = w0
    ints[at + TARGET + 1] = w1
    ints[at + TARGET + 2] = w2
    ints[at + TARGET + 3] = w3
    ints[at + IFINDEX] = ifindex
    ints[at + STATE] = changed ? CHANGED : 0
    ints[at + OTHER] = last + 1
    ints[at + SETTINGS] = this.#settings.take(settings)
    if (last < 0) this.#byTarget.add(id)
    else this.#byTarget.replace(last, id)
    this.#append(this.#fresh, id, now)
  }

  /** Puts it behind all others that had a turn. @param at after that of the others */
  again(id: number, isSent: boolean, at: Instant): void {
    this.#unlink(id)
    this.#ints[SIZE * id + STATE] += isSent ? SENT : PUT_OFF
    this.#append(this.#later, id, at)
  }

  drop(id: number): void {
    this.#unlink(id)
    const ints = this.#ints
    const at = SIZE * id
    const other = ints[at + OTHER]
    const last = this.#lastOf(ints[at], ints[at + 1], ints[at + 2], ints[at + 3])
    if (last !== id) {
      let before = last
      while (ints[SIZE * before + OTHER] !== id + 1) before = ints[SIZE * before + OTHER] - 1
      ints[SIZE * before + OTHER] = other
    } else if (other > 0) this.#byTarget.replace(id, other - 1)
    else this.#byTarget.remove(id)
    this.#settings.drop(ints[at + SETTINGS])
    ints[at + IFINDEX] = 0
    ints[at + NEXT] = this.#free
    this.#free = id + 1
    if (--this.#size === 0 && this.#height > KEPT_ROWS) this.#clear()
  }

  /** Those for a target. They may be dropped meanwhile. */
  * of({ w0, w1, w2, w3 }: Address): Generator<number> {
    if (this.#size === 0) return
    for (let id = this.#lastOf(w0, w1, w2, w3); id >= 0;) {
      const other = this.#ints[SIZE * id + OTHER] - 1
      yield id
      id = other
    }
  }

  /** Those on a link. They may be dropped meanwhile. */
  * on(ifindex: number): Generator<number> {
    for (let id = 0; id < this.#height; id++) if (this.ifindex(id) === ifindex) yield id
  }

  target(id: number): Address {
    const ints = this.#ints
    const at = SIZE * id + TARGET
    return new Address(ints[at], ints[at + 1], ints[at + 2], ints[at + 3])
  }

  ifindex(id: number): number { return this.#ints[SIZE * id + IFINDEX] }
  settings(id: number): Settings { return this.#settings.value(this.#ints[SIZE * id + SETTINGS]) }
  /** Others may know another link-layer address. */
  isChanged(id: number): boolean { return (this.#ints[SIZE * id + STATE] & CHANGED) !== 0 }
  /** How often it was sent. */
  sent(id: number): number { return (this.#ints[SIZE * id + STATE] & SENT_MASK) / SENT }
  /** How often it was put off. */
  waits(id: number): number { return Math.floor(this.#ints[SIZE * id + STATE] / PUT_OFF) }

  #dueAt({ first }: Queue): Instant | undefined {
    return first === 0 ? undefined : this.#floats[(SIZE * (first - 1) + DEADLINE) >> 1] as Instant
  }

  /** Negative: there is none for this target. */
  #lastOf(w0: number, w1: number, w2: number, w3: number): number {
    const ints = this.#ints
    const index = this.#byTarget
    for (let i = hashAddress(this.#seed, w0, w1, w2, w3) & index.last; ; i = (i + 1) & index.last) {
      const id = index.at(i)
      const at = SIZE * id + TARGET
      if (id < 0 || (ints[at + 3] === w3 && ints[at + 2] === w2 && ints[at + 1] === w1 && ints[at] === w0)) return id
    }
  }

  /** One that is free. */
  #row(): number {
    const id = this.#free - 1
    if (id >= 0) {
      this.#free = this.#ints[SIZE * id + NEXT]
      return id
    }
    if (SIZE * ++this.#height > this.#ints.length) {
      this.#ints = grown(this.#ints, this.#height, SIZE)
      this.#floats = new Float64Array(this.#ints.buffer)
    }
    return this.#height - 1
  }

  #append(queue: Queue, id: number, deadline: Instant): void {
    const ints = this.#ints
    const { last } = queue
    this.#floats[(SIZE * id + DEADLINE) >> 1] = deadline
    ints[SIZE * id + NEXT] = 0
    ints[SIZE * id + PREVIOUS] = last
    if (last === 0) queue.first = id + 1
    else ints[SIZE * (last - 1) + NEXT] = id + 1
    queue.last = id + 1
  }

  /** Takes it out of its queue. */
  #unlink(id: number): void {
    const ints = this.#ints
    const at = SIZE * id
    const queue = ints[at + STATE] > CHANGED ? this.#later : this.#fresh
    const next = ints[at + NEXT]
    const previous = ints[at + PREVIOUS]
    if (previous === 0) queue.first = next
    else ints[SIZE * (previous - 1) + NEXT] = next
    if (next === 0) queue.last = previous
    else ints[SIZE * (next - 1) + PREVIOUS] = previous
  }

  #clear(): void {
    this.#ints = new Int32Array(0)
    this.#floats = new Float64Array(0)
    this.#height = 0
    this.#free = 0
  }
}
