/**
 * Limits the CPU time of replies to commands, because packets wait while a reply is made. A burst is allowed, so that a single command is
 * answered quickly. After the burst, replies get a small share of the time.
 */
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'

/** CPU time that may be taken at once, milliseconds. A status of 4096 hosts takes about a third of this. */
const BURST = 100
/** Share of the time that may be taken in the long run, if no turn is longer than {@link MAX_DEBT}. */
const RATE = 0.05
/** The lowest credit is -MAX_DEBT milliseconds. So the wait for credit is at most MAX_DEBT / RATE = 4 s. A client gives up after 10 s. */
const MAX_DEBT = 200

export class Share {
  #credit = BURST
  #since = performance.now()
  readonly #waiting: { readonly taken: number; readonly number: number; readonly begin: () => void }[] = []
  #isServing = false
  #isNewestNext = false

  /**
   * Waits for a turn. The caller then works without waiting, and calls {@link took}. Turns alternate between the reply that has taken
   * the least time and the reply that began last. Many long replies therefore delay neither a short reply nor a new one.
   * @param taken CPU time of the former turns of the reply, milliseconds
   * @param number number of the reply; a reply that began later has a higher number
   */
  turn(taken: number, number: number): Promise<void> {
    return new Promise((begin) => {
      this.#waiting.push({ taken, number, begin })
      if (!this.#isServing) void this.#serve()
    })
  }

  /** @param time CPU time of a turn, milliseconds */
  took(time: number): void {
    const now = performance.now()
    this.#credit = Math.max(-MAX_DEBT, Math.min(BURST, this.#credit + (now - this.#since) * RATE) - time)
    this.#since = now
  }

  async #serve(): Promise<void> {
    this.#isServing = true
    while (this.#waiting.length > 0) {
      // Lets the event loop process packets first.
      await setImmediate()
      if (this.#credit < 0) await sleep(-this.#credit / RATE, undefined, { ref: false })
      const next = this.#waiting.reduce((best, each) => (this.#isNewestNext ? each.number > best.number : each.taken < best.taken) ? each : best)
      this.#isNewestNext = !this.#isNewestNext
      this.#waiting.splice(this.#waiting.indexOf(next), 1)
      next.begin()
    }
    this.#isServing = false
  }
}
