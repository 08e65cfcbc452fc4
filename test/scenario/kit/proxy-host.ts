/**
 * The machine with ndp6d in the simulator: the engine with a sink that puts frames on segments, beside a kernel that is a
 * host on each of them. Frames are encoded by our encoder and decoded again from a slab that is poisoned after every call,
 * so that a view that is kept fails loudly. What would go wrong in a real kernel throws: a route deleted that is not there.
 */
import type { Address, Mac } from '../../../src/address.ts'
import type { Config } from '../../../src/config/config.ts'
import { Engine } from '../../../src/engine/engine.ts'
import type {
  Advertisement, Event, Hearing, HostRoute, Input, Instant, Link, Outcome, RememberedHost, RouteChange, Sink, UnicastProbe,
} from '../../../src/engine/types.ts'
import { multicastMac } from '../../../src/wire/frame.ts'
import type { MulticastMessage } from '../../../src/wire/mld.ts'
import { encodeAdvertisement, encodeSolicitation, MAX_ENCODED, NdiscView } from '../../../src/wire/ndisc.ts'
import { prefix } from '../../kit/frames.ts'
import { configOf, groupOf, own } from '../../engine/kit/stage.ts'
import { addressOf, echoFrame, Frame, macOf, textOf } from './frame.ts'
import { Host } from './host.ts'
import type { Segment, World } from './world.ts'

const LINK_HEADER = 14
const ALL_NODES = 'ff02::1'

interface Port {
  link: Link
  /** Answers for the addresses of this machine, and sends what it forwards. */
  readonly kernel: Host
  readonly segment: Segment
  hearing: Hearing | undefined
  /** Reported groups, which the switch passes, by link-layer address. */
  readonly groups: Map<number, string>
}

export class ProxyHost implements Sink {
  readonly world: World
  readonly routes = new Map<string, HostRoute>()
  readonly outcomes = new Map<Outcome, number>()
  readonly events: Event[] = []
  /** Called for each change of a route, after it. */
  onRoute: ((change: RouteChange) => void) | undefined
  onEvent: ((event: Event) => void) | undefined
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
    this.engine = new Engine(this.#config, world.random, this)
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

  detach(ifindex: number): void {
    this.#ports.get(ifindex)!.kernel.unplug()
    this.#ports.delete(ifindex)
    for (const [key, route] of this.routes) if (route.ifindex === ifindex) this.routes.delete(key)
    this.tell({ kind: 'link-gone', ifindex })
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
    this.tell({ kind: 'prefixes', ifindex, prefixes: globals.map((address) => prefix(`${address}/64`)) })
  }

  /** Tells the engine of the routes that there are, as at its start. */
  adopt(): void { this.tell({ kind: 'routes', present: [...this.routes.values()] }) }

  /** Its kernel on a link. */
  kernel(ifindex: number): Host { return this.#ports.get(ifindex)!.kernel }

  /**
   * Ends the engine and after `ms` starts another with the saved hosts and the routes of the first one.
   * @param isLate the routes expire meanwhile @param isKilled no saved hosts
   */
  restart(ms: number, { isLate = false, isKilled = false } = {}): void {
    const memory = isKilled ? [] : [...this.engine.memory]
    if (!isKilled) this.engine.stop()
    this.#isDown = true
    for (const port of this.#ports.values()) {
      port.hearing = undefined
      port.groups.clear()
      port.segment.changed()
    }
    if (isLate) this.routes.clear()
    this.world.after(ms, () => this.#start(memory))
  }

  /** A packet for `target` is to be forwarded: by our routes, else to the upstream, where the prefix is on-link. */
  forward(target: string, upstream: number): void {
    this.#ports.get(this.routes.get(target)?.ifindex ?? upstream)!.kernel.use(target)
  }

  /** Where packets for `target` that are forwarded go to; undefined while that is not known. */
  reaches(target: string, upstream: number): string | undefined {
    return this.#ports.get(this.routes.get(target)?.ifindex ?? upstream)!.kernel.reaches(target)
  }

  tell(input: Input): void {
    if (this.#isDown) return
    this.engine.handle(input, this.#now)
    this.#arm()
  }

  /** `TARGET ifindex`, in order. */
  get routed(): string[] {
    return [...this.routes.values()].sort((a, b) => a.target.compare(b.target))
      .map(({ target, ifindex }) => `${textOf(target)} ${ifindex}`)
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

  listen({ ifindex }: Link, hearing: Hearing): void {
    const port = this.#ports.get(ifindex)
    if (port !== undefined) port.hearing = hearing
  }

  ignore(ifindex: number): void {
    const port = this.#ports.get(ifindex)
    if (port === undefined) return
    port.hearing = undefined
    port.groups.clear()
    port.segment.changed()
  }

  solicit(ifindex: number, target: Address): void {
    const port = this.#ports.get(ifindex)
    if (port === undefined) return
    const destination = target.solicitedNode
    const [{ address: source }] = port.link.addresses
    this.#solicit(port, { ifindex, source, destination, target, to: multicastMac(destination.w3) })
  }

  confirm(probe: UnicastProbe): void {
    const port = this.#ports.get(probe.ifindex)
    if (port !== undefined) this.#solicit(port, probe)
  }

  advertise(message: Advertisement): void {
    const port = this.#ports.get(message.ifindex)
    if (port === undefined) return
    // To all routers, or with Override: no defence of an address.
    const isAnnouncement = !message.solicited && (message.d3 === 2 || message.override)
    if (isAnnouncement && this.world.isMuted) return
    const { kernel, link } = port
    kernel.send(new Frame(this.#send.slice(0, encodeAdvertisement(this.#send, 0, message, link.mac as Mac, LINK_HEADER))))
  }

  lookup(target: Address): void {
    this.world.after(0, () => this.tell({ kind: 'route', target, ifindex: undefined, local: false }))
  }

  /** As the kernel does with NLM_F_REPLACE: there is one route for a target, or none. */
  route(change: RouteChange): void {
    const { op, route } = change
    const key = textOf(route.target)
    if (op === 'add') this.routes.set(key, route)
    else if (this.routes.get(key)?.ifindex === route.ifindex) this.routes.delete(key)
    else throw new Error(`no route for ${key} on link ${route.ifindex} to be deleted`)
    this.onRoute?.(change)
  }

  multicast(ifindex: number, message: MulticastMessage): void {
    const port = this.#ports.get(ifindex)
    if (port === undefined || message.kind !== 'change') return
    const before = port.groups.size
    for (const group of message.joined) port.groups.set(multicastMac(groupOf(group).w3), textOf(groupOf(group)))
    for (const group of message.left) port.groups.delete(multicastMac(groupOf(group).w3))
    if (port.segment.isSnooping && port.groups.size !== before) port.segment.changed()
  }

  discover(ifindex: number, sources: readonly Address[]): void {
    const kernel = this.#ports.get(ifindex)?.kernel
    for (const source of sources) kernel?.send(echoFrame('echo-request', { from: kernel.mac, source: textOf(source), to: ALL_NODES }))
  }

  quiet(): void {}
  outcome(outcome: Outcome): void { this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1) }

  event(event: Event): void {
    this.events.push(event)
    this.onEvent?.(event)
  }

  #start(memory: readonly RememberedHost[]): void {
    this.#isDown = false
    this.#wakeAt = Number.POSITIVE_INFINITY
    this.engine = new Engine(this.#config, this.world.random, this)
    for (const { link } of this.#ports.values()) this.tell({ kind: 'link', link })
    this.tell({ kind: 'memory', hosts: memory })
    this.adopt()
  }

  #solicit({ link, kernel }: Port, probe: UnicastProbe): void {
    kernel.send(new Frame(this.#send.slice(0, encodeSolicitation(this.#send, 0, probe, link.mac as Mac, LINK_HEADER))))
  }

  #receive({ hearing, link: { ifindex, mac } }: Port, frame: Frame): void {
    if (this.#isDown) return
    const { kind, source, from } = frame.content
    if (kind.startsWith('echo')) {
      if (kind === 'echo-reply') this.tell({ kind: 'echo', ifindex, source: addressOf(source), mac: macOf(from) })
      return
    }
    if (hearing === undefined) return
    const { bytes } = frame
    const at = 128
    this.#slab.set(bytes, at)
    let drop = this.#view.decode(this.#slab, at, bytes.length, LINK_HEADER, false)
    const { destinationMac } = this.#view
    const isGroup = Math.floor(destinationMac / 2 ** 32) === 0x3333
    if (!isGroup && destinationMac !== mac) drop = 'other-host'
    this.engine.packet(ifindex, this.#view, drop, this.#now)
    this.#slab.fill(0xde, at, at + bytes.length)
    this.#view.poison()
    this.#arm()
  }

  #arm(): void {
    const { engine, engine: { deadline } } = this
    if (deadline === undefined || deadline >= this.#wakeAt) return
    this.#wakeAt = deadline
    this.world.after(Math.max(0, deadline - this.world.now), () => {
      // By rounding it may come a little early.
      if (this.engine !== engine || this.#isDown || this.#wakeAt !== deadline) return
      this.#wakeAt = Number.POSITIVE_INFINITY
      engine.wake(this.#now)
      this.#arm()
    })
  }
}

const configs = new Map<string, Config>()

function configOnce(text: string): Config {
  let config = configs.get(text)
  if (config === undefined) configs.set(text, config = configOf(text))
  return config
}
