/**
 * Questions take far more time than answers, above all the first thousand, which no compiler has seen yet. So that who is known does
 * not wait while many ask for who is not (RFC 6583 7.1), some questions are asked at once, and the others a few in each
 * millisecond.
 */
import type { Instant, Sink } from './types.ts'

/** Questions at once. */
const BURST = 32
/** Room for one, but for what rounding took: else the time of the next one never comes. */
const ONE = 0.999
/** Questions that wait: more than a budget lets anybody ask at once. */
export const PACE_LIMIT = 4096

export class Pace {
  /** Questions in each millisecond, but for those at once: more than a budget allows for long. */
  rate = 1
  readonly #sink: Pick<Sink, 'event'>
  readonly #waiting: ((now: Instant) => void)[] = []
  /** The first that waits. */
  #next = 0
  /** Questions that may be asked, as of an instant. */
  #room = BURST
  #since = Number.NEGATIVE_INFINITY as Instant

  constructor(sink: Pick<Sink, 'event'>) { this.#sink = sink }

  /** Questions that wait. */
  get size(): number { return this.#waiting.length - this.#next }

  /** When `wake` has something to do next. */
  get deadline(): Instant | undefined {
    return this.size === 0 ? undefined : this.#since + Math.max(0, 1 - this.#room) / this.rate as Instant
  }

  /** Whether a question may be asked at once, which is counted. */
  isFree(now: Instant): boolean {
    this.#refill(now)
    const isFree = this.size === 0 && this.#room >= ONE
    if (isFree) this.#room--
    return isFree
  }

  /** Asks when those before it had their turn. False: too many wait. */
  defer(ask: (now: Instant) => void): boolean {
    const isFull = this.size >= PACE_LIMIT
    if (isFull) this.#sink.event({ kind: 'limit', limit: 'queue', size: PACE_LIMIT })
    else this.#waiting.push(ask)
    return !isFull
  }

  wake(now: Instant): void {
    if (this.size === 0) return
    this.#refill(now)
    for (; this.#room >= ONE && this.size > 0; this.#room--) this.#waiting[this.#next++](now)
    if (this.size > 0 && this.#next < PACE_LIMIT) return
    this.#waiting.splice(0, this.#next)
    this.#next = 0
  }

  #refill(now: Instant): void {
    this.#room = Math.min(BURST, this.#room + (now - this.#since) * this.rate)
    this.#since = now
  }
}
