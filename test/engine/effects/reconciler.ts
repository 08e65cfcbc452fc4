/** What follows from an owner: its route, memberships where hosts solicit for it, announcements; each is applied once. */
import t from 'tap'
import fc from 'fast-check'
import { NeighborCache } from '../../../src/engine/cache/neighbor-cache.ts'
import type { Neighbor } from '../../../src/engine/cache/neighbor.ts'
import { BareLinks } from '../../../src/engine/cache/bare-links.ts'
import { AdvertisementBuilder } from '../../../src/engine/effects/advertisement-builder.ts'
import { Announcer } from '../../../src/engine/effects/announcer.ts'
import { OwnerRoutes } from '../../../src/engine/effects/owner-routes.ts'
import { Reconciler } from '../../../src/engine/effects/reconciler.ts'
import { Groups } from '../../../src/engine/listening/groups.ts'
import type { HostRoute, Instant, Link } from '../../../src/engine-types.ts'
import type { NeighborState } from '../../../src/events.ts'
import { replyTo } from '../kit/routing.ts'
import { neighborOf, nth, VM, type World, worldOf } from '../kit/neighbor.ts'
import { chance, ETH0, ETH1, ETH2, ip, linkOf, PartsRecorder, twoLinks } from '../kit/stage.ts'

const SUBNET = `subnet 2001:db8::/64 {
  upstream eth0
  downstream eth1 eth2
}`
const GROUP = 'ff02::1:ff00:2'
const NEW = `advertise eth0 ${VM} R from fe80::ff:2 to ff02::2 33:33:00:00:00:02`
const CHANGED = `advertise eth0 ${VM} RO from fe80::ff:2 to ff02::1 33:33:00:00:00:01`

class Scene {
  readonly recorder = new PartsRecorder()
  readonly world: World
  readonly groups: Groups
  readonly cache = new NeighborCache({ effects: this.recorder.effects, random: chance(1) })
  readonly reconciler: Reconciler
  readonly neighbor: Neighbor
  readonly #announcer: Announcer
  readonly #ownerRoutes: OwnerRoutes
  now = 1000 as Instant

  constructor(config = SUBNET, present: readonly Link[] = [...twoLinks(), linkOf(ETH2)]) {
    const { effects } = this.recorder
    const { links, rules, rule } = this.world = worldOf(config, present)
    const context = { links, rules, effects, random: chance(1) }
    const groups = this.groups = new Groups({ ...context, random: chance(1) })
    for (const { ifindex } of present) this.groups.listening(ifindex)
    const advertiser = new AdvertisementBuilder({ effects, bareLinks: new BareLinks({ ...context, reconfiguration: undefined as never }) })
    const announcer = this.#announcer = new Announcer({ ...context, advertiser })
    this.#ownerRoutes = new OwnerRoutes({ ...context, cache: this.cache, budget: undefined as never, otherProxies: undefined as never, conflicts: undefined as never })
    this.reconciler = new Reconciler({ ...context, cache: this.cache, groups, announcer, ownerRoutes: this.#ownerRoutes })
    this.neighbor = neighborOf(ip(VM), rule, {}, this.cache)
  }

  /** Makes the entry that of an owner on a link, or of none. @returns the effects, and the announcements within a second */
  be(state: NeighborState, ifindex = 0): string[] {
    this.become(state, ifindex)
    return this.lines()
  }

  become(state: NeighborState, ifindex: number): void {
    Object.assign(this.neighbor, { state, ifindex })
    this.reconciler.reconcile(this.neighbor, this.now)
    this.#settle()
  }

  /** Marked owners are reconciled, and the kernel replies. */
  #settle(): void {
    const { effects: { paths } } = this.recorder
    for (let marked = this.cache.takeDirty(); marked.length > 0 || paths.length > 0; marked = this.cache.takeDirty()) {
      for (const neighbor of marked) this.reconciler.reconcile(neighbor, this.now)
      for (const lookup of paths.splice(0)) this.#ownerRoutes.replied(replyTo(lookup, this.world.links.values(), []))
    }
  }

  /** Carries out the routes. */
  lines(): string[] {
    this.#settle()
    this.reconciler.done([...this.recorder.effects.routes])
    this.#settle()
    this.groups.wake(this.now)
    const lines = this.recorder.take()
    this.now = this.now + 20 as Instant
    this.#announcer.wake(this.now)
    this.now = this.now + 60_000 as Instant
    lines.push(...this.recorder.take())
    while (this.#announcer.deadline !== undefined) this.#announcer.wake(this.#announcer.deadline)
    this.recorder.take()
    return lines
  }
}

t.test('a host downstream: its route, its group upstream, and an announcement to the routers there', async (t) => {
  const scene = new Scene()
  t.same(scene.be('REACHABLE', ETH1), [`route add ${VM} eth1`, `join eth0 ${GROUP}`, NEW])
  t.same(scene.be('PROBE', ETH1), [], 'while it is verified')
  const lines = scene.be('REACHABLE', ETH2)
  t.same(lines.filter((line) => !line.startsWith('advertise')), [`route add ${VM} eth2`])
  t.notOk(lines.some((line) => line.startsWith('advertise eth0')), 'upstream its address is ours as before')
  t.same(scene.be('FAILED'), [`route delete ${VM} eth2`, `leave eth0 ${GROUP}`])
})

t.test('a host upstream: its group downstream, and no announcement', async (t) => {
  const scene = new Scene()
  t.same(scene.be('REACHABLE', ETH0), [`join eth1 ${GROUP}`, `join eth2 ${GROUP}`])
  t.same(scene.be('FAILED'), [`leave eth1 ${GROUP}`, `leave eth2 ${GROUP}`])
})

t.test('a host that comes from upstream replaces the entries there, O=1', async (t) => {
  const scene = new Scene()
  const be = (state: NeighborState, ifindex = 0): string[] => scene.be(state, ifindex).filter((line) => !/^advertise eth[12]/.test(line))
  be('REACHABLE', ETH0)
  t.same(be('REACHABLE', ETH1), [`route add ${VM} eth1`, `join eth0 ${GROUP}`, `leave eth2 ${GROUP}`, `leave eth1 ${GROUP}`, CHANGED])
  t.same(be('REACHABLE', ETH0), [`route delete ${VM} eth1`, `join eth1 ${GROUP}`, `join eth2 ${GROUP}`, `leave eth0 ${GROUP}`],
    'and back: no host downstream waits for that')
  be('FAILED')
  t.same(be('REACHABLE', ETH1), [`route add ${VM} eth1`, `join eth0 ${GROUP}`, CHANGED], 'also after a silence')
})

t.test('an upstream that is gone takes its groups along, and is new when it comes back', async (t) => {
  const upstream = new Scene()
  const { links, rules } = upstream.world
  upstream.be('REACHABLE', ETH1)
  links.delete(ETH0)
  upstream.groups.gone(ETH0)
  upstream.recorder.members.clear()
  rules.gone(ETH0)
  t.same(upstream.be('REACHABLE', ETH1), [])
  links.set(twoLinks()[0])
  upstream.groups.listening(ETH0)
  rules.link(twoLinks()[0])
  t.same(upstream.be('REACHABLE', ETH1), [`join eth0 ${GROUP}`, NEW], 'back: new to the hosts there')
})

t.test('an announcement waits for its route, and goes with its owner', async (t) => {
  const scene = new Scene()
  scene.become('REACHABLE', ETH1)
  t.same(scene.neighbor.work.unannounced, { links: [ETH0], isChange: false })
  t.same(scene.be('FAILED').filter((line) => line.startsWith('advertise')), [])
  scene.become('REACHABLE', ETH1)
  t.match(scene.be('REACHABLE', ETH0).filter((line) => line.startsWith('advertise')), [/^advertise eth1 2001:db8::2 RO /],
    'the owner is upstream itself: only its former neighbors have to know')
})

t.test('a pinned owner whose link does not exist has no effects', async (t) => { t.same(new Scene().be('REACHABLE'), []) })

t.test('a proxy block: joined and announced where its rules apply, with or without a route', async (t) => {
  const scene = new Scene(`proxy eth0 { announce yes\n rule 2001:db8::/64 { iface eth1 } }
    proxy eth2 { rule 2001:db8::/64 { iface eth1 } }`)
  t.same(scene.be('REACHABLE', ETH1),
    [`join eth0 ${GROUP}`, `join eth2 ${GROUP}`, NEW, NEW.replace('eth0', 'eth2').replace('ff:2', 'ff:4')])
  t.same(scene.be('REACHABLE', ETH2).filter((line) => !/^advertise eth[12]/.test(line)), [`leave eth2 ${GROUP}`], 'the owner is there itself')
})

t.test('an adopted owner is known to the other hosts, and perhaps has its route', async (t) => {
  for (const isRouted of [false, true]) {
    const scene = new Scene()
    Object.assign(scene.neighbor, { state: 'PROBE', ifindex: ETH1 })
    scene.reconciler.adopt(scene.neighbor, isRouted, scene.now)
    t.notOk(scene.neighbor.isReady, 'until the kernel has the route')
    if (isRouted) scene.reconciler.compare([{ target: ip(VM), ifindex: ETH1 }])
    t.same(scene.lines(), [...isRouted ? [] : [`route add ${VM} eth1`], `join eth0 ${GROUP}`])
    t.ok(scene.neighbor.isReady)
    t.same(scene.be('PROBE', ETH1), [])
  }
})

const route = fc.record({ target: fc.integer({ min: 3, max: 9 }), ifindex: fc.constantFrom(ETH0, ETH1), via: fc.boolean() })
  .map(({ target, ifindex, via }): HostRoute => ({ target: nth(target), ifindex, ...(via ? { via: ip('fe80::7') } : {}) }))
const routes = fc.uniqueArray(route, { selector: ({ target }) => target.toString() })

t.test('the differences, carried out, give the wanted routes, and touch no others', async () => {
  fc.assert(fc.property(routes, routes, (wanted, present) => {
    const { cache, reconciler, recorder: { effects }, world: { rule } } = new Scene()
    const kernel = new Map(present.map((route) => [route.target.toString(), route]))
    const neighbors = wanted.map((route) => neighborOf(route.target, rule, { routed: route.ifindex, routedVia: route.via, isRoutePending: true }, cache))
    reconciler.compare(present)
    const changes = [...effects.routes]
    for (const { op, route } of changes) {
      if (op === 'add') kernel.set(route.target.toString(), route)
      else kernel.delete(route.target.toString())
    }
    const textOf = (route: HostRoute | undefined): string => JSON.stringify(route)
    const same = wanted.filter((route) => present.some((other) => textOf(route) === textOf(other)))
    const union = new Set([...wanted, ...present].map(({ target }) => target.toString()))
    if (neighbors.filter(({ isRoutePending }) => !isRoutePending).length !== same.length) return false
    reconciler.done(changes)
    return kernel.size === wanted.length && wanted.every((route) => textOf(kernel.get(route.target.toString())) === textOf(route))
      && changes.length === union.size - same.length && neighbors.every(({ isRoutePending }) => !isRoutePending)
  }))
})
