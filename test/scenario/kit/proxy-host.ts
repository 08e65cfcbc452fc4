/**
 * The machine with ndp6d in the simulator: the engine with a sink that puts frames on segments. Frames are encoded by our
 * encoder and decoded again from a slab that is poisoned after every call, so that a view that is kept fails loudly.
 */
import { parseMac } from '../../../src/address.ts'
import type { Address, Mac } from '../../../src/address.ts'
import { Engine } from '../../../src/engine/engine.ts'
import type {
  Advertisement, Event, HostRoute, Instant, Link, Outcome, RouteChange, Sink, UnicastProbe,
} from '../../../src/engine/types.ts'
import { encodeAdvertisement, encodeSolicitation, MAX_ENCODED, NdiscView } from '../../../src/wire/ndisc.ts'
import { multicastMac } from '../../../src/wire/frame.ts'
import { configOf, own } from '../../engine/kit/stage.ts'
import { Host } from './simulator.ts'
import type { Segment, World } from './simulator.ts'

const LINK_HEADER = 14

interface Port {
  link: Link
  /** The kernel's own part: answers for the addresses of this machine. */
  readonly kernel: Host
  readonly send: (frame: Uint8Array) => void
  readonly unplug: () => void
}

export class ProxyHost implements Sink {
  readonly world: World
  readonly routes = new Map<string, HostRoute>()
  readonly outcomes = new Map<Outcome, number>()
  readonly events: Event[] = []
  readonly engine: Engine
  readonly #ports = new Map<number, Port>()
  readonly #heard = new Set<number>()
  readonly #slab = new Uint8Array(4096)
  readonly #view = new NdiscView()
  readonly #send = new Uint8Array(MAX_ENCODED)
  #wakeAt = Number.POSITIVE_INFINITY

  constructor(world: World, config: string) {
    this.world = world
    this.engine = new Engine(configOf(config), world.random, this)
  }

  get #now(): Instant { return this.world.now as Instant }

  /** @returns the link-layer address */
  attach(ifindex: number, name: string, segment: Segment, ...globals: string[]): string {
    const kernel = new Host(segment, 0xff00 + ifindex, ...globals)
    const { send, unplug } = segment.plug((frame) => { if (this.#ports.has(ifindex)) this.#receive(ifindex, frame) })
    const addresses = [kernel.linkLocal, ...globals].map((address) => own(address))
    const link: Link = { ifindex, name, mac: parseMac(kernel.mac), up: true, addresses }
    this.#ports.set(ifindex, { link, kernel, send, unplug })
    this.engine.handle({ kind: 'link', link }, this.#now)
    this.#arm()
    return kernel.mac
  }

  detach(ifindex: number): void {
    const port = this.#ports.get(ifindex)!
    port.kernel.unplug()
    port.unplug()
    this.#ports.delete(ifindex)
    for (const [key, route] of this.routes) if (route.ifindex === ifindex) this.routes.delete(key)
    this.engine.handle({ kind: 'link-gone', ifindex }, this.#now)
    this.#arm()
  }

  configure(config: string): void {
    this.engine.handle({ kind: 'config', config: configOf(config) }, this.#now)
    this.#arm()
  }

  /** Tells the engine of the routes that there are, as at its start. */
  adopt(): void {
    this.engine.handle({ kind: 'routes', present: [...this.routes.values()] }, this.#now)
    this.#arm()
  }

  /** `TARGET ifindex`, in order. */
  get routed(): string[] {
    return [...this.routes.values()].sort((a, b) => a.target.compare(b.target)).map(({ target, ifindex }) => `${target} ${ifindex}`)
  }

  listen({ ifindex }: Link): void { this.#heard.add(ifindex) }
  ignore(ifindex: number): void { this.#heard.delete(ifindex) }

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
    port.send(this.#send.slice(0, encodeAdvertisement(this.#send, 0, message, port.link.mac as Mac, LINK_HEADER)))
  }

  lookup(target: Address): void {
    this.world.after(0, () => {
      this.engine.handle({ kind: 'route', target, ifindex: undefined, local: false }, this.#now)
      this.#arm()
    })
  }

  route({ op, route }: RouteChange): void {
    if (op === 'add') this.routes.set(route.target.toString(), route)
    else this.routes.delete(route.target.toString())
  }

  quiet(): void {}
  outcome(outcome: Outcome): void { this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1) }
  event(event: Event): void { this.events.push(event) }

  #solicit({ link, send }: Port, probe: UnicastProbe): void {
    send(this.#send.slice(0, encodeSolicitation(this.#send, 0, probe, link.mac as Mac, LINK_HEADER)))
  }

  #receive(ifindex: number, frame: Uint8Array): void {
    if (!this.#heard.has(ifindex)) return
    const at = 128
    this.#slab.set(frame, at)
    let drop = this.#view.decode(this.#slab, at, frame.length, LINK_HEADER, false)
    const { destinationMac } = this.#view
    const isGroup = Math.floor(destinationMac / 2 ** 32) === 0x3333
    if (!isGroup && destinationMac !== this.#ports.get(ifindex)!.link.mac) drop = 'other-host'
    this.engine.packet(ifindex, this.#view, drop, this.#now)
    this.#slab.fill(0xde)
    this.#view.poison()
    this.#arm()
  }

  #arm(): void {
    const { deadline } = this.engine
    if (deadline === undefined || deadline >= this.#wakeAt) return
    this.#wakeAt = deadline
    this.world.after(Math.max(0, deadline - this.world.now), () => {
      if (this.#wakeAt > this.world.now) return
      this.#wakeAt = Number.POSITIVE_INFINITY
      this.engine.wake(this.#now)
      this.#arm()
    })
  }
}
