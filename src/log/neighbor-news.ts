/** Decides which owners that were found, moved or lost get a log line of their own. Many on one link within a second share a line. */
import type { Instant } from '../engine/types.ts'
import type { Event } from '../events.ts'

export type NeighborEvent = Extract<Event, { kind: 'neighbor' }>

/** The most lines in a window for equal changes of owners on one link. */
const MAX_LINES = 10
/** Milliseconds of the first window, and of each next one. A next one follows a window with more than MAX_LINES events, and only counts. */
const WINDOW = 1000
const BUSY_WINDOW = 10_000

/** Owners without a line of their own. */
export interface Sum {
  readonly count: number
  /** Milliseconds since the last sum, or since the first line. */
  readonly time: number
  readonly last: NeighborEvent
}

interface Window {
  readonly since: Instant
  readonly end: Instant
  readonly lines: number
  events: number
  last: NeighborEvent
}

export class NeighborNews {
  readonly #windows = new Map<string, Window>()

  /** Counts an event. @returns whether it gets a line of its own */
  add(event: NeighborEvent, now: Instant): boolean {
    const { state, reason, former, ifindex } = event
    const isMove = ifindex !== undefined && former !== undefined
    const key = `${state} ${reason} ${isMove} ${ifindex ?? former}`
    const window = this.#windows.get(key) ?? this.#open(key, event, now, MAX_LINES)
    window.last = event
    return ++window.events <= window.lines
  }

  /** Closes the windows that have ended. @returns the sum of each window with more events than lines */
  sums(now: Instant): Sum[] {
    const sums: Sum[] = []
    for (const [key, { since, end, lines, events, last }] of this.#windows) {
      if (end > now) continue
      this.#windows.delete(key)
      if (events > lines) sums.push({ count: events - lines, time: now - since, last })
      if (events > MAX_LINES) this.#open(key, last, now, 0)
    }
    return sums
  }

  #open(key: string, last: NeighborEvent, now: Instant, lines: number): Window {
    const window = { since: now, end: now + (lines > 0 ? WINDOW : BUSY_WINDOW) as Instant, lines, events: 0, last }
    this.#windows.set(key, window)
    return window
  }
}
