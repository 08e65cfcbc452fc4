/** The checks that the daemon makes itself, every minute. Packets are processed between two checks, so they wait for one check at most. */
import { setImmediate } from 'node:timers/promises'
import type { Log } from '../linux/log.ts'
import type { Check, Finding, Severity, Subject } from './check.ts'
import { CHECKS, resultOf } from './doctor.ts'

/** Milliseconds from the start to the first round, and between two rounds. */
const PAUSES = { first: 2000, interval: 60_000 }
/** The most findings that are kept. */
const MAX = 64

/** A finding as `ndp6d status` shows it. */
export interface Found {
  readonly code: string
  readonly severity: Severity
  readonly what: string
  /** The command, or the line of the configuration, that mends it. */
  readonly mend: string
}

/** How many findings a check has. */
export interface FindingCount {
  readonly code: string
  readonly severity: Severity
  readonly count: number
}

interface Entry { readonly check: Check; readonly finding: Finding }

export class FindingWatch {
  readonly #subject: () => Omit<Subject, 'neighbors'>
  readonly #log: Log
  /** Findings by code, link and target. The text is not part of the key, because numbers in it may change. */
  #entries = new Map<string, Entry>()
  #timer: NodeJS.Timeout | undefined
  readonly #pauses: typeof PAUSES
  #isClosed = false

  constructor(subject: () => Omit<Subject, 'neighbors'>, log: Log, pauses = PAUSES) {
    this.#subject = subject
    this.#log = log
    this.#pauses = pauses
  }

  start(): void { this.#later(this.#pauses.first) }

  get findings(): Found[] {
    return [...this.#entries.values()].map(({ check: { code, severity }, finding: { what, mend } }) => ({ code, severity, what, mend }))
  }

  /** A count for each check that the daemon makes itself, even if the check has no finding. */
  get counts(): FindingCount[] {
    const entries = [...this.#entries.values()]
    return CHECKS.filter(({ isCheap }) => isCheap === true)
      .map((check) => ({ code: check.code, severity: check.severity, count: entries.filter((entry) => entry.check === check).length }))
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
  }

  #later(pause: number): void { this.#timer = setTimeout(() => void this.#round(), pause) }

  async #round(): Promise<void> {
    // The checks get no neighbors, because a pass over all hosts would take too long between two packets.
    const subject = { ...this.#subject(), neighbors: [] }
    const entries = new Map<string, Entry>()
    for (const check of CHECKS) {
      if (check.isCheap !== true) continue
      // Lets the event loop process packets.
      await setImmediate()
      if (this.#isClosed) return
      const result = await resultOf(check, subject)
      const isKnown = !('unknown' in result)
      const found = isKnown ? result.map((finding) => ({ check, finding })) : [...this.#entries.values()].filter((entry) => entry.check === check)
      for (const entry of found) {
        if (entries.size < MAX) entries.set(`${check.code} ${entry.finding.link ?? ''} ${entry.finding.target ?? ''}`, entry)
      }
    }
    if (this.#isClosed) return
    const before = this.#entries
    this.#entries = entries
    for (const [key, entry] of entries) if (!before.has(key)) this.#report(entry, true)
    for (const [key, entry] of before) if (!entries.has(key)) this.#report(entry, false)
    this.#later(this.#pauses.interval)
  }

  #report({ check: { code, isLogged }, finding: { what, why, mend, isLine, link, target } }: Entry, isNew: boolean): void {
    if (isLogged === true) return
    const fields = { event: 'finding' as const, reason: code, state: isNew ? 'found' : 'gone', iface: link, target }
    if (isNew) this.#log.warn(fields, `${what}: ${why}; ${isLine === true ? `write \`${mend}\` into the configuration` : `run \`${mend}\``}`)
    else this.#log.info(fields, `no longer true: ${what}`)
  }
}
