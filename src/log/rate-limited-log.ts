/**
 * The log of the daemon. Records with the same cause, such as one problem of one link, are repetitions. For each cause, at most one record
 * a minute is written, with the number of repetitions. A few causes of an event have records of their own; its other causes share a record.
 * Text is made only for records that are written, because a flood may cause thousands of records in a second.
 */
import type { Level, Logger } from 'pino'
import type { Instant } from '../engine-types.ts'
import type { Limit } from '../events.ts'
import type { ProblemName, ProblemRecord } from './message-ids.ts'

/** Shortest time between two records of one cause, milliseconds. */
const WINDOW = 60_000
/**
 * Delay of the first shared record of an event, milliseconds. The shared record counts the records of all causes above MAX_PROBLEMS or
 * MAX_NEWS.
 */
const SHARED_DELAY = 5000
/** The most causes of one problem (`warn`, `error`) that have records of their own at the same time. */
const MAX_PROBLEMS = 10
/** The most causes of one kind of `news` that have records of their own at the same time. */
const MAX_NEWS = 15

/** The repetitions since the last record of a cause: how many, and in how many seconds. */
export interface Sum {
  readonly count: number
  readonly seconds: number
}

/** The text of a record, or a function that makes it. For a record about repetitions, the function gets their sum. */
export type Text = string | ((sum?: Sum) => string)

type Fields = Readonly<Record<string, unknown>>

interface Entry {
  readonly event: string
  /** Time of the last record, or of the first repetition of a shared entry. */
  since: Instant
  due: Instant
  /** Repetitions since `since`. */
  count: number
  write: (sum: Sum) => void
}

/** Formats `29 971`. */
export function grouped(count: number): string { return String(count).replace(/\B(?=(?:\d{3})+$)/g, ' ') }

/** @returns the text of a record. If `text` is a string and the record sums up repetitions, `(N more like this in S s)` is appended */
function textOf(text: Text, sum?: Sum): string {
  if (typeof text === 'function') return text(sum)
  return sum === undefined || sum.count < 2 ? text : `${text} (${grouped(sum.count - 1)} more like this in ${sum.seconds} s)`
}

export class RateLimitedLog {
  readonly #logger: Logger
  readonly #clock: () => Instant
  readonly #entries = new Map<string, Entry>()
  /** Number of entries by event. */
  readonly #causes = new Map<string, number>()
  #serial = 0
  #nextDue = Number.POSITIVE_INFINITY

  constructor(logger: Logger, clock = (): Instant => performance.now() as Instant) {
    this.#logger = logger
    this.#clock = clock
  }

  get level(): string { return this.#logger.level }
  set level(level: string) { this.#logger.level = level }
  isLevelEnabled(level: Level): boolean { return this.#logger.isLevelEnabled(level) }

  get limits(): Limit[] {
    const size = Math.max(0, ...this.#causes.values())
    return [{ name: 'causes of one event in the log', used: size, size: MAX_NEWS + 1 }]
  }

  /** Writes a record. */
  debug(fields: Fields, text: string): void { this.#logger.debug(fields, text) }
  info(fields: Fields, text: string): void { this.#logger.info(fields, text) }

  /**
   * Writes the record of a problem, or counts it as a repetition.
   * @param text the text; a function gets the sum of the `count` fields of the repetitions, and a record without this field counts as 1
   * @param cause the key of the cause: records with equal keys are repetitions; default: `iface`, `target`, `lladdr` and `reason`
   */
  warn<P extends ProblemName>(fields: ProblemRecord<P>, text: Text, cause?: string): void { this.#problem('warn', fields, text, cause) }
  error<P extends ProblemName>(fields: ProblemRecord<P>, text: Text, cause?: string): void { this.#problem('error', fields, text, cause) }

  /**
   * Writes or counts a record of level info about something that may happen to many hosts or links at once. A record that is only counted
   * is written at debug. @param kind the kind of the record; each kind has its own limit of causes
   * @param cause the key of the cause, as for {@link warn}; without a key, the record is no repetition
   */
  news(kind: string, fields: Fields, text: Text, cause = `#${this.#serial++}`): void {
    if (!this.isLevelEnabled('info')) return
    const isOwn = this.#take(kind, cause, MAX_NEWS, 1, (sum) => this.#write('info', fields, text, sum))
    if (!isOwn && this.isLevelEnabled('debug')) this.#logger.debug(fields, textOf(text))
  }

  /** Writes the sums that are due. Each method that counts calls this; the caller must call it every few seconds as well. */
  tick(now = this.#clock()): void {
    if (now < this.#nextDue) return
    this.#nextDue = Number.POSITIVE_INFINITY
    for (const [key, entry] of this.#entries) {
      if (entry.due <= now) this.#close(key, entry, now)
      this.#nextDue = Math.min(this.#nextDue, this.#entries.has(key) ? entry.due : Number.POSITIVE_INFINITY)
    }
  }

  /** Writes all sums, before the end of the program. */
  flush(): void {
    const now = this.#clock()
    for (const [key, entry] of this.#entries) this.#close(key, entry, now)
  }

  #problem(level: 'warn' | 'error', fields: Fields, text: Text, own?: string): void {
    if (!this.isLevelEnabled(level)) return
    const { event, iface = '', target = '', lladdr = '', reason = '', count } = fields
    const cause = own ?? `${iface} ${target} ${lladdr} ${reason}`
    // A problem may count something other than records, such as packets.
    const step = typeof count === 'number' ? count : 1
    this.#take(String(event), cause, MAX_PROBLEMS, step, (sum) => this.#write(level, fields, text, sum))
  }

  /**
   * Writes the first record of a cause, and counts the others. If `event` has `maximum` other causes already, only counts.
   * @returns whether `write` ran
   */
  #take(event: string, cause: string, maximum: number, step: number, write: (sum?: Sum) => void): boolean {
    const now = this.#clock()
    this.tick(now)
    const own = `${event} ${cause}`
    const isShared = !this.#entries.has(own) && (this.#causes.get(event) ?? 0) >= maximum
    const key = isShared ? event : own
    const entry = this.#entries.get(key)
    if (entry !== undefined) {
      entry.count += step
      entry.write = write
      return false
    }
    this.#causes.set(event, (this.#causes.get(event) ?? 0) + 1)
    const due = now + (isShared ? SHARED_DELAY : WINDOW) as Instant
    this.#entries.set(key, { event, since: now, due, count: isShared ? step : 0, write })
    this.#nextDue = Math.min(this.#nextDue, due)
    if (!isShared) write()
    return !isShared
  }

  /** Ends a window: writes the sum and begins the next window, or forgets the cause if there was no repetition. */
  #close(key: string, entry: Entry, now: Instant): void {
    const { event, since, count, write } = entry
    if (count === 0) {
      this.#entries.delete(key)
      const rest = this.#causes.get(event)! - 1
      if (rest > 0) this.#causes.set(event, rest)
      else this.#causes.delete(event)
      return
    }
    Object.assign(entry, { since: now, due: now + WINDOW, count: 0 })
    write({ count, seconds: Math.max(1, Math.round((now - since) / 1000)) })
  }

  #write(level: 'info' | 'warn' | 'error', fields: Fields, text: Text, sum: Sum | undefined): void {
    this.#logger[level](sum === undefined ? fields : { ...fields, count: sum.count }, textOf(text, sum))
  }
}
