/** Types of a check of `ndp6d doctor`: its subject and its result. */
import type { Config } from '../config/config.ts'
import type { Machine } from './machine.ts'

/** `error`: hosts are unreachable now, or will be soon. `warning`: hosts may become unreachable under some circumstances. */
export type Severity = 'error' | 'warning'

export interface Finding {
  /** What is wrong. One sentence without a period at its end, as all texts here. */
  readonly what: string
  /** The consequence. */
  readonly why: string
  /** What mends the fault: a single command line for sh(1), or, if `isLine` is set, a line for the configuration or the unit. */
  readonly mend: string
  readonly isLine?: boolean
  /** The line of the configuration that makes the mend permanent. */
  readonly keep?: string
  readonly link?: string
  readonly target?: string
}

/** The check could not be carried out. */
export interface Unknown {
  /** The reason. */
  readonly unknown: string
  /** The command that leads to a result. */
  readonly how: string
}

/** All findings of a check (an empty list: nothing is wrong), or why it could not be carried out. */
export type Result = readonly Finding[] | Unknown

export interface Check {
  readonly code: string
  readonly severity: Severity
  /** What is checked, for `--list`. */
  readonly title: string
  /** What the check requires: the configuration, or a running daemon as well. */
  readonly needs?: 'configuration' | 'daemon'
  /** The daemon makes this check every minute, because it takes milliseconds at most and starts no program. */
  readonly isCheap?: boolean
  /** The daemon logs the fault by an event of its own, so it does not log the finding. */
  readonly isLogged?: boolean
  look(subject: Subject): Result | Promise<Result>
}

/** One finding of a check, or that nothing is wrong, or why the check could not be carried out. */
export interface Outcome {
  readonly code: string
  readonly severity: Severity
  readonly status: 'ok' | 'finding' | 'unknown'
  readonly finding?: Finding
  readonly unknown?: { readonly reason: string; readonly how: string }
}

/** An entry of the daemon's neighbor cache. */
export interface NeighborFacts {
  readonly target: string
  readonly state: string
  /** The owner's link; undefined without an owner. */
  readonly iface?: string | undefined
  readonly lladdr?: string | undefined
  readonly via?: string
  readonly pinned: boolean
}

/** Facts that only the running daemon has. */
export interface DaemonFacts {
  readonly pid: number
  /** Received packets of each served link. */
  readonly received: Readonly<Record<string, number>>
  /** Downstream links without neighbor resolution where no host has answered a probe. `target` was probed there without a reply. */
  readonly silent: readonly { readonly link: string; readonly target: string }[]
}

export interface Subject {
  readonly machine: Machine
  /** Undefined if the configuration cannot be read, or has errors. */
  readonly config: Config | undefined
  /** The file of the configuration. Undefined if the daemon itself makes the checks. */
  readonly file?: string
  readonly daemon: DaemonFacts | undefined
  /** Why there is no `daemon`. */
  readonly absence?: Unknown
  /** The entries of the daemon's cache. Empty without a daemon, and for the daemon's own checks: thousands of entries take too long. */
  readonly neighbors: readonly NeighborFacts[]
}

/** The subject of a check with `needs`. Such a check is made only if there is a valid configuration. */
export type Configured = Subject & { readonly config: Config }

/** @returns a check that needs the configuration */
export function configured(check: Omit<Check, 'look' | 'needs'>, look: (subject: Configured) => Result | Promise<Result>): Check {
  return { ...check, needs: 'configuration', look: (subject) => look(subject as Configured) }
}

/** @returns a word for sh(1), quoted if necessary */
export function word(text: string): string { return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'` }
