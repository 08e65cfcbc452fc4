/** The four numbers by which `NativeSocket.receive` describes each message of a batch (packet(7), linux/if_packet.h). */
import type { NativeSocket } from './native.ts'

/** Packet types. */
export const PACKET_HOST = 0
export const PACKET_OTHERHOST = 3
export const PACKET_OUTGOING = 4

/** Bits of tp_status. */
const TP_STATUS_CSUMNOTREADY = 1 << 3
const TP_STATUS_VLAN_VALID = 1 << 4
const VLAN_ID = 0xfff

/** Receives a batch. @param failed called with the error of receiving. @returns how many messages came; 0 after an error */
export function receiveBatch(
  socket: NativeSocket, slab: Uint8Array, slot: number, meta: Int32Array, failed: (error: Error) => void,
): number {
  try {
    return socket.receive(slab, slot, meta)
  } catch (error) {
    failed(error as Error)
    return 0
  }
}

/** @returns the packet type of message `i` */
export function packetType(meta: Int32Array, i: number): number {
  return meta[4 * i + 1]
}

/** @returns whether the checksum is not filled in: the packet comes from this machine, through a virtual link */
export function hasPartialChecksum(meta: Int32Array, i: number): boolean {
  return (meta[4 * i + 2] & TP_STATUS_CSUMNOTREADY) !== 0
}

/** @returns whether the packet belongs to a VLAN. VLAN 0 is a priority tag (IEEE 802.1Q 9.6). */
export function isTagged(meta: Int32Array, i: number): boolean {
  return (meta[4 * i + 2] & TP_STATUS_VLAN_VALID) !== 0 && (meta[4 * i + 3] & VLAN_ID) !== 0
}
