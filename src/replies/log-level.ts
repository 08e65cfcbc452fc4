/** The reply to `ndp6d log-level`: shows or sets the least severe level of the records that are logged. */
import type { Part, Request } from '../control/protocol.ts'

export const LEVELS = ['error', 'warn', 'info', 'debug'] as const
export type Level = (typeof LEVELS)[number]

export interface LogLevel {
  readonly level: string
  /** The level before this command, if the command named a level. */
  readonly former: string | null
}

/** The part of a logger (pino) that is used here. */
export interface LeveledLog {
  level: string
  info(fields: object, message: string): void
}

/** @throws Error for an unknown level */
export function * logLevelReply(log: LeveledLog, { level }: Partial<Request>): Generator<Part> {
  const former = log.level
  if (level === undefined) return yield { level: former, former: null }
  if (!LEVELS.some((each) => each === level)) throw new Error(`expected a level: ${LEVELS.join(', ')}`)
  if (level !== former) {
    // Logged even if neither level includes info, so that the log shows why it has fewer records from now on.
    log.level = 'info'
    log.info({ event: 'log-level', level, former }, `log level set from ${former} to ${String(level)}, until the next start`)
    log.level = level as Level
  }
  yield { level: log.level, former }
}
