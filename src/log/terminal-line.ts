/** A record of the log as a line on a terminal. */
import { pino } from 'pino'
import { type LogRecord, toText } from './log-record.ts'

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
