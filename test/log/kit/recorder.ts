/** A log whose records a test reads, and whose time a test sets. */
import type { Instant } from '../../../src/engine-types.ts'
import { RateLimitedLog } from '../../../src/log/rate-limited-log.ts'
import { createLog, type LogOptions } from '../../../src/log/outputs.ts'

export interface Line { level: number; msg: string; [field: string]: unknown }

/** @returns `at` sets the time, in seconds; `take` returns the records since the last call */
export function recorder(level: LogOptions['level'] = 'info') {
  const records: Line[] = []
  let now = 0 as Instant
  const logger = createLog({ level, output: 'json', lines: { write: (line) => { records.push(JSON.parse(line)) } } })
  const log = new RateLimitedLog(logger, () => now)
  const at = (seconds: number): Instant => now = seconds * 1000 as Instant
  return { log, at, take: (): Line[] => records.splice(0) }
}
