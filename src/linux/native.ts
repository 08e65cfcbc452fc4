/**
 * The typed face of the native addon, and the one place that finds its binary. The addon moves datagrams and
 * understands none: JavaScript allocates, native code fills. Errors are `Error`s with `code`, `errno` and `syscall`.
 */
import { createRequire } from 'node:module'

/**
 * One non-blocking datagram socket. A batch is one slab cut into slots of `slot` bytes: message i starts at i * slot.
 * Use after close throws EBADF; close is idempotent.
 */
export interface NativeSocket {
  /**
   * Receives up to `meta.length / 4` messages (recvmmsg, MSG_DONTWAIT). For message i, `meta[4i]` is its full length
   * (it may exceed `slot`: then it was cut), `meta[4i+1]` the packet type (packet(7): PACKET_HOST 0 ...;
   * PACKET_OTHERHOST 3 also for what a device on top of the link has taken, such as a VLAN), `meta[4i+2]` tp_status of PACKET_AUXDATA, `meta[4i+3]` the VLAN TCI. The last three are 0 on other sockets.
   * @returns how many came; 0 when none waits. Throws the socket's pending error (ENETDOWN, ENOBUFS).
   */
  receive(slab: Uint8Array, slot: number, meta: Int32Array): number
  /**
   * Sends `count` messages, message i being `lengths[i]` bytes at i * slot (sendmmsg, MSG_DONTWAIT).
   * @returns how many the kernel took; fewer than `count` when it would block. Throws when the first one fails.
   */
  send(slab: Uint8Array, slot: number, lengths: Int32Array, count: number): number
  /** Calls `onReadable` from the event loop whenever a message or an error waits (level-triggered); again replaces it. */
  start(onReadable: () => void): void
  stop(): void
  /** Messages dropped since the last call, by the kernel (PACKET_STATISTICS); 0 on other sockets. */
  drops(): number
  close(): void
}

export interface PacketOptions {
  readonly ifindex: number
  /** Ethertype, host order; 0x86dd for IPv6, 0x0003 for all (then own frames are seen too). */
  readonly protocol: number
  /** Classic BPF, an array of struct sock_filter in host order (8 bytes each); attached before bind. */
  readonly filter: Uint8Array
  readonly promiscuous: boolean
  /** PACKET_MR_ALLMULTI; true when absent. */
  readonly allMulticast?: boolean
  /** SO_RCVBUF in bytes; SO_RCVBUFFORCE is tried first. */
  readonly receiveBuffer: number
  /** Receive through a ring of so many frames, a multiple of 128 (packet(7), PACKET_RX_RING), which stay allocated; 0: none. */
  readonly ring?: number
  /** SOCK_DGRAM instead of SOCK_RAW: links without Ethernet headers. */
  readonly cooked: boolean
}

export interface NativeAddon {
  /** AF_PACKET with PACKET_AUXDATA, bound to one link (packet(7)). */
  openPacket(options: PacketOptions): NativeSocket
  /**
   * AF_NETLINK (netlink(7)), with NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK and NETLINK_CAP_ACK.
   * @param groups group numbers to join; @param filter as in PacketOptions, or empty.
   * @param sendBuffer SO_SNDBUF in bytes, SO_SNDBUFFORCE is tried first; 0 or absent leaves the default. It bounds the
   *   size of one datagram.
   */
  openNetlink(
    protocol: number, groups: Uint32Array, filter: Uint8Array, receiveBuffer: number, sendBuffer?: number,
  ): NativeSocket
  /**
   * AF_UNIX SOCK_DGRAM (unix(7)). A name that starts with `@` is abstract. An empty name means none:
   * `bind` is our own name (EADDRINUSE when taken), `connect` the peer's.
   */
  openUnix(bind: string, connect: string): NativeSocket
}

export const native = createRequire(import.meta.url)('#addon') as NativeAddon
