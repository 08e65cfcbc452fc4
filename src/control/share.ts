/**
 * Limits the CPU time that replies to commands take from packets: some at once, so that one command is answered quickly, and then a small
 * share. Commands get their turns one after another.
 */
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'

/** CPU time that may be taken at once, milliseconds. A status of 4096 hosts takes about a third of this. */
const BURST = 100
/** Share of the time that may be taken in the long run. */
const RATE = 0.05

export class Share {
  #credit = BURST
  #since = performance.now()
  #last: Promise<void> = Promise.resolve()

  /** Waits for a turn. The caller then works without waiting, and calls {@link took}. */
  turn(): Promise<void> { return this.#last = this.#last.then(() => this.#wait()) }

  /** @param time CPU time of a turn, milliseconds */
  took(time: number): void {
    const now = performance.now()
    this.#credit = Math.min(BURST, this.#credit + (now - this.#since) * RATE) - time
    this.#since = now
  }

  async #wait(): Promise<void> {
    // Packets come first.
    await setImmediate()
    if (this.#credit < 0) await sleep(-this.#credit / RATE, undefined, { ref: false })
  }
}
