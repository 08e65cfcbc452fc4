/** A timer for one deadline. Most changes move the deadline to a later time. */

/** The longest delay of setTimeout. */
const MAX = 2 ** 31 - 1

export class WakeTimer {
  readonly #wake: () => void
  #timer: NodeJS.Timeout | undefined
  #at = Number.POSITIVE_INFINITY

  /** @param wake called at the deadline or earlier; it has to set the timer again */
  constructor(wake: () => void) { this.#wake = wake }

  /** @param deadline the time on the clock of performance.now(); undefined: there is no deadline */
  set(deadline: number | undefined): void {
    // A later deadline leaves the timer as it is: `wake` is called too early, and then sets the timer again.
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
