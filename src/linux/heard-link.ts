/**
 * Everything that one heard link owns: its sockets. Nothing of them outlives the process.
 */
import { randomInt } from 'node:crypto'
import type { Address, Mac } from '../address.ts'
import type { Advertisement, Hearing, Limit, Link, UnicastProbe } from '../engine/types.ts'
import { Discovery } from './discovery.ts'
import type { MulticastMessage } from '../wire/mld.ts'
import { verdict } from './errors.ts'
import { MulticastSocket } from './multicast.ts'
import type { MulticastReader } from './multicast.ts'
import { PacketSocket } from './packet.ts'
import type { PacketCounters, PacketReader } from './packet.ts'
import { SEND_LIMIT } from './send-queue.ts'
import { QUEUE_LIMIT, Solicitor } from './solicitor.ts'

/** What comes in; trouble of all sockets goes to `failed`. */
export interface LinkReader extends PacketReader, MulticastReader {
  echo(source: Address, mac: Mac | undefined): void
  /** The sockets are open at last: what was to be sent before that is lost. */
  opened(): void
  /** So many packets were lost since this was said last, for want of room. */
  dropped(count: number): void
}

/** What went through a link's packet socket, and what it holds. */
export interface LinkUsage extends Readonly<PacketCounters> {
  readonly iface: string
  /** Messages that wait to be sent, and solicitations. */
  readonly queued: number
  readonly asking: number
}

/** Sockets that could not be opened are tried again after this time. Milliseconds. */
const RETRY = 1000
/** Drops are told of no more often than this. Milliseconds. */
const REPORT_INTERVAL = 10_000

export class HeardLink {
  #link: Link
  #hearing: Hearing
  readonly #reader: LinkReader
  readonly #discovery: Discovery
  #packets: PacketSocket | undefined
  #solicitor: Solicitor | undefined
  #multicast: MulticastSocket | undefined
  #timer: NodeJS.Timeout | undefined
  /** Sockets could not be opened when they were wanted, and the reader does not know yet that they are open now. */
  #isLate = false
  /** Drops that were not told of yet, and when that was done last. */
  #untold = 0
  #toldAt = Number.NEGATIVE_INFINITY
  /** Solicitations for which there was no room. */
  #unasked = 0

  /** Throws an OsError that is fatal; what may work later is told to `failed`, and tried again. */
  constructor(link: Link, hearing: Hearing, reader: LinkReader) {
    this.#link = link
    this.#hearing = hearing
    this.#reader = reader
    this.#discovery = new Discovery(link, randomInt(2 ** 16), reader)
    this.#open()
  }

  get name(): string { return this.#link.name }
  get ifindex(): number { return this.#link.ifindex }

  /** The link, or the manner of hearing it, changed. Throws like the constructor. */
  follow(link: Link, hearing: Hearing): void {
    const { promiscuous, ring, reports, routerSolicitations } = this.#hearing
    this.#link = link
    this.#hearing = hearing
    if (hearing.promiscuous !== promiscuous || hearing.ring !== ring) this.#packets = close(this.#packets)
    if (hearing.reports !== reports || hearing.routerSolicitations !== routerSolicitations) this.#multicast = close(this.#multicast)
    for (const socket of [this.#packets, this.#solicitor, this.#multicast]) {
      if (socket !== undefined) socket.mac = link.mac
    }
    this.#open()
  }

  solicit(target: Address): void { if (this.#solicitor?.solicit(target) === false) this.#unasked++ }
  confirm(probe: UnicastProbe): void { this.#packets?.solicit(probe) }
  advertise(advertisement: Advertisement): void { this.#packets?.advertise(advertisement) }
  flush(): void { this.#packets?.flush() }
  discover(sources: readonly Address[]): void { this.#discovery.discover(sources) }
  multicast(message: MulticastMessage): void { this.#packets?.multicast(message) }

  /** Looks at what there was no room for, and tells of it now and then. @param now milliseconds */
  look(now: number): void {
    this.#untold += this.#packets?.drops() ?? 0
    if (this.#untold === 0 || now < this.#toldAt + REPORT_INTERVAL) return
    this.#reader.dropped(this.#untold)
    this.#untold = 0
    this.#toldAt = now
  }

  get usage(): LinkUsage {
    this.#untold += this.#packets?.drops() ?? 0
    const { received = 0, drops = 0, sent = 0, unsent = 0 } = this.#packets?.counters ?? {}
    return { iface: this.name, received, drops, sent, unsent: unsent + this.#unasked, queued: this.#packets?.queued ?? 0,
      asking: this.#solicitor?.waiting ?? 0 }
  }

  close(): void {
    clearTimeout(this.#timer)
    for (const socket of [this.#packets, this.#solicitor, this.#multicast]) close(socket)
    this.#discovery.close()
  }

  /** Opens what is wanted and not open yet. */
  #open(): void {
    clearTimeout(this.#timer)
    const { ifindex, name, mac } = this.#link
    const { promiscuous, ring, reports, routerSolicitations } = this.#hearing
    const reader = this.#reader
    try {
      this.#packets ??= new PacketSocket({ ifindex, mac, promiscuous, ring, cooked: mac === undefined }, reader)
      this.#solicitor ??= new Solicitor({ name, mac }, (error) => reader.failed(error))
      if (reports || routerSolicitations) this.#multicast ??= new MulticastSocket({ ifindex, mac, reports, routerSolicitations }, reader)
    } catch (error) {
      if (verdict(error) === 'fatal') {
        this.close()
        throw error
      }
      this.#isLate = true
      reader.failed(error as Error)
      this.#timer = setTimeout(() => this.#open(), RETRY)
      return
    }
    // Later: whoever wants them to be open may be at something.
    if (this.#isLate) this.#timer = setTimeout(() => this.#tellOpened(), 0)
  }

  #tellOpened(): void {
    this.#isLate = false
    this.#reader.opened()
  }
}

/** What each of these links has room for, by the fullest of them. */
export function linkLimits(links: readonly LinkUsage[]): Limit[] {
  const most = (key: 'queued' | 'asking'): number => links.reduce((most, link) => Math.max(most, link[key]), 0)
  return [
    { name: 'messages that wait to be sent on one link, at most', used: most('queued'), size: SEND_LIMIT },
    { name: 'probes that wait to be sent on one link, at most', used: most('asking'), size: QUEUE_LIMIT },
  ]
}

function close(socket: { close(): void } | undefined): undefined {
  socket?.close()
  return undefined
}
