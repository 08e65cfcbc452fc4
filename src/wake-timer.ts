/** A timer for one deadline, which mostly moves to a later time. */

/** The longest delay of setTimeout. */
const MAX = 2 ** 31 - 1

export class WakeTimer {
  readonly #wake: () => void
  #timer: NodeJS.Timeout | undefined
  #at = Number.POSITIVE_INFINITY

  /** @param wake called at the deadline or earlier; it has to set the timer again */
  constructor(wake: () => void) { this.#wake = wake }

  /** @param deadline on the clock of performance.now(); undefined: none */
  set(deadline: number | undefined): void {
    // A timer that fires before the deadline is then set again, so a later deadline needs no change now.
    if (deadline === undefined || deadline >= this.#at) return
    clearTimeout(this.#timer)
    this.#at = deadline
    this.#timer = setTimeout(() => {
      this.#at = Number.POSITIVE_INFINITY
      this.#wake()
    }, Math.min(MAX, Math.max(0, Math.ceil(deadline - performance.now()))))
  }

  close(): void { clearTimeout(this.#timer) }
}
