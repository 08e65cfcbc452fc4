/**
 * An engine on a stage: links, a clock that the test winds, and a sink that writes down what the engine does, one line
 * for each call. Frames are decoded from a slab that is poisoned after every call, and so is the view.
 */
import { Address, formatMac } from '../../../src/address.ts'
import type { Config } from '../../../src/config/config.ts'
import { parseConfig } from '../../../src/config/load.ts'
import { Engine } from '../../../src/engine/engine.ts'
import type { Neighbor } from '../../../src/engine/neighbor.ts'
import { NeighborTable } from '../../../src/engine/neighbor-table.ts'
import type { ActiveRule } from '../../../src/engine/rules.ts'
import type {
  Advertisement, Event, Hearing, HostRoute, Input, Instant, KernelNeighbor, Link, Outcome, QuietRule, Random,
  RouteChange, Sink, UnicastProbe,
} from '../../../src/engine/types.ts'
import type { MulticastMessage } from '../../../src/wire/mld.ts'
import type { DropReason } from '../../../src/wire/ndisc.ts'
import { NdiscView } from '../../../src/wire/ndisc.ts'
import type { Na, Ns } from './frames.ts'
import { ip, mac, na, ns } from './frames.ts'

export const LO = 1
export const ETH0 = 2
export const ETH1 = 3
export const ETH2 = 4
const NAMES: Readonly<Record<number, string>> = { [LO]: 'lo', [ETH0]: 'eth0', [ETH1]: 'eth1', [ETH2]: 'eth2' }

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

/** Seeded chance in [0, 1) (mulberry32). */
export function chance(seed: number): Random {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export function configOf(text: string): Config {
  const { config, diagnostics } = parseConfig(text, 'test.conf')
  if (config === undefined) throw new Error(diagnostics.map(({ message }) => message).join('\n'))
  return config
}

/** An entry of a neighbor cache, which is made for it unless there is one. */
export function neighborOf(target: Address, rule: ActiveRule, more: Partial<Neighbor> = {}, table = new NeighborTable(chance(1))): Neighbor {
  return Object.assign(table.create(target, rule), more)
}

export function linkOf(ifindex: number, more: Partial<Link> & { addresses?: Link['addresses'] } = {}): Link {
  return { ifindex, name: NAMES[ifindex], mac: mac(`02:00:00:00:ff:${ifindex.toString(16).padStart(2, '0')}`), up: true,
    addresses: [own(`fe80::ff:${ifindex}`)], ...more }
}

export function own(text: string, prefixLength = 64, tentative = false): Link['addresses'][number] {
  return { address: ip(text), prefixLength, tentative }
}

/** The solicited-node group with these low 24 bits. */
export function groupOf(suffix: number): Address { return new Address(0, 0, 0, suffix).solicitedNode }

/** Writes down each call of the engine. Of reports it says what is new to a switch. */
export class Recorder implements Sink {
  lines: string[] = []
  readonly outcomes: Outcome[] = []
  /** Routes as a kernel would have them. */
  readonly routes = new Map<string, HostRoute>()
  /** What each link was told that we listen to. */
  readonly members = new Map<number, Set<number>>()

  listen({ name, up }: Link, hearing: Hearing): void {
    const manner = Object.entries(hearing).filter(([key, value]) => value && !['ownSolicitations', 'ring'].includes(key)).map(([key]) => ` ${key}`)
    this.lines.push(`listen ${name}${up ? '' : ' down'}${manner.join('')}`)
  }

  discover(ifindex: number, sources: readonly Address[]): void {
    this.lines.push(`discover ${name(ifindex)} from ${sources.join(' ')}`)
  }

  multicast(ifindex: number, message: MulticastMessage): void {
    switch (message.kind) {
      case 'change': return this.reported(ifindex, message.joined, message.left)
      case 'state': return this.reported(ifindex, message.groups, [])
      case 'report': return this.reported(ifindex, [message.group], [])
      case 'done': return this.reported(ifindex, [], [message.group])
      default: this.lines.push(`multicast ${name(ifindex)} ${message.kind} from ${message.source}`)
    }
  }

  reported(ifindex: number, joined: Iterable<number>, left: Iterable<number>): void {
    const members = this.members.get(ifindex) ?? new Set()
    this.members.set(ifindex, members)
    for (const group of [...joined].sort((a, b) => a - b)) {
      if (!members.has(group)) this.lines.push(`join ${name(ifindex)} ${groupOf(group)}`)
      members.add(group)
    }
    for (const group of [...left].sort((a, b) => a - b)) if (members.delete(group)) this.lines.push(`leave ${name(ifindex)} ${groupOf(group)}`)
  }

  ignore(ifindex: number): void {
    this.members.delete(ifindex)
    this.lines.push(`ignore ${name(ifindex)}`)
  }

  solicit(ifindex: number, target: Address): void { this.lines.push(`solicit ${name(ifindex)} ${target}`) }

  confirm({ ifindex, target, destination, source, to }: UnicastProbe): void {
    const odd = destination.equals(target) ? '' : ` at ${destination}`
    this.lines.push(`confirm ${name(ifindex)} ${target}${odd} from ${source} to ${formatMac(to)}`)
  }

  advertise(message: Advertisement): void {
    const { ifindex, source, t0, t1, t2, t3, d0, d1, d2, d3, to, router, solicited, override } = message
    const flags = [router && 'R', solicited && 'S', override && 'O'].filter(Boolean).join('') || '-'
    this.lines.push(`advertise ${name(ifindex)} ${new Address(t0, t1, t2, t3)} ${flags} from ${source} `
      + `to ${new Address(d0, d1, d2, d3)} ${formatMac(to)}`)
  }

  lookup(target: Address): void { this.lines.push(`lookup ${target}`) }

  route({ op, route }: RouteChange): void {
    const { target, ifindex, via } = route
    if (op === 'add') this.routes.set(target.toString(), route)
    else this.routes.delete(target.toString())
    this.lines.push(`route ${op} ${target} ${name(ifindex)}${via === undefined ? '' : ` via ${via}`}`)
  }

  quiet(rules: readonly QuietRule[]): void {
    this.lines.push(['quiet', ...rules.map(({ ifindex, prefixes }) => `${name(ifindex)} ${[...prefixes].join(' ')}`)].join(' '))
  }

  outcome(outcome: Outcome): void { this.outcomes.push(outcome) }

  event(event: Event): void {
    switch (event.kind) {
      case 'neighbor': this.lines.push(`neighbor ${event.target} ${event.state}: ${event.reason}`); break
      case 'link': this.lines.push(`link ${event.iface} ${event.state}`); break
      case 'conflict': this.lines.push(`conflict ${event.target} ${name(event.ifindex)} ${formatMac(event.mac)}`); break
      case 'limit': this.lines.push(`limit ${event.limit} ${event.size}`); break
      case 'snooped': this.lines.push(`snooped ${event.iface}`); break
    }
  }

  /** The lines since the last call that begin with one of `kinds`, all lines without any. */
  take(...kinds: string[]): string[] {
    const lines = this.lines.filter((line) => kinds.length === 0 || kinds.some((kind) => line.startsWith(kind)))
    this.lines = []
    return lines
  }
}

export class Stage {
  readonly sink: Recorder
  readonly engine: Engine
  readonly #slab = new Uint8Array(2048)
  readonly #view = new NdiscView()
  now = 1000 as Instant

  /** With eth0 (2001:db8::ff/64) and eth1 (link-local only) up, unless `links` says otherwise. */
  constructor(config: string, links: readonly Link[] = twoLinks(), random: Random = chance(1)) {
    this.sink = new Recorder()
    this.engine = new Engine(configOf(config), random, this.sink)
    for (const link of links) this.link(link)
    // All hosts were asked to show themselves, and nobody did.
    this.wait(41_000)
    this.sink.take()
  }

  handle(input: Input): void {
    this.engine.handle(input, this.now)
    this.report()
  }

  link(link: Link): void { this.handle({ kind: 'link', link }) }
  gone(ifindex: number): void { this.handle({ kind: 'link-gone', ifindex }) }
  configure(config: string): void { this.handle({ kind: 'config', config: configOf(config) }) }

  /** What is to be done at once: reports of groups. */
  report(): void { if (this.engine.deadline === Number.NEGATIVE_INFINITY) this.engine.wake(this.now) }

  /** Reply to a lookup. */
  route(target: string, ifindex: number | undefined, local = false): void {
    this.handle({ kind: 'route', target: ip(target), ifindex, local })
  }

  /** What the kernel has: `TARGET ifindex`. */
  routes(...present: readonly [string, number][]): void {
    const routes = present.map(([target, ifindex]) => ({ target: ip(target), ifindex }))
    for (const route of routes) this.sink.routes.set(route.target.toString(), route)
    this.handle({ kind: 'routes', present: routes })
  }

  /** An entry of the kernel's neighbor table. */
  kernel(target: string, ifindex: number, from: string | undefined, state: KernelNeighbor['state'], router = false): void {
    const lladdr = from === undefined ? undefined : mac(from)
    this.handle({ kind: 'neighbor', neighbor: { target: ip(target), ifindex, mac: lladdr, state, router } })
  }

  /** A bridge learned where a host is, or lost it. */
  station(ifindex: number, from: string, present: boolean): void {
    this.handle({ kind: 'station', ifindex, mac: mac(from), present })
  }

  /** Hands a frame to the engine, poisoned afterwards. @returns its outcomes, one unless the link is unknown */
  frame(ifindex: number, frame: Uint8Array, cooked = false): Outcome | DropReason | undefined {
    const at = 64
    this.#slab.set(frame, at)
    const start = cooked ? at + 14 : at
    const drop = this.#view.decode(this.#slab, start, frame.length - (start - at), cooked ? 0 : 14, false)
    const before = this.sink.outcomes.length
    this.engine.packet(ifindex, this.#view, drop, this.now)
    this.report()
    this.#slab.fill(0xde)
    this.#view.poison()
    return this.sink.outcomes[before]
  }

  /** A solicitation by the router's link-local address, unless told otherwise. */
  ns(ifindex: number, target: string, more: Partial<Ns> = {}): Outcome | undefined {
    return this.frame(ifindex, ns({ target, from: ROUTER, source: 'fe80::1', ...more }))
  }

  dad(ifindex: number, target: string, from: string): Outcome | undefined {
    return this.frame(ifindex, ns({ target, from, source: '::' }))
  }

  /** A solicited NA to our address, unless told otherwise. */
  na(ifindex: number, target: string, from: string, more: Partial<Na> = {}): Outcome | undefined {
    return this.frame(ifindex, na({ target, from, to: 'fe80::ff:2', ...more }))
  }

  /** Makes `target` known: asked for on eth0, proved on `ifindex`. */
  learn(target: string, from: string, ifindex = ETH1): void {
    this.ns(ETH0, target)
    this.na(ifindex, target, from)
    this.sink.take()
  }

  /** Lets time pass, waking the engine at each deadline. */
  wait(ms: number): void {
    const until = this.now + ms
    for (let next = this.engine.deadline; next !== undefined && next <= until; next = this.engine.deadline) {
      this.now = Math.max(this.now, next) as Instant
      this.engine.wake(this.now)
    }
    this.now = until as Instant
  }

  /** `STATE iface` of each neighbor. */
  get known(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.engine.snapshot().neighbors
      .map(({ target, state, iface, routed }) => [target, `${state} ${iface ?? '-'}${routed ? ' routed' : ''}`]))
  }
}

export function twoLinks(): Link[] {
  return [linkOf(ETH0, { addresses: [own('fe80::ff:2'), own('2001:db8::ff')] }), linkOf(ETH1)]
}

function name(ifindex: number): string { return NAMES[ifindex] ?? `link ${ifindex}` }
