/** Upstreams that pass traffic, but no multicast solicitations. */
import t from 'tap'
import { SnoopingDetector } from '../../../src/engine/listening/snooping-detector.ts'
import { Links } from '../../../src/engine/links/links.ts'
import type { Instant } from '../../../src/engine-types.ts'
import { chance, ETH0, ETH1, linkOf, TimedRecorder } from '../kit/stage.ts'

const MINUTE = 60_000

function scene() {
  const recorder = new TimedRecorder()
  const links = new Links(chance(1))
  for (const ifindex of [ETH0, ETH1]) links.set(linkOf(ifindex))
  const detector = new SnoopingDetector({ links, effects: recorder.effects })
  const at = (when: number): Instant => {
    recorder.run(detector, when)
    return when as Instant
  }
  return { recorder, detector, links, solicited: (when: number) => detector.solicited(ETH0, at(when)),
    traffic: (when: number, ifindex = ETH0) => detector.traffic(ifindex, at(when)) }
}

t.test('an occasional solicitation prevents the event', async (t) => {
  const { recorder, solicited, traffic } = scene()
  for (let minute = 0; minute < 60; minute++) {
    traffic(minute * MINUTE)
    if (minute % 9 === 0) solicited(minute * MINUTE + 1)
  }
  t.same(recorder.take(), [])
})

t.test('without traffic there is no event: the wait starts with the next packet', async (t) => {
  const { recorder, detector, traffic } = scene()
  traffic(0)
  recorder.run(detector, 20 * MINUTE)
  t.equal(detector.deadline, undefined, 'no wait')
  traffic(20 * MINUTE)
  traffic(21 * MINUTE)
  recorder.run(detector, 29 * MINUTE)
  t.same(recorder.take(), [])
  recorder.run(detector, 30 * MINUTE)
  t.same(recorder.take(), [`${30 * MINUTE} snooped eth0`])
})

t.test('links are independent; a link that is gone is forgotten', async (t) => {
  const { recorder, detector, solicited, traffic, links } = scene()
  for (let minute = 0; minute < 12; minute++) {
    traffic(minute * MINUTE, ETH1)
    traffic(minute * MINUTE)
    solicited(minute * MINUTE)
  }
  t.same(recorder.take(), [`${10 * MINUTE} snooped eth1`])
  traffic(12 * MINUTE)
  traffic(13 * MINUTE)
  links.delete(ETH0)
  detector.gone(ETH0)
  detector.gone(ETH0)
  t.equal(detector.deadline, undefined)
  solicited(14 * MINUTE)
  recorder.run(detector, 60 * MINUTE)
  t.same(recorder.take(), [])
})

t.test('an event is repeated only after a solicitation', async (t) => {
  const { recorder, solicited, traffic } = scene()
  for (let minute = 0; minute < 60; minute++) traffic(minute * MINUTE)
  t.same(recorder.take(), [`${10 * MINUTE} snooped eth0`])
  solicited(60 * MINUTE)
  for (let minute = 61; minute < 90; minute++) traffic(minute * MINUTE)
  t.same(recorder.take(), [`${70 * MINUTE} snooped eth0`])
})
