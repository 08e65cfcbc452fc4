/**
 * The packet socket of one link (packet(7)): receives NSs, NAs and MLD queries, and sends all messages except Echo Requests. Received and
 * sent messages stay in reused slabs; a packet allocates nothing.
 */
import type { Mac } from '../address.ts'
import type { Link, PacketBatch, Subscription } from '../engine-types.ts'
import { LISTENER_QUERY, NEIGHBOR_ADVERTISEMENT, NEIGHBOR_SOLICITATION } from '../wire/constants.ts'
import { ndiscFilter } from '../wire/filter.ts'
import { ETHERTYPE_IPV6, type LinkHeader } from '../wire/frame.ts'
import { encodeMulticast, MAX_ENCODED_LISTENER } from '../wire/mld-encode.ts'
import type { ListenerQuery, MulticastMessage } from '../wire/mld-decode.ts'
import { encodeAdvertisement, encodeSolicitation } from '../wire/ndisc-encode.ts'
import { encodeRouterAdvertisement, MAX_ADVERTISEMENT, type RouterAdvertisement } from '../wire/router-messages.ts'
import type { InvalidFrame, NeighborAdvertisement, NeighborSolicitation } from '../wire/ndisc-decode.ts'
import { verdict } from './errors.ts'
import { restInFlood, type Sleep } from './flood-pause.ts'
import { native, type NativeAddon, type NativeSocket } from './native.ts'
import { ReceivedBatch, SLOTS } from './packet-batch.ts'
import { MAX_WAIT, SendQueue } from './send-queue.ts'

export interface PacketReader {
  /** Packets that passed the kernel's filter. `batch` is reused: valid during the call. */
  packets(batch: PacketBatch): void
  /** Called after `packets` for each drop reason in the batch, with the last frame of that reason. The frame is valid during the call. */
  invalid(frame: InvalidFrame): void
  /** Called for a valid MLD query, while a batch is read. */
  query(query: ListenerQuery): void
  /** An error of receiving or sending, to be judged by `verdict`. ENETDOWN comes once each time the link goes down. */
  failed(error: Error): void
}

export type PacketSocketOptions = Pick<Link, 'ifindex' | 'mac' | 'noarp'> & Pick<Subscription, 'promiscuous' | 'ring'>

/** Receive buffer without a ring, in bytes: enough for 20 ms at 200 000 packets per second. */
const RECEIVE_BUFFER = 4 * 2 ** 20
/** Number of frames in a ring: enough for 40 ms at 200 000 packets per second. */
const RING = 8192

const NO_MAC = -1 as Mac
const NOTHING = new Uint8Array(0)
const NO_LENGTHS = new Int32Array(0)

const TYPES = [NEIGHBOR_SOLICITATION, NEIGHBOR_ADVERTISEMENT, LISTENER_QUERY]

/** Reused for each message that is sent at once: when `send` returns, the kernel has copied the frame. */
const longFrame = new Uint8Array(Math.max(MAX_ENCODED_LISTENER, 14 + MAX_ADVERTISEMENT))

/** Opens the socket, with a ring if one is wanted and the kernel has the memory for it. */
function openSocket(link: PacketSocketOptions, filter: Uint8Array, open: NativeAddon['openPacket']): NativeSocket {
  const { ifindex, mac, promiscuous, ring } = link
  const options = { ifindex, promiscuous, cooked: mac === undefined, protocol: ETHERTYPE_IPV6, filter, receiveBuffer: RECEIVE_BUFFER }
  if (!ring) return open(options)
  try {
    return open({ ...options, ring: RING })
  } catch {
    return open(options)
  }
}

export class PacketSocket {
  /** As in `LinkUsage` of events.ts. The counter `drops` is up to date after a call of `drops()`. */
  readonly counters = { received: 0, drops: 0, sent: 0, unsent: 0 }
  readonly #reader: PacketReader
  readonly #sleep: Sleep | undefined
  readonly #socket: NativeSocket
  readonly #linkHeader: LinkHeader
  readonly #batch: ReceivedBatch
  readonly #queue = new SendQueue()
  readonly #failed = (error: Error): void => this.#reader.failed(error)
  readonly #invalid = (frame: InvalidFrame): void => this.#reader.invalid(frame)
  readonly #clock: () => number
  /** Set while messages wait for the kernel. */
  #timer: NodeJS.Timeout | undefined
  #isDraining = false
  #closed = false

  /**
   * Listens at once.
   * @param sleep makes the pause in a flood (flood-pause.ts)
   * @param clock returns monotonic time in milliseconds
   * @throws OsError; ENODEV: there is no such link
   */
  constructor(options: PacketSocketOptions, reader: PacketReader, open: NativeAddon['openPacket'] = native.openPacket, sleep?: Sleep,
    clock = (): number => performance.now()) {
    this.#reader = reader
    this.#sleep = sleep
    this.#clock = clock
    this.#linkHeader = options.mac === undefined ? 0 : 14
    this.#batch = new ReceivedBatch(options.mac, this.#linkHeader, (query) => reader.query(query))
    this.noarp = options.noarp === true
    this.#socket = openSocket(options, ndiscFilter(this.#linkHeader, TYPES), open)
    this.#socket.start(() => this.#readable())
  }

  /** Address of the link: the source of our messages, by which our own frames are recognized. */
  get mac(): Mac | undefined { return this.#batch.mac }
  set mac(mac: Mac | undefined) { this.#batch.mac = mac }
  /** Whether the link is without neighbor resolution, as in `Link`. Then frames with our address as source are not taken for our own. */
  set noarp(noarp: boolean) { this.#batch.noarp = noarp }
  get queued(): number { return this.#queue.size }

  /** Opens the descriptor for sending now, because later none may be free. Sends no message. @throws OsError */
  prepareToSend(): void { this.#socket.send(NOTHING, 1, NO_LENGTHS, 0) }

  /** Queues an NA until `flush`. The caller may change `message` after this call. */
  advertise(message: NeighborAdvertisement): void { this.#enqueue(encodeAdvertisement, message) }

  /** Queues an NS until `flush`. */
  solicit(message: NeighborSolicitation): void { this.#enqueue(encodeSolicitation, message) }

  /**
   * Sends the queued messages. Messages that the kernel does not take now are sent later, or dropped after MAX_WAIT. Dropped and refused
   * messages are counted as unsent, and an error is reported unless its verdict is `retry`. Never throws.
   */
  flush(): void {
    if (this.#queue.size === 0) return
    this.#drop(this.#queue.overdue(this.#clock()))
    while (this.#queue.size > 0 && !this.#closed) {
      try {
        const sent = this.#queue.send(this.#socket)
        if (sent === 0) return this.#wait()
        this.counters.sent += sent
        this.#queue.remove(sent)
      } catch (error) {
        // The kernel refused the first message. If the verdict is `retry` (no memory), the next message may pass. Other errors concern the
        // whole queue.
        const passing = verdict(error) === 'retry'
        this.#drop(passing ? 1 : this.#queue.size)
        if (!passing) this.#reader.failed(error as Error)
      }
    }
  }

  /** Sends `message` at once, or drops it if the kernel cannot queue it: all but the final messages are repeated anyway. Never throws. */
  multicast(message: MulticastMessage): void {
    this.#sendNow(longFrame, encodeMulticast(message, { slab: longFrame, at: 0, mac: this.mac ?? NO_MAC, linkHeader: this.#linkHeader }))
  }

  /** Sends `message` at once, or drops it, as {@link multicast} does. */
  advertiseRouter(message: RouterAdvertisement): void {
    this.#sendNow(longFrame, encodeRouterAdvertisement(longFrame, 0, message, this.mac ?? NO_MAC, this.#linkHeader))
  }

  #sendNow(frame: Uint8Array, length: number): void {
    if (this.#closed) return
    try {
      const sent = this.#socket.send(frame, frame.length, Int32Array.of(length), 1)
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

  /**
   * Drops queued messages and the rest of the batch. Idempotent; the reader is not called again.
   * @param later whether a thread closes the descriptors
   */
  close(later = false): void {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#batch.clear()
    this.#socket.close(later)
  }

  /** Reads only one batch, so that no link keeps the others waiting. The event loop calls again while packets wait. */
  #readable(): void {
    const { sent } = this.counters
    const received = this.#batch.receive(this.#socket, this.#failed)
    if (received === 0) return
    this.counters.received += received
    this.#reader.packets(this.#batch)
    this.#batch.takeInvalid(this.#invalid)
    restInFlood(received, this.counters.sent - sent, SLOTS, this.#sleep)
  }

  /** Calls `flush` as soon as the kernel takes messages again, and in any case after MAX_WAIT. @throws OsError */
  #wait(): void {
    this.#queue.wait(this.#clock())
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.flush()
    }, MAX_WAIT).unref()
    if (this.#isDraining) return
    this.#socket.drain(() => {
      this.#isDraining = false
      this.flush()
    })
    this.#isDraining = true
  }

  #drop(count: number): void {
    this.counters.unsent += count
    this.#queue.remove(count)
  }

  /** Queues the message, or counts it as unsent if the queue stays full or the socket is closed. */
  #enqueue<M>(encode: (slab: Uint8Array, at: number, message: M, mac: Mac, linkHeader: LinkHeader) => number, message: M): void {
    const queue = this.#queue
    if (queue.isFull) this.flush()
    if (queue.isFull || this.#closed) this.counters.unsent++
    else queue.add(encode(queue.slab, queue.end, message, this.mac ?? NO_MAC, this.#linkHeader))
  }
}
