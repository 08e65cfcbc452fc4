/** Counts packets by outcome. */
import type { Outcome } from './events.ts'
import { ACTIONS, SILENT_REASONS } from './events.ts'
import { DROP_REASONS } from './wire/ndisc-decode.ts'

export class Counters {
  readonly #counts = Object.fromEntries([...ACTIONS, ...SILENT_REASONS, ...DROP_REASONS].map((name) => [name, 0])) as
    Record<Outcome, number>
  /** Consecutive packets often share an outcome: a run of them takes one look-up. */
  #last: Outcome = 'answered'
  #run = 0

  count(outcome: Outcome): void {
    if (outcome !== this.#last) this.#addRun(outcome)
    this.#run++
  }

  /** Packets since the start, by outcome; every outcome has an entry. */
  get values(): Readonly<Record<Outcome, number>> {
    this.#addRun(this.#last)
    return { ...this.#counts }
  }

  #addRun(next: Outcome): void {
    this.#counts[this.#last] += this.#run
    this.#run = 0
    this.#last = next
  }
}
