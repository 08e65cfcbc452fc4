/**
 * Queue of first probes. A probe costs far more than an answer for a known host. So only a few probes leave at once, and the others
 * at a limited rate. Answers for known hosts do not wait behind probes (RFC 6583 7.1).
 *
 * Lanes are served in this order, each with a token bucket of its own:
 *
 *     known     owners to be verified again, and targets that had an owner before
 *     alive     hosts that sent a packet themselves
 *     unknown   solicited targets without an owner
 */
import { earliest } from '../tables/deadlines.ts'
import { Fifo } from '../tables/fifo.ts'
import type { Instant } from '../../engine-types.ts'

export type QueueLane = 'known' | 'alive' | 'unknown'

export interface Queued {
  /** True while the item waits; false cancels the probe. A waiting item must not be added again. */
  isQueued: boolean
}

/** The most probes of the lane `known` that leave at once. */
const KNOWN_BURST = 128
/** The most probes of each of the other lanes that leave at once. */
const BURST = 32
/** Probes per millisecond in the lane `known`. */
const KNOWN_RATE = 4
/** The most items that wait in one lane. The lane `known` has no limit. */
export const QUEUE_LIMIT = 4096
/** One token minus a tolerance for rounding errors: a probe whose deadline has come must not wait for the last fraction of a token. */
const TOKEN = 0.999

class Lane<T extends Queued> {
  readonly #burst: number
  readonly waiting = new Fifo<T>()
  /** Probes per millisecond. */
  rate: number
  #tokens: number
  #since = Number.NEGATIVE_INFINITY as Instant

  constructor(burst: number, rate: number) {
    this.#burst = burst
    this.rate = rate
    this.#tokens = burst
  }

  get deadline(): Instant | undefined {
    return this.waiting.size === 0 ? undefined : this.#since + Math.max(0, 1 - this.#tokens) / this.rate as Instant
  }

  /** Takes a token. @returns false: no token is left */
  take(now: Instant): boolean {
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#since) * this.rate)
    this.#since = now
    if (this.#tokens < TOKEN) return false
    this.#tokens--
    return true
  }
}

export class ProbeQueue<T extends Queued> {
  readonly #lanes = { known: new Lane<T>(KNOWN_BURST, KNOWN_RATE), alive: new Lane<T>(BURST, 1), unknown: new Lane<T>(BURST, 1) }
  readonly #probe: (item: T, now: Instant) => void

  /** @param probe the function that sends the first probe for an item */
  constructor(probe: (item: T, now: Instant) => void) { this.#probe = probe }
  /** Raises the rate of a lane. A lower rate has no effect. @param rate probes per millisecond */
  raise(lane: 'alive' | 'unknown', rate: number): void { this.#lanes[lane].rate = Math.max(this.#lanes[lane].rate, rate) }
  /** @returns the number of items that wait in a lane, cancelled ones included */
  size(lane: QueueLane): number { return this.#lanes[lane].waiting.size }
  isFull(lane: QueueLane): boolean { return lane !== 'known' && this.size(lane) >= QUEUE_LIMIT }

  /** Sends the probe of an item at once if the lane allows it. Otherwise, the item waits behind the other items of its lane. */
  add(lane: QueueLane, item: T, now: Instant): void {
    const { waiting } = this.#lanes[lane]
    if (waiting.size === 0 && this.#lanes[lane].take(now)) return this.#probe(item, now)
    item.isQueued = true
    waiting.push(item)
  }

  get deadline(): Instant | undefined {
    const { known, alive, unknown } = this.#lanes
    return earliest(known.deadline, earliest(alive.deadline, unknown.deadline))
  }

  wake(now: Instant): void {
    for (const lane of Object.values(this.#lanes)) {
      for (let item = lane.waiting.first; item !== undefined; item = lane.waiting.first) {
        if (item.isQueued && !lane.take(now)) break
        lane.waiting.shift()
        if (!item.isQueued) continue
        item.isQueued = false
        this.#probe(item, now)
      }
    }
  }
}
