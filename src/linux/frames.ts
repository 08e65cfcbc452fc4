import type { NativeSocket } from './native.ts'

/** Packet types (sll_pkttype of packet(7)). */
export const PACKET_HOST = 0
export const PACKET_OTHERHOST = 3
export const PACKET_OUTGOING = 4

/** Bits of tp_status. */
const TP_STATUS_CSUMNOTREADY = 1 << 3
const TP_STATUS_VLAN_VALID = 1 << 4
const VLAN_ID = 0xfff

/** Frames that a packet socket received together: a slab of slots, and four numbers about each frame (`NativeSocket.receive`). */
export class Frames {
  readonly slab: Uint8Array
  readonly slot: number
  readonly #meta: Int32Array

  /** @param slot size of a slot in bytes; longer frames are cut. @param slots number of slots, the most frames of one `receive` */
  constructor(slot: number, slots: number) {
    this.slab = new Uint8Array(slot * slots)
    this.slot = slot
    this.#meta = new Int32Array(4 * slots)
  }

  /** Receives the next frames, which replace the present ones. @param failed called with an error. @returns the number of frames */
  receive(socket: NativeSocket, failed: (error: Error) => void): number {
    try {
      return socket.receive(this.slab, this.slot, this.#meta)
    } catch (error) {
      failed(error as Error)
      return 0
    }
  }

  /** @returns the number of bytes that frame `i` has in its slot; slot `i` begins at i * slot */
  length(i: number): number { return Math.min(this.#meta[4 * i], this.slot) }

  /** @returns the number of bytes of frame `i` on the wire */
  wireLength(i: number): number { return this.#meta[4 * i] }

  type(i: number): number { return this.#meta[4 * i + 1] }

  /** @returns whether the checksum is not filled in: the packet comes from this machine, through a virtual link */
  hasPartialChecksum(i: number): boolean { return (this.#meta[4 * i + 2] & TP_STATUS_CSUMNOTREADY) !== 0 }

  /** @returns whether the frame has the tag of a VLAN. A tag with VLAN 0 carries only a priority (IEEE 802.1Q 9.6). */
  isTagged(i: number): boolean {
    return (this.#meta[4 * i + 2] & TP_STATUS_VLAN_VALID) !== 0 && (this.#meta[4 * i + 3] & VLAN_ID) !== 0
  }

  /** @returns false for own frames, for frames to other hosts, and for frames of a VLAN even if the tag is stripped (packet-batch.ts) */
  isForLink(i: number): boolean {
    return this.type(i) !== PACKET_OUTGOING && this.type(i) !== PACKET_OTHERHOST && !this.isTagged(i)
  }
}
