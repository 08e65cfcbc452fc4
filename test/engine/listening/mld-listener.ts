/** What is reported on a link, and when (RFC 3810 5.2, 6; RFC 2710 4). */
import t from 'tap'
import fc from 'fast-check'
import { Address } from '../../../src/address.ts'
import { MldListener } from '../../../src/engine/listening/mld-listener.ts'
import type { Instant } from '../../../src/engine-types.ts'
import type { MulticastMessage } from '../../../src/wire/mld-decode.ts'
import { groupOf } from '../kit/basics.ts'

const SOURCE = Address.parse('fe80::1')!

/** A listener and its reports: `TIME +joined -left =state`, or `report`, `done` of version 1. */
function stage() {
  const messages: MulticastMessage[] = []
  const lines: string[] = []
  let now = 0
  const listener = new MldListener(() => 0.5, (message) => {
    messages.push(message)
    const text = (sign: string, groups: Iterable<number>) => [...groups].sort((a, b) => a - b).map((group) => ` ${sign}${group}`).join('')
    switch (message.kind) {
      case 'change': lines.push(`${now}${text('+', message.joined)}${text('-', message.left)}`); break
      case 'state': lines.push(`${now}${text('=', message.groups)}`); break
      case 'report': case 'done': lines.push(`${now} ${message.kind} ${message.group}`)
    }
  })
  listener.isReporting = true
  return {
    listener, messages,
    run(until: number): string[] {
      for (let wakes = 0; listener.next <= until; wakes++) {
        if (wakes > 100_000) throw new Error('a deadline that does not move')
        now = Math.max(now, listener.next)
        listener.wake(now as Instant, SOURCE)
      }
      now = until
      return lines.splice(0)
    },
    query: (version: 1 | 2, delay: number, ...groups: number[]) =>
      listener.query({ version, delay, groups: groups.length === 0 ? undefined : groups.map(groupOf) }, now as Instant),
  }
}

t.test('a change is reported at once, together with others of the same time, and again within a second', async (t) => {
  const { listener, run } = stage()
  listener.add(1)
  listener.add(2)
  listener.add(1)
  t.same(run(100), ['0 +1 +2'])
  listener.remove(2)
  listener.add(3)
  t.same(run(5000), ['100 +3 -2', '500 +1 +3 -2'], 'repeated together, with the state of that time')
  listener.remove(1)
  t.same(run(9000), [], 'added twice')
  t.equal(listener.remove(7), false)
  t.equal(listener.size, 2)
})

t.test('a group joined and left before the first report is reported as left', async (t) => {
  const { listener, run } = stage()
  listener.add(1)
  listener.remove(1)
  t.same(run(2000), ['0 -1', '500 -1'])
})

t.test('queries for all groups, for one group and for a group that is not joined', async (t) => {
  const { listener, run, query } = stage()
  query(2, 1000)
  t.same(run(1000), [], 'no groups')
  for (const group of [1, 2, 3]) listener.add(group)
  run(5000)
  query(2, 10_000)
  t.same(run(20_000), ['10000 =1 =2 =3'])
  query(2, 1000, 2)
  query(2, 1000, 9)
  t.same(run(30_000), ['20500 =2'])
  query(2, 1000, 9)
  t.equal(listener.next, Number.POSITIVE_INFINITY, 'no answer is scheduled for a group that is not joined')
  query(2, 10_000)
  query(2, 2000, 3)
  listener.remove(2)
  t.same(run(50_000), ['30000 -2', '30500 -2', '31000 =3', '35000 =1 =3'], 'each at its time; without the group that was left meanwhile')
  query(2, 0, 2)
  t.same(run(60_000), [])
})

t.test('many groups fill reports, and these are sent in bursts', async (t) => {
  const { listener, messages, run } = stage()
  for (let group = 0; group < 1000; group++) listener.add(group)
  const times = run(400).map((line) => line.split(' ')[0])
  t.same(times, [...Array(8).fill('0'), ...Array(8).fill('10'), '20'])
  const sizes = messages.map((message) => message.kind === 'change' ? message.joined.length : 0)
  t.same(sizes, [...Array(16).fill(61), 24])
  t.equal(new Set(messages.flatMap((message) => message.kind === 'change' ? [...message.joined] : [])).size, 1000)
  t.same(run(499), [])
  t.same(run(2000).length, 17, 'repeated half a second after the first reports')
})

t.test('General Queries are answered once in ten seconds if there are many groups, whatever delay they allow', async (t) => {
  const { listener, run, query } = stage()
  for (let group = 0; group < 6000; group++) listener.add(group)
  run(10_000)
  let reports = 0
  for (let at = 10_010; at < 30_000; at += 10) {
    query(2, at % 1000 === 0 ? 10_000 : 0)
    reports += run(at).length
  }
  t.equal(reports, 2 * Math.ceil(6000 / 61))
  query(2, 0)
  run(30_000)
  listener.add(70_000)
  t.match(run(40_000)[0], /\+70000$/, 'changes are reported first')
  run(60_000)
  for (let n = 0; n < 500; n++) query(1, 0)
  t.equal(run(69_999).length, 6001, 'version 1 as well')
})

t.test('a querier that sends a General Query each second is answered each second if there are few groups', async (t) => {
  const { listener, run, query } = stage()
  for (const group of [1, 2]) listener.add(group)
  run(10_000)
  let lines: string[] = []
  for (let at = 10_000; at <= 15_000; at += 10) {
    lines.push(...run(at))
    query(2, 0)
  }
  t.same(lines, [10_000, 11_000, 12_000, 13_000, 14_000, 15_000].map((at) => `${at} =1 =2`))
})

t.test('queries for one group are answered once in a second, and not while the answer for all groups is due sooner', async (t) => {
  const { listener, run, query } = stage()
  for (const group of [1, 2, 3]) listener.add(group)
  run(10_000)
  for (let n = 0; n < 500; n++) query(2, 0, 1)
  t.same(run(10_000), ['10000 =1'])
  query(2, 0, 1)
  query(2, 500, 2)
  t.same(run(12_000), ['11000 =1 =2'])
  query(2, 200)
  query(2, 1000, 3)
  t.same(run(12_200), ['12100 =1 =2 =3'])
  query(2, 200)
  query(2, 200, 3)
  t.same(run(30_000), ['12300 =3', '13100 =1 =2 =3'], 'the answer for all groups has to wait, that for one has not')
})

const step = fc.record({ ms: fc.constantFrom(0, 0, 1, 50, 700, 3000), version: fc.constantFrom<1 | 2>(1, 2),
  delay: fc.constantFrom(0, 1, 300, 10_000), groups: fc.option(fc.array(fc.nat(220), { maxLength: 3 }), { nil: undefined }), times: fc.constantFrom(1, 20) })

t.test('whatever queries come, the reports in any time are limited', async () => {
  const WINDOW = 10_000
  fc.assert(fc.property(fc.array(step, { maxLength: 60, size: 'max' }), fc.constantFrom(3, 600), (steps, size) => {
    const { listener, run, query } = stage()
    for (let group = 0; group < size; group++) listener.add(group)
    run(5000)
    let [now, queried] = [5000, 0]
    const lines: string[] = []
    for (const { ms, version, delay, groups, times } of steps) {
      lines.push(...run(now += ms))
      for (let n = 0; n < times; n++) query(version, delay, ...groups ?? [])
      queried += times * (groups?.length ?? 0)
    }
    lines.push(...run(now + 30_000))
    const sent = lines.map((line) => ({ at: parseFloat(line), groups: line.split(/[= ]\d/).length - 1 }))
    return sent.every(({ at: from }) => {
      const count = sent.reduce((sum, { at, groups }) => sum + (at >= from && at < from + WINDOW ? groups : 0), 0)
      // All groups after each pause, the rest of an earlier report, and each queried group once in a second.
      const pause = Math.max(1000, 2.5 * size)
      return count <= (2 + WINDOW / pause) * size + Math.min(queried, 11 * size)
    })
  }), { numRuns: 30 })
})

t.test('reports and dones are of version 1 while a querier of version 1 is present', async (t) => {
  const { listener, run, query } = stage()
  listener.add(1)
  listener.add(2)
  run(5000)
  query(1, 1000)
  t.same(run(10_000), ['5500 report 1', '5500 report 2'])
  listener.add(3)
  listener.remove(1)
  t.same(run(20_000).map((line) => line.replace(/^1\d{4} /, '')).sort(), ['done 1', 'done 1', 'report 3', 'report 3'])
  query(2, 1000)
  t.same(run(264_999), ['20500 report 2', '20500 report 3'], 'the querier of version 1 may still be present')
  run(265_000)
  query(2, 1000)
  t.same(run(300_000), ['265500 =2 =3'])
  for (let group = 0; group < 100; group++) listener.add(group)
  run(310_000)
  query(1, 0)
  t.equal(run(310_000).length, 8, 'one burst')
  t.equal(run(310_200).length, 92)
})

t.test('at the end groups are left in a limited number of reports', async (t) => {
  const { listener, messages, run, query } = stage()
  for (let group = 0; group < 5000; group++) listener.add(group)
  run(5000)
  messages.length = 0
  listener.leaveAll(SOURCE)
  t.equal(messages.length, 64)
  t.ok(messages.every((message) => message.kind === 'change' && message.left.length === 61 && message.joined.length === 0))
  query(1, 1000)
  messages.length = 0
  listener.leaveAll(SOURCE)
  t.equal(messages.filter(({ kind }) => kind === 'done').length, 64)
})

t.test('a querier of version 1 that left long ago does not affect the end', async (t) => {
  const { listener, messages, run, query } = stage()
  listener.add(1)
  query(1, 0)
  run(300_000)
  messages.length = 0
  listener.leaveAll(SOURCE)
  t.same(messages.map(({ kind }) => kind), ['change'])
})

t.test('changes are not kept while nothing is reported', async (t) => {
  const { listener, run } = stage()
  listener.isReporting = false
  listener.add(1)
  listener.remove(1)
  listener.add(2)
  t.same(run(5000), [])
  listener.isReporting = true
  listener.reportAll()
  t.same(run(5400), ['5000 +2'])
})

t.test('reportAll reports all groups; cancel drops all waiting reports', async (t) => {
  const { listener, run } = stage()
  listener.add(1)
  listener.add(2)
  run(5000)
  listener.reportAll()
  t.same(run(5100), ['5000 +1 +2'])
  listener.add(3)
  listener.cancel()
  t.same(run(9000), [])
  for (let group = 10; group < 1000; group++) listener.add(group)
  t.equal(run(9000).length, 8)
  listener.cancel()
  t.same(run(19_000), [], 'including the rest of a burst')
})
