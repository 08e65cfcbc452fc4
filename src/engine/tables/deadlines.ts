/** Priority queue of items with deadlines: a binary heap. Each item stores its index, so an item can be moved and removed. */
import type { Instant } from '../../engine-types.ts'

export interface Timed {
  deadline: Instant
  /** Index in the heap; -1 outside the heap. Written by {@link Deadlines} only. */
  place: number
}

/** @returns the earlier of two deadlines; undefined: both are unset */
export function earliest(a: Instant | undefined, b: Instant | undefined): Instant | undefined {
  return a === undefined || (b !== undefined && b < a) ? b : a
}

export class Deadlines<T extends Timed> {
  /** The parent of the item at `place` is at `(place - 1) >> 1`. A parent is due before its children, or at the same time. */
  readonly #heap: T[] = []

  get size(): number { return this.#heap.length }
  /** The earliest deadline; undefined: the queue is empty. */
  get next(): Instant | undefined { return this.#heap.length === 0 ? undefined : this.#heap[0].deadline }

  set(item: T, deadline: Instant): void {
    item.deadline = deadline
    if (item.place < 0) item.place = this.#heap.push(item) - 1
    this.#settle(item)
  }

  /** Removes an item. Has no effect on an item outside the queue. */
  remove(item: T | undefined): void {
    if (item === undefined || item.place < 0) return
    const { place } = item
    item.place = -1
    const last = this.#heap.pop()!
    if (last === item) return
    last.place = place
    this.#settle(last)
  }

  /** Removes the first item, if its deadline has come. @returns the item; undefined: no deadline has come */
  due(now: Instant): T | undefined {
    if (this.#heap.length === 0 || this.#heap[0].deadline > now) return undefined
    const first = this.#heap[0]
    this.remove(first)
    return first
  }

  #settle(item: T): void {
    const heap = this.#heap
    const { deadline } = item
    let { place } = item
    for (let up = (place - 1) >> 1; place > 0 && heap[up].deadline > deadline; up = (place - 1) >> 1) {
      this.#put(heap[up], place)
      place = up
    }
    for (;;) {
      let down = 2 * place + 1
      if (down + 1 < heap.length && heap[down + 1].deadline < heap[down].deadline) down++
      if (down >= heap.length || heap[down].deadline >= deadline) break
      this.#put(heap[down], place)
      place = down
    }
    this.#put(item, place)
  }

  #put(item: T, place: number): void {
    this.#heap[place] = item
    item.place = place
  }
}
