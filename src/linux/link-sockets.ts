/** The sockets of one link: everything of it that has to be closed. The kernel closes them with the process. */
import { randomInt } from 'node:crypto'
import type { Address } from '../address.ts'
import type { Limit, Link, LinkUsage, Subscription } from '../engine/types.ts'
import type { MulticastMessage } from '../wire/mld.ts'
import type { NeighborAdvertisement, NeighborSolicitation } from '../wire/ndisc.ts'
import { Discovery } from './discovery.ts'
import type { DiscoveryReader } from './discovery.ts'
import { verdict } from './errors.ts'
import { MulticastSocket } from './multicast.ts'
import type { MulticastReader } from './multicast.ts'
import { PacketSocket } from './packet.ts'
import type { PacketReader } from './packet.ts'
import { SEND_LIMIT } from './send-queue.ts'
import { Solicitor } from './solicitor.ts'

/** Receives from all sockets of the link. */
export interface LinkReader extends PacketReader, MulticastReader, DiscoveryReader {
  /** Sockets that could not be opened at once are open now. Messages sent before are lost. */
  opened(): void
  /** The kernel dropped `count` packets since the last call. */
  dropped(count: number): void
}

/** Milliseconds until sockets that could not be opened are tried again. */
const RETRY = 1000
/** Milliseconds between two reports of drops, at least. */
const REPORT_INTERVAL = 10_000

export class LinkSockets {
  #link: Link
  #subscription: Subscription
  readonly #reader: LinkReader
  readonly #discovery: Discovery
  #packets: PacketSocket | undefined
  #solicitor: Solicitor | undefined
  #multicast: MulticastSocket | undefined
  #timer: NodeJS.Timeout | undefined
  /** Sockets could not be opened at once; `opened` is still to be called. */
  #isLate = false
  /** Drops that were not reported yet, and the time of the last report. */
  #unreported = 0
  #reportedAt = Number.NEGATIVE_INFINITY
  /** Multicast solicitations that could not be sent. */
  #unsent = 0

  /**
   * Opens the sockets. Errors that pass by themselves go to `failed`, and opening is tried again.
   * @throws OsError that is fatal
   */
  constructor(link: Link, subscription: Subscription, reader: LinkReader) {
    this.#link = link
    this.#subscription = subscription
    this.#reader = reader
    this.#discovery = new Discovery(link, randomInt(2 ** 16), reader)
    this.#open()
  }

  get name(): string { return this.#link.name }
  get ifindex(): number { return this.#link.ifindex }

  /** Adapts the sockets to a changed link or subscription. @throws like the constructor */
  update(link: Link, subscription: Subscription): void {
    const { promiscuous, ring, reports, routerSolicitations } = this.#subscription
    this.#link = link
    this.#subscription = subscription
    if (subscription.promiscuous !== promiscuous || subscription.ring !== ring) this.#packets = close(this.#packets)
    if (subscription.reports !== reports || subscription.routerSolicitations !== routerSolicitations) {
      this.#multicast = close(this.#multicast)
    }
    for (const socket of [this.#packets, this.#solicitor, this.#multicast]) {
      if (socket !== undefined) socket.mac = link.mac
    }
    this.#open()
  }

  /** Sends a solicitation to the solicited-node group of `target` at once; the kernel chooses the source. */
  solicit(target: Address): void { if (this.#solicitor?.solicit(target) !== true) this.#unsent++ }
  /** Queues a solicitation to a known link-layer address until `flush`. */
  sendUnicast(probe: NeighborSolicitation): void { this.#packets?.solicit(probe) }
  /** Queues an advertisement until `flush`. The message may be changed afterwards. */
  advertise(message: NeighborAdvertisement): void { this.#packets?.advertise(message) }
  flush(): void { this.#packets?.flush() }
  /** Sends one echo request to all nodes from each of `sources`. */
  discover(sources: readonly Address[]): void { this.#discovery.discover(sources) }
  multicast(message: MulticastMessage): void { this.#packets?.multicast(message) }

  /** Reads the kernel's drop counter, and reports drops now and then. @param now milliseconds */
  checkDrops(now: number): void {
    this.#unreported += this.#packets?.drops() ?? 0
    if (this.#unreported === 0 || now < this.#reportedAt + REPORT_INTERVAL) return
    this.#reader.dropped(this.#unreported)
    this.#unreported = 0
    this.#reportedAt = now
  }

  get usage(): LinkUsage {
    this.#unreported += this.#packets?.drops() ?? 0
    const { received = 0, drops = 0, sent = 0, unsent = 0 } = this.#packets?.counters ?? {}
    return { iface: this.name, received, drops, sent, unsent: unsent + this.#unsent, queued: this.#packets?.queued ?? 0 }
  }

  /** Idempotent. */
  close(): void {
    clearTimeout(this.#timer)
    for (const socket of [this.#packets, this.#solicitor, this.#multicast]) close(socket)
    this.#discovery.close()
  }

  /** Opens the sockets that are wanted and not open yet. */
  #open(): void {
    clearTimeout(this.#timer)
    const { ifindex, mac } = this.#link
    const { promiscuous, ring, reports, routerSolicitations } = this.#subscription
    const reader = this.#reader
    try {
      this.#packets ??= new PacketSocket({ ifindex, mac, promiscuous, ring, cooked: mac === undefined }, reader)
      this.#solicitor ??= new Solicitor({ ifindex, mac }, (error) => reader.failed(error))
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
    // From the event loop: the caller of `update` may be in the middle of something.
    if (this.#isLate) this.#timer = setTimeout(() => this.#reportOpened(), 0)
  }

  #reportOpened(): void {
    this.#isLate = false
    this.#reader.opened()
  }
}

/** @returns the limit of each link's queue, with the usage of the fullest link */
export function linkLimits(links: readonly LinkUsage[]): Limit[] {
  return [{ name: 'frames in the send queue of one link', used: Math.max(0, ...links.map(({ queued }) => queued)), size: SEND_LIMIT }]
}

function close(socket: { close(): void } | undefined): undefined {
  socket?.close()
  return undefined
}
