/**
 * The log's outputs: a pino record as a line on a terminal, as pino's JSON in a pipe, or as an entry of the journal
 * (systemd.journal-fields(7)). A record is a sentence and fields: `event`, `target`, `lladdr`, `iface`, `reason` and others.
 */
import { pino } from 'pino'
import type { DestinationStream, LevelWithSilent, Logger } from 'pino'

export const OUTPUTS = ['terminal', 'json', 'journal'] as const
export type Output = (typeof OUTPUTS)[number]

export interface LogOptions {
  readonly level: LevelWithSilent
  readonly output: Output
  /** Receives the entries of output `journal`. */
  readonly journal?: (fields: Record<string, string>) => void
  /** Receives the lines of the other outputs. Default: stdout, written synchronously. */
  readonly lines?: DestinationStream
}

export interface LogRecord {
  /** As in pino: 30 is info. */
  readonly level: number
  /** Milliseconds since 1970. */
  readonly time: number
  readonly msg: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** MESSAGE_ID of each `event` field, for `journalctl MESSAGE_ID=...` and the journal's catalog. These never change. */
export const MESSAGE_IDS: Readonly<Record<string, string>> = {
  neighbor: '6f0c3b1d5a8e4f2fb0d7c94e21a3685b',
  link: 'c2e97a4480f14d3c9b5e06d7f8312a69',
  conflict: '1d84f6ab937c4e50a2c86b9f50e7d413',
  limit: 'a95b20e7c6d84b1f8e3d74f10926cb5a',
  overrun: 'f67baacd8baf8443b9aef4792d217058',
  ready: '3e71d8c50b6f4a92b84fc1e6a7d0592c',
  reload: '84a6e1f92c7d4053be10d95f3b68c7e2',
  stop: 'f53c09b7e82a4d61975be8d2046fa1c3',
}

/** With this property, pino hands a stream the record itself beside its JSON. */
const METADATA = Symbol.for('pino.metadata')

/** Passes each record to `take`, without a detour over JSON. */
class Records implements DestinationStream {
  readonly [METADATA] = true
  readonly #take: (record: LogRecord) => void
  // Set by pino before each write.
  lastLevel = 0
  lastTime = ''
  lastMsg: string | undefined
  lastObj: object = {}

  constructor(take: (record: LogRecord) => void) { this.#take = take }

  write(): void {
    const fields = this.lastObj as Readonly<Record<string, unknown>>
    const msg = this.lastMsg ?? (typeof fields.msg === 'string' ? fields.msg : '')
    this.#take({ level: this.lastLevel, time: Number(this.lastTime), msg, fields })
  }
}

function toText(value: unknown): string {
  if (value instanceof Error) return value.stack ?? String(value)
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value)
}

/** Fields whose values the sentence contains. */
const IN_SENTENCE = ['event', 'target', 'state', 'iface', 'lladdr', 'reason', 'count', 'size', 'counters', 'err']

/** @returns the fields that have a value, without the message */
function given(fields: LogRecord['fields']): [string, unknown][] {
  return Object.entries(fields).filter(([key, value]) => key !== 'msg' && value !== undefined)
}

/**
 * Formats `12:34:56 info  found 2001:db8::2 on eth1 (52:54:00:12:34:56)`: local time, level, sentence, and the fields that it does not
 * contain. The stack of an error follows on lines of its own. Control characters are replaced: interface names may contain them.
 */
export function terminalLine({ level, time, msg, fields }: LogRecord): string {
  const clock = new Date(time).toTimeString().slice(0, 8)
  const name = (pino.levels.labels[level] ?? String(level)).padEnd(5)
  const rest = given(fields).filter(([key]) => !IN_SENTENCE.includes(key))
  const line = [`${clock} ${name}`, msg, ...rest.map(([key, value]) => `${key}=${toText(value)}`)].join(' ')
  const stack = fields.err instanceof Error && level >= 50 ? `\n${toText(fields.err)}` : ''
  return `${line.replace(/\p{Cc}/gu, '?')}${stack}\n`
}

/** @returns the priority of syslog(3) for pino's level */
function priority(level: number): string {
  return level >= 60 ? '2' : level >= 50 ? '3' : level >= 40 ? '4' : level >= 30 ? '6' : '7'
}

/** @returns the entry's fields: `iface` is INTERFACE, as systemd-networkd has it; others are `NDP_` and their name in letters */
export function journalFields({ level, msg, fields }: LogRecord): Record<string, string> {
  const entry: Record<string, string> = { MESSAGE: msg, PRIORITY: priority(level), SYSLOG_IDENTIFIER: 'ndp6d' }
  if (typeof fields.event === 'string' && Object.hasOwn(MESSAGE_IDS, fields.event)) {
    entry.MESSAGE_ID = MESSAGE_IDS[fields.event]
  }
  for (const [key, value] of given(fields)) {
    entry[key === 'iface' ? 'INTERFACE' : `NDP_${key.toUpperCase().replace(/[^A-Z]/g, '_')}`] = toText(value)
  }
  return entry
}

/**
 * Chooses the output: the requested one, else the journal, a terminal or JSON, by where the program's output leads.
 * @param requested `--log` or NDP6D_LOG; anything but an output, such as `auto`, leaves the choice to this function
 */
export function chooseOutput(requested: string | undefined, journal: boolean, terminal: boolean): Output {
  return OUTPUTS.find((output) => output === requested) ?? (journal ? 'journal' : terminal ? 'terminal' : 'json')
}

/** @returns a pino logger. Only JSON contains the bindings of its child loggers, so fields belong into each record */
export function createLog({ level, output, journal, lines }: LogOptions): Logger {
  const out = lines ?? (output === 'journal' ? undefined : pino.destination({ dest: 1, sync: true }))
  const destination = (): DestinationStream => {
    switch (output) {
      case 'json': return out!
      case 'terminal': return new Records((record) => out!.write(terminalLine(record)))
      case 'journal': return new Records((record) => journal?.(journalFields(record)))
    }
  }
  return pino({ level, base: null }, destination())
}
