/** Rate limits of probes. */
import t from 'tap'
import fc from 'fast-check'
import type { Settings } from '../../../src/config/config.ts'
import { DEFAULTS } from '../../../src/config/defaults.ts'
import { ALIVE_WINDOW, ProbeBudget, type Lane, WINDOW } from '../../../src/engine/budget/probe-budget.ts'
import { QUEUE_LIMIT, type Queued } from '../../../src/engine/budget/probe-queue.ts'
import type { Instant } from '../../../src/engine-types.ts'
import type { Event } from '../../../src/events.ts'
import { chance, ETH0, ETH1, ETH2, ip, mac, nthMac, ROUTER, VM2 } from '../kit/stage.ts'

const RATE = 500
const FULL = RATE * WINDOW / 1000
const [A, B] = [mac(ROUTER), mac(VM2)]
const SETTINGS: Settings = { ...DEFAULTS, probeLimit: RATE }

function at(ms: number): Instant { return ms as Instant }
function budgetOf(events: Event[] = []): ProbeBudget<Queued> { return new ProbeBudget<Queued>({ events }, chance(1), () => {}) }

/** Reserves until it is refused. @returns how often it was not */
function drain(budget: ProbeBudget<Queued>, lane: Lane, from: number, mac: number, now: number, links: readonly number[] = [ETH1], settings = SETTINGS): number {
  let count = 0
  while (budget.reserve(lane, settings, links, from, mac, at(now))) count++
  return count
}

t.test('one sender alone: a burst, then the whole rate', async (t) => {
  const budget = budgetOf()
  const burst = drain(budget, 'unknown', ETH0, A, 0)
  t.ok(burst >= 1000 && burst < 0.75 * FULL, `${burst} at once`)
  let more = 0
  for (let ms = 1; ms <= 4000; ms++) more += drain(budget, 'unknown', ETH0, A, ms)
  t.ok(Math.abs(more - 4 * RATE) <= 1, `${more} in 4 s`)
})

t.test('a greedy sender leaves budget for another, at once and for as long as both send', async (t) => {
  const budget = budgetOf()
  for (let ms = 0; ms < 5000; ms++) drain(budget, 'unknown', ETH0, A, ms)
  const burst = drain(budget, 'unknown', ETH0, B, 5000)
  t.ok(burst >= 200, `${burst} at once`)
  let [first, second] = [0, 0]
  for (let ms = 5001; ms <= 15_000; ms++) {
    // The greedy sender is always first.
    first += drain(budget, 'unknown', ETH0, A, ms)
    if (ms % 5 === 0 && budget.reserve('unknown', SETTINGS, [ETH1], ETH0, B, at(ms))) second++
  }
  t.ok(second >= 1990, `${second} of 2000 probes of the other`)
  t.ok(first > 10 * RATE - second - RATE, `${first} are left for the first`)
})

t.test('random lladdrs on one link leave budget for senders on another', async (t) => {
  const budget = budgetOf()
  for (let ms = 0; ms < 3000; ms++) for (let n = 0; n < 20; n++) drain(budget, 'unknown', ETH2, mac(nthMac(20 * ms + n)), ms)
  t.ok(drain(budget, 'unknown', ETH0, A, 3000) >= 100)
})

t.test('former owners go before unknown targets, and hosts that showed themselves have a budget of their own', async (t) => {
  const budget = budgetOf()
  for (let n = 0; n < 100; n++) drain(budget, 'unknown', ETH0, mac(nthMac(n)), 0)
  t.notOk(budget.reserve('unknown', SETTINGS, [ETH1], ETH0, B, at(0)))
  const alive = drain(budget, 'alive', ETH1, A, 0)
  t.ok(alive > 4 * RATE * ALIVE_WINDOW / 1000 / 2, `${alive} that showed themselves`)
  t.ok(drain(budget, 'seen', ETH0, A, 0) >= FULL / 4)
  const address = ip('2001:db8::77')
  t.notOk(budget.hadOwner(address.w0, address.w1, address.w2, address.w3))
  budget.remember(address)
  t.ok(budget.hadOwner(address.w0, address.w1, address.w2, address.w3))
})

t.test('each block and each link has a budget of its own, a link as much as the block that allows most', async (t) => {
  const budget = budgetOf()
  const small = { ...SETTINGS, probeLimit: 8 }
  t.ok(drain(budget, 'unknown', ETH0, A, 0) >= 1000)
  const few = drain(budget, 'unknown', ETH0, A, 8000, [ETH1], small)
  t.ok(few >= 16 && few <= 24, `${few}`)
  t.ok(drain(budget, 'unknown', ETH0, A, 8000) >= 1000 - 24, 'the other block loses no more')
  t.ok(drain(budget, 'unknown', ETH0, B, 8000, [ETH2], { ...SETTINGS }) >= 1000, 'and another link nothing')
  const many = Array.from({ length: 200 }, (_, n) => 100 + n)
  const rounds = drain(budget, 'unknown', ETH0, B, 16_000, many, { ...SETTINGS })
  t.ok(rounds > 120 && 200 * rounds <= 32 * FULL, `${rounds} rounds on 200 links`)
})

t.test('a retransmission leaves the last part to first probes, and goes where the budget allows it', async (t) => {
  const budget = budgetOf()
  const small = { ...SETTINGS, probeLimit: 8 }
  for (let n = 0; n < 100; n++) drain(budget, 'unknown', ETH0, mac(nthMac(n)), 0)
  t.same(budget.repeat('unknown', SETTINGS, [ETH1], ETH0, A, at(0)), [], 'the block has none')
  t.same(budget.repeat('unknown', small, [ETH1, ETH2], ETH0, A, at(0)), [ETH2], 'the link has none')
  t.same(budget.repeat('alive', SETTINGS, [ETH1, ETH2], ETH0, A, at(0)), [ETH1, ETH2])
})

t.test('a full queue refuses all but former owners, with an event', async (t) => {
  const events: Event[] = []
  const budget = budgetOf(events)
  for (let n = 0; n < QUEUE_LIMIT + 32; n++) for (const lane of ['unknown', 'alive'] as const) budget.queue.add(lane, { isQueued: false }, at(0))
  t.notOk(budget.reserve('unknown', SETTINGS, [ETH1], ETH0, A, at(0)))
  t.notOk(budget.reserve('alive', SETTINGS, [ETH1], ETH0, A, at(0)))
  t.strictSame(events, Array(2).fill({ kind: 'limit', limit: 'queue', size: QUEUE_LIMIT }))
  t.ok(budget.reserve('seen', SETTINGS, [ETH1], ETH0, A, at(0)))
})

t.test('one event in ten seconds, with the number of refusals', async (t) => {
  const events: Event[] = []
  const budget = budgetOf(events)
  drain(budget, 'unknown', ETH0, A, 0)
  for (let n = 0; n < 1000; n++) budget.reserve('unknown', SETTINGS, [ETH1], ETH0, A, at(0))
  t.strictSame(events, [{ kind: 'limit', limit: 'probes', size: RATE, refused: 1, mac: A }])
  drain(budget, 'unknown', ETH0, A, 10_000)
  t.match(events[1], { refused: 1001 })
  t.equal(events.length, 2)
})

t.test('when a scan pauses, an event counts the remaining refusals', async (t) => {
  const events: Event[] = []
  const budget = budgetOf(events)
  drain(budget, 'unknown', ETH0, A, 0)
  t.equal(budget.deadline, undefined, 'the only refusal is reported')
  let refused = 0
  for (let ms = 1; ms <= 5000; ms++) {
    if (budget.deadline! <= ms) budget.wake(at(ms))
    for (let n = 0; n < 5; n++) if (!budget.reserve('unknown', SETTINGS, [ETH1], ETH0, A, at(ms))) refused++
  }
  t.equal(events.length, 1, 'no event while the scan goes on')
  const deadlines: Instant[] = []
  for (let { deadline } = budget; deadline !== undefined; { deadline } = budget) budget.wake(deadlines[deadlines.push(deadline) - 1])
  t.strictSame(events.slice(1), [{ kind: 'limit', limit: 'probes', size: RATE, refused, mac: A }])
  t.equal(deadlines.at(-1), 8000, 'after three seconds without a refusal')
})

t.test('refusals on account of several hosts are attributed to none, and a link that is gone keeps its count', async (t) => {
  const events: Event[] = []
  const budget = budgetOf(events)
  const blocks = [{ ...SETTINGS }, { ...SETTINGS }, { ...SETTINGS }]
  for (const block of blocks) drain(budget, 'unknown', ETH0, A, 0, [ETH1], block)
  for (const mac of [B, A]) drain(budget, 'unknown', ETH0, mac, 0, [ETH1], blocks[2])
  budget.gone(ETH1)
  budget.wake(at(9000))
  t.match(events, [{ refused: 1, mac: A }, { ifindex: ETH1, refused: 1, mac: A }, { ifindex: ETH1, refused: 3 }])
  t.notOk('mac' in events[2])
})

t.test('any senders in any order: no more than the budget in any time', async () => {
  const step = fc.record({ ms: fc.constantFrom(0, 0, 0, 1, 7, 300, 5000), lane: fc.constantFrom<Lane>('seen', 'unknown', 'alive'),
    mac: fc.nat(3), from: fc.constantFrom(ETH0, ETH2), times: fc.constantFrom(1, 10, 3000), links: fc.subarray([ETH1, 7, 8]) })
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
    const budget = budgetOf()
    /** For each budget: probes, and the least (probes before - budget until then) so far. */
    const sent = new Map<string, { count: number; least: number }>()
    let now = 0
    for (const { ms, lane, mac, from, times, links } of steps) {
      now += ms
      const [rate, window] = lane === 'alive' ? [4 * RATE, ALIVE_WINDOW] : [RATE, WINDOW]
      for (let n = 0; n < times && links.length > 0 && budget.reserve(lane, SETTINGS, links, from, mac, at(now)); n++) {
        for (const link of links) {
          const key = `${rate} ${link}`
          const { count, least } = sent.get(key) ?? { count: 0, least: 0 }
          const early = Math.min(least, count - rate * now / 1000)
          sent.set(key, { count: count + 1, least: early })
          if (count - rate * now / 1000 - early > rate * window / 1000) return false
        }
      }
    }
    return true
  }), { numRuns: 20 })
})
