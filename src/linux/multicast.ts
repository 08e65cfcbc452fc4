/**
 * Multicast listener reports and Multicast Router Solicitations of one link. They need another packet socket (packet(7)) than ND: few
 * links receive them, and their frames are longer.
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

/** Receives valid messages of other nodes. */
export interface MulticastReader {
  /** Solicited-node groups that a node joined and left: at least one. */
  report(joined: readonly Address[], left: readonly Address[]): void
  routerSolicitation(): void
  /** An error of receiving, to be judged by `verdict`. ENETDOWN comes once each time the link goes down. */
  failed(error: Error): void
}

export interface MulticastSocketOptions {
  readonly ifindex: number
  /** Undefined on a link without Ethernet addresses. */
  readonly mac: Mac | undefined
  /** Receive reports. */
  readonly reports: boolean
  /** Receive Multicast Router Solicitations. */
  readonly routerSolicitations: boolean
}

/** Bytes: reports of Linux fit into the MTU. */
const SLOT = 4096
const SLOTS = 16
const RECEIVE_BUFFER = 256 * 1024

export class MulticastSocket {
  /** Address of the link: frames from it are our own. */
  mac: Mac | undefined
  readonly #reader: MulticastReader
  readonly #socket: NativeSocket
  readonly #linkHeader: LinkHeader
  readonly #slab = new Uint8Array(SLOT * SLOTS)
  readonly #meta = new Int32Array(4 * SLOTS)
  #closed = false

  /** Listens at once; the reader is called from the event loop. @throws OsError; ENODEV: there is no such link */
  constructor(options: MulticastSocketOptions, reader: MulticastReader, open: NativeAddon['openPacket'] = native.openPacket) {
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

  /** Idempotent. The reader is not called again. */
  close(): void {
    this.#closed = true
    this.#socket.close()
  }

  /** Reads one batch; the event loop calls again while more packets wait. */
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
        // Received by the packet socket for ND.
    }
  }

  /** @returns false for own frames and for those of a VLAN, which have the packet type of another host (packet-batch.ts) */
  #concerns(i: number, at: number, length: number): boolean {
    const type = packetType(this.#meta, i)
    if (type === PACKET_OUTGOING || type === PACKET_OTHERHOST || isTagged(this.#meta, i)) return false
    return this.#linkHeader === 0 || length < this.#linkHeader || readMac(this.#slab, at + ETHER_SOURCE) !== this.mac
  }
}
