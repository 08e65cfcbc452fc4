/** Which solicitations look for an owner, and which verify one (checklist I1, I3, I5). */
import t from 'tap'
import { Budget } from '../../src/engine/budget.ts'
import { Links } from '../../src/engine/links.ts'
import type { Neighbor } from '../../src/engine/neighbor.ts'
import { Prober } from '../../src/engine/prober.ts'
import { Rules } from '../../src/engine/rules.ts'
import type { Instant } from '../../src/engine/types.ts'
import { ip, mac } from './kit/frames.ts'
import { chance, configOf, ETH0, ETH1, ETH2, linkOf, neighborOf, Recorder, SUBNET, twoLinks, VM2, VM3 } from './kit/stage.ts'

const VM = '2001:db8::2'
const ETH3 = 5
const UNICAST = `confirm eth1 ${VM} from fe80::ff:3 to ${VM2}`
const GROUP = `solicit eth1 ${VM}`

interface Scene {
  readonly neighbor: Neighbor
  readonly prober: Prober
  readonly sink: Recorder
  /** The next probe's solicitations. */
  readonly next: () => string[]
}

/** A subnet with three downstreams, of which eth3 is down; VM2 on eth1 is being verified, unless `more` says otherwise. */
function scene(more: Partial<Neighbor> = {}, settings = ''): Scene {
  const links = new Links(chance(1))
  const rules = new Rules(configOf(SUBNET.replace('eth1', 'eth1 eth2 eth3').replace('host', `${settings}\n host`)), chance(1))
  for (const link of [...twoLinks(), linkOf(ETH2), linkOf(ETH3, { name: 'eth3', up: false })]) {
    links.set(link)
    rules.link(link)
  }
  const { w0, w1, w2, w3 } = ip(VM)
  const neighbor = neighborOf(ip(VM), rules.match(ETH0, w0, w1, w2, w3)[0], { state: 'PROBE', ifindex: ETH1, mac: mac(VM2), ...more })
  const sink = new Recorder()
  const prober = new Prober(links, sink, new Budget(sink, chance(1)))
  return { neighbor, prober, sink, next: () => { prober.next(neighbor, 0 as Instant); return sink.take() } }
}

t.test('INCOMPLETE: all links that are asked, every time; and the kernel\'s route once more', async (t) => {
  const { neighbor, next } = scene({ state: 'INCOMPLETE', ifindex: 0, mac: undefined, asking: [ETH0, ETH2] })
  t.same(next(), [`solicit eth0 ${VM}`, `solicit eth2 ${VM}`])
  t.same(next(), [`solicit eth0 ${VM}`, `solicit eth2 ${VM}`])
  t.equal(neighbor.probes, 2)
  neighbor.byRoute = true
  t.same(next().pop(), `lookup ${VM}`)
})

t.test('more links: those that are new', async (t) => {
  const { neighbor, prober, sink } = scene({ state: 'INCOMPLETE', asking: [ETH1] })
  t.equal(prober.widen(neighbor, [ETH1]), false)
  t.same(sink.take(), [], 'what is asked already is not asked twice (I3)')
  t.equal(prober.widen(neighbor, [ETH1, ETH2]), true)
  t.same(sink.take(), [`solicit eth2 ${VM}`])
  t.same(neighbor.asking, [ETH1, ETH2])
})

t.test('PROBE: three times by unicast, then its group, and the other downstreams that are up (I5)', async (t) => {
  const { neighbor, next } = scene()
  t.same([next(), next(), next()], [[UNICAST], [UNICAST], [UNICAST]])
  t.same(neighbor.asking, [])
  t.same(next(), [GROUP, `solicit eth2 ${VM}`])
  t.same(neighbor.asking, [ETH2], 'an answer there counts')
})

t.test('PROBE: an owner upstream is asked for there alone', async (t) => {
  const { neighbor, next } = scene({ ifindex: ETH0 })
  for (let n = 0; n < 3; n++) t.match(next(), [/^confirm eth0/])
  t.same(next(), [`solicit eth0 ${VM}`])
  t.same(neighbor.asking, [])
})

t.test('PROBE: with no lladdr, or no source of our own, its group at once; the others if that is not enough', async (t) => {
  const restored = scene({ mac: undefined })
  t.same(restored.next(), [GROUP])
  t.same(restored.next(), [GROUP, `solicit eth2 ${VM}`])
})

t.test('PROBE: its bridge does not know it: nobody is at that lladdr', async (t) => {
  const { neighbor, next } = scene({ absent: true })
  t.same(next(), [GROUP, `solicit eth2 ${VM}`])
  t.equal(neighbor.probes, neighbor.unicastProbes, 'so the unicast probes are over')
  const late = scene({ absent: true, probes: 3 })
  late.next()
  t.equal(late.neighbor.probes, 4, 'none is given back')
  t.same(scene({ absent: true }, 'retries 0').next(), [GROUP, `solicit eth2 ${VM}`], 'the only one')
})

t.test('PROBE: the same host elsewhere, by its lladdr or its bridge: asked there after one silence', async (t) => {
  for (const rivalMac of [mac(VM2), undefined]) {
    const { neighbor, next } = scene({ rival: ETH2, rivalMac })
    t.same(next(), [UNICAST], 'first come, first served')
    t.same(next(), [UNICAST, `solicit eth2 ${VM}`])
    t.same(neighbor.asking, [ETH2])
  }
  const another = scene({ rival: ETH2, rivalMac: mac(VM3) })
  t.same([another.next(), another.next()], [[UNICAST], [UNICAST]], 'another host waits until the owner was silent')
  const upstream = scene({ rival: ETH0, rivalMac: mac(VM2) })
  t.same([upstream.next(), upstream.next()], [[UNICAST], [UNICAST]], 'our own frames may come back from there')
})
