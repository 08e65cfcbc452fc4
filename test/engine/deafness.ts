/** Upstreams that pass traffic, but no multicast solicitations. */
import t from 'tap'
import { Deafness } from '../../src/engine/deafness.ts'
import { Links } from '../../src/engine/links.ts'
import type { Instant } from '../../src/engine/types.ts'
import { TimedSink } from './kit/timed-sink.ts'
import { chance, ETH0, ETH1, linkOf } from './kit/stage.ts'

const MINUTE = 60_000

interface Scene {
  readonly sink: TimedSink
  readonly links: Links
  readonly deafness: Deafness
  readonly heard: (at: number) => void
  readonly traffic: (at: number, ifindex?: number) => void
}

function scene(): Scene {
  const sink = new TimedSink()
  const links = new Links(chance(1))
  for (const ifindex of [ETH0, ETH1]) links.set(linkOf(ifindex))
  const deafness = new Deafness(links, sink)
  const at = (when: number): Instant => {
    sink.run(deafness, when)
    return when as Instant
  }
  return { sink, deafness, links, heard: (when) => deafness.heard(ETH0, at(when)),
    traffic: (when, ifindex = ETH0) => deafness.traffic(ifindex, at(when)) }
}

t.test('ten minutes of traffic without a solicitation: said once, and again after one was heard', async (t) => {
  const { sink, deafness, heard, traffic } = scene()
  for (let minute = 0; minute < 30; minute++) traffic(minute * MINUTE)
  t.same(sink.take(), [`${10 * MINUTE} snooped`])
  heard(30 * MINUTE)
  for (let minute = 30; minute < 45; minute++) traffic(minute * MINUTE + 1)
  t.same(sink.take(), [`${40 * MINUTE} snooped`])
  t.equal(deafness.deadline, undefined)
})

t.test('a solicitation now and then: all is well', async (t) => {
  const { sink, heard, traffic } = scene()
  for (let minute = 0; minute < 60; minute++) {
    traffic(minute * MINUTE)
    if (minute % 9 === 0) heard(minute * MINUTE + 1)
  }
  t.same(sink.take(), [])
})

t.test('without traffic nothing is amiss: the next packet begins anew', async (t) => {
  const { sink, deafness, traffic } = scene()
  traffic(0)
  sink.run(deafness, 20 * MINUTE)
  t.equal(deafness.deadline, undefined, 'nothing to wait for')
  traffic(20 * MINUTE)
  traffic(21 * MINUTE)
  sink.run(deafness, 29 * MINUTE)
  t.same(sink.take(), [])
  sink.run(deafness, 30 * MINUTE)
  t.same(sink.take(), [`${30 * MINUTE} snooped`])
})

t.test('each link for itself; one that is gone is forgotten', async (t) => {
  const { sink, deafness, heard, traffic, links } = scene()
  for (let minute = 0; minute < 12; minute++) {
    traffic(minute * MINUTE, ETH1)
    traffic(minute * MINUTE)
    heard(minute * MINUTE)
  }
  t.same(sink.take(), [`${10 * MINUTE} snooped`])
  traffic(12 * MINUTE)
  traffic(13 * MINUTE)
  links.delete(ETH0)
  deafness.gone(ETH0)
  deafness.gone(ETH0)
  t.equal(deafness.deadline, undefined)
  heard(14 * MINUTE)
  sink.run(deafness, 60 * MINUTE)
  t.same(sink.take(), [])
})
