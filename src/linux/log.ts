import type { ProblemName, ProblemRecord } from '../log/message-ids.ts'

/** The methods of the log that src/linux uses. */
export interface Log {
  info(fields: Readonly<Record<string, unknown>>, message: string): void
  warn<P extends ProblemName>(fields: ProblemRecord<P>, message: string): void
}
