/** Scans and floods against an engine, within the rate limits of probes (RFC 6583 7.1, 7.2; RFC 3756 4.3.2). */
import t from 'tap'
import type { Event } from '../../../src/events.ts'
import { ETH0, ETH1, ETH2, linkOf, many, na, nthMac, own, ROUTER, Stage, SUBNET, twoLinks, VM2, VM3 } from '../kit/stage.ts'

/** The default of `probe-limit`: probes per second, four seconds of which are saved up. */
const RATE = 500

/** @returns the number of solicitations on eth1 for targets of a scan */
function scanned(lines: readonly string[]): number { return lines.filter((line) => line.startsWith('solicit eth1 2001:db8::1:')).length }

t.test('a scan: probes within the budget, no entries of refused targets, and few events', async (t) => {
  const stage = new Stage(SUBNET)
  stage.learn('2001:db8::2', VM2)
  let [probes, refused, events, known] = [0, 0, 0, 0]
  const SECONDS = 12
  for (let n = 0; n < SECONDS * 1000; n++) {
    for (let k = 0; k < 5; k++) if (stage.ns(ETH0, many(5 * n + k)) === 'limit') refused++
    if (n % 10 === 0 && stage.ns(ETH0, '2001:db8::2') === 'answered') known++
    stage.wait(1)
    const lines = stage.sink.take()
    for (const line of lines) if (line.startsWith('confirm')) stage.na(ETH1, '2001:db8::2', VM2)
    probes += scanned(lines)
    events += lines.filter((line) => line.startsWith('limit')).length
  }
  t.equal(known, SECONDS * 100, 'a known host is always answered for')
  t.ok(probes <= (4 + SECONDS) * RATE && probes > SECONDS * RATE, `${probes} probes`)
  t.ok(refused > 0.9 * SECONDS * 5000, `${refused} refused`)
  t.ok(events <= 3 * 2, `${events} events`)
  t.ok(Object.keys(stage.known).length < SECONDS * RATE, `${Object.keys(stage.known).length} entries`)
})

t.test('soon after a scan, the events count every solicitation that was refused', async (t) => {
  const stage = new Stage(SUBNET)
  const events: Event[] = []
  stage.sink.event = (event) => { events.push(event) }
  let refused = 0
  for (let n = 0; n < 8000; n++) {
    for (let k = 0; k < 4; k++) if (stage.ns(ETH0, many(4 * n + k), { from: k === 0 ? VM3 : ROUTER }) === 'limit') refused++
    stage.wait(1)
  }
  stage.wait(4000)
  const reported = events.reduce((sum, event) => sum + (event.kind === 'limit' ? event.refused ?? 0 : 0), 0)
  t.ok(refused > 20_000, `${refused} refused`)
  t.equal(reported, refused)
})

t.test('during a scan a former owner, and a host that shows itself, are probed at once', async (t) => {
  const stage = new Stage(SUBNET)
  stage.learn('2001:db8::2', VM2)
  stage.wait(70_000)
  t.notOk('2001:db8::2' in stage.known, 'removed after a long silence')
  for (let n = 0; n < 5000; n++) stage.ns(ETH0, many(n))
  stage.sink.take()
  t.equal(stage.ns(ETH0, '2001:db8::2'), 'probing')
  t.same(stage.sink.take('solicit'), ['solicit eth1 2001:db8::2'])
  stage.ns(ETH1, '2001:db8::1', { source: '2001:db8::3', from: VM3 })
  t.same(stage.sink.take('solicit').sort(), ['solicit eth0 2001:db8::3', 'solicit eth1 2001:db8::3'])
})

t.test('during a scan by one sender another one finds the hosts that are there', async (t) => {
  const stage = new Stage(SUBNET)
  const target = (ms: number): string => `2001:db8::2:${ms.toString(16)}`
  let found = 0
  for (let ms = 0; ms < 5000; ms++) {
    for (let k = 0; k < 5; k++) stage.ns(ETH0, many(5 * ms + k))
    if (ms % 20 === 0) stage.ns(ETH0, target(ms), { from: VM3, source: 'fe80::3' })
    // By then its probe left, behind those of the scan that were in the queue.
    if (ms % 20 === 0 && ms >= 300 && stage.na(ETH1, target(ms - 300), nthMac(ms)) === 'proof') found++
    stage.wait(1)
  }
  t.equal(found, 235)
})

t.test('owners whose ttl ends together are verified one after the other, and stay owners', async (t) => {
  const stage = new Stage(SUBNET)
  for (let n = 0; n < 2000; n++) stage.ns(ETH1, '2001:db8::1', { source: many(n), from: nthMac(n) })
  stage.wait(498)
  for (let n = 0; n < 2000; n++) stage.na(ETH1, many(n), nthMac(n))
  stage.sink.take()
  let [most, sent, silent] = [0, 0, 0]
  for (let ms = 0; ms < 30_000; ms++) {
    stage.wait(1)
    const probes = stage.sink.take('confirm').length
    most = Math.max(most, probes)
    sent += probes
    if (sent > 0 && stage.ns(ETH0, many(1999)) !== 'answered') silent++
    if (sent >= 2000) break
  }
  t.ok(most <= 128 + 4, `${most} in a millisecond`)
  t.equal(silent, 0, 'answered for while it waits for its probe')
  t.equal(sent, 2000)
})

t.test('host-limit: an address counts for the sender of the frame, not for the lladdr in the option', async (t) => {
  const stage = new Stage(SUBNET.replace('host', 'host-limit 2\n host'))
  for (const n of [1, 2, 3]) stage.frame(ETH1, na({ target: many(n), from: VM3, tlla: VM2 }))
  for (const n of [1, 2, 3]) stage.na(ETH1, many(n), VM3, { tlla: VM2 })
  t.match(stage.known, { [many(1)]: 'REACHABLE eth1 routed', [many(2)]: 'REACHABLE eth1 routed' })
  t.notOk(many(3) in stage.known, 'VM3 has as many as it may')
  stage.learn('2001:db8::2', VM2)
  stage.learn('2001:db8::3', VM2)
  t.match(stage.known, { '2001:db8::2': 'REACHABLE eth1 routed', '2001:db8::3': 'REACHABLE eth1 routed' }, 'VM2 as well')
})

t.test('limit: one of several downstreams leaves a quarter to the others, the only one nothing', async (t) => {
  const links = [...twoLinks(), linkOf(ETH2)]
  const config = SUBNET.replace('eth1', 'eth1 eth2').replace('host', 'limit 8\n host')
  const stage = new Stage(config, links)
  for (let n = 0; n < 8; n++) stage.learn(many(n), nthMac(n))
  const owners = (): number => Object.values(stage.known).filter((what) => what.startsWith('REACHABLE')).length - 1
  t.equal(owners(), 6)
  for (let n = 10; n < 18; n++) stage.learn(many(n), nthMac(n), ETH2)
  t.equal(owners(), 8)
  const alone = new Stage(SUBNET.replace('host', 'limit 8\n host'), [linkOf(ETH0, { addresses: [own('fe80::ff:2')] }), linkOf(ETH1)])
  for (let n = 0; n < 8; n++) alone.learn(many(n), nthMac(n))
  t.equal(Object.values(alone.known).filter((what) => what.startsWith('REACHABLE eth1')).length, 8)
})

t.test('a flood of hosts that show themselves on one link leaves entries for those of others, and few events', async (t) => {
  const stage = new Stage(SUBNET.replace('eth1', 'eth1 eth2'), [...twoLinks(), linkOf(ETH2)])
  for (let ms = 0; ms < 4000; ms++) {
    for (let k = 0; k < 5; k++) stage.ns(ETH1, '2001:db8::1', { source: many(5 * ms + k), from: nthMac(5 * ms + k) })
    stage.wait(1)
  }
  const events = stage.sink.take('limit')
  t.ok(events.length <= 3 && !events.some((line) => line.startsWith('limit targets')), `${events}`)
  const [{ used, size }] = stage.engine.snapshot(stage.now).limits.filter(({ name }) => name.startsWith('targets being probed'))
  t.ok(used <= size, `${used} of ${size}`)
  stage.ns(ETH2, '2001:db8::1', { source: '2001:db8::9', from: VM3 })
  stage.na(ETH2, '2001:db8::9', VM3)
  t.equal(stage.known['2001:db8::9'], 'REACHABLE eth2 routed')
})
