/** Levels and fields of the records of events, and the records of links that go away and return. */
import t from 'tap'
import { Address, parseMac } from '../../src/address.ts'
import type { Event, NeighborState } from '../../src/events.ts'
import { EventLog } from '../../src/log/event-log.ts'
import type { LogOptions } from '../../src/log/outputs.ts'
import { recorder } from './kit/recorder.ts'

const TARGET = Address.parse('2001:db8::2')!
const MAC = parseMac('52:54:00:12:34:56')!
const OTHER = parseMac('52:54:00:00:00:99')!
const CONFLICT: Event = { kind: 'conflict', target: TARGET, length: 64, ifindex: 0, mac: OTHER, basis: 'answered' }

/** An EventLog of links with five owners each. `emit` hands it an event at a time in seconds. */
function eventLog(level: LogOptions['level'] = 'info') {
  const { log, at, take } = recorder(level)
  const events = new EventLog(log, { nameOf: (ifindex) => `eth${ifindex}`, hostsOn: () => 5 })
  return { events, take, emit: (event: Event, time = 0) => events.event(event, at(time)), tick: (time: number) => events.tick(at(time)) }
}

function neighbor(state: NeighborState | 'GONE', more: Partial<Extract<Event, { kind: 'neighbor' }>> = {}): Event {
  return { kind: 'neighbor', target: TARGET, state, ifindex: 1, mac: MAC, reason: 'verified', former: undefined, length: 64, news: false, ...more }
}

function link(state: Extract<Event, { kind: 'link' }>['state'], iface = 'eth1', ifindex = 1): Event { return { kind: 'link', iface, ifindex, state } }

t.test('news of owners and links at info', async (t) => {
  const { take, emit } = eventLog()
  const levels = (event: Event): unknown[] => {
    emit(event)
    return take().map(({ level, iface }) => [level, iface])
  }
  for (const state of ['INCOMPLETE', 'FAILED', 'PROBE', 'REACHABLE', 'GONE'] as const) t.same(levels(neighbor(state)), [], state)
  t.same(levels(neighbor('REACHABLE', { news: true })), [[30, 'eth1']])
  t.same(levels(neighbor('FAILED', { ifindex: undefined, former: 2, news: true })), [[30, 'eth2']], 'the former link')
  t.same(levels(link('up')), [[30, 'eth1']])
  t.same(levels({ kind: 'snooped', iface: 'eth1', minutes: 10 }), [[40, 'eth1']])
  t.same(levels({ kind: 'bare', ifindex: 1, source: TARGET }), [[40, 'eth1']])
  t.same(levels({ kind: 'silent', ifindex: 1, target: TARGET }), [[40, 'eth1']])
  t.same(levels({ kind: 'filtered', ifindex: 1, target: TARGET, mac: MAC }), [[40, 'eth1']])
  t.same(levels({ kind: 'overrun', ifindex: 1, count: 7 }), [[40, 'eth1']])
  t.same(levels({ kind: 'foreign', ifindex: 1, target: TARGET, length: 64, mac: MAC, other: 2 }), [[40, 'eth1']])
  t.same(levels({ kind: 'proxy', ifindex: 1, target: TARGET, mac: MAC }), [[40, 'eth1']])
  emit(neighbor('REACHABLE', { news: true }))
  emit(CONFLICT)
  t.match(take(), [{ level: 30, event: 'neighbor', target: '2001:db8::2', state: 'REACHABLE', iface: 'eth1', subnet: '2001:db8::/64',
    lladdr: '52:54:00:12:34:56', reason: 'verified', msg: 'found 2001:db8::2 on eth1 (52:54:00:12:34:56)' },
  { level: 40, event: 'conflict', target: '2001:db8::2', iface: 'eth0', lladdr: '52:54:00:00:00:99', reason: 'answered',
    subnet: '2001:db8::/64', msg: /claims 2001:db8::2 on eth0/ }])
})

t.test('routine and packets at debug, and no text below', async (t) => {
  const { events, take, emit } = eventLog('debug')
  emit(neighbor('INCOMPLETE', { mac: undefined, ifindex: undefined, reason: 'solicited', source: Address.parse('fe80::1')! }))
  t.match(take(), [{ level: 20, source: 'fe80::1', msg: 'probing for 2001:db8::2: it was solicited by fe80::1' }])
  events.outcome('answered', 1, 0x20010db8, 0, 0, 2)
  events.outcome('checksum', 1, 0, 0, 0, 0)
  t.match(take(), [{ level: 20, event: 'packet', reason: 'answered', target: '2001:db8::2', iface: 'eth1',
    msg: 'packet for 2001:db8::2 on eth1: answered' }, { msg: 'packet on eth1: checksum' }])

  const silent = new EventLog(recorder('error').log, { nameOf: () => { throw new Error('a name is text') }, hostsOn: () => 0 })
  for (const event of [neighbor('PROBE'), neighbor('REACHABLE', { news: true }), CONFLICT]) silent.event(event, 0 as never)
  silent.outcome('answered', 1, 0x20010db8, 0, 0, 2)
})

t.test('a flood of owners, moves, losses and problems', async (t) => {
  const { take, emit } = eventLog()
  for (let second = 0; second < 60; second++) {
    for (let n = 0; n < 50; n++) {
      const target = new Address(0x20010db8, 0, 0, n)
      emit(neighbor('REACHABLE', { target, reason: 'proof', news: true }), second)
      emit(neighbor('REACHABLE', { target, reason: 'proof', news: true, former: 2, ifindex: n }), second)
      emit(neighbor('FAILED', { target, ifindex: undefined, former: n, reason: 'no answer', news: true }), second)
      emit({ ...CONFLICT, target, ifindex: n } as Event, second)
      emit({ kind: 'limit', limit: 'probes', size: 500, mac: n as never, refused: 10 }, second)
      emit({ kind: 'limit', limit: 'host', size: 64, mac: n as never }, second)
    }
  }
  const records = take()
  t.equal(records.filter(({ level }) => level === 30).length, 3 * 16, 'sixteen of each kind')
  t.equal(records.filter(({ level }) => level === 40).length, 3 * 11, 'eleven of each problem')
})

t.test('a scan is added up', async (t) => {
  const { take, emit, tick } = eventLog()
  const scan = (refused: number, when: number): void => emit({ kind: 'limit', limit: 'probes', size: 500, mac: MAC, ifindex: 0, refused }, when)
  scan(1, 0)
  scan(29_971, 12)
  scan(29, 50)
  tick(60)
  t.match(take(), [{ event: 'scan', count: 1, iface: 'eth0', lladdr: '52:54:00:12:34:56', msg: /: some of them are not probed on eth0, because/ },
    { count: 30_000, msg: /: 30 000 of them were not probed on eth0 in 60 s, because/ }])
})

t.test('an outage of a few seconds is one line', async (t) => {
  const { take, emit, tick } = eventLog()
  emit(link('up'))
  emit(link('up', 'eth2', 2))
  take()
  emit(link('down'), 10)
  tick(11)
  emit(link('up'), 12)
  emit(neighbor('REACHABLE', { reason: 'verified' }), 12)
  t.match(take(), [{ level: 30, event: 'link', iface: 'eth1', state: 'up', count: 5,
    msg: 'eth1 was down for 2 s and is up again; its 5 hosts are verified again' }])
  for (let second = 13; second < 70; second += 2) {
    emit(link('down'), second)
    emit(link('up'), second + 1)
  }
  emit(link('down', 'eth2', 2), 70)
  emit(link('up', 'eth2', 2), 71)
  tick(73)
  t.match(take(), [{ msg: /^eth2 was down/ }, { count: 29, msg: /^eth1 was down for 1 s .* \(28 more like this in 6[0-9] s\)$/ }],
    'a link that flaps has a line a minute')
})

t.test('a link that stays away is one line, and its return another', async (t) => {
  for (const state of ['down', 'gone'] as const) {
    const { take, emit, tick } = eventLog()
    emit(link('up'))
    take()
    emit(link(state), 10)
    const lost = (time: number): void => {
      for (let n = 1; n <= 5; n++) {
        const target = new Address(0x20010db8, 0, 0, n)
        emit(neighbor('FAILED', { target, ifindex: undefined, former: 1, reason: state === 'gone' ? 'link gone' : 'no answer', news: true }), time)
      }
    }
    lost(state === 'gone' ? 10 : 40)
    tick(15)
    t.match(take(), [{ event: 'link', state, count: 5, msg: `eth1 is ${state}: its 5 hosts cannot be reached until it is back` }])
    tick(20)
    t.same(take(), [], state)
    emit(link('up', 'eth1', 7), 50)
    emit(neighbor('REACHABLE', { ifindex: 7, reason: 'proof', news: true }), 51)
    t.match(take(), [{ state: 'up', msg: 'eth1 is up again after 40 s; its 5 hosts are verified again' }])
    emit(neighbor('REACHABLE', { ifindex: 7, reason: 'proof', news: true }), 61)
    t.match(take(), [{ msg: /^found/ }], 'later hosts have lines')
    emit(neighbor('FAILED', { ifindex: undefined, former: 7, reason: 'no answer', news: true }), 62)
    t.match(take(), [{ msg: /^lost/ }])
  }
})
