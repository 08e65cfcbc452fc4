/** What a link is told, and when (RFC 3810 5.2, 6; RFC 2710 4; checklist J3). */
import t from 'tap'
import { Address } from '../../src/address.ts'
import { Listener } from '../../src/engine/listener.ts'
import type { Instant } from '../../src/engine/types.ts'
import type { MulticastMessage } from '../../src/wire/mld.ts'
import { groupOf } from './kit/stage.ts'

const SOURCE = Address.parse('fe80::1')!

/** A listener and what it says: `TIME +joined -left =state`, or `report`, `done` of version 1. */
function stage(random = 0.5) {
  const listener = new Listener(() => random)
  listener.isHeard = true
  const messages: MulticastMessage[] = []
  let now = 0
  const said: string[] = []
  const send = (message: MulticastMessage): void => {
    messages.push(message)
    const text = (sign: string, groups: Int32Array) => [...groups].sort((a, b) => a - b).map((group) => ` ${sign}${group}`).join('')
    switch (message.kind) {
      case 'change': said.push(`${now}${text('+', message.joined)}${text('-', message.left)}`); break
      case 'state': said.push(`${now}${text('=', message.groups)}`); break
      case 'report': case 'done': said.push(`${now} ${message.kind} ${message.group}`)
    }
  }
  return {
    listener, messages, send,
    run(until: number): string[] {
      for (let turns = 0; listener.next <= until; turns++) {
        if (turns > 100_000) throw new Error('it does not sleep')
        now = Math.max(now, listener.next)
        listener.wake(now as Instant, SOURCE, send)
      }
      now = until
      return said.splice(0)
    },
    ask: (version: 1 | 2, delay: number, ...groups: number[]) =>
      listener.query({ version, delay, groups: groups.length === 0 ? undefined : groups.map(groupOf) }, now as Instant),
  }
}

t.test('a change is told at once, with the others of its time, and once more within a second', async (t) => {
  const { listener, run } = stage()
  listener.add(1)
  listener.add(2)
  listener.add(1)
  t.same(run(100), ['0 +1 +2'])
  listener.remove(2)
  listener.add(3)
  t.same(run(5000), ['100 +3 -2', '500 +1 +3 -2'], 'repeated together, as it is then')
  listener.remove(1)
  t.same(run(9000), [], 'another wants it')
  t.equal(listener.remove(7), false)
  t.equal(listener.size, 2)
})

t.test('joined and left before anything was told: told as it is', async (t) => {
  const { listener, run } = stage()
  listener.add(1)
  listener.remove(1)
  t.same(run(2000), ['0 -1', '500 -1'])
})

t.test('queries are answered in time: all groups, one group, none of ours', async (t) => {
  const { listener, run, ask } = stage()
  ask(2, 1000)
  t.same(run(1000), [], 'nothing to say')
  for (const group of [1, 2, 3]) listener.add(group)
  run(5000)
  ask(2, 10_000)
  t.same(run(20_000), ['10000 =1 =2 =3'])
  ask(2, 1000, 2)
  ask(2, 1000, 9)
  t.same(run(30_000), ['20500 =2'])
  ask(2, 1000, 9)
  t.equal(listener.next, Number.POSITIVE_INFINITY, 'what is not ours is not remembered')
  ask(2, 10_000)
  ask(2, 2000, 3)
  listener.remove(2)
  t.same(run(50_000), ['30000 -2', '30500 -2', '31000 =1 =3'], 'the earliest of their times; what was left meanwhile is no state')
  ask(2, 0, 2)
  t.same(run(60_000), [])
})

t.test('many groups: as many in a report as fit, and not all at once', async (t) => {
  const { listener, messages, run } = stage()
  for (let group = 0; group < 1000; group++) listener.add(group)
  const times = run(400).map((line) => line.split(' ')[0])
  t.same(times, [...Array(8).fill('0'), ...Array(8).fill('10'), '20'])
  const sizes = messages.map((message) => message.kind === 'change' ? message.joined.length : 0)
  t.same(sizes, [...Array(16).fill(61), 24])
  t.equal(new Set(messages.flatMap((message) => message.kind === 'change' ? [...message.joined] : [])).size, 1000)
  t.same(run(499), [])
  t.same(run(2000).length, 17, 'repeated, half a second after the first ones')
})

t.test('a flood of queries is answered no faster, and a burst of changes goes first', async (t) => {
  const { listener, run, ask } = stage()
  for (let group = 0; group < 6000; group++) listener.add(group)
  run(10_000)
  let answers = 0
  for (let at = 0; at < 1000; at += 10) {
    ask(2, 1)
    listener.query({ version: 2, delay: 10_000, groups: undefined }, at as Instant)
    answers += run(10_010 + at).length
  }
  t.ok(answers > 600 && answers <= 808, `${answers} reports in a second`)
  ask(2, 0)
  listener.add(70_000)
  t.match(run(11_020)[0], /\+70000$/)
})

t.test('with a querier of version 1: reports and ends of version 1, for as long as it is there', async (t) => {
  const { listener, run, ask } = stage()
  listener.add(1)
  listener.add(2)
  run(5000)
  ask(1, 1000)
  t.same(run(10_000), ['5500 report 1', '5500 report 2'])
  listener.add(3)
  listener.remove(1)
  t.same(run(20_000).map((line) => line.replace(/^1\d{4} /, '')).sort(), ['done 1', 'done 1', 'report 3', 'report 3'])
  ask(2, 1000)
  t.same(run(264_999), ['20500 report 2', '20500 report 3'], 'it may still be there')
  run(265_000)
  ask(2, 1000)
  t.same(run(300_000), ['265500 =2 =3'])
  for (let group = 0; group < 100; group++) listener.add(group)
  run(310_000)
  ask(1, 0)
  t.equal(run(310_000).length, 8, 'not all at once')
  t.equal(run(310_200).length, 92)
})

t.test('the end: all is left, as far as there is time', async (t) => {
  const { listener, messages, run, send, ask } = stage()
  for (let group = 0; group < 5000; group++) listener.add(group)
  run(5000)
  messages.length = 0
  listener.end(SOURCE, send)
  t.equal(messages.length, 64)
  t.ok(messages.every((message) => message.kind === 'change' && message.left.length === 61 && message.joined.length === 0))
  ask(1, 1000)
  messages.length = 0
  listener.end(SOURCE, send)
  t.equal(messages.filter(({ kind }) => kind === 'done').length, 64)
})

t.test('a querier of version 1 that went long ago changes nothing at the end', async (t) => {
  const { listener, messages, run, send, ask } = stage()
  listener.add(1)
  ask(1, 0)
  run(300_000)
  messages.length = 0
  listener.end(SOURCE, send)
  t.same(messages.map(({ kind }) => kind), ['change'])
})

t.test('where nobody hears, nothing is kept to be told', async (t) => {
  const { listener, run } = stage()
  listener.isHeard = false
  listener.add(1)
  listener.remove(1)
  listener.add(2)
  t.same(run(5000), [])
  listener.isHeard = true
  listener.begin()
  t.same(run(5400), ['5000 +2'])
})

t.test('begun anew: all of it; muted: nothing any more', async (t) => {
  const { listener, run } = stage()
  listener.add(1)
  listener.add(2)
  run(5000)
  listener.begin()
  t.same(run(5100), ['5000 +1 +2'])
  listener.add(3)
  listener.mute()
  t.same(run(9000), [])
  for (let group = 10; group < 1000; group++) listener.add(group)
  t.equal(run(9000).length, 8)
  listener.mute()
  t.same(run(19_000), [], 'nor what is under way')
})
