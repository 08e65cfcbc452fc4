/** Decides which packets and events a monitor shows. */
import { Prefix, wordMask } from '../address.ts'
import type { Request } from '../control/protocol.ts'
import type { PacketOutcome } from '../engine-types.ts'
import { ACTIONS, type Event, SILENT_REASONS } from '../events.ts'

/** Kinds of packets. The kinds of events are those of `Event`. */
export const PACKET_KINDS = ['answered', 'probing', 'unanswered', 'advertisement', 'dropped'] as const
export const EVENT_KINDS = ['neighbor', 'next-hop', 'link', 'conflict', 'foreign', 'proxy', 'router', 'limit', 'overrun', 'silent', 'bare',
  'filtered', 'snooped'] as const
export type Kind = (typeof PACKET_KINDS)[number] | Event['kind']

const SILENT: ReadonlySet<string> = new Set(SILENT_REASONS)
const KNOWN: ReadonlySet<string> = new Set(ACTIONS)

export function kindOf({ outcome }: Pick<PacketOutcome, 'outcome'>): Kind {
  if (outcome === 'answered' || outcome === 'defended') return 'answered'
  if (outcome === 'probing') return 'probing'
  return SILENT.has(outcome) ? 'unanswered' : KNOWN.has(outcome) ? 'advertisement' : 'dropped'
}

export class EventFilter {
  readonly #kinds: ReadonlySet<string> | undefined
  readonly #target: Prefix | undefined
  readonly #mask: readonly number[]
  readonly #iface: string | undefined
  readonly #nameOf: (ifindex: number) => string

  /** @throws Error for arguments that are no filter */
  constructor({ kinds, target, link }: Request, nameOf: (ifindex: number) => string) {
    if (kinds !== undefined && !(Array.isArray(kinds) && kinds.every((kind) => typeof kind === 'string'))) throw new Error('`kinds` is no list of words')
    this.#kinds = kinds === undefined ? undefined : new Set(kinds as string[])
    this.#target = typeof target === 'string' ? Prefix.parse(target) : undefined
    if (target !== undefined && this.#target === undefined) throw new Error('`target` is no prefix')
    if (link !== undefined && typeof link !== 'string') throw new Error('`link` is no name')
    this.#mask = [0, 1, 2, 3].map((index) => wordMask(this.#target?.length ?? 0, index))
    this.#iface = link
    this.#nameOf = nameOf
  }

  packet(packet: PacketOutcome): boolean {
    const { ifindex, t0, t1, t2, t3 } = packet
    return (this.#kinds === undefined || this.#kinds.has(kindOf(packet))) && this.#isTarget(t0, t1, t2, t3)
      && (this.#iface === undefined || this.#nameOf(ifindex) === this.#iface)
  }

  event(event: Event): boolean {
    if (this.#kinds !== undefined && !this.#kinds.has(event.kind)) return false
    const target = 'target' in event ? event.target : 'address' in event ? event.address : undefined
    if (this.#target !== undefined && (target === undefined || !this.#target.contains(target))) return false
    return this.#iface === undefined || this.#iface === ifaceOf(event, this.#nameOf)
  }

  #isTarget(t0: number, t1: number, t2: number, t3: number): boolean {
    if (this.#target === undefined) return true
    const { w0, w1, w2, w3 } = this.#target.address
    const [m0, m1, m2, m3] = this.#mask
    return (t3 & m3) === w3 && (t2 & m2) === w2 && (t1 & m1) === w1 && (t0 & m0) === w0
  }
}

/** @returns the name of the link of an event; undefined: it has none */
export function ifaceOf(event: Event, nameOf: (ifindex: number) => string): string | undefined {
  if ('iface' in event) return event.iface
  const ifindex = 'ifindex' in event ? event.ifindex : undefined
  return ifindex === undefined ? undefined : nameOf(ifindex)
}
