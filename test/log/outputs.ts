import t from 'tap'
import type { Test } from 'tap'
import { spawnSync } from 'node:child_process'
import { MESSAGE_IDS } from '../../src/log/message-ids.ts'
import { journalFields } from '../../src/log/journal-entry.ts'
import { chooseOutput, createLog } from '../../src/log/outputs.ts'
import { terminalLine } from '../../src/log/terminal-line.ts'

const ERR = { type: 'Error', message: 'why', stack: 'Error: why\n    at here' }

interface Line { level: number; msg: string; [field: string]: unknown }

t.test('terminal: a line', async (t) => {
  const time = new Date(2024, 0, 1, 12, 34, 56).getTime()
  const line = (msg: string, fields = {}, level = 30): string => terminalLine({ level, time, msg, fields })
  t.equal(line('found 2001:db8::2 on eth1', { event: 'neighbor', target: '2001:db8::2', subnet: '2001:db8::/64' }), '12:34:56 info  found 2001:db8::2 on eth1\n')
  t.equal(line('a \x1b[31m\nb', {}, 40), '12:34:56 warn  a ?[31m?b\n', 'control characters are replaced')
  t.equal(line('counters', { event: 'counters', counters: { answered: 2 }, links: [1], none: null, n: 1 }),
    '12:34:56 info  counters links=[1] none=null n=1\n')
  t.match(line('failed', { err: ERR }, 50), /^12:34:56 error failed\nError: why\n    at /)
  t.equal(line('waiting', { err: ERR }, 20), '12:34:56 debug waiting\n')
})

t.test('journal: an entry with fields', async (t) => {
  t.same(journalFields({ level: 30, time: 0, msg: 'sentence', fields: { event: 'neighbor', target: '2001:db8::2',
    iface: 'eth1', lladdr: '52:54:00:12:34:56', reason: 'verified' } }), {
    MESSAGE: 'sentence', PRIORITY: '6', SYSLOG_IDENTIFIER: 'ndp6d', MESSAGE_ID: MESSAGE_IDS.neighbor,
    NDP_EVENT: 'neighbor', NDP_TARGET: '2001:db8::2', INTERFACE: 'eth1', NDP_LLADDR: '52:54:00:12:34:56',
    NDP_REASON: 'verified',
  })
  const priorities = [60, 50, 40, 30, 20, 10].map((level) => journalFields({ level, time: 0, msg: '', fields: {} }).PRIORITY)
  t.same(priorities, ['2', '3', '4', '6', '7', '7'])
  const entry = journalFields({ level: 50, time: 0, msg: 'm', fields: { event: 'toString', err: ERR, rx2Bytes: 1,
    counters: { answered: 2 } } })
  t.notOk('MESSAGE_ID' in entry)
  t.match(entry.NDP_ERR, /^Error: why\n    at /)
  t.equal(entry.NDP_COUNTERS, '{"answered":2}')
  t.equal(entry.NDP_RX_BYTES, '1', 'letters only')
  const ids = Object.values(MESSAGE_IDS)
  t.ok(ids.every((id) => /^[0-9a-f]{32}$/.test(id)))
  t.equal(new Set(ids).size, ids.length)
})

t.test('createLog', async (t: Test) => {
  const entries: Record<string, string>[] = []
  const journal = createLog({ level: 'info', output: 'journal', journal: (fields) => entries.push(fields) })
  journal.info({ event: 'ready' }, 'ready (%s)', 'a.conf')
  journal.debug('not this')
  journal.error(new Error('why'))
  journal.warn({ msg: 'in the object' })
  journal.info({ n: 1, none: undefined })
  t.match(entries, [{ MESSAGE: 'ready (a.conf)', NDP_EVENT: 'ready', MESSAGE_ID: MESSAGE_IDS.ready }, { MESSAGE: 'why',
    PRIORITY: '3', NDP_ERR: /^Error: why/ }, { MESSAGE: 'in the object' }, { MESSAGE: '', NDP_N: '1' }])
  t.notOk('NDP_NONE' in entries[3], 'a field without a value')

  const lines: string[] = []
  createLog({ level: 'info', output: 'terminal', lines: { write: (line) => lines.push(line) } }).info('ready')
  t.match(lines, [/^\d\d:\d\d:\d\d info  ready\n$/])
  const seconds = (text: string): number => text.slice(0, 8).split(':').reduce((sum, n) => sum * 60 + Number(n), 0)
  const behind = (seconds(new Date().toTimeString()) - seconds(lines[0]) + 86_400) % 86_400
  t.ok(behind <= 2, 'the time of day')

  const child = spawnSync(process.execPath, ['--input-type=module', '-e', `
    import { createLog } from ${JSON.stringify(new URL('../../src/log/outputs.js', import.meta.url).href)}
    const log = createLog({ level: 'info', output: 'json' })
    for (let i = 0; i < 3000; i++) log.info({ i }, 'x'.repeat(100))
    process.kill(process.pid, 'SIGKILL')`], { encoding: 'utf8' })
  const records = child.stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as Line)
  t.equal(records.length, 3000, 'stdout has all records, however the process ends')
  t.match(records[2999], { level: 30, i: 2999, time: Number })
})

t.test('chooseOutput', async (t) => {
  t.equal(chooseOutput(undefined, true, true), 'journal')
  t.equal(chooseOutput('auto', false, true), 'terminal')
  t.equal(chooseOutput('', false, false), 'json')
  t.equal(chooseOutput('terminal', true, false), 'terminal')
  t.equal(chooseOutput('json', true, true), 'json')
})
