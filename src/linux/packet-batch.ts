/** The packets that one link received together. One view reads each packet in place, in the receive slab. */
import { isHostMac, readMac, type Mac } from '../address.ts'
import type { PacketBatch } from '../engine-types.ts'
import { ETHER_DESTINATION, ETHER_SOURCE, type LinkHeader } from '../wire/frame.ts'
import { decodeListenerMessage, type ListenerQuery } from '../wire/mld-decode.ts'
import { type DropReason, type InvalidFrame, NdiscView } from '../wire/ndisc-decode.ts'
import { Frames, PACKET_OTHERHOST, PACKET_OUTGOING } from './frames.ts'
import { InvalidFrames } from './invalid-frames.ts'
import type { NativeSocket } from './native.ts'

/** Bytes of a slot; longer frames are cut. An NS with all options known today takes 118. */
const SLOT = 256
export const SLOTS = 128

/** Bit of the first byte of an Ethernet address: multicast. */
const GROUP = 1

/** The `wrongAt` of a view for drop reasons that concern the Ethernet header. */
const WRONG_AT: Readonly<Partial<Record<DropReason, number>>> = { 'other-host': ETHER_DESTINATION, 'ethernet-source': ETHER_SOURCE }

export class ReceivedBatch implements PacketBatch {
  /** Address of the link; frames with this source are our own. */
  mac: Mac | undefined
  readonly #linkHeader: LinkHeader
  readonly #query: (query: ListenerQuery) => void
  readonly #frames = new Frames(SLOT, SLOTS)
  readonly #view = new NdiscView()
  readonly #invalid = new InvalidFrames(this.#frames)
  #size = 0

  /** Whether the link is without neighbor resolution. Then no Ethernet source is checked: the other end may use our address, or none. */
  noarp = false

  /** @param query called by `read` with a valid MLD query */
  constructor(mac: Mac | undefined, linkHeader: LinkHeader, query: (query: ListenerQuery) => void) {
    this.mac = mac
    this.#linkHeader = linkHeader
    this.#query = query
  }

  get size(): number { return this.#size }

  /** Receives the next packets, which replace the present ones. @param failed called with an error. @returns the number of packets */
  receive(socket: NativeSocket, failed: (error: Error) => void): number {
    return this.#size = this.#frames.receive(socket, failed)
  }

  /** Calls `each` for each drop reason of the packets that were read. Passes the last frame of that reason, valid during the call. */
  takeInvalid(each: (frame: InvalidFrame) => void): void { this.#invalid.take(each) }

  /** Drops all packets: nothing can be read until the next `receive`. */
  clear(): void { this.#size = 0 }

  /** Reads packet `i`. @returns the view; undefined without packet `i`, or after passing an MLD query to the constructor's `query` */
  read(i: number): NdiscView | undefined {
    if (i >= this.#size) return undefined
    const view = this.#view
    const at = i * SLOT
    const length = this.#frames.length(i)
    // TP_STATUS_CSUM_VALID is ignored: checking 72 bytes is cheap, and drivers may be wrong.
    const drop = view.decode(this.#frames.slab, at, length, this.#linkHeader, this.#frames.hasPartialChecksum(i))
    const refused = this.#checkFrame(i, at, length)
    if (refused !== undefined) {
      view.drop = refused
      view.wrongAt = WRONG_AT[refused] ?? -1
    }
    if (this.noarp && this.mac !== undefined && !isHostMac(view.sourceMac)) view.sourceMac = this.mac
    // A blank view has no sender. The Ethernet source is read here, because it helps to find the cause of bad packets.
    if (view.drop !== undefined && view.type === 0 && this.#linkHeader !== 0 && length >= this.#linkHeader) {
      view.sourceMac = readMac(this.#frames.slab, at + ETHER_SOURCE)
    }
    if (drop === 'not-ndisc' && this.#readQuery(i, at, length)) return undefined
    if (view.drop !== undefined) this.#invalid.add(view.drop, i, view.wrongAt)
    return view
  }

  /** Passes packet `i` to `#query` if it is a valid MLD query that came in on the link. @returns whether `#query` was called */
  #readQuery(i: number, at: number, length: number): boolean {
    const { drop } = this.#view
    // A bridge also receives its own queries, whose source is our address (net/bridge/br_multicast.c).
    if (drop !== 'not-ndisc' && !(drop === 'own-frame' && this.#frames.isForLink(i))) return false
    const message = decodeListenerMessage(this.#frames.slab, at, length, this.#linkHeader, this.#frames.hasPartialChecksum(i))
    const isQuery = typeof message !== 'string' && message.kind === 'query'
    if (isQuery) this.#query(message)
    return isQuery
  }

  /** @returns the reason to drop the frame; undefined if there is none. This reason takes precedence over a reason of the decoder */
  #checkFrame(i: number, at: number, length: number): DropReason | undefined {
    const { slab } = this.#frames
    const type = this.#frames.type(i)
    const ethernet = this.#linkHeader !== 0 && length >= this.#linkHeader
    if (type === PACKET_OUTGOING) return 'own-frame'
    const source = ethernet && !this.noarp ? readMac(slab, at + ETHER_SOURCE) : undefined
    if (source !== undefined && source === this.mac) return 'own-frame'
    if (this.#frames.isTagged(i)) return 'vlan'
    if (type !== PACKET_OTHERHOST) return source === undefined || isHostMac(source) ? undefined : 'ethernet-source'
    // The kernel strips the VLAN tag before an IPv6 socket gets the frame. But a frame to a group, or to our address, has
    // PACKET_OTHERHOST only if it had a tag.
    const group = ethernet && (slab[at] & GROUP) !== 0
    const ours = ethernet && readMac(slab, at + ETHER_DESTINATION) === this.mac
    return group || ours ? 'vlan' : 'other-host'
  }
}
