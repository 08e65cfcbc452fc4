/** A set whose items are taken a few at a time, so that packets do not wait for long lists of work. */
import type { Instant } from '../../engine-types.ts'

/** Milliseconds until the next items can be taken. */
const INTERVAL = 1

export class Batches<T> {
  readonly #items = new Set<T>()
  readonly #most: number
  #deadline: Instant | undefined

  /** @param most the maximum number of items that are taken at one time */
  constructor(most: number) { this.#most = most }

  get size(): number { return this.#items.size }
  /** Time at which the next items can be taken; undefined: the set is empty. */
  get deadline(): Instant | undefined { return this.#deadline }

  add(items: Iterable<T>, now: Instant): void {
    for (const item of items) this.#items.add(item)
    if (this.#items.size > 0) this.#deadline ??= now
  }

  /** Takes the oldest items, if their time has come. */
  take(now: Instant): T[] {
    if (this.#deadline === undefined || now < this.#deadline) return []
    const taken: T[] = []
    for (const item of this.#items) {
      if (taken.push(item) === this.#most) break
    }
    for (const item of taken) this.#items.delete(item)
    this.#deadline = this.#items.size === 0 ? undefined : now + INTERVAL as Instant
    return taken
  }
}
