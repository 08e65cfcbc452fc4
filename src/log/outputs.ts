/**
 * The log's outputs: a pino record as a line on a terminal, as pino's JSON in a pipe, or as an entry of the journal
 * (systemd.journal-fields(7)). A record is a sentence and fields: `event`, `target`, `lladdr`, `iface`, `reason` and others.
 */
import { type DestinationStream, type LevelWithSilent, type Logger, pino } from 'pino'
import { MESSAGE_IDS } from './message-ids.ts'

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

/** A record as pino writes it, in JSON. */
export interface LogRecord {
  /** As in pino: 30 is info. */
  readonly level: number
  /** Milliseconds since 1970. */
  readonly time: number
  readonly msg: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** Events of level info with priority 5 (notice) in the journal: the life of the service and of its links. */
const NOTICES = ['link', 'ready', 'reload', 'stop']

function records(take: (record: LogRecord) => void): DestinationStream {
  return {
    write(line: string): void {
      const { level, time, msg = '', ...fields } = JSON.parse(line)
      take({ level, time, msg, fields })
    },
  }
}

/** @param value the value of a field. An error is an object with its stack, as pino writes it. */
function toText(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value)
  return 'stack' in value ? String(value.stack) : JSON.stringify(value)
}

/** Fields that a line on a terminal leaves out: the sentence contains their values, or they are for searches only (`subnet`). */
const IN_SENTENCE = ['event', 'target', 'state', 'iface', 'lladdr', 'reason', 'count', 'size', 'counters', 'err', 'source', 'minutes', 'master',
  'directory', 'configFile', 'subnet', 'endpoint']

/**
 * Formats `12:34:56 info  found 2001:db8::2 on eth1 (52:54:00:12:34:56)`: local time, level, sentence, and the fields that the sentence
 * lacks. The stack of an error follows on lines of its own. Control characters are replaced, because interface names may contain them.
 */
export function terminalLine({ level, time, msg, fields }: LogRecord): string {
  const clock = new Date(time).toTimeString().slice(0, 8)
  const name = (pino.levels.labels[level] ?? String(level)).padEnd(5)
  const rest = Object.entries(fields).filter(([key]) => !IN_SENTENCE.includes(key))
  const line = [`${clock} ${name}`, msg, ...rest.map(([key, value]) => `${key}=${toText(value)}`)].join(' ')
  const stack = fields.err !== undefined && level >= 50 ? `\n${toText(fields.err)}` : ''
  return `${line.replace(/\p{Cc}/gu, '?')}${stack}\n`
}

/** Priorities of syslog(3) for pino's levels. */
const PRIORITIES: Readonly<Record<number, string>> = { 10: '7', 20: '7', 30: '6', 40: '4', 50: '3', 60: '2' }

/** Fields that systemd's own records have as well, with systemd's names for them in the journal. */
const JOURNAL_NAMES: Readonly<Record<string, string>> = { iface: 'INTERFACE', configFile: 'CONFIG_FILE', configLine: 'CONFIG_LINE' }

/** @returns the name of a field in the journal. It consists of A-Z and `_`: the texts of the journal's catalog can use no other names */
export function journalName(field: string): string {
  return JOURNAL_NAMES[field] ?? `NDP_${field.toUpperCase().replace(/[^A-Z]/g, '_')}`
}

export function journalFields({ level, msg, fields }: LogRecord): Record<string, string> {
  const priority = level === 30 && NOTICES.includes(String(fields.event)) ? '5' : PRIORITIES[level]
  const entry: Record<string, string> = { MESSAGE: msg, PRIORITY: priority, SYSLOG_IDENTIFIER: 'ndp6d' }
  if (typeof fields.event === 'string' && Object.hasOwn(MESSAGE_IDS, fields.event)) entry.MESSAGE_ID = MESSAGE_IDS[fields.event]
  for (const [key, value] of Object.entries(fields)) {
    entry[journalName(key)] = toText(value)
  }
  return entry
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
