/**
 * The packet socket of one link (packet(7)): receives ND messages and queries for multicast listeners, and sends everything but
 * multicast probes. Received and sent messages stay in reused slabs; a packet allocates nothing.
 */
import type { Mac } from '../address.ts'
import type { PacketBatch } from '../engine/types.ts'
import { LISTENER_QUERY, NEIGHBOR_ADVERTISEMENT, NEIGHBOR_SOLICITATION } from '../wire/constants.ts'
import { ndiscFilter } from '../wire/filter.ts'
import { ETHERTYPE_IPV6 } from '../wire/frame.ts'
import type { LinkHeader } from '../wire/frame.ts'
import { encodeMulticast, MAX_ENCODED_LISTENER } from '../wire/mld.ts'
import type { ListenerQuery, MulticastMessage } from '../wire/mld.ts'
import { encodeAdvertisement, encodeSolicitation } from '../wire/ndisc.ts'
import type { NeighborAdvertisement, NeighborSolicitation } from '../wire/ndisc.ts'
import { verdict } from './errors.ts'
import { restInFlood } from './flood-rest.ts'
import type { Sleep } from './flood-rest.ts'
import { native } from './native.ts'
import type { NativeAddon, NativeSocket } from './native.ts'
import { ReceivedBatch, SLOTS } from './packet-batch.ts'
import { SendQueue } from './send-queue.ts'

export interface PacketReader {
  /** Packets that passed the kernel's filter. `batch` is reused: valid during the call. */
  packets(batch: PacketBatch): void
  /** A valid query for multicast listeners; called while a batch is read. */
  query(query: ListenerQuery): void
  /** An error of receiving or sending, to be judged by `verdict`. ENETDOWN comes once each time the link goes down. */
  failed(error: Error): void
}

export interface PacketSocketOptions {
  readonly ifindex: number
  /** Undefined on a link without Ethernet addresses. */
  readonly mac: Mac | undefined
  readonly promiscuous: boolean
  /** Receive through a mapped ring, unless the kernel has no memory for one. */
  readonly ring: boolean
  /** The link has no Ethernet headers. */
  readonly cooked: boolean
}

export interface PacketCounters {
  /** Packets that passed the filter. */
  received: number
  /** Packets that the kernel dropped because they came faster than they were read; up to date after `drops()`. */
  drops: number
  sent: number
  /** Messages that the kernel refused, or that the queue had no place for. */
  unsent: number
}

/** Bytes without a ring, and frames of a ring: packets of 20 and 40 ms at 200 000 per second. */
const RECEIVE_BUFFER = 4 * 2 ** 20
const RING = 8192

const NO_MAC = -1 as Mac

const TYPES = [NEIGHBOR_SOLICITATION, NEIGHBOR_ADVERTISEMENT, LISTENER_QUERY]

/** Sent before it is written again. */
const listenerFrame = new Uint8Array(MAX_ENCODED_LISTENER)

/** Opens the socket with a ring, or without where the kernel has no memory for a ring. */
function openSocket({ ifindex, promiscuous, cooked, ring }: PacketSocketOptions, filter: Uint8Array,
  open: NativeAddon['openPacket']): NativeSocket {
  const options = { ifindex, promiscuous, cooked, protocol: ETHERTYPE_IPV6, filter, receiveBuffer: RECEIVE_BUFFER }
  if (!ring) return open(options)
  try {
    return open({ ...options, ring: RING })
  } catch {
    return open(options)
  }
}

export class PacketSocket {
  readonly counters: PacketCounters = { received: 0, drops: 0, sent: 0, unsent: 0 }
  readonly #reader: PacketReader
  readonly #sleep: Sleep | undefined
  readonly #socket: NativeSocket
  readonly #linkHeader: LinkHeader
  readonly #batch: ReceivedBatch
  readonly #queue = new SendQueue()
  readonly #failed = (error: Error): void => this.#reader.failed(error)
  #closed = false

  /**
   * Listens at once; the reader is called from the event loop.
   * @param sleep of the pause in a flood (flood-rest.ts)
   * @throws OsError; ENODEV: there is no such link
   */
  constructor(options: PacketSocketOptions, reader: PacketReader, open: NativeAddon['openPacket'] = native.openPacket, sleep?: Sleep) {
    this.#reader = reader
    this.#sleep = sleep
    this.#linkHeader = options.cooked ? 0 : 14
    this.#batch = new ReceivedBatch(options.mac, this.#linkHeader, (query) => reader.query(query))
    this.#socket = openSocket(options, ndiscFilter(this.#linkHeader, TYPES), open)
    this.#socket.start(() => this.#readable())
  }

  /** Address of the link: source of our messages and mark of our own frames. */
  get mac(): Mac | undefined { return this.#batch.mac }
  set mac(mac: Mac | undefined) { this.#batch.mac = mac }

  /** Messages that wait for `flush`. */
  get queued(): number { return this.#queue.size }

  /** Queues an NA until `flush`. The message may be changed afterwards. */
  advertise(message: NeighborAdvertisement): void {
    if (!this.#hasPlace()) return
    const { slab, end } = this.#queue
    this.#queue.add(encodeAdvertisement(slab, end, message, this.mac ?? NO_MAC, this.#linkHeader))
  }

  /** Queues an NS to a known link-layer address until `flush`. */
  solicit(message: NeighborSolicitation): void {
    if (!this.#hasPlace()) return
    const { slab, end } = this.#queue
    this.#queue.add(encodeSolicitation(slab, end, message, this.mac ?? NO_MAC, this.#linkHeader))
  }

  /**
   * Sends the queued messages. Those that the kernel cannot take now stay queued until the next call. Refused ones are counted, and
   * reported unless the error passes by itself. Never throws.
   */
  flush(): void {
    while (this.#queue.size > 0 && !this.#closed) {
      try {
        const sent = this.#queue.send(this.#socket)
        if (sent === 0) return
        this.counters.sent += sent
        this.#queue.remove(sent)
      } catch (error) {
        // The first message failed. Without memory the next ones may succeed; any other error concerns all of them.
        const passing = verdict(error) === 'retry'
        const lost = passing ? 1 : this.#queue.size
        this.counters.unsent += lost
        this.#queue.remove(lost)
        if (!passing) this.#reader.failed(error as Error)
      }
    }
  }

  /** Sends at once, and drops what the kernel cannot queue: all but the final messages are repeated anyway. Never throws. */
  multicast(message: MulticastMessage): void {
    if (this.#closed) return
    const length = encodeMulticast(message, { slab: listenerFrame, at: 0, mac: this.mac ?? NO_MAC, linkHeader: this.#linkHeader })
    try {
      const sent = this.#socket.send(listenerFrame, listenerFrame.length, Int32Array.of(length), 1)
      this.counters.sent += sent
      this.counters.unsent += 1 - sent
    } catch (error) {
      this.counters.unsent++
      if (verdict(error) !== 'retry') this.#reader.failed(error as Error)
    }
  }

  /** Counts the packets that the kernel dropped since the last call. @returns their number */
  drops(): number {
    const drops = this.#closed ? 0 : this.#socket.drops()
    this.counters.drops += drops
    return drops
  }

  /** Drops queued messages and the rest of the batch. Idempotent; the reader is not called again. */
  close(): void {
    this.#closed = true
    this.#batch.clear()
    this.#socket.close()
  }

  /** Reads one batch. The event loop calls again while packets wait, so no link keeps the others waiting. */
  #readable(): void {
    const { sent } = this.counters
    const received = this.#batch.receive(this.#socket, this.#failed)
    if (received === 0) return
    this.counters.received += received
    this.#reader.packets(this.#batch)
    restInFlood(received, this.counters.sent - sent, SLOTS, this.#sleep)
  }

  /** @returns whether one more message can be queued; if not, it is counted as unsent */
  #hasPlace(): boolean {
    if (this.#queue.isFull) this.flush()
    if (!this.#queue.isFull && !this.#closed) return true
    this.counters.unsent++
    return false
  }
}
