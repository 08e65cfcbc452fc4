/** The log's outputs: lines on a terminal, pino's JSON in a pipe, or entries of the journal. */
import { type DestinationStream, type LevelWithSilent, type Logger, pino } from 'pino'
import { journalFields } from './journal-entry.ts'
import type { LogRecord } from './log-record.ts'
import { terminalLine } from './terminal-line.ts'

export const OUTPUTS = ['terminal', 'json', 'journal'] as const
export type Output = (typeof OUTPUTS)[number]

export interface LogOptions {
  readonly level: LevelWithSilent
  readonly output: Output
  /** Receives the entries of output `journal`. */
  readonly journal?: (fields: Record<string, string>) => void
  /** Receives the lines of the other outputs. Default: stdout, which may block the program. */
  readonly lines?: DestinationStream
}

function records(take: (record: LogRecord) => void): DestinationStream {
  return {
    write(line: string): void {
      const { level, time, msg = '', ...fields } = JSON.parse(line)
      take({ level, time, msg, fields })
    },
  }
}

/** Chooses the requested output, else the journal or a terminal if the program's output leads there, else JSON. */
export function chooseOutput(requested: string | undefined, journal: boolean, terminal: boolean): Output {
  return OUTPUTS.find((output) => output === requested) ?? (journal ? 'journal' : terminal ? 'terminal' : 'json')
}

export function createLog({ level, output, journal, lines }: LogOptions): Logger {
  const options = { level, base: null }
  if (output === 'journal') return pino(options, records((record) => journal?.(journalFields(record))))
  const out = lines ?? pino.destination({ dest: 1, sync: true })
  return pino(options, output === 'json' ? out : records((record) => out.write(terminalLine(record))))
}
