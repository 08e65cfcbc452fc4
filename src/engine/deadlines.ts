/** Ordered sets of things with a deadline: binary heaps that know where each of their members stands. */
import { grown } from './columns.ts'
import type { Instant } from './types.ts'

export interface Timed {
  deadline: Instant
  /** Its number among the members; -1 for others. Only {@link Deadlines} writes it. */
  place: number
}

/** The earlier of two deadlines, of which either may not be set. */
export function earliest(a: Instant | undefined, b: Instant | undefined): Instant | undefined {
  return a === undefined || (b !== undefined && b < a) ? b : a
}

/** Of numbered things: 16 bytes for each, up to the highest number. */
export class IdDeadlines {
  /** Ids, the earliest first. */
  #heap = new Int32Array(0)
  #size = 0
  /** By id. */
  #deadlines = new Float64Array(0)
  /** By id: 1 + where it stands; 0 outside. */
  #places = new Int32Array(0)

  get size(): number { return this.#size }

  /** The earliest deadline. */
  get next(): Instant | undefined { return this.#size === 0 ? undefined : this.#deadlines[this.#heap[0]] as Instant }

  has(id: number): boolean { return this.#places[id] > 0 }

  /** What was set last, also of what is not in the set any more. */
  of(id: number): Instant { return this.#deadlines[id] as Instant }

  /** Adds an id, or moves it when it is in the set already. */
  set(id: number, deadline: Instant): void {
    if (id >= this.#places.length) this.#grow(id + 1)
    this.#deadlines[id] = deadline
    if (this.#places[id] === 0) this.#places[id] = ++this.#size
    this.#settle(id)
  }

  remove(id: number): void {
    if (!this.has(id)) return
    const at = this.#places[id] - 1
    this.#places[id] = 0
    const last = this.#heap[--this.#size]
    if (last === id) return
    this.#places[last] = at + 1
    this.#settle(last)
  }

  /** Takes out the first id whose deadline has come; negative when there is none. */
  due(now: Instant): number {
    const first = this.#heap[0]
    if (this.#size === 0 || this.#deadlines[first] > now) return -1
    this.remove(first)
    return first
  }

  /** Moves `id` up or down to where it belongs. */
  #settle(id: number): void {
    const heap = this.#heap
    const deadlines = this.#deadlines
    const places = this.#places
    const deadline = deadlines[id]
    let at = places[id] - 1
    for (let up = (at - 1) >> 1; at > 0 && deadlines[heap[up]] > deadline; up = (at - 1) >> 1) {
      heap[at] = heap[up]
      places[heap[at]] = at + 1
      at = up
    }
    for (;;) {
      let down = 2 * at + 1
      if (down + 1 < this.#size && deadlines[heap[down + 1]] < deadlines[heap[down]]) down++
      if (down >= this.#size || deadlines[heap[down]] >= deadline) break
      heap[at] = heap[down]
      places[heap[at]] = at + 1
      at = down
    }
    heap[at] = id
    places[id] = at + 1
  }

  #grow(size: number): void {
    this.#heap = grown(this.#heap, size)
    this.#deadlines = grown(this.#deadlines, size)
    this.#places = grown(this.#places, size)
  }
}

/** After having been empty, a set that had room for more than this begins anew. */
const KEPT_SIZE = 1024

/** Of objects. */
export class Deadlines<T extends Timed> {
  #ids = new IdDeadlines()
  /** By place. */
  #items: (T | undefined)[] = []
  #free: number[] = []

  get size(): number { return this.#ids.size }

  /** The earliest deadline. */
  get next(): Instant | undefined { return this.#ids.next }

  /** Adds `item`, or moves it when it is in the set already. */
  set(item: T, deadline: Instant): void {
    item.deadline = deadline
    if (item.place < 0) item.place = this.#free.pop() ?? this.#items.length
    this.#items[item.place] = item
    this.#ids.set(item.place, deadline)
  }

  remove(item: T): void {
    const { place } = item
    if (place < 0) return
    this.#ids.remove(place)
    this.#items[place] = undefined
    this.#free.push(place)
    item.place = -1
    if (this.size > 0 || this.#items.length <= KEPT_SIZE) return
    this.#ids = new IdDeadlines()
    this.#items = []
    this.#free = []
  }

  /** Takes out the first item whose deadline has come. */
  due(now: Instant): T | undefined {
    const place = this.#ids.due(now)
    if (place < 0) return undefined
    const item = this.#items[place]!
    this.remove(item)
    return item
  }
}
