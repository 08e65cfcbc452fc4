/** An ordered set of things with a deadline: a binary heap that knows where each of its members stands. */
import type { Instant } from './types.ts'

export interface Timed {
  deadline: Instant
  /** Place in the heap; -1 outside of it. Only {@link Deadlines} writes it. */
  place: number
}

/** The earlier of two deadlines, of which either may not be set. */
export function earliest(a: Instant | undefined, b: Instant | undefined): Instant | undefined {
  return a === undefined || (b !== undefined && b < a) ? b : a
}

export class Deadlines<T extends Timed> {
  readonly #heap: T[] = []

  get size(): number { return this.#heap.length }

  /** The earliest deadline. */
  get next(): Instant | undefined { return this.#heap[0]?.deadline }

  /** Adds `item`, or moves it when it is in the set already. */
  set(item: T, deadline: Instant): void {
    item.deadline = deadline
    if (item.place < 0) item.place = this.#heap.push(item) - 1
    this.#settle(item)
  }

  remove(item: T): void {
    const { place } = item
    if (place < 0) return
    item.place = -1
    const last = this.#heap.pop()!
    if (last === item) return
    last.place = place
    this.#heap[place] = last
    this.#settle(last)
  }

  /** Takes out the first item whose deadline has come. */
  due(now: Instant): T | undefined {
    const first = this.#heap[0]
    if (first === undefined || first.deadline > now) return undefined
    this.remove(first)
    return first
  }

  /** Moves `item` up or down to where it belongs. */
  #settle(item: T): void {
    const heap = this.#heap
    let at = item.place
    for (let up = (at - 1) >> 1; at > 0 && heap[up].deadline > item.deadline; up = (at - 1) >> 1) {
      heap[at] = heap[up]
      heap[at].place = at
      at = up
    }
    for (;;) {
      let down = 2 * at + 1
      if (down + 1 < heap.length && heap[down + 1].deadline < heap[down].deadline) down++
      if (down >= heap.length || heap[down].deadline >= item.deadline) break
      heap[at] = heap[down]
      heap[at].place = at
      at = down
    }
    heap[at] = item
    item.place = at
  }
}
