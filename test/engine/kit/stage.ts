/**
 * An engine with links, a clock that the test winds, and a recorder of its effects. Frames are decoded from a slab that is poisoned
 * after every step, and so is the view. Routes are applied, and lookups of them are answered, at once, as by a kernel.
 */
import { formatMac, type Prefix } from '../../../src/address.ts'
import { Engine } from '../../../src/engine.ts'
import type { Effects, Input, Instant, KernelNeighbor, Link, Random } from '../../../src/engine-types.ts'
import type { Outcome } from '../../../src/events.ts'
import { type DropReason, NdiscView } from '../../../src/wire/ndisc-decode.ts'
import { chance, configOf, ETH0, ETH1, ETH2, linkOf, own } from './basics.ts'
import { ip, mac, type Na, na, type Ns, ns, prefix } from './frames.ts'
import { Recorder, runUntil } from './recorder.ts'
import { replyTo, type Route } from './routing.ts'

export * from './basics.ts'
export * from './frames.ts'
export * from './recorder.ts'

export const ROUTER = '02:00:00:00:00:01'
export const VM2 = '02:00:00:00:00:02'
export const VM3 = '02:00:00:00:00:03'

/** The five lines of the manual, without announcements, which have tests of their own. */
export const SUBNET = `subnet 2001:db8::/64 {
  upstream eth0
  downstream eth1
  announce no
  host 2001:db8::1 eth0
}`

export const TIMED = SUBNET.replace('host', 'timeout 100\n retries 3\n ttl 30s\n deadtime 20s\n host')
/** The same with the default timers of probes. */
export const PATIENT = TIMED.replace('timeout 100', 'timeout 500')
/** A host on eth1. */
export const VM = '2001:db8::2'

export class Stage {
  readonly sink = new Recorder()
  readonly engine: Engine
  readonly #slab = new Uint8Array(2048)
  readonly #view = new NdiscView()
  now = 1000 as Instant
  /** Routes are in the kernel before the step ends. */
  isKernelFast = true
  readonly #links = new Map<number, Link>()
  /** Routes of the kernel beside those of the links' addresses. */
  #foreign: Route[] = []

  /** With eth0 (2001:db8::ff/64) and eth1 (link-local only) up, unless `links` differs. */
  constructor(config: string, links: readonly Link[] = twoLinks(), random: Random = chance(1)) {
    this.engine = new Engine(configOf(config), random)
    for (const link of links) this.link(link)
    // The discovery of all hosts is over, and none answered.
    this.wait(41_000)
    this.sink.take()
  }

  handle(input: Input): void {
    this.#record(this.engine.step(input, this.now))
    this.report()
  }

  link(link: Link): void {
    const before = this.#links.get(link.ifindex)
    this.#links.set(link.ifindex, link)
    this.handle({ kind: 'link', link })
    // The kernel's routes changed with the addresses.
    if (before !== undefined && before.addresses !== link.addresses) this.#reroute()
  }

  gone(ifindex: number): void {
    this.#links.delete(ifindex)
    // The kernel deletes the routes of the link.
    for (const [target, route] of this.sink.routes) if (route.ifindex === ifindex) this.sink.routes.delete(target)
    this.handle({ kind: 'link-gone', ifindex })
  }

  configure(config: string): void { this.handle({ kind: 'config', config: configOf(config) }) }
  stop(): void { this.#record(this.engine.stop()) }

  /** Does what is due at once: reports of groups. */
  report(): void { if (this.engine.deadline === Number.NEGATIVE_INFINITY) this.#record(this.engine.wake(this.now)) }

  /** The kernel's reply to a lookup. */
  route(target: string, ifindex: number | undefined, local = false): void {
    this.handle({ kind: 'lookup', target: ip(target), decision: { ifindex, local, via: undefined, length: 0 } })
  }

  /** Another program adds or removes a route of the kernel. The engine gets to know it. */
  foreign(text: string, ifindex: number | undefined, isNew = true): void {
    const route = { prefix: prefix(text), ifindex }
    this.#foreign = this.#foreign.filter((other) => !other.prefix.equals(route.prefix) || other.ifindex !== ifindex)
    if (isNew) this.#foreign.push(route)
    this.#reroute(route.prefix)
  }

  /** The routes that the kernel has: `TARGET ifindex`. */
  routes(...present: readonly [string, number][]): void {
    const routes = present.map(([target, ifindex]) => ({ target: ip(target), ifindex }))
    for (const route of routes) this.sink.routes.set(route.target.toString(), route)
    this.handle({ kind: 'routes', present: routes })
  }

  #reroute(prefix?: Prefix): void {
    this.handle({ kind: 'route-changed', prefix })
    this.wait(0)
  }

  /** An entry of the kernel's neighbor table. */
  kernel(target: string, ifindex: number, from: string | undefined, state: KernelNeighbor['state'], router = false): void {
    const lladdr = from === undefined ? undefined : mac(from)
    this.handle({ kind: 'neighbor', neighbor: { target: ip(target), ifindex, mac: lladdr, state, router } })
  }

  /** A bridge learned or lost the port of a host. */
  station(ifindex: number, from: string, port: number | undefined): void { this.handle({ kind: 'station', ifindex, mac: mac(from), port }) }

  /** Steps with a frame, which is poisoned afterwards. @returns its outcome; undefined when the link does not exist */
  frame(ifindex: number, frame: Uint8Array, cooked = false): Outcome | DropReason | undefined {
    const at = 64
    this.#slab.set(frame, at)
    const start = cooked ? at + 14 : at
    const view = this.#view
    const read = (): NdiscView => {
      view.drop = view.decode(this.#slab, start, frame.length - (start - at), cooked ? 0 : 14, false)
      return view
    }
    const before = this.sink.outcomes.length
    this.handle({ kind: 'packets', ifindex, batch: { size: 1, read } })
    this.#slab.fill(0xde)
    view.poison()
    return this.sink.outcomes[before]
  }

  /** A solicitation by the router's link-local address, unless `more` differs. */
  ns(ifindex: number, target: string, more: Partial<Ns> = {}): Outcome | undefined {
    return this.frame(ifindex, ns({ target, from: ROUTER, source: 'fe80::1', ...more }))
  }

  dad(ifindex: number, target: string, from: string): Outcome | undefined { return this.frame(ifindex, ns({ target, from, source: '::' })) }

  /** A solicited NA to our address, unless `more` differs. */
  na(ifindex: number, target: string, from: string, more: Partial<Na> = {}): Outcome | undefined {
    return this.frame(ifindex, na({ target, from, to: 'fe80::ff:2', ...more }))
  }

  /** Makes `target` known: solicited on eth0, proved on `ifindex`. */
  learn(target: string, from: string, ifindex = ETH1): void {
    this.ns(ETH0, target)
    this.na(ifindex, target, from)
    this.sink.take()
  }

  /** The probes since the last call. */
  probes(): string[] { return this.sink.take('solicit', 'confirm') }

  /** Lets time pass, and wakes the engine at each deadline. */
  wait(ms: number): void {
    const until = this.now + ms
    runUntil(this.engine, until, (deadline) => {
      this.now = Math.max(this.now, deadline) as Instant
      this.#record(this.engine.wake(this.now))
    })
    this.now = until as Instant
  }

  /** `STATE iface` of each neighbor. */
  get known(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.engine.snapshot().neighbors
      .map(({ target, state, iface, routed }) => [target, `${state} ${iface ?? '-'}${routed ? ' routed' : ''}`]))
  }

  /** `TARGET IFACE LLADDR` of each saved host, with an R for a router. */
  get saved(): string[] {
    return [...this.engine.savedHosts].map(({ target, iface, mac, router }) =>
      `${target} ${iface} ${mac === undefined ? '-' : formatMac(mac)}${router ? ' R' : ''}`).sort()
  }

  /** Reports all changes of routes as done. */
  applied(changes: Effects['routes']): void { this.#record(this.engine.step({ kind: 'routes-done', changes }, this.now)) }

  #record(effects: Effects): void {
    this.sink.record(effects)
    const changes = [...effects.routes]
    const lookups = [...effects.paths]
    if (changes.length > 0 && this.isKernelFast) this.applied(changes)
    for (const lookup of lookups) {
      this.#record(this.engine.step(replyTo(lookup, this.#links.values(), this.sink.routes.values(), this.#foreign), this.now))
    }
  }
}

/** @returns a stage with two downstreams, where VM2 on eth1 has been known for a second */
export function twoDownstreams(config: string): Stage {
  const stage = new Stage(config.replace('eth1', 'eth1 eth2'), [...twoLinks(), linkOf(ETH2)])
  stage.learn(VM, VM2)
  stage.wait(1000)
  return stage
}

/** @returns the `n`-th of many addresses of the subnet */
export function many(n: number): string { return `2001:db8::1:${n.toString(16)}` }

export function twoLinks(): Link[] { return [linkOf(ETH0, { addresses: [own('fe80::ff:2'), own('2001:db8::ff')] }), linkOf(ETH1)] }
