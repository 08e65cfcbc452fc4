/** Multicast Router Advertisements and their times (RFC 4286). */
import t from 'tap'
import { MulticastRouterDiscovery } from '../../../src/engine/listening/multicast-router-discovery.ts'
import { Links } from '../../../src/engine/links/links.ts'
import type { Instant, Random } from '../../../src/engine-types.ts'
import { chance, linkOf, own, TimedRecorder } from '../kit/stage.ts'

const A = 2
const B = 3

function stage(random: Random = chance(1)) {
  const links = new Links(random)
  links.set(linkOf(A))
  links.set(linkOf(B))
  const recorder = new TimedRecorder()
  const discovery = new MulticastRouterDiscovery({ links, effects: recorder.effects, random })
  return { links, recorder, discovery, run: (until: number) => recorder.run(discovery, until) }
}
const at = (now: number) => now as Instant
const times = (lines: readonly string[]) => lines.map((line) => Number.parseFloat(line))

t.test('three advertisements at the start within 2 s each, then one every 20 s with jitter', async (t) => {
  const spread = { first: [Infinity, 0], initial: [Infinity, 0], interval: [Infinity, 0] }
  const widen = (range: number[], value: number) => {
    range[0] = Math.min(range[0], value)
    range[1] = Math.max(range[1], value)
  }
  for (let seed = 1; seed <= 200; seed++) {
    const { recorder, discovery, run } = stage(chance(seed))
    discovery.configure(new Set([A]), at(0))
    run(100_000)
    const lines = recorder.take()
    for (const line of lines) t.match(line, / eth0 router-advertisement from fe80::ff:2 every 20 s$/)
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

t.test('a solicitation is answered within a second, many with one answer, at most ten answers per second', async (t) => {
  const { recorder, discovery, run } = stage()
  discovery.configure(new Set([A]), at(0))
  discovery.solicited(B, at(0))
  run(30_000)
  recorder.take()
  for (let i = 0; i < 50; i++) discovery.solicited(A, at(30_000))
  run(31_000)
  t.equal(recorder.take().length, 1)
  const hasty = stage(() => 0)
  hasty.discovery.configure(new Set([A]), at(0))
  hasty.run(10_000)
  hasty.recorder.take()
  for (let now = 10_000; now < 15_000; now += 10) {
    hasty.run(now)
    hasty.discovery.solicited(A, at(now))
  }
  hasty.run(15_000)
  const sent = times(hasty.recorder.take())
  t.equal(sent.length, 51)
  t.ok(sent.every((time, i) => i === 0 || time - sent[i - 1] >= 100))
})

t.test('a solicitation does not delay an advertisement that is due earlier', async (t) => {
  const late = stage(() => 0.9)
  late.discovery.configure(new Set([A]), at(0))
  late.discovery.solicited(A, at(1500))
  late.run(2000)
  t.same(times(late.recorder.take()), [1800])
})

t.test('terminations at the end, on links with advertisements', async (t) => {
  const { recorder, discovery, run, links } = stage()
  discovery.configure(new Set([A]), at(0))
  run(5000)
  recorder.take()
  discovery.configure(new Set([A, B]), at(5000))
  discovery.stop()
  t.same(recorder.take(), ['5000 multicast eth0 router-termination from fe80::ff:2'])
  t.equal(discovery.deadline, undefined)
  discovery.stop()
  t.same(recorder.take(), [])
  discovery.configure(new Set([A, B]), at(5000))
  run(10_000)
  links.set(linkOf(B, { up: false }))
  recorder.take()
  discovery.stop()
  t.same(recorder.take(), ['10000 multicast eth0 router-termination from fe80::ff:2'])
})

t.test('a link that is removed from the set gets a termination; a link that is gone is forgotten', async (t) => {
  const { recorder, discovery, run } = stage()
  discovery.configure(new Set([A, B]), at(0))
  run(5000)
  recorder.take()
  discovery.configure(new Set([A, B]), at(5000))
  t.same(recorder.take(), [], 'no change')
  discovery.configure(new Set([A]), at(5000))
  t.same(recorder.take(), ['5000 multicast eth1 router-termination from fe80::ff:3'])
  discovery.gone(A)
  t.equal(discovery.deadline, undefined)
  discovery.gone(A)
  run(60_000)
  t.same(recorder.take(), [])
})

t.test('a link without an address is tried each second, and then starts from the beginning', async (t) => {
  const { recorder, discovery, run, links } = stage(() => 0.5)
  links.set(linkOf(A, { addresses: [own('2001:db8::2')] }))
  discovery.configure(new Set([A]), at(0))
  run(5500)
  t.same(recorder.take(), [])
  links.set(linkOf(A))
  run(8500)
  t.same(times(recorder.take()), [6000, 7000, 8000])
  links.set(linkOf(A, { up: false }))
  run(50_000)
  links.set(linkOf(A))
  run(53_500)
  t.same(times(recorder.take()), [51_000, 52_000, 53_000])
})
