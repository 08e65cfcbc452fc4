/**
 * Multicast listeners' reports and multicast router solicitations on one link: a packet socket (packet(7)) of its own,
 * beside the one for ND, since these are heard on few links, seldom, and in longer frames.
 */
import { readMac } from '../address.ts'
import type { Address, Mac } from '../address.ts'
import { LISTENER_DONE, LISTENER_REPORT, LISTENER_REPORT_V2, MULTICAST_ROUTER_SOLICITATION } from '../wire/constants.ts'
import { ndiscFilter } from '../wire/filter.ts'
import { ETHER_SOURCE, ETHERTYPE_IPV6 } from '../wire/frame.ts'
import type { LinkHeader } from '../wire/frame.ts'
import { decodeListenerMessage } from '../wire/mld.ts'
import { native } from './native.ts'
import type { NativeAddon, NativeSocket } from './native.ts'
import { hasPartialChecksum, isTagged, PACKET_OTHERHOST, PACKET_OUTGOING, packetType, receiveBatch } from './packet-meta.ts'

/** What valid messages of others say. */
export interface MulticastReader {
  /** Solicited-node groups; at least one in either list. */
  report(joined: readonly Address[], left: readonly Address[]): void
  routerSolicitation(): void
  /** Trouble in receiving, to be judged by `verdict`. ENETDOWN comes once each time the link goes down. */
  failed(error: Error): void
}

export interface MulticastSocketOptions {
  readonly ifindex: number
  /** Undefined on a link without Ethernet addresses. */
  readonly mac: Mac | undefined
  /** Hear reports. */
  readonly reports: boolean
  /** Hear multicast router solicitations. */
  readonly routerSolicitations: boolean
}

/** A report of Linux fits a page, and the MTU. */
const SLOT = 4096
const SLOTS = 16
const RECEIVE_BUFFER = 256 * 1024

export class MulticastSocket {
  /** Follows the link's address: frames that come from it are ours. */
  mac: Mac | undefined
  readonly #reader: MulticastReader
  readonly #socket: NativeSocket
  readonly #linkHeader: LinkHeader
  readonly #slab = new Uint8Array(SLOT * SLOTS)
  readonly #meta = new Int32Array(4 * SLOTS)
  #closed = false

  /** Listens at once; the reader is called from the event loop. Throws an OsError (ENODEV: no such link). */
  constructor(
    options: MulticastSocketOptions, reader: MulticastReader, open: NativeAddon['openPacket'] = native.openPacket,
  ) {
    const { ifindex, mac, reports, routerSolicitations } = options
    this.mac = mac
    this.#reader = reader
    this.#linkHeader = mac === undefined ? 0 : 14
    const types = [
      ...(reports ? [LISTENER_REPORT, LISTENER_DONE, LISTENER_REPORT_V2] : []),
      ...(routerSolicitations ? [MULTICAST_ROUTER_SOLICITATION] : []),
    ]
    this.#socket = open({
      ifindex, promiscuous: false, cooked: mac === undefined,
      protocol: ETHERTYPE_IPV6, filter: ndiscFilter(this.#linkHeader, types), receiveBuffer: RECEIVE_BUFFER,
    })
    this.#socket.start(() => this.#readable())
  }

  /** Idempotent. Nothing is told to the reader afterwards. */
  close(): void {
    this.#closed = true
    this.#socket.close()
  }

  /** One batch in a turn; the event loop calls again while there is more. */
  #readable(): void {
    const received = receiveBatch(this.#socket, this.#slab, SLOT, this.#meta, (error) => this.#reader.failed(error))
    for (let i = 0; i < received && !this.#closed; i++) this.#read(i)
  }

  #read(i: number): void {
    const at = i * SLOT
    const length = Math.min(this.#meta[4 * i], SLOT)
    if (!this.#concerns(i, at, length)) return
    const message = decodeListenerMessage(this.#slab, at, length, this.#linkHeader, hasPartialChecksum(this.#meta, i))
    if (typeof message === 'string') return
    switch (message.kind) {
      case 'report':
        if (message.joined.length + message.left.length > 0) this.#reader.report(message.joined, message.left)
        break
      case 'router-solicitation':
        this.#reader.routerSolicitation()
        break
      case 'query':
        // The packet socket for ND hears these.
    }
  }

  /** Not ours, nor a VLAN's: what a device above takes, the kernel calls another host's (packet.ts). */
  #concerns(i: number, at: number, length: number): boolean {
    const type = packetType(this.#meta, i)
    if (type === PACKET_OUTGOING || type === PACKET_OTHERHOST || isTagged(this.#meta, i)) return false
    return this.#linkHeader === 0 || length < this.#linkHeader || readMac(this.#slab, at + ETHER_SOURCE) !== this.mac
  }
}
