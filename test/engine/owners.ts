/** What follows from an owner: route, memberships where others ask, announcements. */
import t from 'tap'
import { Announcer } from '../../src/engine/announcer.ts'
import { Groups } from '../../src/engine/groups.ts'
import { Links } from '../../src/engine/links.ts'
import type { Neighbor } from '../../src/engine/neighbor.ts'
import { Owners } from '../../src/engine/owners.ts'
import { Rules } from '../../src/engine/rules.ts'
import type { Instant, Link, NeighborState } from '../../src/engine/types.ts'
import { ip } from './kit/frames.ts'
import { chance, configOf, ETH0, ETH1, ETH2, linkOf, neighborOf, Recorder, twoLinks } from './kit/stage.ts'

const VM = '2001:db8::2'
const SUBNET = `subnet 2001:db8::/64 {
  upstream eth0
  downstream eth1 eth2
}`
const GROUP = 'ff02::1:ff00:2'
const NEW = `advertise eth0 ${VM} R from fe80::ff:2 to ff02::2 33:33:00:00:00:02`
const CHANGED = `advertise eth0 ${VM} RO from fe80::ff:2 to ff02::1 33:33:00:00:00:01`

class Scene {
  readonly sink = new Recorder()
  readonly links = new Links(chance(1))
  readonly rules: Rules
  readonly owners: Owners
  readonly neighbor: Neighbor
  readonly groups = new Groups(this.links, this.sink, chance(1))
  readonly #announcer: Announcer
  now = 1000 as Instant

  constructor(config = SUBNET, present: readonly Link[] = [...twoLinks(), linkOf(ETH2)]) {
    this.rules = new Rules(configOf(config), chance(1))
    for (const link of present) {
      this.links.set(link)
      this.rules.link(link)
      this.groups.heard(link.ifindex)
    }
    this.#announcer = new Announcer(this.links, this.sink, chance(1))
    this.owners = new Owners(this.rules, this.links, this.groups, this.#announcer, this.sink)
    const { w0, w1, w2, w3 } = ip(VM)
    this.neighbor = neighborOf(ip(VM), this.rules.match(ETH0, w0, w1, w2, w3)[0])
  }

  /** Makes it an owner there, or none. @returns what follows at once, and the announcements within a second */
  be(state: NeighborState, ifindex = 0): string[] {
    Object.assign(this.neighbor, { state, ifindex })
    this.owners.update(this.neighbor, this.now)
    if (ifindex !== 0) this.neighbor.home = ifindex
    return this.#lines()
  }

  renumber(ifindex: number): string[] {
    this.owners.renumber(this.neighbor, ifindex, this.now)
    return this.#lines()
  }

  #lines(): string[] {
    this.groups.wake(this.now)
    this.now = this.now + 20 as Instant
    this.#announcer.wake(this.now)
    this.now = this.now + 60_000 as Instant
    const lines = this.sink.take()
    while (this.#announcer.deadline !== undefined) this.#announcer.wake(this.#announcer.deadline)
    this.sink.take()
    return lines
  }
}

t.test('a host downstream: its route, its group upstream, and a word to the routers there', async (t) => {
  const scene = new Scene()
  t.same(scene.be('REACHABLE', ETH1), [`route add ${VM} eth1`, `join eth0 ${GROUP}`, NEW])
  t.same(scene.be('PROBE', ETH1), [], 'while it is verified')
  t.same(scene.be('REACHABLE', ETH2), [`route add ${VM} eth2`], 'to another downstream: upstream it is still us')
  t.same(scene.be('FAILED'), [`route delete ${VM} eth2`, `leave eth0 ${GROUP}`])
})

t.test('a host upstream: its group downstream, and nobody is told', async (t) => {
  const scene = new Scene()
  t.same(scene.be('REACHABLE', ETH0), [`join eth1 ${GROUP}`, `join eth2 ${GROUP}`])
  t.same(scene.be('FAILED'), [`leave eth1 ${GROUP}`, `leave eth2 ${GROUP}`])
})

t.test('a host that comes in from upstream replaces what others know there, O=1', async (t) => {
  const scene = new Scene()
  scene.be('REACHABLE', ETH0)
  t.same(scene.be('REACHABLE', ETH1),
    [`route add ${VM} eth1`, `join eth0 ${GROUP}`, `leave eth2 ${GROUP}`, `leave eth1 ${GROUP}`, CHANGED])
  t.same(scene.be('REACHABLE', ETH0),
    [`route delete ${VM} eth1`, `join eth1 ${GROUP}`, `join eth2 ${GROUP}`, `leave eth0 ${GROUP}`],
    'and out again: nobody downstream waits for that')
  scene.be('FAILED')
  t.same(scene.be('REACHABLE', ETH1), [`route add ${VM} eth1`, `join eth0 ${GROUP}`, CHANGED], 'also after a silence')
})

t.test('a link that goes takes its part along', async (t) => {
  const scene = new Scene()
  scene.be('REACHABLE', ETH1)
  scene.links.delete(ETH1)
  scene.rules.gone(ETH1)
  t.same(scene.be('REACHABLE', ETH1), [], 'the route went with it; the group stays with the owner')
  t.same(scene.be('FAILED'), [`leave eth0 ${GROUP}`])

  const upstream = new Scene()
  upstream.be('REACHABLE', ETH1)
  upstream.links.delete(ETH0)
  upstream.groups.gone(ETH0)
  upstream.sink.members.clear()
  upstream.rules.gone(ETH0)
  t.match(upstream.be('REACHABLE', ETH1), [])
  upstream.links.set(twoLinks()[0])
  upstream.groups.heard(ETH0)
  upstream.rules.link(twoLinks()[0])
  t.same(upstream.be('REACHABLE', ETH1), [`join eth0 ${GROUP}`, NEW], 'back: new to those who are there')
})

t.test('what goes before it was announced stays unsaid', async (t) => {
  const scene = new Scene()
  Object.assign(scene.neighbor, { state: 'REACHABLE', ifindex: ETH1 })
  scene.owners.update(scene.neighbor, scene.now)
  t.same(scene.be('FAILED').filter((line) => line.startsWith('advertise')), [])
  Object.assign(scene.neighbor, { state: 'REACHABLE', ifindex: ETH1 })
  scene.owners.update(scene.neighbor, scene.now)
  t.same(scene.be('REACHABLE', ETH0).filter((line) => line.startsWith('advertise')), [], 'it is upstream itself, after all')
})

t.test('a pinned owner whose link is absent is nowhere', async (t) => {
  const scene = new Scene()
  t.same(scene.be('REACHABLE'), [])
})

t.test('a proxy block: joined and announced where its rules listen, route or not', async (t) => {
  const scene = new Scene(`proxy eth0 { announce yes\n rule 2001:db8::/64 { iface eth1 } }
    proxy eth2 { rule 2001:db8::/64 { iface eth1 } }`)
  t.same(scene.be('REACHABLE', ETH1),
    [`join eth0 ${GROUP}`, `join eth2 ${GROUP}`, NEW, NEW.replace('eth0', 'eth2').replace('ff:2', 'ff:4')])
  t.same(scene.be('REACHABLE', ETH2), [`leave eth2 ${GROUP}`], 'on one of these itself')
})

t.test('adopted: others know it already', async (t) => {
  const scene = new Scene()
  Object.assign(scene.neighbor, { state: 'PROBE', ifindex: ETH1 })
  scene.owners.adopt(scene.neighbor)
  t.same(scene.be('PROBE', ETH1), [`route add ${VM} eth1`, `join eth0 ${GROUP}`])
})

t.test('our own lladdr changed: said to all where it is answered for', async (t) => {
  const scene = new Scene()
  scene.be('REACHABLE', ETH1)
  t.same(scene.renumber(ETH0), [CHANGED])
  t.same(scene.renumber(ETH1), [], 'the host is there itself')
  scene.be('FAILED')
  t.same(scene.renumber(ETH0), [])
})
