/** Mirrored groups and the queries that keep them (checklist J7a). MRD has a file of its own. */
import t from 'tap'
import { Address } from '../../src/address.ts'
import { Links } from '../../src/engine/links.ts'
import { GROUP_LIMIT, Snooping } from '../../src/engine/snooping.ts'
import type { Instant } from '../../src/engine/types.ts'
import { ip } from './kit/frames.ts'
import { chance, linkOf, own } from './kit/stage.ts'
import { TimedSink } from './kit/timed-sink.ts'

const UP = 2
const IN = 3
const OTHER = 4
const NONE: ReadonlySet<number> = new Set()
const group = (last: number) => new Address(0xff020000, 0, 1, 0xff000000 | last)
const groups = (...last: number[]) => last.map(group)

function stage(mirrors: [number, number[]][] = [[IN, [UP]]]) {
  const links = new Links(chance(1))
  for (const ifindex of [UP, IN, OTHER]) links.set(linkOf(ifindex))
  const sink = new TimedSink()
  const snooping = new Snooping(links, sink.groups, sink, chance(2))
  const at = (): Instant => sink.now as Instant
  return {
    links, sink, snooping,
    configure: (mirrors: [number, number[]][], routers = NONE) => snooping.configure(new Map(mirrors), routers, at()),
    report: (joined: number[], left: number[] = [], ifindex = IN) =>
      snooping.report(ifindex, groups(...joined), groups(...left), at()),
    query: (source: string, ifindex = IN) => snooping.query(ifindex, ip(source), at()),
    run: (until: number) => {
      sink.run(snooping, until)
      return sink.take()
    },
    begin() {
      this.configure(mirrors)
      return this
    },
  }
}
const QUERY = `query ${IN} fe80::ff:${IN}`
/** Without queries, which are another matter. */
const changes = (lines: readonly string[]) => lines.filter((line) => / (add|remove|limit) /.test(line))

t.test('queries: at once, after a quarter, and then each 125 s', async (t) => {
  t.same(stage().begin().run(400_000), [0, 31_250, 156_250, 281_250].map((time) => `${time} ${QUERY}`))
})

t.test('queries wait for a usable link-local address, and begin anew when the link comes back', async (t) => {
  const it = stage()
  it.links.set(linkOf(IN, { addresses: [own('2001:db8::1'), own('fe80::1', 64, true)] }))
  it.begin()
  t.same(it.run(4500), [])
  it.links.set(linkOf(IN))
  t.same(it.run(40_000), [`5000 ${QUERY}`, `36250 ${QUERY}`])
  it.links.set(linkOf(IN, { up: false }))
  t.same(it.run(170_000), [])
  it.links.set(linkOf(IN))
  t.same(it.run(210_000), [`170250 ${QUERY}`, `201500 ${QUERY}`])
})

t.test('J7a a reported group is joined upstream once, and as long as it is reported', async (t) => {
  const it = stage([[IN, [UP, OTHER]]]).begin()
  it.report([1, 2])
  it.report([1])
  t.same(changes(it.run(100_000)), ['0 add 2 1', '0 add 4 1', '0 add 2 2', '0 add 4 2'])
  it.report([2])
  t.same(changes(it.run(259_999)), [])
  t.same(changes(it.run(260_000)), ['260000 remove 2 1', '260000 remove 4 1'])
  t.same(changes(it.run(359_999)), [])
  t.same(changes(it.run(500_000)), ['360000 remove 2 2', '360000 remove 4 2'])
  it.report([1])
  t.same(changes(it.run(500_000)), ['500000 add 2 1', '500000 add 4 1'], 'again')
})

t.test('what is reported on other links is nobody\'s business', async (t) => {
  const it = stage().begin()
  it.report([1], [], UP)
  it.report([], [1], UP)
  it.query('fe80::1', UP)
  t.same(changes(it.run(1000)), [])
})

t.test('a group that a host left: the others are asked, and it goes when none answers', async (t) => {
  const it = stage().begin()
  it.report([1, 2])
  it.run(50_000)
  it.report([], [1, 2, 3])
  t.same(it.run(50_000), [`50000 ${QUERY}`])
  it.run(55_000)
  it.report([2])
  t.same(it.run(175_000), ['61000 remove 2 1', `175000 ${QUERY}`], 'after the time that an answer may take')
  it.run(200_000)
  it.report([3], [3])
  it.report([4], [4, 2])
  t.same(changes(it.run(300_000)), ['200000 add 2 3', '200000 add 2 4', '211000 remove 2 2'], 'joined counts more than left')
})

t.test('many leave: no query while another is being answered, and each group waits for its own', async (t) => {
  const it = stage().begin()
  it.report([1, 2, 3])
  it.run(50_000)
  const lines: string[] = []
  for (let now = 50_000; now < 75_000; now += 100) {
    lines.push(...it.run(now))
    if (now === 50_000) it.report([], [1])
    it.report([], [9])
    if (now === 55_000) it.report([], [1, 2])
    if (now === 56_000) it.report([3], [2, 3])
  }
  t.same(lines, [`50000 ${QUERY}`, `60000 ${QUERY}`, '61000 remove 2 1', '71000 remove 2 2'])
  for (let i = 0; i < 10; i++) it.report([], [3])
  t.same(it.run(76_000), [`74900 ${QUERY}`], 'one for ten')
})

t.test('another querier with a lower address: we are silent, and leave the leaving to time', async (t) => {
  const it = stage().begin()
  it.report([1])
  it.run(50_000)
  it.query('fe80::ff:3')
  it.query('fe80::ff:4')
  t.same(it.run(157_000), [`156250 ${QUERY}`], 'ours is lower, or it is ours')
  it.report([1])
  it.query('fe80::ff:2')
  it.report([], [1])
  t.same(it.run(157_000 + 254_999), [])
  it.query('fe80::ff:2')
  t.same(it.run(157_000 + 260_000), ['417000 remove 2 1'])
  t.same(it.run(157_000 + 254_999 + 255_000), [`${157_000 + 254_999 + 255_000} ${QUERY}`], 'then it is silent, and we are not')
})

t.test('a query without an address of our own decides nothing', async (t) => {
  const it = stage()
  it.links.set(linkOf(IN, { addresses: [] }))
  it.begin()
  it.run(0)
  it.query('fe80::1')
  it.links.set(linkOf(IN))
  t.same(it.run(2000), [`1000 ${QUERY}`])
})

t.test('at most so many groups of one link; told once', async (t) => {
  const it = stage([[IN, [UP]], [OTHER, [UP]]]).begin()
  for (let i = 0; i < GROUP_LIMIT + 10; i++) it.report([i])
  const lines = changes(it.run(0))
  t.equal(lines.filter((line) => line.includes('add')).length, GROUP_LIMIT)
  t.same(lines.slice(GROUP_LIMIT), [`0 limit groups ${GROUP_LIMIT}`])
  it.report([1], [], OTHER)
  t.same(changes(it.run(0)), ['0 add 2 1'], 'another link has room')
  it.report([], [5])
  t.same(changes(it.run(60_000)), ['21000 remove 2 5'])
  it.report([99_999, 99_998])
  t.same(changes(it.run(60_000)), ['60000 add 2 1:869f', `60000 limit groups ${GROUP_LIMIT}`].map((line) =>
    line.replace('1:869f', 'ff02::1:ff01:869f')))
})

t.test('only what differs takes effect', async (t) => {
  const it = stage().begin()
  it.report([1])
  it.run(1000)
  it.configure([[IN, [UP]]])
  t.same(it.run(2000), [], 'no difference')
  it.configure([[IN, [UP, OTHER]]])
  t.same(it.run(3000), ['2000 add 4 1'])
  it.configure([[IN, [OTHER]]])
  t.same(it.run(4000), ['3000 remove 2 1'])
  it.configure([[IN, [OTHER]], [UP, [OTHER]]])
  t.same(it.run(5000), [`4000 query ${UP} fe80::ff:${UP}`])
  it.configure([[UP, [OTHER]]])
  t.same(it.run(6000), ['5000 remove 4 1'])
  it.configure([])
  t.same(it.run(500_000), [])
  t.equal(it.snooping.deadline, undefined)
  it.configure([[IN, [UP]]])
  t.same(it.run(500_000), [`500000 ${QUERY}`], 'from the beginning')
})

t.test('links that are gone, inside or upstream', async (t) => {
  const it = stage([[IN, [UP, OTHER]], [OTHER, [UP]]]).begin()
  it.report([1])
  it.report([2], [], OTHER)
  it.run(1000)
  it.snooping.gone(OTHER)
  t.same(it.run(1000), ['1000 remove 2 2', '1000 remove 4 1'])
  it.report([3], [], OTHER)
  it.snooping.gone(IN)
  it.snooping.gone(9)
  t.equal(it.snooping.deadline, undefined)
  t.same(it.run(500_000), ['1000 remove 2 1'])
})

t.test('router advertisements go their own way', async (t) => {
  const it = stage([])
  it.configure([], new Set([UP]))
  t.ok(it.snooping.deadline !== undefined && it.snooping.deadline < 2000)
  t.equal(it.run(10_000).length, 3)
  it.snooping.solicited(UP, 10_000 as Instant)
  t.match(it.run(11_000), [/router-advertisement 2/])
  it.snooping.stop()
  t.same(it.sink.take(), ['11000 router-termination 2 fe80::ff:2'])
  it.configure([], new Set([UP]))
  it.snooping.gone(UP)
  t.equal(it.snooping.deadline, undefined)
})
