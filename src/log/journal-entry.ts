/** A record of the log as an entry of the journal (systemd.journal-fields(7)). */
import { type LogRecord, toText } from './log-record.ts'
import { MESSAGE_IDS } from './message-ids.ts'

/** Events of level info with priority 5 (notice) in the journal: the life of the service and of its links. */
const NOTICES = ['link', 'ready', 'reload', 'stop']

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
