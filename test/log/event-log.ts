/** Levels and fields of records, and how repeated problems are summed up. */
import t from 'tap'
import { Address, parseMac } from '../../src/address.ts'
import type { Instant } from '../../src/engine/types.ts'
import type { Event, NeighborState } from '../../src/events.ts'
import { EventLog } from '../../src/log/event-log.ts'
import { createLog, type LogOptions } from '../../src/log/outputs.ts'

const TARGET = Address.parse('2001:db8::2')!
const MAC = parseMac('52:54:00:12:34:56')!
const OTHER = parseMac('52:54:00:00:00:99')!
const CONFLICT: Event = { kind: 'conflict', target: TARGET, ifindex: 0, mac: OTHER, basis: 'answered' }
const at = (seconds: number): Instant => seconds * 1000 as Instant

interface Line { level: number; msg: string; [field: string]: unknown }

/** An EventLog; `take` returns the records since the last call. */
function eventLog(level: LogOptions['level'] = 'info') {
  const records: Line[] = []
  const log = createLog({ level, output: 'json', lines: { write: (line) => { records.push(JSON.parse(line)) } } })
  const events = new EventLog(log, (ifindex) => `eth${ifindex}`)
  return { events, take: (): Line[] => records.splice(0) }
}

function neighbor(state: NeighborState | 'GONE', more: Partial<Extract<Event, { kind: 'neighbor' }>> = {}): Event {
  return { kind: 'neighbor', target: TARGET, state, ifindex: 1, mac: MAC, reason: 'verified', former: undefined, news: false, ...more }
}

t.test('news of owners and links at info', async (t) => {
  const { events, take } = eventLog()
  const levels = (event: Event): unknown[] => {
    events.event(event, at(0))
    return take().map(({ level, iface }) => [level, iface])
  }
  for (const state of ['INCOMPLETE', 'FAILED', 'PROBE', 'REACHABLE', 'GONE'] as const) t.same(levels(neighbor(state)), [], state)
  t.same(levels(neighbor('REACHABLE', { news: true })), [[30, 'eth1']])
  t.same(levels(neighbor('FAILED', { ifindex: undefined, former: 2, news: true })), [[30, 'eth2']], 'the former link')
  t.same(levels({ kind: 'link', iface: 'eth1', state: 'down' }), [[30, 'eth1']])
  t.same(levels({ kind: 'snooped', iface: 'eth1', minutes: 10 }), [[40, 'eth1']])
  t.same(levels({ kind: 'bare', ifindex: 1, source: TARGET }), [[40, 'eth1']])
  t.same(levels({ kind: 'silent', ifindex: 1, target: TARGET }), [[40, 'eth1']])
  t.same(levels({ kind: 'filtered', ifindex: 1, target: TARGET, mac: MAC }), [[40, 'eth1']])
  t.same(levels({ kind: 'overrun', ifindex: 1, count: 7 }), [[40, 'eth1']])
  events.event(neighbor('REACHABLE', { news: true }), at(0))
  t.match(take(), [{ level: 30, event: 'neighbor', target: '2001:db8::2', state: 'REACHABLE', iface: 'eth1',
    lladdr: '52:54:00:12:34:56', reason: 'verified', msg: 'found 2001:db8::2 on eth1 (52:54:00:12:34:56)' }])
})

t.test('routine and packets at debug, and no text below', async (t) => {
  const { events, take } = eventLog('debug')
  events.event(neighbor('INCOMPLETE', { mac: undefined, ifindex: undefined, reason: 'solicited' }), at(0))
  t.match(take(), [{ level: 20, msg: 'probing for 2001:db8::2: it was solicited' }])
  events.outcome('answered', 1, 0x20010db8, 0, 0, 2)
  events.outcome('checksum', 1, 0, 0, 0, 0)
  t.match(take(), [{ level: 20, event: 'packet', reason: 'answered', target: '2001:db8::2', iface: 'eth1',
    msg: 'packet for 2001:db8::2 on eth1: answered' }, { msg: 'packet on eth1: checksum' }])

  const log = createLog({ level: 'error', output: 'json', lines: { write: () => t.fail('a record') } })
  const silent = new EventLog(log, () => { throw new Error('a name is text') })
  for (const event of [neighbor('PROBE'), neighbor('REACHABLE', { news: true }), CONFLICT]) silent.event(event, at(0))
  silent.outcome('answered', 1, 0x20010db8, 0, 0, 2)
  silent.tick(at(20))
})

t.test('many owners of one link within a second are summed up', async (t) => {
  const { events, take } = eventLog()
  const found = (n: number, time: number, more = {}): void => {
    events.event(neighbor('REACHABLE', { target: new Address(0x20010db8, 0, 0, n), reason: 'proof', news: true, ...more }), at(time))
  }
  for (let n = 1; n <= 10; n++) found(n, n / 100)
  t.equal(take().length, 10)
  events.tick(at(5))
  t.same(take(), [], 'no more than ten')
  for (let n = 1; n <= 300; n++) found(n, 6)
  for (let n = 1; n <= 10; n++) found(n, 6, { ifindex: 2 })
  for (let n = 1; n <= 10; n++) found(n, 6, { former: 2 })
  for (let n = 1; n <= 10; n++) found(n, 6, { state: 'FAILED', ifindex: undefined, former: 1, reason: 'no answer' })
  t.equal(take().length, 40, 'ten of each kind and link')
  events.tick(at(6.9))
  t.same(take(), [])
  events.tick(at(7))
  t.match(take(), [{ level: 30, event: 'neighbor', state: 'REACHABLE', iface: 'eth1', target: '2001:db8::12c', count: 290,
    msg: 'found 2001:db8::12c on eth1 (52:54:00:12:34:56) (289 more like this in 1 s)' }])
  for (let second = 7; second < 17; second++) for (let n = 1; n <= 200; n++) found(n, second)
  t.same(take(), [], 'while it goes on, once in ten seconds')
  found(1, 17)
  t.match(take(), [{ count: 2000, msg: / \(1 999 more like this in 10 s\)$/ }])
  events.tick(at(27))
  t.match(take(), [{ count: 1, msg: 'found 2001:db8::1 on eth1 (52:54:00:12:34:56)' }])
  found(1, 28)
  t.equal(take().length, 1, 'a single one, at once again')
})

t.test('at debug each owner has a line', async (t) => {
  const { events, take } = eventLog('debug')
  for (let n = 1; n <= 12; n++) events.event(neighbor('REACHABLE', { news: true }), at(0))
  t.same(take().map(({ level }) => level), [...Array<number>(10).fill(30), 20, 20])
})

t.test('a repeated problem is summed up', async (t) => {
  const { events, take } = eventLog()
  events.event(CONFLICT, at(0))
  t.match(take(), [{ level: 40, event: 'conflict', target: '2001:db8::2', iface: 'eth0', lladdr: '52:54:00:00:00:99', reason: 'answered',
    msg: /claims 2001:db8::2 on eth0/ }])
  for (let i = 1; i <= 9; i++) events.event(CONFLICT, at(i))
  events.tick(at(9.9))
  t.same(take(), [], 'counted')
  events.tick(at(10))
  t.match(take(), [{ count: 9, msg: / \(9 more like this in 10 s\)$/ }])
  events.event(CONFLICT, at(12))
  t.same(take(), [], 'counted again after the sum')
  events.event({ kind: 'link', iface: 'eth1', state: 'up' }, at(20))
  t.match(take(), [{ count: 1 }, { event: 'link' }], 'any event writes the sums that are due')
  events.tick(at(30))
  t.same(take(), [], 'no sum of zero')
  events.event(CONFLICT, at(31))
  t.equal(take().length, 1, 'logged at once after a quiet window')
})

t.test('refusals are added up, with the time since the last record', async (t) => {
  const { events, take } = eventLog()
  const refuse = (refused: number, when: number): string[] => {
    events.event({ kind: 'limit', limit: 'probes', size: 500, mac: MAC, refused }, at(when))
    return take().map(({ msg, count }) => `${count}: ${/\d[\d ]* of them (was|were) not probed( in \d+ s)?/.exec(msg)?.[0]}`)
  }
  t.same(refuse(1, 0), ['1: 1 of them was not probed'])
  t.same(refuse(29_971, 11), ['29971: 29 971 of them were not probed in 11 s'], 'after a quiet window')
  t.same(refuse(10, 12), [])
  t.same(refuse(20, 13), [])
  t.same(refuse(5, 22), ['30: 30 of them were not probed in 11 s'], 'the sum')
  events.tick(at(32))
  t.match(take(), [{ count: 5 }])
  for (let second = 40; second <= 60; second++) events.tick(at(second))
  t.same(events.limits[0].used, 0)
  t.same(refuse(3, 61), ['3: 3 of them were not probed'], 'forgotten after two quiet windows')
})

t.test('limits are counted by kind and host', async (t) => {
  const { events, take } = eventLog()
  const limits: Event[] = [{ kind: 'limit', limit: 'neighbors', size: 4096 }, { kind: 'limit', limit: 'targets', size: 8 },
    { kind: 'limit', limit: 'host', size: 64, mac: MAC }, { kind: 'limit', limit: 'host', size: 64, mac: OTHER }]
  for (const event of [...limits, ...limits]) events.event(event, at(0))
  t.same(take().map(({ reason, lladdr = '' }) => `${reason} ${lladdr}`),
    ['neighbors ', 'targets ', 'host 52:54:00:12:34:56', 'host 52:54:00:00:00:99'])
})

t.test('above 256 problems, those of a kind share a count', async (t) => {
  const { events, take } = eventLog()
  for (let i = 0; i < 1000; i++) {
    events.event({ kind: 'conflict', target: new Address(0x20010db8, 0, 0, i), ifindex: 0, mac: OTHER, basis: 'answered' }, at(0))
  }
  t.equal(take().length, 257)
  events.tick(at(10))
  t.match(take(), [{ target: '2001:db8::3e7', count: 743 }], 'the sum names the last')
})
