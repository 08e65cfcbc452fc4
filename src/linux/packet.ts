/**
 * Frames in and out of one link: a packet socket (packet(7)) with a receive slab that is read in place and a send slab
 * that is filled in place. Nothing is allocated for a packet.
 */
import { readMac } from '../address.ts'
import type { Mac } from '../address.ts'
import { LISTENER_QUERY, NEIGHBOR_ADVERTISEMENT, NEIGHBOR_SOLICITATION } from '../wire/constants.ts'
import { ndiscFilter } from '../wire/filter.ts'
import { ETHER_DESTINATION, ETHER_SOURCE, ETHERTYPE_IPV6 } from '../wire/frame.ts'
import type { LinkHeader } from '../wire/frame.ts'
import { decodeListenerMessage, encodeMulticast, MAX_ENCODED_LISTENER } from '../wire/mld.ts'
import type { ListenerQuery, MulticastMessage } from '../wire/mld.ts'
import { encodeAdvertisement, encodeSolicitation, MAX_ENCODED, NdiscView } from '../wire/ndisc.ts'
import type { DropReason, NeighborAdvertisement, NeighborSolicitation } from '../wire/ndisc.ts'
import { verdict } from './errors.ts'
import { restInFlood } from './flood-rest.ts'
import type { Sleep } from './flood-rest.ts'
import { native } from './native.ts'
import type { NativeAddon, NativeSocket } from './native.ts'
import { hasPartialChecksum, isTagged, PACKET_OTHERHOST, PACKET_OUTGOING, packetType, receiveBatch } from './packet-meta.ts'

export interface PacketReader {
  /** A batch of packets follows, `end` after the last: one turn. */
  begin(): void
  /**
   * One packet that passed the kernel's filter.
   * @param view reused: holds only during the call. @param drop why it does not count; undefined for a valid one.
   */
  packet(view: NdiscView, drop: DropReason | undefined): void
  end(): void
  /** A valid query for multicast listeners. */
  query(query: ListenerQuery): void
  /** Trouble in receiving or sending, to be judged by `verdict`. ENETDOWN comes once each time the link goes down. */
  failed(error: Error): void
}

export interface PacketSocketOptions {
  readonly ifindex: number
  /** Undefined on a link without Ethernet addresses. */
  readonly mac: Mac | undefined
  readonly promiscuous: boolean
  /** Receive through a mapped ring, if there is memory for one. */
  readonly ring: boolean
  /** The link has no Ethernet headers. */
  readonly cooked: boolean
}

export interface PacketCounters {
  /** Packets that passed the filter. */
  received: number
  /** Packets there was no room for; up to date after `drops()`. */
  drops: number
  sent: number
  /** Messages that were not sent: refused by the kernel, or no room was left. */
  unsent: number
}

/** Slots of the receive slab: an NS with all options known today takes 118 bytes; what is longer is cut. */
const SLOT = 256
const SLOTS = 128
/** Without a ring; with one as many frames. They hold what comes in 20 and 30 ms at 200 000 a second. */
const RECEIVE_BUFFER = 4 * 2 ** 20
const RING = 8192
const SEND_SLOT = Math.ceil(MAX_ENCODED / 8) * 8
const SEND_SLOTS = 256
/** The queue grows up to this: what one turn answers waits for its routes. */
export const SEND_LIMIT = 4096

/** In the first byte of an Ethernet address: multicast. */
const GROUP = 1

const NO_MAC = -1 as Mac

const TYPES = [NEIGHBOR_SOLICITATION, NEIGHBOR_ADVERTISEMENT, LISTENER_QUERY]

/** Sent before anything else is written to it. */
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
  /** Follows the link's address: our messages carry it, and frames that come from it are ours. */
  mac: Mac | undefined
  readonly counters: PacketCounters = { received: 0, drops: 0, sent: 0, unsent: 0 }
  readonly #reader: PacketReader
  readonly #sleep: Sleep | undefined
  readonly #socket: NativeSocket
  readonly #linkHeader: LinkHeader
  readonly #slab = new Uint8Array(SLOT * SLOTS)
  readonly #meta = new Int32Array(4 * SLOTS)
  readonly #view = new NdiscView()
  readonly #failed = (error: Error): void => this.#reader.failed(error)
  #queue = new Uint8Array(SEND_SLOT * SEND_SLOTS)
  #lengths = new Int32Array(SEND_SLOTS)
  #queued = 0
  #closed = false

  /** Listens at once; the reader is called from the event loop. Throws an OsError (ENODEV: no such link). */
  constructor(options: PacketSocketOptions, reader: PacketReader, open: NativeAddon['openPacket'] = native.openPacket, sleep?: Sleep) {
    const { cooked } = options
    this.#sleep = sleep
    this.mac = options.mac
    this.#reader = reader
    this.#linkHeader = cooked ? 0 : 14
    this.#socket = openSocket(options, ndiscFilter(this.#linkHeader, TYPES), open)
    this.#socket.start(() => this.#readable())
  }

  /** Messages that wait for `flush`. */
  get queued(): number { return this.#queued }

  /** Queues an NA until `flush`. The message may be changed afterwards. */
  advertise(message: NeighborAdvertisement): void {
    if (!this.#makeRoom()) return
    const length = encodeAdvertisement(
      this.#queue, this.#queued * SEND_SLOT, message, this.mac ?? NO_MAC, this.#linkHeader)
    this.#lengths[this.#queued++] = length
  }

  /** Queues an NS to a known Ethernet address, like `advertise`. */
  solicit(message: NeighborSolicitation): void {
    if (!this.#makeRoom()) return
    const length = encodeSolicitation(
      this.#queue, this.#queued * SEND_SLOT, message, this.mac ?? NO_MAC, this.#linkHeader)
    this.#lengths[this.#queued++] = length
  }

  /**
   * Sends what is queued. What the kernel has no room for now stays queued until the next call; what it refuses is
   * counted and, unless it may do better in a moment, told to the reader. Never throws for that.
   */
  flush(): void {
    while (this.#queued > 0 && !this.#closed) {
      try {
        const sent = this.#socket.send(this.#queue, SEND_SLOT, this.#lengths, this.#queued)
        if (sent === 0) return
        this.counters.sent += sent
        this.#forget(sent)
      } catch (error) {
        // It is the first one that failed. For want of memory the others may do better; else they share its fate.
        const passing = verdict(error) === 'retry'
        const lost = passing ? 1 : this.#queued
        this.counters.unsent += lost
        this.#forget(lost)
        if (!passing) this.#reader.failed(error as Error)
      }
    }
  }

  /** Sends at once. What the kernel has no room for is lost: none of these is sent only once, but for the last ones. Never throws. */
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

  /** Reads how many packets were dropped for want of room since the last call, and counts them. */
  drops(): number {
    const drops = this.#closed ? 0 : this.#socket.drops()
    this.counters.drops += drops
    return drops
  }

  /** Idempotent; what is queued is dropped. Nothing is told to the reader afterwards, but for the `end` of a turn. */
  close(): void {
    this.#closed = true
    this.#socket.close()
  }

  /** Reads one batch. The event loop calls again while packets wait, so no link keeps the others waiting. */
  #readable(): void {
    const { sent } = this.counters
    const received = receiveBatch(this.#socket, this.#slab, SLOT, this.#meta, this.#failed)
    if (received === 0) return
    this.counters.received += received
    this.#reader.begin()
    for (let i = 0; i < received && !this.#closed; i++) this.#read(i)
    this.#reader.end()
    restInFlood(received, this.counters.sent - sent, SLOTS, this.#sleep)
  }

  #read(i: number): void {
    const at = i * SLOT
    const length = Math.min(this.#meta[4 * i], SLOT)
    // TP_STATUS_CSUM_VALID is not believed: to check 72 bytes costs less than to be wrong.
    const drop = this.#view.decode(this.#slab, at, length, this.#linkHeader, hasPartialChecksum(this.#meta, i))
    const judgement = this.#judgeFrame(i, at, length) ?? drop
    if (drop !== 'not-ndisc' || !this.#readQuery(i, at, length, judgement)) this.#reader.packet(this.#view, judgement)
  }

  /** @returns whether it is a query that concerns us */
  #readQuery(i: number, at: number, length: number, judgement: DropReason | undefined): boolean {
    // A bridge asks its own machine in our name (net/bridge/br_multicast.c).
    const type = packetType(this.#meta, i)
    const isOwn = judgement === 'own-frame' && type !== PACKET_OUTGOING && type !== PACKET_OTHERHOST && !isTagged(this.#meta, i)
    if (judgement !== 'not-ndisc' && !isOwn) return false
    const message = decodeListenerMessage(this.#slab, at, length, this.#linkHeader, hasPartialChecksum(this.#meta, i))
    const isQuery = typeof message !== 'string' && message.kind === 'query'
    if (isQuery) this.#reader.query(message)
    return isQuery
  }

  /** The reasons that come before the decoder's. */
  #judgeFrame(i: number, at: number, length: number): DropReason | undefined {
    const type = packetType(this.#meta, i)
    const ethernet = this.#linkHeader !== 0 && length >= this.#linkHeader
    if (type === PACKET_OUTGOING) return 'own-frame'
    if (ethernet && readMac(this.#slab, at + ETHER_SOURCE) === this.mac) return 'own-frame'
    if (isTagged(this.#meta, i)) return 'vlan'
    if (type !== PACKET_OTHERHOST) return undefined
    // The kernel takes the tag off before an IPv6 socket sees the frame; all it leaves is that a frame to a group, or
    // to us, is said to be for another host.
    const group = ethernet && (this.#slab[at] & GROUP) !== 0
    const ours = ethernet && readMac(this.#slab, at + ETHER_DESTINATION) === this.mac
    return group || ours ? 'vlan' : 'other-host'
  }

  /** Room for one more in the queue. False: there is none, and the message is counted as unsent. */
  #makeRoom(): boolean {
    if (this.#queued === this.#lengths.length) {
      if (this.#queued < SEND_LIMIT) this.#grow()
      else this.flush()
    }
    if (this.#queued < SEND_LIMIT && !this.#closed) return true
    this.counters.unsent++
    return false
  }

  #grow(): void {
    const [queue, lengths] = [this.#queue, this.#lengths]
    this.#queue = new Uint8Array(2 * queue.length)
    this.#queue.set(queue)
    this.#lengths = new Int32Array(2 * lengths.length)
    this.#lengths.set(lengths)
  }

  /** Removes the first `count` of the queue. */
  #forget(count: number): void {
    this.#queue.copyWithin(0, count * SEND_SLOT, this.#queued * SEND_SLOT)
    this.#lengths.copyWithin(0, count, this.#queued)
    this.#queued -= count
  }
}
