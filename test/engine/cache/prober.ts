/** Which solicitations find an owner, and which verify one (RFC 4861 7.2.2, 7.3.3). */
import t from 'tap'
import { ProbeBudget } from '../../../src/engine/budget/probe-budget.ts'
import { BareLinks } from '../../../src/engine/cache/bare-links.ts'
import type { Neighbor } from '../../../src/engine/cache/neighbor.ts'
import { Prober } from '../../../src/engine/cache/prober.ts'
import type { Instant } from '../../../src/engine-types.ts'
import {
  chance, ETH0, ETH1, ETH2, ip, linkOf, mac, neighborOf, PartsRecorder, type Properties, SUBNET, twoLinks, VM, VM2, VM3, worldOf,
} from '../kit/neighbor.ts'

const ETH3 = 5
const UNICAST = `confirm eth1 ${VM} from fe80::ff:3 to ${VM2}`
const GROUP = `solicit eth1 ${VM}`

interface Scene {
  readonly neighbor: Neighbor
  readonly prober: Prober
  readonly recorder: PartsRecorder
  /** Sends the next probe. @returns its solicitations */
  readonly next: () => string[]
}

/** A subnet with three downstreams, of which eth3 is down. VM2 on eth1 is being verified, unless `more` differs. */
function scene(more: Properties = {}, settings = ''): Scene {
  const { links, rule } = worldOf(SUBNET.replace('eth1', 'eth1 eth2 eth3').replace('host', `${settings}\n host`),
    [...twoLinks(), linkOf(ETH2), linkOf(ETH3, { name: 'eth3', up: false })])
  const neighbor = neighborOf(ip(VM), rule, { state: 'PROBE', ifindex: ETH1, mac: mac(VM2), ...more })
  const recorder = new PartsRecorder()
  const { effects } = recorder
  const prober = new Prober({ links, effects, bareLinks: new BareLinks({ links, effects, reconfiguration: undefined as never }), budget: new ProbeBudget<Neighbor>(effects, chance(1), () => {}) })
  return { neighbor, prober, recorder, next: () => { prober.next(neighbor, 0 as Instant); return recorder.take() } }
}

t.test('INCOMPLETE: all links that are probed, every time; and another lookup of the kernel\'s route', async (t) => {
  const { neighbor, next } = scene({ state: 'INCOMPLETE', ifindex: 0, mac: undefined, probed: [ETH0, ETH2] })
  t.same(next(), [`solicit eth0 ${VM}`, `solicit eth2 ${VM}`])
  t.same(next(), [`solicit eth0 ${VM}`, `solicit eth2 ${VM}`])
  t.equal(neighbor.work.probes, 2)
  neighbor.set({ byRoute: true })
  t.same(next().pop(), `lookup ${VM}`)
})

t.test('further links: only those that are not probed yet', async (t) => {
  const { neighbor, prober, recorder } = scene({ state: 'INCOMPLETE', probed: [ETH1] })
  t.equal(prober.widen(neighbor, [ETH1]), false)
  t.same(recorder.take(), [], 'no link is probed twice')
  t.equal(prober.widen(neighbor, [ETH1, ETH2]), true)
  t.same(recorder.take(), [`solicit eth2 ${VM}`])
  t.same(neighbor.work.probed, [ETH1, ETH2])
})

t.test('PROBE: three times by unicast, then its group, and the other downstreams that are up', async (t) => {
  const { neighbor, next } = scene()
  t.same([next(), next(), next()], [[UNICAST], [UNICAST], [UNICAST]])
  t.same(neighbor.work.probed, [])
  t.same(next(), [GROUP, `solicit eth2 ${VM}`])
  t.same(neighbor.work.probed, [ETH2], 'an answer there counts')
})

t.test('PROBE: an owner upstream is probed there alone', async (t) => {
  const { neighbor, next } = scene({ ifindex: ETH0 })
  for (let n = 0; n < 3; n++) t.match(next(), [/^confirm eth0/])
  t.same(next(), [`solicit eth0 ${VM}`])
  t.same(neighbor.work.probed, [])
})

t.test('PROBE: with no lladdr, or no source of our own, its group at once; the others if that is not enough', async (t) => {
  const restored = scene({ mac: undefined })
  t.same(restored.next(), [GROUP])
  t.same(restored.next(), [GROUP, `solicit eth2 ${VM}`])
})

t.test('PROBE: its bridge has no port for it: no host is at that lladdr', async (t) => {
  const { neighbor, next } = scene({ isMissing: true })
  t.same(next(), [GROUP, `solicit eth2 ${VM}`])
  t.equal(neighbor.work.probes, neighbor.unicastProbes, 'so the unicast probes are over')
  const late = scene({ isMissing: true, probes: 3 })
  late.next()
  t.equal(late.neighbor.work.probes, 4, 'no probe is repeated')
  t.same(scene({ isMissing: true }, 'retries 0').next(), [GROUP, `solicit eth2 ${VM}`], 'the only one')
})

t.test('PROBE: the same host elsewhere, by its lladdr or its bridge: probed there after one silence', async (t) => {
  for (const rivalMac of [mac(VM2), undefined]) {
    const { neighbor, next } = scene({ rival: ETH2, rivalMac })
    t.same(next(), [UNICAST], 'first come, first served')
    t.same(next(), [UNICAST, `solicit eth2 ${VM}`])
    t.same(neighbor.work.probed, [ETH2])
  }
  const another = scene({ rival: ETH2, rivalMac: mac(VM3) })
  t.same([another.next(), another.next()], [[UNICAST], [UNICAST]], 'another host waits until the owner was silent')
  const upstream = scene({ rival: ETH0, rivalMac: mac(VM2) })
  t.same([upstream.next(), upstream.next()], [[UNICAST], [UNICAST]], 'our own frames may come back from there')
})

t.test('on a link without link-layer addresses the target and all nodes are solicited, from a global address', async (t) => {
  const { links, rule } = worldOf(SUBNET, [twoLinks()[0], linkOf(ETH1, { mac: undefined })])
  const recorder = new PartsRecorder()
  const { effects } = recorder
  const prober = new Prober({ links, effects, bareLinks: new BareLinks({ links, effects, reconfiguration: undefined as never }), budget: new ProbeBudget<Neighbor>(effects, chance(1), () => {}) })
  const neighbor = neighborOf(ip(VM), rule, { state: 'INCOMPLETE', ifindex: 0, mac: undefined, probed: [ETH1] })
  prober.next(neighbor, 0 as Instant)
  t.same(recorder.take().sort(), [`confirm eth1 ${VM} at ff02::1 from 2001:db8::ff`, `confirm eth1 ${VM} from 2001:db8::ff`])
})
