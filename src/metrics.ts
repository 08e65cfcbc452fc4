/** Packets by what became of them. */
import type { Outcome } from './engine/types.ts'
import { ACTIONS, SILENT_REASONS } from './engine/types.ts'
import { DROP_REASONS } from './wire/ndisc.ts'

export class Counters {
  readonly #counts = Object.fromEntries([...ACTIONS, ...SILENT_REASONS, ...DROP_REASONS].map((name) => [name, 0])) as
    Record<Outcome, number>

  count(outcome: Outcome): void { this.#counts[outcome]++ }

  /** Outcome -> packets since the start; every outcome is there. */
  get values(): Readonly<Record<Outcome, number>> { return { ...this.#counts } }
}
