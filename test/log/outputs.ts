import t from 'tap'
import type { Test } from 'tap'
import { spawnSync } from 'node:child_process'
import { MESSAGE_IDS } from '../../src/log/message-ids.ts'
import { chooseOutput, createLog } from '../../src/log/outputs.ts'

interface Line { level: number; msg: string; [field: string]: unknown }

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
