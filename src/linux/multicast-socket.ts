/**
 * Receives MLD reports, Multicast Router Solicitations (RFC 4286) and messages of Router Discovery (RFC 4861 6) on a separate socket: few
 * links need it, and its frames may be longer than those of the packet socket for ND (packet-socket.ts).
 */
import { readMac, type Address, type Mac } from '../address.ts'
import type { Link, Subscription } from '../engine-types.ts'
import {
  LISTENER_DONE, LISTENER_REPORT, LISTENER_REPORT_V2, MULTICAST_ROUTER_SOLICITATION, ROUTER_ADVERTISEMENT, ROUTER_SOLICITATION,
} from '../wire/constants.ts'
import { ndiscFilter } from '../wire/filter.ts'
import { ETHER_SOURCE, ETHERTYPE_IPV6, type LinkHeader } from '../wire/frame.ts'
import { decodeListenerMessage } from '../wire/mld-decode.ts'
import { decodeRouterMessage, type RouterMessage } from '../wire/router-messages.ts'
import { Frames } from './frames.ts'
import { native, type NativeAddon, type NativeSocket } from './native.ts'

export interface MulticastReader {
  /** Solicited-node groups that a node joined, and groups that it left. At least one of the lists has a group. */
  report(joined: readonly Address[], left: readonly Address[]): void
  routerSolicitation(): void
  /** A valid message of Router Discovery. */
  routerMessage(message: RouterMessage): void
  /** An error of receiving, to be judged by `verdict`. ENETDOWN comes once each time the link goes down. */
  failed(error: Error): void
}

export type MulticastSocketOptions = Pick<Link, 'ifindex' | 'mac' | 'noarp'>
  & Pick<Subscription, 'reports' | 'routerSolicitations' | 'routerMessages'>

/** Bytes of a slot. Linux limits reports to the MTU, usually 1500. */
const SLOT = 4096
/** The most frames of a batch. */
const SLOTS = 16
const RECEIVE_BUFFER = 256 * 1024

export class MulticastSocket {
  /** Address of the link; frames with this source are our own. */
  mac: Mac | undefined
  /** Whether the link is without neighbor resolution. Then frames with source `mac` are not taken for ours: the other end may use `mac`. */
  noarp: boolean
  readonly #reader: MulticastReader
  readonly #socket: NativeSocket
  readonly #linkHeader: LinkHeader
  readonly #frames = new Frames(SLOT, SLOTS)
  #closed = false

  /** Listens at once; the reader is called from the event loop. @throws OsError; ENODEV: there is no such link */
  constructor(options: MulticastSocketOptions, reader: MulticastReader, open: NativeAddon['openPacket'] = native.openPacket) {
    const { ifindex, mac, noarp, reports, routerSolicitations, routerMessages } = options
    this.mac = mac
    this.noarp = noarp === true
    this.#reader = reader
    this.#linkHeader = mac === undefined ? 0 : 14
    const types = [
      ...(reports ? [LISTENER_REPORT, LISTENER_DONE, LISTENER_REPORT_V2] : []),
      ...(routerSolicitations ? [MULTICAST_ROUTER_SOLICITATION] : []),
      ...(routerMessages ? [ROUTER_SOLICITATION, ROUTER_ADVERTISEMENT] : []),
    ]
    this.#socket = open({
      ifindex, promiscuous: false, cooked: mac === undefined,
      protocol: ETHERTYPE_IPV6, filter: ndiscFilter(this.#linkHeader, types), receiveBuffer: RECEIVE_BUFFER,
    })
    this.#socket.start(() => this.#readable())
  }

  /** Idempotent. The reader is not called again. @param later whether a thread closes the descriptor */
  close(later = false): void {
    this.#closed = true
    this.#socket.close(later)
  }

  /** Reads one batch; the event loop calls again while more packets wait. */
  #readable(): void {
    const received = this.#frames.receive(this.#socket, (error) => this.#reader.failed(error))
    for (let i = 0; i < received && !this.#closed; i++) this.#read(i)
  }

  #read(i: number): void {
    const { slab } = this.#frames
    const at = i * SLOT
    const length = this.#frames.length(i)
    const isOwn = !this.noarp && this.#linkHeader !== 0 && length >= this.#linkHeader && readMac(slab, at + ETHER_SOURCE) === this.mac
    if (isOwn || !this.#frames.isForLink(i)) return
    const isPartial = this.#frames.hasPartialChecksum(i)
    const routerMessage = decodeRouterMessage(slab, at, length, this.#linkHeader, isPartial)
    if (typeof routerMessage !== 'string') return this.#reader.routerMessage(routerMessage)
    const message = decodeListenerMessage(slab, at, length, this.#linkHeader, isPartial)
    // The packet socket for ND (packet-socket.ts) handles queries.
    if (typeof message === 'string' || message.kind === 'query') return
    if (message.kind === 'router-solicitation') return this.#reader.routerSolicitation()
    if (message.joined.length + message.left.length > 0) this.#reader.report(message.joined, message.left)
  }
}
