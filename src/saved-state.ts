/** Saves the engine's hosts and advertised prefixes, and gives the engine those that the previous run saved. */
import type { Engine } from './engine.ts'
import type { Input, Instant } from './engine-types.ts'
import type { Limit } from './events.ts'
import type { RateLimitedLog } from './log/rate-limited-log.ts'
import { StateFile } from './state-file.ts'

/** Shortest time between two saves of learned hosts. Milliseconds. */
const SAVE_INTERVAL = 30_000

export class SavedState {
  readonly #engine: Engine
  readonly #file: StateFile | undefined
  /** `revision`, `prefixes`: revisions of the hosts and of the prefixes that were saved last. `at`: time of the last save of hosts. */
  #saved = { revision: 0, prefixes: 0, at: Number.NEGATIVE_INFINITY }

  /** @param directory the state directory; undefined: nothing is saved */
  constructor(engine: Engine, directory: string | undefined, log: RateLimitedLog) {
    this.#engine = engine
    this.#file = directory === undefined ? undefined
      : new StateFile(directory, (message, err) => log.warn({ event: 'state-file', directory, reason: message, err }, message))
  }

  get limits(): Limit[] { return this.#file?.limits ?? [] }

  restore(step: (input: Input) => void): void {
    step({ kind: 'saved-hosts', hosts: this.#file?.read() ?? [] })
    step({ kind: 'saved-prefixes', prefixes: this.#file?.readAdvertised().prefixes ?? [] })
  }

  /** Saves what has changed. Prefixes are saved at once, because they change rarely; hosts at most once per SAVE_INTERVAL. */
  tick(now: Instant): void {
    const { revision, advertising } = this.#engine
    if (advertising.revision !== this.#saved.prefixes) this.#file?.writeAdvertised(advertising.saved(now))
    this.#saved.prefixes = advertising.revision
    if (revision === this.#saved.revision || now - this.#saved.at < SAVE_INTERVAL) return
    this.#file?.writeSlowly(this.#engine.savedHosts)
    this.#saved = { ...this.#saved, revision, at: now }
  }

  save(now: Instant): void {
    this.#file?.write(this.#engine.savedHosts)
    this.#file?.writeAdvertised(this.#engine.advertising.saved(now))
  }
}
