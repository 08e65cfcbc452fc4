import t from 'tap'
import type { Test } from 'tap'
import { spawnSync } from 'node:child_process'
import { Address, parseMac } from '../src/address.ts'
import type { Event, Instant, NeighborState } from '../src/engine/types.ts'
import { EventLog, MESSAGE_IDS, chooseOutput, createLog, journalFields, terminalLine } from '../src/log.ts'
import type { LogOptions } from '../src/log.ts'

const TARGET = Address.parse('2001:db8::2')!
const MAC = parseMac('52:54:00:12:34:56')!
const OTHER = parseMac('52:54:00:00:00:99')!
const at = (seconds: number): Instant => seconds * 1000 as Instant

interface Line { level: number; msg: string; [field: string]: unknown }

/** An EventLog, and what it has said since the last look, as `level message`. */
function eventLog(level: LogOptions['level'] = 'info') {
  const records: Line[] = []
  const log = createLog({ level, output: 'json', lines: { write: (line) => { records.push(JSON.parse(line)) } } })
  const events = new EventLog(log, (ifindex) => `eth${ifindex}`)
  return { events, take: (): Line[] => records.splice(0) }
}

function neighbor(state: NeighborState | 'GONE', more: Partial<Extract<Event, { kind: 'neighbor' }>> = {}): Event {
  return { kind: 'neighbor', target: TARGET, state, ifindex: 1, mac: MAC, reason: 'verified', news: false, ...more }
}

t.test('a terminal gets lines', (t) => {
  const time = new Date(2024, 0, 1, 12, 34, 56).getTime()
  const line = (msg: string, fields = {}, level = 30): string => terminalLine({ level, time, msg, fields })
  t.equal(line('2001:db8::2 REACHABLE on eth1 (52:54:00:12:34:56)', { event: 'neighbor', target: '2001:db8::2' }),
    '12:34:56 info  2001:db8::2 REACHABLE on eth1 (52:54:00:12:34:56)\n')
  t.equal(line('a \x1b[31m\nb', {}, 40), '12:34:56 warn  a ?[31m?b\n', 'control characters are not obeyed')
  t.equal(line('counters', { event: 'counters', counters: { answered: 2 }, none: undefined, n: 1 }),
    '12:34:56 info  counters counters={"answered":2} n=1\n')
  t.match(line('it failed', { err: new Error('why') }, 50), /^12:34:56 error it failed\nError: why\n    at /)
  t.equal(line('it waits', { err: new Error('why') }, 20), '12:34:56 debug it waits\n')
  t.end()
})

t.test('the journal gets fields', (t) => {
  t.same(journalFields({ level: 30, time: 0, msg: 'sentence', fields: { event: 'neighbor', target: '2001:db8::2',
    iface: 'eth1', lladdr: '52:54:00:12:34:56', reason: 'verified', count: undefined } }), {
    MESSAGE: 'sentence', PRIORITY: '6', SYSLOG_IDENTIFIER: 'ndp6d', MESSAGE_ID: MESSAGE_IDS.neighbor,
    NDP_EVENT: 'neighbor', NDP_TARGET: '2001:db8::2', INTERFACE: 'eth1', NDP_LLADDR: '52:54:00:12:34:56',
    NDP_REASON: 'verified',
  })
  const priorities = [60, 50, 40, 30, 20, 10].map((level) => journalFields({ level, time: 0, msg: '', fields: {} }).PRIORITY)
  t.same(priorities, ['2', '3', '4', '6', '7', '7'])
  const entry = journalFields({ level: 50, time: 0, msg: 'm', fields: { event: 'toString', err: new Error('why'), rx2Bytes: 1,
    counters: { answered: 2 } } })
  t.notOk('MESSAGE_ID' in entry)
  t.match(entry.NDP_ERR, /^Error: why\n    at /)
  t.equal(entry.NDP_COUNTERS, '{"answered":2}')
  t.equal(entry.NDP_RX_BYTES, '1', 'letters only')
  const ids = Object.values(MESSAGE_IDS)
  t.ok(ids.every((id) => /^[0-9a-f]{32}$/.test(id)))
  t.equal(new Set(ids).size, ids.length)
  t.end()
})

t.test('createLog', (t: Test) => {
  const entries: Record<string, string>[] = []
  const journal = createLog({ level: 'info', output: 'journal', journal: (fields) => entries.push(fields) })
  journal.info({ event: 'ready' }, 'ready (%s)', 'a.conf')
  journal.debug('not this')
  journal.error(new Error('why'))
  journal.warn({ msg: 'in the object' })
  journal.info({ n: 1 })
  t.match(entries, [{ MESSAGE: 'ready (a.conf)', NDP_EVENT: 'ready', MESSAGE_ID: MESSAGE_IDS.ready }, { MESSAGE: 'why',
    PRIORITY: '3', NDP_ERR: /^Error: why/ }, { MESSAGE: 'in the object' }, { MESSAGE: '', NDP_N: '1' }])

  const lines: string[] = []
  createLog({ level: 'info', output: 'terminal', lines: { write: (line) => lines.push(line) } }).info('ready')
  t.match(lines, [/^\d\d:\d\d:\d\d info  ready\n$/])
  const seconds = (text: string): number => text.slice(0, 8).split(':').reduce((sum, n) => sum * 60 + Number(n), 0)
  const behind = (seconds(new Date().toTimeString()) - seconds(lines[0]) + 86_400) % 86_400
  t.ok(behind <= 2, 'the time of day')

  const child = spawnSync(process.execPath, ['--input-type=module', '-e', `
    import { createLog } from ${JSON.stringify(new URL('../src/log.js', import.meta.url).href)}
    const log = createLog({ level: 'info', output: 'json' })
    for (let i = 0; i < 3000; i++) log.info({ i }, 'x'.repeat(100))
    process.kill(process.pid, 'SIGKILL')`], { encoding: 'utf8' })
  const records = child.stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as Line)
  t.equal(records.length, 3000, 'stdout has it all, however the process ends')
  t.match(records[2999], { level: 30, i: 2999, time: Number })
  t.end()
})

t.test('chooseOutput', (t) => {
  t.equal(chooseOutput(undefined, true, true), 'journal')
  t.equal(chooseOutput('auto', false, true), 'terminal')
  t.equal(chooseOutput('', false, false), 'json')
  t.equal(chooseOutput('terminal', true, false), 'terminal')
  t.equal(chooseOutput('json', true, true), 'json')
  t.end()
})

t.test('owners and links at info', (t) => {
  const { events, take } = eventLog()
  const say = (event: Event): string[] => {
    events.event(event, at(0))
    return take().map(({ msg }) => msg)
  }
  t.same(say(neighbor('INCOMPLETE', { mac: undefined, ifindex: undefined })), [])
  t.same(say(neighbor('FAILED', { mac: undefined })), [], 'a scan says nothing')
  t.same(say(neighbor('REACHABLE', { reason: '', news: true })), ['2001:db8::2 REACHABLE on eth1 (52:54:00:12:34:56)'])
  for (const state of ['PROBE', 'REACHABLE'] as const) t.same(say(neighbor(state)), [], `routine ${state}`)
  t.same(say(neighbor('REACHABLE', { ifindex: 2, news: true })), ['2001:db8::2 REACHABLE on eth2 (52:54:00:12:34:56): verified'], 'moved')
  t.same(say(neighbor('FAILED', { ifindex: undefined, mac: undefined, reason: 'no answer', news: true })),
    ['2001:db8::2 FAILED: no answer'], 'lost')
  t.same(say(neighbor('GONE')), [], 'once')
  t.same(say({ kind: 'link', iface: 'eth1', state: 'down' }), ['eth1 down'])

  events.event(neighbor('REACHABLE', { news: true }), at(0))
  t.match(take(), [{ level: 30, event: 'neighbor', target: '2001:db8::2', state: 'REACHABLE', iface: 'eth1',
    lladdr: '52:54:00:12:34:56', reason: 'verified' }])
  t.end()
})

t.test('the rest at debug', (t) => {
  const { events, take } = eventLog('debug')
  events.event(neighbor('INCOMPLETE', { mac: undefined, ifindex: undefined, reason: '' }), at(0))
  t.match(take(), [{ level: 20, msg: '2001:db8::2 INCOMPLETE' }])
  events.outcome('answered', 1, 0x20010db8, 0, 0, 2)
  events.outcome('checksum', 1, 0, 0, 0, 0)
  t.match(take(), [{ level: 20, event: 'packet', reason: 'answered', target: '2001:db8::2', iface: 'eth1',
    msg: 'answered 2001:db8::2 on eth1' }, { msg: 'checksum a packet on eth1' }])
  const quiet = eventLog()
  quiet.events.outcome('answered', 1, 0x20010db8, 0, 0, 2)
  t.same(quiet.take(), [])
  t.end()
})

t.test('repeated trouble is summed up', (t) => {
  const { events, take } = eventLog()
  const conflict: Event = { kind: 'conflict', target: TARGET, ifindex: 0, mac: OTHER }
  events.event(conflict, at(0))
  t.match(take(), [{ level: 40, event: 'conflict', target: '2001:db8::2', iface: 'eth0', lladdr: '52:54:00:00:00:99',
    msg: '2001:db8::2 is claimed by 52:54:00:00:00:99 on eth0, but its owner still answers' }])
  for (let i = 1; i <= 9; i++) events.event(conflict, at(i))
  events.tick(at(9.9))
  t.same(take(), [], 'counted')
  events.tick(at(10))
  t.match(take(), [{ count: 9, msg: / \(9 more like this in 10 s\)$/ }])
  events.event(conflict, at(12))
  t.same(take(), [], 'counted again after the sum')
  events.event({ kind: 'link', iface: 'eth1', state: 'up' }, at(20))
  t.match(take(), [{ count: 1 }, { event: 'link' }], 'any event brings the sum when it is time')
  events.tick(at(30))
  t.same(take(), [], 'no sum of nothing')
  events.event(conflict, at(31))
  t.equal(take().length, 1, 'said at once after a quiet time')
  t.end()
})

t.test('limits, by kind and MAC', (t) => {
  const { events, take } = eventLog()
  const limits: Event[] = [{ kind: 'limit', limit: 'neighbors', size: 4096 }, { kind: 'limit', limit: 'askers', size: 8 },
    { kind: 'limit', limit: 'host', size: 64, mac: MAC }, { kind: 'limit', limit: 'host', size: 64, mac: OTHER }]
  for (const event of [...limits, ...limits]) events.event(event, at(0))
  t.same(take().map(({ msg }) => msg), [
    'limit of 4096 learned addresses (option limit) reached',
    'limit of 8 waiting askers reached',
    'limit of 64 addresses (option host-limit) for 52:54:00:12:34:56 reached',
    'limit of 64 addresses (option host-limit) for 52:54:00:00:00:99 reached',
  ])
  t.end()
})

t.test('many kinds of trouble share a count', (t) => {
  const { events, take } = eventLog()
  for (let i = 0; i < 1000; i++) {
    events.event({ kind: 'conflict', target: new Address(0x20010db8, 0, 0, i), ifindex: 0, mac: OTHER }, at(0))
  }
  t.equal(take().length, 257)
  events.tick(at(10))
  t.match(take(), [{ target: '2001:db8::3e7', count: 743 }], 'the last of them speaks for all')
  t.end()
})
