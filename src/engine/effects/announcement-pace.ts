/**
 * The limit of announcements per second. One wake sends at most 32 messages on all links, and the next wake that sends follows 6 to
 * 14 ms later: 3200 messages per second on average.
 */
import type { Instant, Random } from '../types.ts'

/** The most messages of one wake, on all links together. */
export const BATCH = 32
/** Milliseconds between two batches: a random whole number in this range. */
const MIN_PAUSE = 6
const MAX_PAUSE = 14

export class AnnouncementPace {
  readonly #random: Random
  /** Time of the next batch, at the earliest. */
  #pausedUntil = 0 as Instant

  constructor(random: Random) { this.#random = random }
  get pausedUntil(): Instant { return this.#pausedUntil }

  /** Begins the pause after a batch. */
  pause(now: Instant): void {
    this.#pausedUntil = now + MIN_PAUSE + Math.floor((MAX_PAUSE - MIN_PAUSE + 1) * this.#random()) as Instant
  }
}
