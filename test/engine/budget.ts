/** How many probes may leave, and for whom (checklist M2 to M6): numbers first, then what the engine makes of them. */
import t from 'tap'
import fc from 'fast-check'
import { formatMac } from '../../src/address.ts'
import { ALIVE_WINDOW, Budget, VERIFY_BURST, VERIFY_RATE, WINDOW } from '../../src/engine/budget.ts'
import type { Settings } from '../../src/config/config.ts'
import { DEFAULTS } from '../../src/config/config.ts'
import type { Instant, Lane } from '../../src/engine/types.ts'
import { ip, mac, na } from './kit/frames.ts'
import { chance, ETH0, ETH1, ETH2, linkOf, own, Recorder, ROUTER, Stage, SUBNET, twoLinks, VM2, VM3 } from './kit/stage.ts'

const RATE = 500
const FULL = RATE * WINDOW / 1000
const [A, B] = [mac(ROUTER), mac(VM2)]
const SETTINGS: Settings = { ...DEFAULTS, probeLimit: RATE }

function at(ms: number): Instant { return ms as Instant }

/** Asks as often as it may at once. @returns how often that was */
function drain(budget: Budget, lane: Lane, from: number, who: number, now: number, links: readonly number[] = [ETH1], settings = SETTINGS): number {
  let count = 0
  for (; budget.allows(lane, settings, links, from, who, at(now)); count++) budget.charge(lane, settings, links, from, who, at(now))
  return count
}

t.test('one asker alone: a burst, then the whole rate (M5)', async (t) => {
  const budget = new Budget(new Recorder(), chance(1))
  const burst = drain(budget, 'unknown', ETH0, A, 0)
  t.ok(burst >= 1000 && burst < 0.75 * FULL, `${burst} at once`)
  let more = 0
  for (let ms = 1; ms <= 4000; ms++) more += drain(budget, 'unknown', ETH0, A, ms)
  t.ok(Math.abs(more - 4 * RATE) <= 1, `${more} in 4 s`)
})

t.test('one asker that takes all it gets leaves room for another, at once and for as long as both ask (M5)', async (t) => {
  const budget = new Budget(new Recorder(), chance(1))
  for (let ms = 0; ms < 5000; ms++) drain(budget, 'unknown', ETH0, A, ms)
  const burst = drain(budget, 'unknown', ETH0, B, 5000)
  t.ok(burst >= 200, `${burst} at once`)
  let [first, second] = [0, 0]
  for (let ms = 5001; ms <= 15_000; ms++) {
    // The greedy one is always there before.
    first += drain(budget, 'unknown', ETH0, A, ms)
    if (ms % 5 === 0 && budget.allows('unknown', SETTINGS, [ETH1], ETH0, B, at(ms))) {
      budget.charge('unknown', SETTINGS, [ETH1], ETH0, B, at(ms))
      second++
    }
  }
  t.ok(second >= 1990, `${second} of 2000 questions of the other`)
  t.ok(first > 10 * RATE - second - RATE, `${first} are left for it`)
})

t.test('random lladdrs on one link leave room for those who ask on another', async (t) => {
  const budget = new Budget(new Recorder(), chance(1))
  for (let ms = 0; ms < 3000; ms++) for (let n = 0; n < 20; n++) drain(budget, 'unknown', ETH2, mac(macOf(20 * ms + n)), ms)
  t.ok(drain(budget, 'unknown', ETH0, A, 3000) >= 100)
})

t.test('seen before goes before never seen, and who showed itself has a budget of its own (M4)', async (t) => {
  const budget = new Budget(new Recorder(), chance(1))
  for (let n = 0; n < 100; n++) drain(budget, 'unknown', ETH0, mac(macOf(n)), 0)
  t.notOk(budget.allows('unknown', SETTINGS, [ETH1], ETH0, B, at(0)))
  const alive = drain(budget, 'alive', ETH1, A, 0)
  t.ok(alive > 4 * RATE * ALIVE_WINDOW / 1000 / 2, `${alive} that showed themselves`)
  t.ok(drain(budget, 'seen', ETH0, A, 0) >= FULL / 4)
  const address = ip('2001:db8::77')
  t.equal(budget.lane(undefined, address.w0, address.w1, address.w2, address.w3), 'unknown')
  budget.remember(address)
  t.equal(budget.lane(undefined, address.w0, address.w1, address.w2, address.w3), 'seen')
})

t.test('each block, and each link, has its own; a link as much as the block that allows most (M3)', async (t) => {
  const budget = new Budget(new Recorder(), chance(1))
  const small = { ...SETTINGS, probeLimit: 8 }
  t.ok(drain(budget, 'unknown', ETH0, A, 0) >= 1000)
  const few = drain(budget, 'unknown', ETH0, A, 8000, [ETH1], small)
  t.ok(few >= 16 && few <= 24, `${few}`)
  t.ok(drain(budget, 'unknown', ETH0, A, 8000) >= 1000 - 24, 'which the other block hardly notices')
  t.ok(drain(budget, 'unknown', ETH0, B, 8000, [ETH2], { ...SETTINGS }) >= 1000, 'and another link not at all')
  const many = Array.from({ length: 200 }, (_, n) => 100 + n)
  const rounds = drain(budget, 'unknown', ETH0, B, 16_000, many, { ...SETTINGS })
  t.ok(rounds > 30 && 200 * rounds <= 8 * FULL, `${rounds} questions on 200 links`)
})

t.test('verifications are never refused, but spread', async (t) => {
  const budget = new Budget(new Recorder(), chance(1))
  drain(budget, 'unknown', ETH0, A, 0)
  const times = Array.from({ length: 4096 }, () => budget.verify(ETH1, at(0)))
  t.equal(times.filter((when) => when === 0).length, VERIFY_BURST)
  t.equal(times.at(-1), 1000 * (4096 - VERIFY_BURST) / VERIFY_RATE)
  t.equal(budget.verify(ETH2, at(0)), 0, 'on another link at once')
})

t.test('said once in ten seconds, with how many were refused', async (t) => {
  const events: unknown[] = []
  const budget = new Budget({ event: (event) => events.push(event) }, chance(1))
  drain(budget, 'unknown', ETH0, A, 0)
  for (let n = 0; n < 1000; n++) budget.allows('unknown', SETTINGS, [ETH1], ETH0, A, at(0))
  t.strictSame(events, [{ kind: 'limit', limit: 'probes', size: RATE, refused: 1, mac: A }])
  drain(budget, 'unknown', ETH0, A, 10_000)
  t.match(events[1], { refused: 1001 })
  t.equal(events.length, 2)
})

t.test('whoever asks however: no more than the budget in any time (M2, M6)', async () => {
  const step = fc.record({ ms: fc.constantFrom(0, 0, 0, 1, 7, 300, 5000), lane: fc.constantFrom<Lane>('seen', 'unknown', 'alive'),
    who: fc.nat(3), from: fc.constantFrom(ETH0, ETH2), times: fc.constantFrom(1, 10, 3000), links: fc.subarray([ETH1, 7, 8]) })
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
    const budget = new Budget(new Recorder(), chance(1))
    const sent = new Map<string, number[]>()
    let now = 0
    for (const { ms, lane, who, from, times, links } of steps) {
      now += ms
      for (let n = 0; n < times && budget.allows(lane, SETTINGS, links, from, who, at(now)); n++) {
        budget.charge(lane, SETTINGS, links, from, who, at(now))
        for (const link of links) {
          const key = `${lane === 'alive'} ${link}`
          sent.set(key, [...sent.get(key) ?? [], now])
        }
        if (links.length === 0) break
      }
    }
    return [...sent].every(([key, times]) => {
      const rate = key.startsWith('true') ? 4 * RATE : RATE
      return times.every((start, first) => times.every((end, last) => last < first
        || last - first + 1 <= rate * ((rate === RATE ? WINDOW : ALIVE_WINDOW) + end - start) / 1000 + 1))
    })
  }), { numRuns: 20 })
})

/** A host of its own for each number. */
function macOf(n: number): string { return formatMac(mac('06:00:00:00:00:00') + n as ReturnType<typeof mac>) }

function nth(n: number): string { return `2001:db8::1:${n.toString(16)}` }

/** Solicitations on eth1 for targets of a scan. */
function scanned(lines: readonly string[]): number { return lines.filter((line) => line.startsWith('solicit eth1 2001:db8::1:')).length }

t.test('a scan: probes within the budget, nothing left of what is refused, and a few words (M1, M2, M8)', async (t) => {
  const stage = new Stage(SUBNET)
  stage.learn('2001:db8::2', VM2)
  let [probes, refused, words, known] = [0, 0, 0, 0]
  const SECONDS = 12
  for (let n = 0; n < SECONDS * 1000; n++) {
    for (let k = 0; k < 5; k++) if (stage.ns(ETH0, nth(5 * n + k)) === 'limit') refused++
    if (n % 10 === 0 && stage.ns(ETH0, '2001:db8::2') === 'answered') known++
    stage.wait(1)
    const lines = stage.sink.take()
    for (const line of lines) if (line.startsWith('confirm')) stage.na(ETH1, '2001:db8::2', VM2)
    probes += scanned(lines)
    words += lines.filter((line) => line.startsWith('limit')).length
  }
  t.equal(known, SECONDS * 100, 'who is known is always answered')
  t.ok(probes <= FULL + SECONDS * RATE && probes > SECONDS * RATE, `${probes} probes`)
  t.ok(refused > 0.9 * SECONDS * 5000, `${refused} refused`)
  t.ok(words <= 3 * 2, `${words} words`)
  t.ok(Object.keys(stage.known).length < SECONDS * RATE, `${Object.keys(stage.known).length} entries`)
})

t.test('during a scan a VM that was known, and one that shows itself, are found at once (M4)', async (t) => {
  const stage = new Stage(SUBNET)
  stage.learn('2001:db8::2', VM2)
  stage.wait(70_000)
  t.notOk('2001:db8::2' in stage.known, 'silent for long: forgotten')
  for (let n = 0; n < 5000; n++) stage.ns(ETH0, nth(n))
  stage.sink.take()
  t.equal(stage.ns(ETH0, '2001:db8::2'), 'probing')
  t.same(stage.sink.take('solicit'), ['solicit eth1 2001:db8::2'])
  stage.ns(ETH1, '2001:db8::1', { source: '2001:db8::3', from: VM3 })
  t.same(stage.sink.take('solicit').sort(), ['solicit eth0 2001:db8::3', 'solicit eth1 2001:db8::3'])
})

t.test('during a scan by one asker another one finds who is there (M5)', async (t) => {
  const stage = new Stage(SUBNET)
  const target = (ms: number): string => `2001:db8::2:${ms.toString(16)}`
  let found = 0
  for (let ms = 0; ms < 5000; ms++) {
    for (let k = 0; k < 5; k++) stage.ns(ETH0, nth(5 * ms + k))
    if (ms % 20 === 0) stage.ns(ETH0, target(ms), { from: VM3, source: 'fe80::3' })
    // By then it had its turn, behind those of the scan that were first.
    if (ms % 20 === 0 && ms >= 300 && stage.na(ETH1, target(ms - 300), macOf(ms)) === 'proof') found++
    stage.wait(1)
  }
  t.equal(found, 235)
})

t.test('owners whose time is over together are verified one after the other, and stay owners', async (t) => {
  const stage = new Stage(SUBNET)
  for (let n = 0; n < 2000; n++) stage.ns(ETH1, '2001:db8::1', { source: nth(n), from: macOf(n) })
  stage.wait(498)
  for (let n = 0; n < 2000; n++) stage.na(ETH1, nth(n), macOf(n))
  stage.sink.take()
  let [most, sent, silent] = [0, 0, 0]
  for (let ms = 0; ms < 30_000; ms++) {
    stage.wait(1)
    const asked = stage.sink.take('confirm').length
    most = Math.max(most, asked)
    sent += asked
    if (sent > 0 && stage.ns(ETH0, nth(1999)) !== 'answered') silent++
    if (sent >= 2000) break
  }
  t.ok(most <= VERIFY_BURST + VERIFY_RATE / 1000, `${most} in a millisecond`)
  t.equal(silent, 0, 'answered for while it waits for its turn')
  t.equal(sent, 2000)
})

t.test('host-limit: whose lladdr it is that a host names does not matter, but whose frames they are', async (t) => {
  const stage = new Stage(SUBNET.replace('host', 'host-limit 2\n host'))
  for (const n of [1, 2, 3]) stage.frame(ETH1, na({ target: nth(n), from: VM3, tlla: VM2 }))
  for (const n of [1, 2, 3]) stage.na(ETH1, nth(n), VM3, { tlla: VM2 })
  t.match(stage.known, { [nth(1)]: 'REACHABLE eth1 routed', [nth(2)]: 'REACHABLE eth1 routed' })
  t.notOk(nth(3) in stage.known, 'VM3 has what it may have')
  stage.learn('2001:db8::2', VM2)
  stage.learn('2001:db8::3', VM2)
  t.match(stage.known, { '2001:db8::2': 'REACHABLE eth1 routed', '2001:db8::3': 'REACHABLE eth1 routed' }, 'VM2 as well')
})

t.test('limit: one of several downstreams leaves a quarter to the others, the only one nothing', async (t) => {
  const links = [...twoLinks(), linkOf(ETH2)]
  const config = SUBNET.replace('eth1', 'eth1 eth2').replace('host', 'limit 8\n host')
  const stage = new Stage(config, links)
  for (let n = 0; n < 8; n++) stage.learn(nth(n), macOf(n))
  const owners = (): number => Object.values(stage.known).filter((what) => what.startsWith('REACHABLE')).length - 1
  t.equal(owners(), 6)
  for (let n = 10; n < 18; n++) stage.learn(nth(n), macOf(n), ETH2)
  t.equal(owners(), 8)
  const alone = new Stage(SUBNET.replace('host', 'limit 8\n host'), [linkOf(ETH0, { addresses: [own('fe80::ff:2')] }), linkOf(ETH1)])
  for (let n = 0; n < 8; n++) alone.learn(nth(n), macOf(n))
  t.equal(Object.values(alone.known).filter((what) => what.startsWith('REACHABLE eth1')).length, 8)
})

t.test('a flood of hosts that show themselves on one link leaves room in the cache for those of others, and is not told packet by packet (M1)', async (t) => {
  const stage = new Stage(SUBNET.replace('eth1', 'eth1 eth2'), [...twoLinks(), linkOf(ETH2)])
  for (let ms = 0; ms < 4000; ms++) {
    for (let k = 0; k < 5; k++) stage.ns(ETH1, '2001:db8::1', { source: nth(5 * ms + k), from: macOf(5 * ms + k) })
    stage.wait(1)
  }
  const words = stage.sink.take('limit')
  t.ok(words.length <= 3 && !words.some((line) => line.startsWith('limit targets')), `${words}`)
  const [{ used, size }] = stage.engine.snapshot(stage.now).limits.filter(({ name }) => name.startsWith('targets asked for'))
  t.ok(used <= size, `${used} of ${size}`)
  stage.ns(ETH2, '2001:db8::1', { source: '2001:db8::9', from: VM3 })
  stage.na(ETH2, '2001:db8::9', VM3)
  t.equal(stage.known['2001:db8::9'], 'REACHABLE eth2 routed')
})
