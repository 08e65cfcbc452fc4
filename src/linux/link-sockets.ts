/** All sockets of one link. The kernel closes them when the process ends. */
import { randomInt } from 'node:crypto'
import type { Address } from '../address.ts'
import type { Link, Subscription } from '../engine-types.ts'
import type { LinkUsage } from '../events.ts'
import type { MulticastMessage } from '../wire/mld-decode.ts'
import type { NeighborAdvertisement, NeighborSolicitation } from '../wire/ndisc-decode.ts'
import type { RouterAdvertisement } from '../wire/router-messages.ts'
import { Discovery, type DiscoveryReader } from './echo-discovery.ts'
import { verdict } from './errors.ts'
import { MulticastSocket, type MulticastReader } from './multicast-socket.ts'
import { PacketSocket, type PacketReader, type PacketSocketOptions } from './packet-socket.ts'

export interface LinkReader extends PacketReader, MulticastReader, DiscoveryReader {
  /** Called when the sockets are open, if an earlier attempt to open them failed. Messages sent before this call may be lost. */
  opened(): void
  /** The kernel dropped `count` packets since the last call of `dropped`. */
  dropped(count: number): void
}

/** Milliseconds until sockets that could not be opened are tried again. */
const RETRY = 1000
/** Shortest time between two reports of drops, milliseconds. */
const REPORT_INTERVAL = 10_000
const NOTHING = { received: 0, drops: 0, sent: 0, unsent: 0 }

export class LinkSockets {
  #link: Link
  #subscription: Subscription
  readonly #reader: LinkReader
  readonly #discovery: Discovery
  #packets: PacketSocket | undefined
  #multicast: MulticastSocket | undefined
  #timer: NodeJS.Timeout | undefined
  /** Why the sockets could not be opened, kept until `opened` is called; otherwise undefined. */
  #lateness: Error | undefined
  /** Sources of the discovery that waits until the sockets are open. */
  #undiscovered: readonly Address[] = []
  /** Counters of packet sockets that were replaced. */
  #past = NOTHING
  readonly #messages = { advertisements: 0, probes: 0 }
  /** Number of dropped packets that were not reported yet. */
  #unreported = 0
  /** Time of the last report of drops, in milliseconds. */
  #reportedAt = Number.NEGATIVE_INFINITY

  /** Opens the sockets. After an error that is not `fatal`, calls `reader.failed` and tries again later. @throws OsError that is `fatal` */
  constructor(link: Link, subscription: Subscription, reader: LinkReader) {
    this.#link = link
    this.#subscription = subscription
    this.#reader = reader
    this.#discovery = new Discovery(link, randomInt(2 ** 16), reader)
    this.#open()
  }

  get name(): string { return this.#link.name }
  get isOpen(): boolean { return this.#lateness === undefined }

  /** Adapts the sockets to a changed link or subscription. @throws like the constructor */
  update(link: Link, subscription: Subscription): void {
    const { promiscuous, ring, reports, routerSolicitations, routerMessages } = this.#subscription
    this.#link = link
    this.#subscription = subscription
    if (subscription.promiscuous !== promiscuous || subscription.ring !== ring) {
      this.#past = this.#counters
      this.#packets = close(this.#packets)
    }
    if (subscription.reports !== reports || subscription.routerSolicitations !== routerSolicitations
      || subscription.routerMessages !== routerMessages) {
      this.#multicast = close(this.#multicast)
    }
    for (const socket of [this.#packets, this.#multicast]) {
      if (socket === undefined) continue
      socket.mac = link.mac
      socket.noarp = link.noarp === true
    }
    this.#open()
  }

  /** Queues a solicitation until `flush`. */
  solicit(probe: NeighborSolicitation): void {
    this.#messages.probes++
    this.#packets?.solicit(probe)
  }

  /** Queues an advertisement until `flush`. The caller may change `message` after this call. */
  advertise(message: NeighborAdvertisement): void {
    this.#messages.advertisements++
    this.#packets?.advertise(message)
  }

  flush(): void { this.#packets?.flush() }
  /** Sends one echo request to all nodes from each of `sources`. While the sockets cannot be opened, the requests wait. */
  discover(sources: readonly Address[]): void {
    if (this.#lateness !== undefined) this.#undiscovered = sources
    else this.#discovery.discover(sources)
  }
  multicast(message: MulticastMessage): void { this.#packets?.multicast(message) }
  advertiseRouter(message: RouterAdvertisement): void { this.#packets?.advertiseRouter(message) }

  /** Reads the kernel's drop counter. Reports drops at most once in REPORT_INTERVAL. @param now milliseconds */
  checkDrops(now: number): void {
    this.#unreported += this.#packets?.drops() ?? 0
    if (this.#unreported === 0 || now < this.#reportedAt + REPORT_INTERVAL) return
    this.#reader.dropped(this.#unreported)
    this.#unreported = 0
    this.#reportedAt = now
  }

  /**
   * Counters. `advertisements` and `probes` also count messages that could not be sent.
   * `isServing`: the packet socket is open and the link is up.
   */
  get figures() {
    const { received, drops, sent, unsent } = this.#counters
    const { advertisements, probes } = this.#messages
    return { received, drops, sent, unsent, advertisements, probes, isServing: this.#packets !== undefined && this.#link.up }
  }

  get usage(): LinkUsage { return { iface: this.name, failure: this.#lateness?.message, ...this.#counters, queued: this.queued } }
  get queued(): number { return this.#packets?.queued ?? 0 }

  get #counters() {
    this.#unreported += this.#packets?.drops() ?? 0
    const past = this.#past
    const { received, drops, sent, unsent } = this.#packets?.counters ?? NOTHING
    return { received: past.received + received, drops: past.drops + drops, sent: past.sent + sent, unsent: past.unsent + unsent }
  }

  /** Closes the sockets. Threads close them: closing a packet socket takes tens of milliseconds, and hundreds of links may go at once. */
  close(): void {
    clearTimeout(this.#timer)
    for (const socket of [this.#packets, this.#multicast]) socket?.close(true)
    this.#discovery.close()
  }

  #open(): void {
    clearTimeout(this.#timer)
    const { ifindex, mac, noarp } = this.#link
    const { promiscuous, ring, reports, routerSolicitations, routerMessages } = this.#subscription
    const reader = this.#reader
    try {
      const own = { ifindex, mac, ...noarp && { noarp } }
      this.#packets ??= openPackets({ ...own, promiscuous, ring }, reader)
      if (reports || routerSolicitations || routerMessages) {
        this.#multicast ??= new MulticastSocket({ ...own, reports, routerSolicitations, routerMessages }, reader)
      }
    } catch (error) {
      if (verdict(error) === 'fatal') {
        this.close()
        throw error
      }
      this.#lateness = error as Error
      reader.failed(error as Error)
      this.#timer = setTimeout(() => this.#open(), RETRY)
      return
    }
    // The event loop calls `opened`, because the caller of `update` may be in the middle of a step.
    if (this.#lateness !== undefined) this.#timer = setTimeout(() => this.#reportOpened(), 0)
  }

  #reportOpened(): void {
    this.#lateness = undefined
    this.#reader.opened()
    this.#discovery.discover(this.#undiscovered)
    this.#undiscovered = []
  }
}

/**
 * Opens a socket that can receive and send. If the socket can only receive, closes it, because another link may need its descriptor.
 * @throws OsError
 */
function openPackets(options: PacketSocketOptions, reader: PacketReader): PacketSocket {
  const socket = new PacketSocket(options, reader)
  try {
    socket.prepareToSend()
    return socket
  } catch (error) {
    socket.close()
    throw error
  }
}

function close(socket: { close(): void } | undefined): undefined {
  socket?.close()
  return undefined
}
