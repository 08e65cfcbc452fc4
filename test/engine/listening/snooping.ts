/** Mirrored groups, and the queries that keep them. Router advertisements: `multicast-router-discovery.ts`. */
import t from 'tap'
import { Address } from '../../../src/address.ts'
import { GROUP_LIMIT, MIRROR_LIMIT, Snooping } from '../../../src/engine/listening/snooping.ts'
import type { ListenerQuery } from '../../../src/wire/mld-decode.ts'
import { Links } from '../../../src/engine/links/links.ts'
import type { Instant } from '../../../src/engine-types.ts'
import { chance, ip, linkOf, own, TimedRecorder } from '../kit/stage.ts'

const UP = 2
const DOWN = 3
const OTHER = 4
const group = (last: number) => new Address(0xff020000, 0, 1, 0xff000000 | last)
const groups = (...last: number[]) => last.map(group)

function stage(mirrors: [number, number[]][] = [[DOWN, [UP]]]) {
  const links = new Links(chance(1))
  for (const ifindex of [UP, DOWN, OTHER]) links.set(linkOf(ifindex))
  const recorder = new TimedRecorder()
  const snooping = new Snooping({ links, groups: recorder.groups, effects: recorder.effects, random: chance(2) })
  const at = (): Instant => recorder.now as Instant
  return {
    links, recorder, snooping,
    configure: (mirrors: [number, number[]][]) => snooping.configure(new Map(mirrors), at()),
    report: (joined: number[], left: number[] = [], ifindex = DOWN) =>
      snooping.report(ifindex, groups(...joined), groups(...left), at()),
    query: (source: string, ifindex = DOWN, more: Partial<ListenerQuery> = {}) => snooping.query(ifindex,
      { kind: 'query', version: 2, source: ip(source), toAll: true, groups: undefined, delay: 10_000, ...more }, at()),
    run: (until: number) => {
      recorder.run(snooping, until)
      return recorder.take()
    },
    begin() {
      this.configure(mirrors)
      return this
    },
  }
}
const QUERY = `multicast eth1 query from fe80::ff:${DOWN}`
/** Lines without queries. */
const changes = (lines: readonly string[]) => lines.filter((line) => / (add|remove|limit) /.test(line))

t.test('queries are sent at once, after 31.25 s, and then every 125 s', async (t) => {
  t.same(stage().begin().run(400_000), [0, 31_250, 156_250, 281_250].map((time) => `${time} ${QUERY}`))
})

t.test('queries wait for a usable link-local address, and start from the beginning when the link comes back', async (t) => {
  const it = stage()
  it.links.set(linkOf(DOWN, { addresses: [own('2001:db8::1'), own('fe80::1', 64, true)] }))
  it.begin()
  t.same(it.run(4500), [])
  it.links.set(linkOf(DOWN))
  t.same(it.run(40_000), [`5000 ${QUERY}`, `36250 ${QUERY}`])
  it.links.set(linkOf(DOWN, { up: false }))
  t.same(it.run(170_000), [])
  it.links.set(linkOf(DOWN))
  t.same(it.run(210_000), [`170250 ${QUERY}`, `201500 ${QUERY}`])
})

t.test('a reported group is joined upstream once, for as long as it is reported', async (t) => {
  const it = stage([[DOWN, [UP, OTHER]]]).begin()
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

t.test('reports and queries on other links have no effect', async (t) => {
  const it = stage().begin()
  it.report([1], [], UP)
  it.report([], [1], UP)
  it.query('fe80::1', UP)
  t.same(changes(it.run(1000)), [])
})

t.test('after a host left a group, it is removed unless another host reports it in answer to a query', async (t) => {
  const it = stage().begin()
  it.report([1, 2])
  it.run(50_000)
  it.report([], [1, 2, 3])
  t.same(it.run(50_000), [`50000 ${QUERY}`])
  it.run(55_000)
  it.report([2])
  t.same(it.run(175_000), ['61000 remove 2 1', `175000 ${QUERY}`], 'after the longest delay of an answer')
  it.run(200_000)
  it.report([3], [3])
  it.report([4], [4, 2])
  t.same(changes(it.run(300_000)), ['200000 add 2 3', '200000 add 2 4', '211000 remove 2 2'], 'a group both joined and left is kept')
})

t.test('many groups are left: no query while another is being answered, and each group waits for its own query', async (t) => {
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
  t.same(it.run(76_000), [`74900 ${QUERY}`], 'one query for ten leaves')
})

t.test('another querier with a lower address: no queries of ours, and groups expire by timeout only', async (t) => {
  const it = stage().begin()
  it.report([1])
  it.run(50_000)
  it.query('fe80::ff:3')
  it.query('fe80::ff:4')
  it.query('fe80::ff:2', DOWN, { toAll: false })
  it.query('fe80::ff:2', DOWN, { groups: [] })
  t.same(it.run(157_000), [`156250 ${QUERY}`], 'a higher address, our own, and queries that are not general')
  it.report([1])
  it.query('fe80::ff:2')
  it.report([], [1])
  t.same(it.run(157_000 + 254_999), [])
  it.query('fe80::ff:2')
  t.same(it.run(157_000 + 260_000), ['417000 remove 2 1'])
  t.same(it.run(157_000 + 254_999 + 255_000), [`${157_000 + 254_999 + 255_000} ${QUERY}`], 'after its timeout we query again')
})

t.test('another router\'s query has no effect while the link has no address', async (t) => {
  const it = stage()
  it.links.set(linkOf(DOWN, { addresses: [] }))
  it.begin()
  it.run(0)
  it.query('fe80::1')
  it.links.set(linkOf(DOWN))
  t.same(it.run(2000), [`1000 ${QUERY}`])
})

t.test('at most so many groups of one link; one event until a group expires', async (t) => {
  const it = stage([[DOWN, [UP]], [OTHER, [UP]]]).begin()
  for (let i = 0; i < GROUP_LIMIT + 10; i++) it.report([i])
  const lines = changes(it.run(0))
  t.equal(lines.filter((line) => line.includes('add')).length, GROUP_LIMIT)
  t.same(lines.slice(GROUP_LIMIT), [`0 limit groups ${GROUP_LIMIT} on eth1`])
  it.report([1], [], OTHER)
  t.same(changes(it.run(0)), ['0 add 2 1'], 'another link is not affected')
  it.report([], [5])
  t.same(changes(it.run(60_000)), ['21000 remove 2 5'])
  it.report([99_999, 99_998])
  t.same(changes(it.run(60_000)), ['60000 add 2 1:869f', `60000 limit groups ${GROUP_LIMIT} on eth1`].map((line) =>
    line.replace('1:869f', 'ff02::1:ff01:869f')))
})

t.test('at most so many groups in all: the event names the row of status that is full', async (t) => {
  const downstreams = [10, 11, 12, 13]
  const it = stage(downstreams.map((ifindex) => [ifindex, [UP]])).begin()
  const all = Array.from({ length: GROUP_LIMIT }, (_, i) => i)
  for (const ifindex of downstreams) it.report(all, [], ifindex)
  const lines = changes(it.run(0))
  t.same(lines.slice(3.5 * GROUP_LIMIT), [`0 limit groups ${MIRROR_LIMIT}`])
  t.same(it.snooping.limits, [{ name: 'groups reported by hosts', used: 3.5 * GROUP_LIMIT, size: MIRROR_LIMIT },
    { name: 'groups reported by hosts of one link, at most', used: GROUP_LIMIT, size: GROUP_LIMIT }])
})

t.test('only differences take effect', async (t) => {
  const it = stage().begin()
  it.report([1])
  it.run(1000)
  it.configure([[DOWN, [UP]]])
  t.same(it.run(2000), [], 'no change')
  it.configure([[DOWN, [UP, OTHER]]])
  t.same(it.run(3000), ['2000 add 4 1'])
  it.configure([[DOWN, [OTHER]]])
  t.same(it.run(4000), ['3000 remove 2 1'])
  it.configure([[DOWN, [OTHER]], [UP, [OTHER]]])
  t.same(it.run(5000), ['4000 multicast eth0 query from fe80::ff:2'])
  it.configure([[UP, [OTHER]]])
  t.same(it.run(6000), ['5000 remove 4 1'])
  it.configure([])
  t.same(it.run(500_000), [])
  t.equal(it.snooping.deadline, undefined)
  it.configure([[DOWN, [UP]]])
  t.same(it.run(500_000), [`500000 ${QUERY}`], 'from the start')
})

t.test('links that are gone, downstream or upstream', async (t) => {
  const it = stage([[DOWN, [UP, OTHER]], [OTHER, [UP]]]).begin()
  it.report([1])
  it.report([2], [], OTHER)
  it.run(1000)
  it.snooping.gone(OTHER)
  t.same(it.run(1000), ['1000 remove 2 2', '1000 remove 4 1'])
  it.report([3], [], OTHER)
  it.snooping.gone(DOWN)
  it.snooping.gone(9)
  t.equal(it.snooping.deadline, undefined)
  t.same(it.run(500_000), ['1000 remove 2 1'])
})
