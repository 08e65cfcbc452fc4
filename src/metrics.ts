/** Packets by what became of them. */
import type { Outcome } from './engine/types.ts'
import { ACTIONS, SILENT_REASONS } from './engine/types.ts'
import { DROP_REASONS } from './wire/ndisc.ts'

export class Counters {
  readonly #counts = Object.fromEntries([...ACTIONS, ...SILENT_REASONS, ...DROP_REASONS].map((name) => [name, 0])) as
    Record<Outcome, number>
  /** Packets often share the outcome of the one before: these are counted together, to look it up once. */
  #last: Outcome = 'answered'
  #run = 0

  count(outcome: Outcome): void {
    if (outcome !== this.#last) this.#settle(outcome)
    this.#run++
  }

  /** Outcome -> packets since the start; every outcome is there. */
  get values(): Readonly<Record<Outcome, number>> {
    this.#settle(this.#last)
    return { ...this.#counts }
  }

  #settle(next: Outcome): void {
    this.#counts[this.#last] += this.#run
    this.#run = 0
    this.#last = next
  }
}
