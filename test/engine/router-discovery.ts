/** Multicast Router Advertisements in time (checklist J8 to J14). */
import t from 'tap'
import { Links } from '../../src/engine/links.ts'
import { linkLocal, RouterDiscovery } from '../../src/engine/router-discovery.ts'
import type { Instant, LinkAddress, Random } from '../../src/engine/types.ts'
import { chance, linkOf, own } from './kit/stage.ts'
import { TimedSink } from './kit/timed-sink.ts'

const A = 2
const B = 3

function discovery(random: Random = chance(1)) {
  const links = new Links(random)
  links.set(linkOf(A))
  links.set(linkOf(B))
  const sink = new TimedSink()
  const discovery = new RouterDiscovery(links, sink, random)
  return { links, sink, discovery, run: (until: number) => sink.run(discovery, until) }
}
const at = (now: number) => now as Instant
const times = (lines: readonly string[]) => lines.map((line) => Number.parseFloat(line))

t.test('J8, J9, J10: three at the start within 2 s each, then every 20 s with jitter', async (t) => {
  const spread = { first: [Infinity, 0], initial: [Infinity, 0], interval: [Infinity, 0] }
  const widen = (range: number[], value: number) => {
    range[0] = Math.min(range[0], value)
    range[1] = Math.max(range[1], value)
  }
  for (let seed = 1; seed <= 200; seed++) {
    const { sink, discovery: it, run } = discovery(chance(seed))
    it.configure(new Set([A]), at(0))
    run(100_000)
    const lines = sink.take()
    for (const line of lines) t.match(line, / router-advertisement 2 fe80::ff:2 20$/)
    const sent = times(lines)
    widen(spread.first, sent[0])
    for (let i = 1; i < sent.length; i++) widen(i < 3 ? spread.initial : spread.interval, sent[i] - sent[i - 1])
  }
  const within = ([low, high]: number[], least: number, most: number) => low >= least && high <= most
    && low - least < 0.1 * (most - least) && most - high < 0.1 * (most - least)
  t.ok(within(spread.first, 0, 2000), `first: ${spread.first}`)
  t.ok(within(spread.initial, 100, 2000), `initial: ${spread.initial}`)
  t.ok(within(spread.interval, 19_500, 20_500), `interval: ${spread.interval}`)
})

t.test('J14: a solicitation is answered within a second, many by one, at most ten in a second', async (t) => {
  const { sink, discovery: it, run } = discovery()
  it.configure(new Set([A]), at(0))
  it.solicited(B, at(0))
  run(30_000)
  sink.take()
  for (let i = 0; i < 50; i++) it.solicited(A, at(30_000))
  run(31_000)
  t.equal(sink.take().length, 1)
  const hasty = discovery(() => 0)
  hasty.discovery.configure(new Set([A]), at(0))
  hasty.run(10_000)
  hasty.sink.take()
  for (let now = 10_000; now < 15_000; now += 10) {
    hasty.run(now)
    hasty.discovery.solicited(A, at(now))
  }
  hasty.run(15_000)
  const sent = times(hasty.sink.take())
  t.equal(sent.length, 51)
  t.ok(sent.every((time, i) => i === 0 || time - sent[i - 1] >= 100))
})

t.test('a solicitation does not put off what would come earlier', async (t) => {
  const late = discovery(() => 0.9)
  late.discovery.configure(new Set([A]), at(0))
  late.discovery.solicited(A, at(1500))
  late.run(2000)
  t.same(times(late.sink.take()), [1800])
})

t.test('J13: terminations at the end, where anything was advertised', async (t) => {
  const { sink, discovery: it, run, links } = discovery()
  it.configure(new Set([A]), at(0))
  run(5000)
  sink.take()
  it.configure(new Set([A, B]), at(5000))
  it.stop()
  t.same(sink.take(), ['5000 router-termination 2 fe80::ff:2'])
  t.equal(it.deadline, undefined)
  it.stop()
  t.same(sink.take(), [])
  it.configure(new Set([A, B]), at(5000))
  run(10_000)
  links.set(linkOf(B, { up: false }))
  sink.take()
  it.stop()
  t.same(sink.take(), ['10000 router-termination 2 fe80::ff:2'])
})

t.test('a link that is no router\'s any more is told so; a link that is gone is forgotten', async (t) => {
  const { sink, discovery: it, run } = discovery()
  it.configure(new Set([A, B]), at(0))
  run(5000)
  sink.take()
  it.configure(new Set([A, B]), at(5000))
  t.same(sink.take(), [], 'no difference')
  it.configure(new Set([A]), at(5000))
  t.same(sink.take(), ['5000 router-termination 3 fe80::ff:3'])
  it.gone(A)
  it.gone(A)
  run(60_000)
  t.same(sink.take(), [])
})

t.test('without an address it waits, looks each second, and starts anew', async (t) => {
  const { sink, discovery: it, run, links } = discovery(() => 0.5)
  links.set(linkOf(A, { addresses: [own('2001:db8::2')] }))
  it.configure(new Set([A]), at(0))
  run(5500)
  t.same(sink.take(), [])
  links.set(linkOf(A))
  run(8500)
  t.same(times(sink.take()), [6000, 7000, 8000])
  links.set(linkOf(A, { up: false }))
  run(50_000)
  links.set(linkOf(A))
  run(53_500)
  t.same(times(sink.take()), [51_000, 52_000, 53_000])
})

t.test('messages come from a usable link-local address only', async (t) => {
  const links = new Links(chance(1))
  const source = (up: boolean, ...addresses: LinkAddress[]) => {
    links.set(linkOf(A, { up, addresses }))
    return linkLocal(links, A)?.toString()
  }
  t.equal(source(true, own('2001:db8::1'), own('fe80::1')), 'fe80::1')
  t.equal(source(true, own('2001:db8::1')), undefined, 'no other kind')
  t.equal(source(true, own('fe80::1', 64, true)), undefined, 'tentative')
  t.equal(source(false, own('fe80::1')), undefined, 'down')
  t.equal(linkLocal(links, 9), undefined, 'no such link')
})
