/**
 * Reloads the configuration of a running daemon, by command or by signal. A command may also put the file on trial: without a
 * confirmation in time, the former configuration comes back. A configuration with an error changes nothing.
 */
import { Prefix } from './address.ts'
import { type Change, changesBetween } from './config/changes.ts'
import type { Config } from './config/config.ts'
import { countOf, type Diagnostic, summarize } from './config/diagnostic.ts'
import type { Parsed } from './config/load.ts'
import { PrefixMap } from './config/prefix-map.ts'
import type { Daemon } from './daemon.ts'
import type { Preview } from './engine.ts'
import type { RateLimitedLog } from './log/rate-limited-log.ts'
import { changeLine, keptSentence, minute, type ReloadChange, second } from './log/reload-sentences.ts'

/** The file of the configuration, with its included files. */
export interface ConfigFile {
  readonly path: string
  /** @throws Error with `code` when the file cannot be read */
  read(): Parsed
  /** @param error the error of `read`. @returns what is wrong, and what to do */
  explain(error: NodeJS.ErrnoException): string
  /** Whether a file was changed, added or removed since the last `read`. */
  readonly isTouched: boolean
}

export interface ReloadsOptions {
  readonly file: ConfigFile
  /** The configuration with which the daemon starts. */
  readonly config: Config
  readonly daemon: Pick<Daemon, 'preview' | 'reload'>
  readonly log: RateLimitedLog
  /** Called before each reload that is not a dry run, and before a trial is undone, for the service manager. */
  readonly began: () => void
  /** Called after such a reload, after a trial was undone, and after each confirmation. */
  readonly ended: () => void
}

/** The last reload, as shown by `ndp6d status`. */
export interface ReloadState {
  /** Time of the verdict. Null: no reload so far. All times are in ISO 8601. */
  readonly at: string | null
  readonly verdict: 'applied' | 'refused' | 'undone' | null
  /** The first problem of a file that was refused. */
  readonly problem: string | null
  /** Whether the file differs from the running configuration. Null: the file is not a regular file, so it cannot be read again. */
  readonly changedOnDisk: boolean | null
  /** Since when the running configuration is in force. */
  readonly since: string
  /** End of the trial; null: no trial is under way. */
  readonly undoAt: string | null
}

/** The reloads since the start, for metrics. */
export interface ReloadCounts {
  /** By verdict. */
  readonly verdicts: Readonly<Record<'applied' | 'refused' | 'undone', number>>
  readonly isLastRefused: boolean
  /** Time of the last reload that was applied, or of the start, in milliseconds since 1970. */
  readonly appliedAt: number
}

export interface ReloadResult extends Pick<ReloadState, 'since' | 'undoAt'> {
  readonly file: string
  readonly verdict: 'applied' | 'would-apply' | 'refused'
  readonly problems: readonly Diagnostic[]
  /** Why the file cannot be read; null if it was read. */
  readonly unreadable: string | null
  readonly changes: readonly ReloadChange[]
  /** Undefined if the file was refused. */
  readonly preview: Preview | undefined
  /** Milliseconds that the reload took. */
  readonly took: number
  /** Whether this reload ended a trial. The configuration of this reload then stays. */
  readonly endedTrial: boolean
}

interface Running { readonly config: Config; readonly since: Date }
interface Trial { readonly former: Running; readonly until: Date; readonly timer: NodeJS.Timeout }

/** The most changes that are logged after SIGHUP. `ndp6d reload` prints all. */
const LOGGED = 20

export class Reloads {
  readonly #options: ReloadsOptions
  #running: Running
  #last: Pick<ReloadState, 'verdict' | 'problem'> & { readonly at: Date } | undefined
  #trial: Trial | undefined
  /** Whether the file, when last read, differed from the running configuration. Null: it cannot be read again. Undefined: not known yet. */
  #differs: boolean | null | undefined = false
  #isStopped = false
  readonly #verdicts = { applied: 0, refused: 0, undone: 0 }
  #appliedAt = Date.now()

  constructor(options: ReloadsOptions) {
    this.#options = options
    this.#running = { config: options.config, since: new Date() }
  }

  get file(): string { return this.#options.file.path }

  get state(): ReloadState {
    return { at: this.#last?.at.toISOString() ?? null, verdict: this.#last?.verdict ?? null, problem: this.#last?.problem ?? null,
      changedOnDisk: this.#isDifferent(),
      since: this.#running.since.toISOString(), undoAt: this.#trial?.until.toISOString() ?? null }
  }

  get counts(): ReloadCounts {
    return { verdicts: this.#verdicts, isLastRefused: this.#last?.verdict === 'refused', appliedAt: this.#appliedAt }
  }

  /** @returns a sentence about a trial under way, or about a file that differs from the running configuration; undefined: there is neither */
  get remark(): string | undefined {
    const { file: { path } } = this.#options
    if (this.#trial !== undefined) return `configuration on trial until ${second(this.#trial.until)}: ndp6d reload --confirm`
    if (this.#isDifferent() !== true) return undefined
    const refused = this.#last?.verdict === 'refused' ? ' and was refused' : ''
    return `${path} differs from the running configuration${refused}: ndp6d reload`
  }

  /** Reloads on SIGHUP, and logs the changes. */
  hangup(): ReloadResult {
    const result = this.reload({})
    const { changes } = result
    const { log } = this.#options
    for (const change of changes.slice(0, LOGGED)) log.info({ event: 'change' }, changeLine(change))
    if (changes.length > LOGGED) log.info({ event: 'change' }, `${changes.length - LOGGED} more changes`)
    return result
  }

  /**
   * Reads the file and applies it. A reload without `trial` ends a trial that is under way: the configuration of the file then stays.
   * @param dryRun true to change nothing. @param trial the milliseconds until the configuration from before the trial comes back
   * @throws Error while the daemon stops
   */
  reload({ dryRun = false, trial }: { readonly dryRun?: boolean; readonly trial?: number | undefined } = {}): ReloadResult {
    if (this.#isStopped) throw new Error('the daemon is stopping')
    if (dryRun) return this.#reload(true, undefined)
    const { began, ended } = this.#options
    began()
    try {
      return this.#reload(false, trial)
    } finally {
      ended()
    }
  }

  /** Keeps the configuration that is on trial. @throws Error without a trial */
  confirm(): ReloadState {
    const { log, ended } = this.#options
    if (this.#trial === undefined) {
      throw new Error(this.#last?.verdict === 'undone' ? `too late: the former configuration is in force again since ${second(this.#last.at)}; `
        + '`ndp6d reload --try 60s` starts another trial' : 'no configuration is on trial: `ndp6d reload --try 60s` starts a trial')
    }
    this.#endTrial()
    log.info({ event: 'reload' }, 'the configuration on trial was confirmed, and stays')
    ended()
    return this.state
  }

  /** Ends a trial before the daemon stops, and leaves the configuration as it is. */
  stop(): void {
    this.#isStopped = true
    if (this.#trial === undefined) return
    this.#endTrial()
    const { log, file: { path } } = this.#options
    log.warn({ event: 'trial-over', configFile: path }, `stopping before the configuration on trial was confirmed: the next start uses ${path} as it is on disk`)
  }

  #reload(dryRun: boolean, trial: number | undefined): ReloadResult {
    const { file: { path }, daemon, log } = this.#options
    const start = performance.now()
    const { parsed, unreadable } = this.#read()
    const result = { file: path, problems: parsed?.diagnostics ?? [], unreadable, changes: [], preview: undefined, took: 0, endedTrial: false }
    if (parsed?.config === undefined) {
      if (!dryRun) this.#refused(unreadable ?? summarize(result.problems))
      return { ...result, verdict: 'refused', ...this.#times }
    }
    const { config, places } = parsed
    const preview = daemon.preview(config)
    const changes = withLosses(changesBetween(this.#running.config, config, places), preview)
    this.#differs = changes.length > 0
    if (dryRun) return { ...result, verdict: 'would-apply', changes, preview, ...this.#times }
    const endedTrial = this.#trial !== undefined && trial === undefined
    this.#try(trial, changes.length > 0)
    this.#apply(config)
    if (changes.length > 0) this.#running = { config, since: new Date() }
    this.#appliedAt = this.#note('applied')
    this.#differs = false
    const count = changes.length === 0 ? 'no difference' : countOf(changes.length, 'change')
    const until = this.#trial === undefined ? '' : `; undone at ${second(this.#trial.until)} without \`ndp6d reload --confirm\``
    log.info({ event: 'reload', count: changes.length }, `reloaded ${path}: ${count}, ${
      keptSentence(preview.kept, preview.dropped.length, preview.links)}${until}${endedTrial ? '; the trial is over, and this configuration stays' : ''}`)
    return { ...result, verdict: 'applied', changes, preview, took: performance.now() - start, endedTrial, ...this.#times }
  }

  get #times(): Pick<ReloadState, 'since' | 'undoAt'> {
    return { since: this.#running.since.toISOString(), undoAt: this.#trial?.until.toISOString() ?? null }
  }

  /** Notes and logs a refusal. @param reason the first problem, or why the file cannot be read */
  #refused(reason: string): void {
    const { file: { path }, log } = this.#options
    this.#note('refused', reason)
    // The number of refusals is the key of the cause, because a repetition may be logged a minute later, and an administrator waits for
    // the verdict. Beyond the log's limit of causes, refusals share a record.
    log.error({ event: 'config-refused', configFile: path },
      `${reason}: the former configuration stays in force, that of ${minute(this.#running.since)}`, `${this.#verdicts.refused}`)
  }

  /** Notes the verdict on a reload. @returns the time of the verdict, in milliseconds since 1970 */
  #note(verdict: keyof ReloadCounts['verdicts'], problem: string | null = null): number {
    this.#verdicts[verdict]++
    const at = new Date()
    this.#last = { verdict, problem, at }
    return at.getTime()
  }

  #apply(config: Config): void {
    try {
      this.#options.daemon.reload(config)
    } catch (error) {
      // After a failed step, the process has to end. The command server would catch the error, so it is thrown from the event loop, too.
      setImmediate(() => { throw error })
      throw error
    }
  }

  /** Begins, prolongs or ends a trial. Without a confirmation, the configuration from before the beginning of the trial comes back. */
  #try(trial: number | undefined, isChanged: boolean): void {
    const isUnderWay = this.#trial !== undefined
    const former = this.#trial?.former ?? this.#running
    this.#endTrial()
    if (trial === undefined || !(isChanged || isUnderWay)) return
    this.#trial = { former, until: new Date(Date.now() + trial), timer: setTimeout(() => this.#undo(former), trial) }
  }

  #endTrial(): void {
    clearTimeout(this.#trial?.timer)
    this.#trial = undefined
  }

  #undo(former: Running): void {
    const { log, file: { path }, began, ended } = this.#options
    began()
    this.#endTrial()
    this.#apply(former.config)
    this.#running = former
    this.#note('undone')
    this.#differs = undefined
    ended()
    log.warn({ event: 'trial-over', configFile: path }, `the configuration on trial was not confirmed: that of ${minute(former.since)} is in force again; ${path} stays as it `
      + 'is on disk')
  }

  /** Reads the file again if necessary. @returns whether it differs from the running configuration; null: it cannot be read again */
  #isDifferent(): boolean | null {
    if (this.#differs === undefined || this.#options.file.isTouched) {
      const { parsed } = this.#read()
      if (parsed?.config !== undefined) this.#differs = changesBetween(this.#running.config, parsed.config, parsed.places).length > 0
    }
    return this.#differs ?? null
  }

  /** Reads the file. A file with an error counts as one that differs from the running configuration. */
  #read(): { parsed: Parsed | undefined; unreadable: string | null } {
    const { file } = this.#options
    try {
      const parsed = file.read()
      if (parsed.config === undefined) this.#differs = true
      return { parsed, unreadable: null }
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (typeof code !== 'string') throw error
      // A file of another type, such as a pipe, cannot be read again.
      this.#differs = code === 'EINVAL' ? null : true
      return { parsed: undefined, unreadable: file.explain(error as NodeJS.ErrnoException) }
    }
  }
}

/** Counts each dropped host in one change: the removal or new exclusion whose prefix is the longest that covers the host. */
function withLosses(changes: readonly Change[], { dropped }: Preview): ReloadChange[] {
  const lost = changes.map((change) => ({ ...change, hosts: 0, routes: 0, groups: 0 }))
  const places = new PrefixMap<(typeof lost)[number]>()
  for (const change of lost) {
    const { op, what, name, prefix: text } = change
    const prefix = op === 'remove' || what === 'exclude' ? Prefix.parse(text ?? name) : undefined
    if (prefix !== undefined) places.set(prefix, change)
  }
  for (const { target, hasRoute, groups } of dropped) {
    const change = places.covering(target)
    if (change === undefined) continue
    change.hosts++
    change.routes += Number(hasRoute)
    change.groups += groups
  }
  return lost
}
