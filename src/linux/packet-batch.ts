/** The packets that one link received together, read in place from the receive slab into one view. */
import { readMac } from '../address.ts'
import type { Mac } from '../address.ts'
import type { PacketBatch } from '../engine/types.ts'
import { ETHER_DESTINATION, ETHER_SOURCE } from '../wire/frame.ts'
import type { LinkHeader } from '../wire/frame.ts'
import { decodeListenerMessage } from '../wire/mld.ts'
import type { ListenerQuery } from '../wire/mld.ts'
import { NdiscView } from '../wire/ndisc.ts'
import type { DropReason } from '../wire/ndisc.ts'
import type { NativeSocket } from './native.ts'
import { hasPartialChecksum, isTagged, PACKET_OTHERHOST, PACKET_OUTGOING, packetType, receiveBatch } from './packet-meta.ts'

/** An NS with all options known today takes 118 bytes; longer frames are cut. */
const SLOT = 256
/** Largest number of packets in a batch. */
export const SLOTS = 128

/** Bit of the first byte of an Ethernet address: multicast. */
const GROUP = 1

export class ReceivedBatch implements PacketBatch {
  /** Address of the link: frames from it are our own. */
  mac: Mac | undefined
  readonly #linkHeader: LinkHeader
  readonly #query: (query: ListenerQuery) => void
  readonly #slab = new Uint8Array(SLOT * SLOTS)
  readonly #meta = new Int32Array(4 * SLOTS)
  readonly #view = new NdiscView()
  #size = 0

  /** @param query called by `read` with a valid query for multicast listeners */
  constructor(mac: Mac | undefined, linkHeader: LinkHeader, query: (query: ListenerQuery) => void) {
    this.mac = mac
    this.#linkHeader = linkHeader
    this.#query = query
  }

  get size(): number { return this.#size }

  /** Receives the next packets in place of the present ones. @param failed called with the error of receiving. @returns their number */
  receive(socket: NativeSocket, failed: (error: Error) => void): number {
    return this.#size = receiveBatch(socket, this.#slab, SLOT, this.#meta, failed)
  }

  /** Drops all packets: nothing can be read until the next `receive`. */
  clear(): void { this.#size = 0 }

  /** @returns undefined also for a query, which goes to the constructor's `query`, and beyond `size` */
  read(i: number): NdiscView | undefined {
    if (i >= this.#size) return undefined
    const view = this.#view
    const at = i * SLOT
    const length = Math.min(this.#meta[4 * i], SLOT)
    // TP_STATUS_CSUM_VALID is ignored: checking 72 bytes is cheap, and drivers may be wrong.
    const drop = view.decode(this.#slab, at, length, this.#linkHeader, hasPartialChecksum(this.#meta, i))
    view.drop = this.#checkFrame(i, at, length) ?? drop
    return drop === 'not-ndisc' && this.#readQuery(i, at, length) ? undefined : view
  }

  /** @returns whether the packet is a valid query, not of our own */
  #readQuery(i: number, at: number, length: number): boolean {
    const { drop } = this.#view
    // A bridge queries itself with our address (net/bridge/br_multicast.c).
    const type = packetType(this.#meta, i)
    const isOwn = drop === 'own-frame' && type !== PACKET_OUTGOING && type !== PACKET_OTHERHOST && !isTagged(this.#meta, i)
    if (drop !== 'not-ndisc' && !isOwn) return false
    const message = decodeListenerMessage(this.#slab, at, length, this.#linkHeader, hasPartialChecksum(this.#meta, i))
    const isQuery = typeof message !== 'string' && message.kind === 'query'
    if (isQuery) this.#query(message)
    return isQuery
  }

  /** @returns the reasons that take precedence over those of the decoder */
  #checkFrame(i: number, at: number, length: number): DropReason | undefined {
    const type = packetType(this.#meta, i)
    const ethernet = this.#linkHeader !== 0 && length >= this.#linkHeader
    if (type === PACKET_OUTGOING) return 'own-frame'
    if (ethernet && readMac(this.#slab, at + ETHER_SOURCE) === this.mac) return 'own-frame'
    if (isTagged(this.#meta, i)) return 'vlan'
    if (type !== PACKET_OTHERHOST) return undefined
    // The kernel strips the VLAN tag before an IPv6 socket gets the frame. What remains: a frame to a group, or to our address, is
    // marked as another host's.
    const group = ethernet && (this.#slab[at] & GROUP) !== 0
    const ours = ethernet && readMac(this.#slab, at + ETHER_DESTINATION) === this.mac
    return group || ours ? 'vlan' : 'other-host'
  }
}
