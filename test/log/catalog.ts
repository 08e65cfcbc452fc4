/** The journal's catalog and the events of the program are equal, in both directions. */
import t from 'tap'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { journalName } from '../../src/log/journal-entry.ts'
import { MESSAGE_IDS, PROBLEMS, type ProblemName } from '../../src/log/message-ids.ts'

const ROOT = join(import.meta.dirname, '..', '..', '..')
/** Fields of every entry of the journal that ndp6d writes. */
const COMMON = ['MESSAGE', 'MESSAGE_ID', 'PRIORITY', 'SYSLOG_IDENTIFIER', 'NDP_EVENT']

interface Entry { readonly id: string; readonly header: string; readonly text: string }

const entries: Entry[] = readFileSync(join(ROOT, 'systemd', 'ndp6d.catalog'), 'utf8').replace(/^#.*\n/gm, '').split(/^-- /m).slice(1)
  .map((entry) => {
    const [, id, header, text] = /^([0-9a-f]{32})\n((?:[\w-]+: .*\n)+)\n([^]*)$/.exec(entry) ?? []
    return { id, header, text }
  })
const events = Object.entries(PROBLEMS) as [ProblemName, { id: string; fields: readonly string[] }][]

t.test('each event of level warn or worse has an entry, and each entry has an event', async (t) => {
  t.same(entries.map(({ id }) => id).sort(), events.map(([, { id }]) => id).sort())
  const ids = Object.values(MESSAGE_IDS)
  t.equal(new Set(ids).size, ids.length, 'no id is used twice')
  for (const [event, { id }] of events) t.equal(MESSAGE_IDS[event], id, event)
})

t.test('each entry has a subject, a text and a command, with fields that all records have', async (t) => {
  for (const [event, { id, fields }] of events) {
    const { header, text } = entries.find((entry) => entry.id === id)!
    t.match(header, /^Subject: \S.*\nDefined-By: ndp6d\nDocumentation: man:ndp6d(\.conf\(5\)|\(8\))\n$/, event)
    t.match(text, /\n\n {2}\S/, `${event}: a command`)
    const variables = [...`${header}${text}`.matchAll(/@([^@\s]*)@/g)].map(([, name]) => name)
    const known = [...COMMON, ...fields.map(journalName)]
    t.same(variables.filter((name) => !known.includes(name) || !/^[A-Z_]+$/.test(name)), [], `${event}: no other variable`)
    if (fields.includes('target')) t.match(text, /^ {2}.*@NDP_TARGET@/m, `${event}: a command with the address`)
    else if (fields.includes('iface')) t.match(`${header}${text}`, /@INTERFACE@/, `${event}: the link`)
    t.ok(`${header}${text}`.split('\n').every((line) => line.length <= 120), `${event}: short lines`)
  }
})

t.test('all records of level warn or worse are written by the log that sums up', async (t) => {
  const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
  const source = files.map((file) => readFileSync(join(ROOT, 'src', file), 'utf8')).join('\n')
  for (const [event] of events) t.match(source, new RegExp(`event: '${event}'`), `${event} is logged`)
  const loggers = files.filter((file) => /\bpino\(|Logger\b/.test(readFileSync(join(ROOT, 'src', file), 'utf8')))
  t.same(loggers.sort(), ['log/outputs.ts', 'log/rate-limited-log.ts'], 'no other file has a logger of pino')
})

t.test('docs/journal.md lists all events with their ids', async (t) => {
  const rows = readFileSync(join(ROOT, 'docs', 'journal.md'), 'utf8').matchAll(/^\| `([a-z-]+)` \| [3-6] \| ([0-9a-f]{32}) \|/gm)
  t.same(Object.fromEntries([...rows].map(([, event, id]) => [event, id])), MESSAGE_IDS)
})
