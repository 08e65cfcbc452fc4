/** The reply to `ndp6d monitor`: packets and events as they happen. A slow client loses events, which are counted. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Address, formatMac } from '../address.ts'
import type { Part, Request } from '../control/protocol.ts'
import type { Introspection } from '../introspection.ts'
import type { Instant, PacketOutcome } from '../engine-types.ts'
import type { Event } from '../events.ts'
import type { Observer } from '../observers.ts'
import { EventFilter, ifaceOf, type Kind, kindOf } from './event-filter.ts'

/** The most events that wait for a client: less than 1 MiB, as objects or as text. */
export const QUEUE_LIMIT = 2048
/** The most events in one part of a reply. */
const PART_SIZE = 128
/** Pause after a part while there is one reply, milliseconds. All replies together get at most 128 events per 25 ms, or 5120 per second. */
const PAUSE = 25
/** Number of replies under way. Each reply pauses for PAUSE times this number, so that their total rate stays the same. */
let replies = 0

/** An event as the client gets it. Times are RFC 3339. Unknown values are null. */
export interface MonitorEvent {
  readonly at: string
  readonly event: Kind | 'lost'
  readonly interface: string | null
  readonly target: string | null
  readonly source: string | null
  readonly lladdr: string | null
  /** The outcome of a packet, or why a state changed. */
  readonly reason: string | null
  readonly state: string | null
  readonly count: number | null
}

export type MonitorSource = Pick<Introspection, 'nameOf'> & { readonly observers: Pick<Introspection['observers'], 'add'> }

type Waiting =
  | { readonly now: Instant; readonly packet: PacketOutcome }
  | { readonly now: Instant; readonly event: Event }
  | { readonly now: Instant; readonly lost: number }

const EMPTY = { interface: null, target: null, source: null, lladdr: null, reason: null, state: null, count: null }

/** Events that wait for one client. Events beyond the limit are only counted, which costs the packet path next to nothing. */
export class EventQueue implements Observer {
  readonly #filter: EventFilter
  readonly #nameOf: (ifindex: number) => string
  #waiting: Waiting[] = []
  #lost = 0
  #wake: (() => void) | undefined

  constructor(request: Request, nameOf: (ifindex: number) => string) {
    this.#filter = new EventFilter(request, nameOf)
    this.#nameOf = nameOf
  }

  packet(packet: PacketOutcome, now: Instant): void {
    if (this.#filter.packet(packet) && this.#hasRoom(now)) this.#add({ now, packet: { ...packet } })
  }

  event(event: Event, now: Instant): void {
    if (this.#filter.event(event) && this.#hasRoom(now)) this.#add({ now, event })
  }

  /** Waits for an event, or until the client is gone. */
  async filled(closed: AbortSignal): Promise<void> {
    if (this.#waiting.length > 0 || closed.aborted) return
    await new Promise<void>((resolve) => {
      this.#wake = resolve
      closed.addEventListener('abort', () => resolve(), { once: true })
    })
  }

  /** Takes the oldest events. */
  take(): MonitorEvent[] {
    const taken = this.#waiting.splice(0, PART_SIZE)
    if (this.#waiting.length === 0 && this.#lost > 0) {
      taken.push({ now: performance.now() as Instant, lost: this.#lost })
      this.#lost = 0
    }
    return taken.map((each) => ({ ...EMPTY, at: time(each.now), ...this.#describe(each) }))
  }

  #hasRoom(now: Instant): boolean {
    if (this.#waiting.length >= QUEUE_LIMIT) {
      this.#lost++
      return false
    }
    if (this.#lost > 0) this.#waiting.push({ now, lost: this.#lost })
    this.#lost = 0
    return true
  }

  #add(waiting: Waiting): void {
    this.#waiting.push(waiting)
    this.#wake?.()
    this.#wake = undefined
  }

  #describe(waiting: Waiting): Partial<MonitorEvent> & Pick<MonitorEvent, 'event'> {
    if ('lost' in waiting) return { event: 'lost', count: waiting.lost }
    return 'packet' in waiting ? this.#packet(waiting.packet) : this.#event(waiting.event)
  }

  #packet(packet: PacketOutcome): Partial<MonitorEvent> & Pick<MonitorEvent, 'event'> {
    const { outcome, ifindex, type, t0, t1, t2, t3, s0, s1, s2, s3, mac } = packet
    const isDecoded = type !== 0
    return {
      event: kindOf(packet), reason: outcome, interface: this.#nameOf(ifindex), lladdr: mac < 0 || !isDecoded ? null : formatMac(mac),
      target: isDecoded ? new Address(t0, t1, t2, t3).toString() : null, source: isDecoded ? new Address(s0, s1, s2, s3).toString() : null,
    }
  }

  #event(event: Event): Partial<MonitorEvent> & Pick<MonitorEvent, 'event'> {
    const target = 'target' in event ? event.target : 'address' in event ? event.address : undefined
    const reason = event.kind === 'answered' ? 'waited' : event.kind === 'limit' ? event.limit : event.kind === 'conflict' ? event.basis
      : event.kind === 'router' ? event.isForged ? 'forged' : 'other'
      : 'reason' in event ? event.reason : undefined
    const mac = 'mac' in event ? event.mac : undefined
    return {
      event: event.kind, interface: ifaceOf(event, this.#nameOf) ?? null, target: target?.toString() ?? null, reason: reason ?? null,
      source: 'source' in event ? event.source?.toString() ?? null : null, lladdr: mac === undefined || mac < 0 ? null : formatMac(mac),
      state: 'state' in event ? event.state : null,
      count: event.kind === 'overrun' ? event.count : event.kind === 'limit' ? event.refused ?? null : null,
    }
  }
}

/** @throws Error for arguments that are no filter */
export async function * monitorReply(request: Request, daemon: MonitorSource, closed: AbortSignal): AsyncGenerator<Part> {
  const queue = new EventQueue(request, (ifindex) => daemon.nameOf(ifindex))
  const stop = daemon.observers.add(queue)
  replies++
  try {
    yield { since: new Date().toISOString() }
    while (!closed.aborted) {
      await queue.filled(closed)
      if (closed.aborted) return
      yield { events: queue.take() }
      await sleep(PAUSE * replies, undefined, { signal: closed }).catch(() => {})
    }
  } finally {
    stop()
    replies--
  }
}

/** @returns RFC 3339 */
function time(now: Instant): string { return new Date(Date.now() - performance.now() + now).toISOString() }
