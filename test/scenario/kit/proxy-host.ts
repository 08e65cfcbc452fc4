/**
 * The machine with ndp6d in the simulator: the engine, whose effects become frames on segments, beside a kernel that is a host on each
 * of them. Frames are encoded by our encoder and decoded again from a slab that is poisoned after every call,
 * so that a view that is kept fails loudly. What would go wrong in a real kernel throws: a route deleted that is not there.
 */
import type { Mac } from '../../../src/address.ts'
import type { Config } from '../../../src/config/config.ts'
import { Engine } from '../../../src/engine.ts'
import type {
  Advertisement, Effects, HostRoute, Input, Instant, Link, Multicast, Probe, RouteChange, SavedHost, Subscription,
} from '../../../src/engine-types.ts'
import type { Event, Outcome } from '../../../src/events.ts'
import { multicastMac } from '../../../src/wire/frame.ts'
import { encodeAdvertisement, encodeSolicitation, MAX_ENCODED } from '../../../src/wire/ndisc-encode.ts'
import { NdiscView } from '../../../src/wire/ndisc-decode.ts'
import { prefix } from '../../kit/frames.ts'
import { configOf, groupOf, own } from '../../engine/kit/basics.ts'
import { replyTo } from '../../engine/kit/routing.ts'
import { addressOf, cached, echoFrame, Frame, macOf, textOf } from './frame.ts'
import { Host } from './host.ts'
import { Routing } from './routing.ts'
import type { Segment, World } from './world.ts'

const LINK_HEADER = 14
const ALL_NODES = 'ff02::1'

interface Port {
  link: Link
  /** Answers for the addresses of this machine, and sends what it forwards. */
  readonly kernel: Host
  readonly segment: Segment
  hearing: Subscription | undefined
  /** Reported groups, which the switch passes, by link-layer address. */
  readonly groups: Map<number, string>
}

export class ProxyHost {
  readonly world: World
  readonly routes = new Map<string, HostRoute>()
  readonly outcomes = new Map<Outcome, number>()
  readonly events: Event[] = []
  /** Called for each change of a route, after it. */
  onRoute: ((change: RouteChange) => void) | undefined
  onEvent: ((event: Event) => void) | undefined
  readonly routing = new Routing(this)
  engine: Engine
  readonly #n: number
  readonly #ports = new Map<number, Port>()
  readonly #slab = new Uint8Array(512)
  readonly #view = new NdiscView()
  readonly #send = new Uint8Array(MAX_ENCODED)
  #config: Config
  #wakeAt = Number.POSITIVE_INFINITY
  #isDown = false

  /** @param n its link-layer addresses are n + ifindex */
  constructor(world: World, config: string, n = 0xff00) {
    this.world = world
    this.#n = n
    this.#config = configOnce(config)
    this.engine = new Engine(this.#config, world.random)
  }

  get #now(): Instant { return this.world.now as Instant }

  /** @returns the link-layer address */
  attach(ifindex: number, name: string, segment: Segment, ...globals: string[]): string {
    const kernel = new Host(segment, this.#n + ifindex, ...globals)
    kernel.route()
    const addresses = [kernel.linkLocal, ...globals].map((address) => own(address))
    const link: Link = { ifindex, name, mac: macOf(kernel.mac), up: true, addresses }
    const port: Port = { link, kernel, segment, hearing: undefined, groups: new Map() }
    kernel.observe({
      frame: (frame) => this.#receive(port, frame),
      accepts: (mac) => segment.isSnooping ? port.groups.has(mac) : Math.floor(mac / 2 ** 32) === 0x3333,
      solicited: (target) => {
        if (port.hearing?.ownSolicitations) this.tell({ kind: 'local-solicitation', ifindex, target: addressOf(target) })
      },
      neighbor: (target, mac, state, router) => {
        this.tell({ kind: 'neighbor', neighbor: { target: addressOf(target), ifindex, mac, state, router } })
      },
    })
    this.#ports.set(ifindex, port)
    this.tell({ kind: 'link', link })
    return kernel.mac
  }

  configure(config: string): void {
    this.#config = configOnce(config)
    this.tell({ kind: 'config', config: this.#config })
  }

  /** Gives the upstream other prefixes, and this machine an address in each. */
  renumber(ifindex: number, ...globals: string[]): void {
    const port = this.#ports.get(ifindex)!
    const { kernel } = port
    for (const address of [...kernel.addresses.keys()]) if (address !== kernel.linkLocal) kernel.release(address)
    for (const address of globals) kernel.assign(address)
    port.link = { ...port.link, addresses: [kernel.linkLocal, ...globals].map((address) => own(address)) }
    this.tell({ kind: 'link', link: port.link })
    this.tell({ kind: 'route-changed', prefix: undefined })
    this.tell({ kind: 'prefixes', ifindex, prefixes: globals.map((address) => prefix(`${address}/64`)) })
  }

  /** Ends the engine in good order. @returns the exit status */
  stop(): number {
    this.#carryOut(this.engine.stop())
    return 0
  }

  /** Its kernel on a link. */
  kernel(ifindex: number): Host { return this.#ports.get(ifindex)!.kernel }

  /**
   * Ends the engine and after `ms` starts another with the saved hosts and the routes of the first one.
   * @param isLate the routes expire meanwhile @param isKilled no saved hosts
   */
  restart(ms: number, { isLate = false, isKilled = false } = {}): void {
    const saved = isKilled ? [] : [...this.engine.savedHosts]
    if (!isKilled) {
      this.routing.save(true)
      this.stop()
    }
    this.#isDown = true
    for (const port of this.#ports.values()) {
      port.hearing = undefined
      port.groups.clear()
      port.segment.changed()
    }
    if (isLate) this.routes.clear()
    this.world.after(ms, () => this.#start(saved))
  }

  /** A packet for `target` is to be forwarded: by our routes, else to the upstream, where the prefix is on-link. */
  forward(target: string, upstream: number): void { this.#ports.get(this.routes.get(target)?.ifindex ?? upstream)!.kernel.use(target) }

  /** Where packets for `target` that are forwarded go to; undefined while that is not known. */
  reaches(target: string, upstream: number): string | undefined {
    return this.#ports.get(this.routes.get(target)?.ifindex ?? upstream)!.kernel.reaches(target)
  }

  tell(input: Input): void {
    if (this.#isDown) return
    this.#carryOut(this.engine.step(input, this.#now))
    this.#arm()
  }

  /** `TARGET ifindex`, in order. */
  get routed(): string[] {
    return [...this.routes.values()].sort((a, b) => a.target.compare(b.target)).map(({ target, ifindex }) => `${textOf(target)} ${ifindex}`)
  }

  /** Where each owner is: `TARGET iface`, in order, and whether it is routed. @throws unless the kernel has the same routes */
  get owners(): string[] {
    const owners = this.engine.snapshot().neighbors.filter(({ state }) => state === 'REACHABLE' || state === 'PROBE')
    const routed = owners.filter((owner) => owner.routed)
    if (routed.length !== this.routes.size || !routed.every(({ target }) => this.routes.has(target))) {
      throw new Error(`the kernel has other routes: ${this.routed}`)
    }
    return owners.map(({ target, iface, routed }) => `${target} ${iface}${routed ? ' routed' : ''}`)
  }

  /** Groups that a link's switch passes. */
  groups(ifindex: number): string[] { return [...this.#ports.get(ifindex)!.groups.values()].sort() }

  /** Carries out effects in the order of their members. */
  #carryOut(effects: Effects): void {
    const { listening, routes, answers, probes, multicasts, routerAdvertisements, discoveries, lookups, paths, events, outcomes } = effects
    for (const [ifindex, entry] of listening) if (entry !== undefined) this.#listen(ifindex, entry.subscription)
    for (const change of routes) this.#route(change)
    for (const { ifindex, sources } of discoveries) {
      const kernel = this.#ports.get(ifindex)?.kernel
      for (const source of sources) kernel?.send(echoFrame('echo-request', { from: kernel.mac, source: textOf(source), to: ALL_NODES }))
    }
    for (const message of answers) this.#advertise(message)
    for (const probe of probes) this.#probe(probe)
    for (const message of multicasts) this.#multicast(message)
    for (const { ifindex, message } of routerAdvertisements) {
      const port = this.#ports.get(ifindex)
      port?.kernel.send(this.routing.encode(message, port.link.mac as Mac))
    }
    for (const [ifindex, entry] of listening) if (entry === undefined) this.#ignore(ifindex)
    for (const { target } of lookups) {
      this.world.after(0, () => this.tell({ kind: 'lookup', target, decision: { ifindex: undefined, local: false, via: undefined, length: 0 } }))
    }
    for (const { outcome } of outcomes) this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1)
    for (const event of events) {
      this.events.push(event)
      this.onEvent?.(event)
    }
    this.routing.save()
    // The kernel has the routes now: the engine's effects are reused from here on.
    const changes = [...routes]
    const pathLookups = [...paths]
    if (changes.length > 0) this.tell({ kind: 'routes-done', changes })
    for (const lookup of pathLookups) this.tell(replyTo(lookup, [...this.#ports.values()].map(({ link }) => link), this.routes.values()))
  }

  #listen(ifindex: number, subscription: Subscription): void {
    const port = this.#ports.get(ifindex)
    if (port !== undefined) port.hearing = subscription
  }

  #ignore(ifindex: number): void {
    const port = this.#ports.get(ifindex)
    if (port === undefined) return
    port.hearing = undefined
    port.groups.clear()
    port.segment.changed()
  }

  #probe(probe: Probe): void {
    const port = this.#ports.get(probe.ifindex)
    if (port === undefined) return
    const { kernel, link } = port
    kernel.send(new Frame(this.#send.slice(0, encodeSolicitation(this.#send, 0, probe, link.mac as Mac, LINK_HEADER))))
  }

  #advertise(message: Advertisement): void {
    const port = this.#ports.get(message.ifindex)
    if (port === undefined) return
    // To all routers, or with Override: no defense of an address.
    const isAnnouncement = !message.solicited && (message.d3 === 2 || message.override)
    if (isAnnouncement && this.world.isMuted) return
    const { kernel, link } = port
    kernel.send(new Frame(this.#send.slice(0, encodeAdvertisement(this.#send, 0, message, link.mac as Mac, LINK_HEADER))))
  }

  /** As the kernel does with NLM_F_REPLACE: a target has one route, or none. */
  #route(change: RouteChange): void {
    const { op, route } = change
    const key = textOf(route.target)
    if (op === 'add') this.routes.set(key, route)
    else if (this.routes.get(key)?.ifindex === route.ifindex) this.routes.delete(key)
    else throw new Error(`no route for ${key} on link ${route.ifindex} to be deleted`)
    this.onRoute?.(change)
  }

  #multicast({ ifindex, message }: Multicast): void {
    const port = this.#ports.get(ifindex)
    if (port === undefined || message.kind !== 'change') return
    const before = port.groups.size
    for (const group of message.joined) port.groups.set(multicastMac(groupOf(group).w3), textOf(groupOf(group)))
    for (const group of message.left) port.groups.delete(multicastMac(groupOf(group).w3))
    if (port.segment.isSnooping && port.groups.size !== before) port.segment.changed()
  }

  #start(saved: readonly SavedHost[]): void {
    this.#isDown = false
    this.#wakeAt = Number.POSITIVE_INFINITY
    this.engine = new Engine(this.#config, this.world.random)
    this.routing.start([...this.#ports.values()].map(({ link }) => link))
    this.tell({ kind: 'saved-hosts', hosts: saved })
    this.tell({ kind: 'routes', present: [...this.routes.values()] })
  }

  #receive({ hearing, link: { ifindex, mac } }: Port, frame: Frame): void {
    if (this.#isDown) return
    const { kind, source, from } = frame.content
    if (kind.startsWith('echo')) {
      if (kind === 'echo-reply') this.tell({ kind: 'echo', ifindex, source: addressOf(source), mac: macOf(from) })
      return
    }
    if (hearing === undefined || kind === 'RA') return
    if (kind === 'RS') return this.routing.solicited(ifindex, frame)
    const { bytes } = frame
    const at = 128
    this.#slab.set(bytes, at)
    const view = this.#view
    const isOther = frame.to !== mac && Math.floor(frame.to / 2 ** 32) !== 0x3333
    const read = (): NdiscView => {
      const drop = view.decode(this.#slab, at, bytes.length, LINK_HEADER, false)
      view.drop = isOther ? 'other-host' : drop
      return view
    }
    this.tell({ kind: 'packets', ifindex, batch: { size: 1, read } })
    this.#slab.fill(0xde, at, at + bytes.length)
    view.poison()
  }

  #arm(): void {
    const { engine, engine: { deadline } } = this
    if (deadline === undefined || deadline >= this.#wakeAt) return
    this.#wakeAt = deadline
    this.world.after(Math.max(0, deadline - this.world.now), () => {
      // By rounding it may come a little early.
      if (this.engine !== engine || this.#isDown || this.#wakeAt !== deadline) return
      this.#wakeAt = Number.POSITIVE_INFINITY
      this.#carryOut(engine.wake(this.#now))
      this.#arm()
    })
  }
}

const configs = new Map<string, Config>()

function configOnce(text: string): Config { return cached(configs, text, configOf) }
