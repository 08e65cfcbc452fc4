/** Writes down the effects of an engine, one line for each, in the order in which they are carried out. */
import { Address, formatMac } from '../../../src/address.ts'
import { clearEffects, createEffects } from '../../../src/engine/effects/effects.ts'
import type { Advertisement, Effects, HostRoute, Instant, Multicast, Probe, RouteChange, Subscription } from '../../../src/engine-types.ts'
import type { Event, Outcome } from '../../../src/events.ts'
import { multicastMac } from '../../../src/wire/frame.ts'
import type { RouterAdvertisement } from '../../../src/wire/router-messages.ts'
import { groupOf, nameOf } from './basics.ts'

const UNSEEN = ['ownSolicitations', 'ring']

export class Recorder {
  lines: string[] = []
  readonly outcomes: Outcome[] = []
  /** Routes as a kernel would have them. */
  readonly routes = new Map<string, HostRoute>()
  /** Groups that the switch of each link knows. */
  readonly members = new Map<number, Set<number>>()
  /** Current subscriptions, by the link's name. */
  readonly subscriptions = new Map<string, Subscription>()

  add(line: string): void { this.lines.push(line) }

  record(effects: Effects): void {
    const { listening, filters, routes, repairs, answers, probes, multicasts, routerAdvertisements, discoveries, lookups, paths, events, outcomes } = effects
    for (const [, entry] of listening) if (entry !== undefined) this.listen(entry.link.name, entry.link.up, entry.subscription)
    if (filters !== undefined) {
      this.add(['filter', ...filters.map(({ ifindex, prefixes }) => `${nameOf(ifindex)} ${[...prefixes].join(' ')}`)].join(' '))
    }
    for (const change of routes) this.route(change)
    for (const { target, ifindex, mac, router } of repairs) {
      this.add(`repair ${nameOf(ifindex)} ${target} ${formatMac(mac)}${router ? ' R' : ''}`)
    }
    for (const { ifindex, sources } of discoveries) this.add(`discover ${nameOf(ifindex)} from ${sources.join(' ')}`)
    for (const message of answers) this.advertise(message)
    for (const probe of probes) this.probe(probe)
    for (const message of multicasts) this.multicast(message)
    for (const { ifindex, message } of routerAdvertisements) this.router(ifindex, message)
    for (const [ifindex, entry] of listening) if (entry === undefined) this.ignore(ifindex)
    for (const { target, from } of lookups) this.add(`lookup ${target}${from === 0 ? '' : ` from ${nameOf(from)}`}`)
    for (const { target, hidden } of paths) if (hidden !== undefined) this.add(`hide ${target} ${nameOf(hidden.ifindex)}`)
    for (const event of events) this.event(event)
    for (const { outcome } of outcomes) this.outcomes.push(outcome)
  }

  listen(name: string, up: boolean, subscription: Subscription): void {
    this.subscriptions.set(name, subscription)
    const manner = Object.entries(subscription).filter(([key, value]) => value && !UNSEEN.includes(key)).map(([key]) => ` ${key}`)
    this.add(`listen ${name}${up ? '' : ' down'}${manner.join('')}`)
  }

  ignore(ifindex: number): void {
    this.members.delete(ifindex)
    this.add(`ignore ${nameOf(ifindex)}`)
  }

  route({ op, route }: RouteChange): void {
    const { target, ifindex, via } = route
    if (op === 'add') this.routes.set(target.toString(), route)
    else this.routes.delete(target.toString())
    this.add(`route ${op} ${target} ${nameOf(ifindex)}${via === undefined ? '' : ` via ${via}`}`)
  }

  advertise({ ifindex, source, t0, t1, t2, t3, d0, d1, d2, d3, to, router, solicited, override }: Advertisement): void {
    const flags = [router && 'R', solicited && 'S', override && 'O'].filter(Boolean).join('') || '-'
    this.add(`advertise ${nameOf(ifindex)} ${new Address(t0, t1, t2, t3)} ${flags} from ${source} `
      + `to ${new Address(d0, d1, d2, d3)} ${formatMac(to)}`)
  }

  probe({ ifindex, target, destination, source, to }: Probe): void {
    // Announcements, and probes on a link without addresses, have another source. The test of a proxy goes to the proxy alone.
    const isGroup = destination.equals(target.solicitedNode) && to === multicastMac(destination.w3)
    if (isGroup && source.isLinkLocal) return this.add(`solicit ${nameOf(ifindex)} ${target}`)
    const odd = destination.equals(target) ? '' : ` at ${destination}`
    this.add(`confirm ${nameOf(ifindex)} ${target}${odd} from ${source}${to < 0 ? '' : ` to ${formatMac(to)}`}`)
  }

  router(ifindex: number, { source, destination, to, lifetime, mtu, prefixes, dns }: RouterAdvertisement): void {
    const parts = prefixes.map(({ prefix, autonomous, valid, preferred }) => `${prefix}${autonomous ? '' : ' A=0'} ${valid} ${preferred}`)
    this.add([`ra ${nameOf(ifindex)} from ${source} to ${destination}${to < 0 ? '' : ` ${formatMac(to)}`} lifetime ${lifetime} mtu ${mtu ?? '-'}`,
      ...parts, ...dns.map((option) => `${option.values.join(' ')} ${option.lifetime}`)].join(', '))
  }

  multicast({ ifindex, message }: Multicast): void {
    switch (message.kind) {
      case 'change': return this.#reported(ifindex, message.joined, message.left)
      case 'state': return this.#reported(ifindex, message.groups, [])
      case 'report': return this.#reported(ifindex, [message.group], [])
      case 'done': return this.#reported(ifindex, [], [message.group])
      case 'router-advertisement':
        return this.add(`multicast ${nameOf(ifindex)} ${message.kind} from ${message.source} every ${message.interval} s`)
      default: this.add(`multicast ${nameOf(ifindex)} ${message.kind} from ${message.source}`)
    }
  }

  event(event: Event): void {
    switch (event.kind) {
      case 'router': return this.add(`router ${nameOf(event.ifindex)} ${event.target}${event.isForged ? ' forged' : ''}`)
      case 'neighbor': this.add(`neighbor ${event.target} ${event.state}: ${event.reason}`); break
      case 'next-hop': this.add(`next-hop ${event.address} ${nameOf(event.ifindex)} ${event.state}${event.news ? '' : ' still'}`); break
      case 'link': this.add(`link ${event.iface} ${event.state}`); break
      case 'conflict': this.add(`conflict ${event.target} ${nameOf(event.ifindex)} ${formatMac(event.mac)} ${event.basis}`
        + (event.absent === undefined ? '' : ` without ${event.absent}`)); break
      case 'foreign': this.add(`foreign ${event.target} ${nameOf(event.ifindex)} ${event.other === undefined ? '-' : nameOf(event.other)}`); break
      case 'proxy': this.add(`proxy ${event.target} ${nameOf(event.ifindex)} ${formatMac(event.mac)}`); break
      case 'limit': this.add(`limit ${event.limit} ${event.size}`); break
      case 'bare': this.add(`bare ${nameOf(event.ifindex)} from ${event.source}`); break
      case 'filtered': this.add(`filtered ${nameOf(event.ifindex)} ${event.target} ${formatMac(event.mac)}`); break
      case 'snooped': this.add(`snooped ${event.iface}`); break
    }
  }

  /** Takes the lines that begin with one of `kinds`, all lines without any, and drops the others. */
  take(...kinds: string[]): string[] {
    const lines = this.lines.filter((line) => kinds.length === 0 || kinds.some((kind) => line.startsWith(kind)))
    this.lines = []
    return lines
  }

  /** What is new to the switch. */
  #reported(ifindex: number, joined: Iterable<number>, left: Iterable<number>): void {
    const members = this.members.get(ifindex) ?? new Set()
    this.members.set(ifindex, members)
    for (const group of [...joined].sort((a, b) => a - b)) {
      if (!members.has(group)) this.add(`join ${nameOf(ifindex)} ${groupOf(group)}`)
      members.add(group)
    }
    for (const group of [...left].sort((a, b) => a - b)) if (members.delete(group)) this.add(`leave ${nameOf(ifindex)} ${groupOf(group)}`)
  }
}

/** A part of the engine with deadlines. */
interface Timed {
  readonly deadline: Instant | undefined
  wake(now: Instant): void
}

/** Calls `wake` with each deadline of `part` until `until`. @throws Error when a deadline does not move */
export function runUntil(part: Pick<Timed, 'deadline'>, until: number, wake: (deadline: Instant) => void): void {
  for (let wakes = 0; part.deadline !== undefined && part.deadline <= until; wakes++) {
    if (wakes > 100_000) throw new Error('a deadline that does not move')
    wake(part.deadline)
  }
}

/** Records the effects of a part of the engine when the lines are taken. */
export class PartsRecorder extends Recorder {
  readonly effects = createEffects()

  flush(): void {
    this.record(this.effects)
    clearEffects(this.effects)
  }

  override take(...kinds: string[]): string[] {
    this.flush()
    return super.take(...kinds)
  }
}

/** Begins each line with the time of its effect. */
export class TimedRecorder extends PartsRecorder {
  now = 0

  /** Moves the time to `until`, and wakes the part at each of its deadlines. */
  run(part: Timed, until: number): void {
    this.flush()
    runUntil(part, until, (deadline) => {
      this.now = Math.max(this.now, deadline)
      part.wake(this.now as Instant)
      this.flush()
    })
    this.now = until
  }

  override event(event: Event): void {
    if (event.kind !== 'limit' || event.ifindex === undefined) return super.event(event)
    this.add(`limit ${event.limit} ${event.size} on ${nameOf(event.ifindex)}`)
  }

  override add(line: string): void { super.add(`${Math.round(this.now)} ${line}`) }

  /** Stands for `Groups`. */
  readonly groups = {
    add: (ifindex: number, group: Address) => this.add(`add ${ifindex} ${short(group)}`),
    remove: (ifindex: number, group: Address) => this.add(`remove ${ifindex} ${short(group)}`),
    query: () => {},
  }
}

function short(group: Address): string { return `${group}`.replace('ff02::1:ff00:', '') }
