/**
 * Types of the native addon, and its functions. The addon moves datagrams and parses none. JavaScript allocates
 * the memory, and native code fills it. The addon throws `Error`s with `code`, `errno` and `syscall`.
 */
import { loadAddon } from './binaries.ts'

/**
 * A non-blocking datagram socket. A batch is one slab of slots of `slot` bytes: message i starts at i * slot. Using a closed
 * socket throws EBADF; closing it again does nothing.
 */
export interface NativeSocket {
  /**
   * Receives up to `meta.length / 4` messages (recvmmsg, MSG_DONTWAIT), and describes each by four numbers:
   * - `meta[4i]`: its full length. A message longer than `slot` was cut.
   * - `meta[4i+1]`: the packet type (packet(7)), such as PACKET_HOST (0). PACKET_OTHERHOST (3) also marks a packet that a device on top of
   *   the link (such as a VLAN) took. On sockets of other families this number and the next two are 0.
   * - `meta[4i+2]`: tp_status of PACKET_AUXDATA.
   * - `meta[4i+3]`: the VLAN TCI.
   * @returns the number of messages; 0 when none waits
   * @throws OsError that is pending on the socket (ENETDOWN, ENOBUFS)
   */
  receive(slab: Uint8Array, slot: number, meta: Int32Array): number
  /**
   * Sends `count` messages (sendmmsg, MSG_DONTWAIT). Message i has `lengths[i]` bytes at i * slot.
   * @returns how many the kernel took; fewer than `count` if the next message would block or was refused
   * @throws OsError if the first message was refused
   */
  send(slab: Uint8Array, slot: number, lengths: Int32Array, count: number): number
  /** Calls `onReadable` from the event loop whenever a message or an error waits (level-triggered). Replaces the previous callback. */
  start(onReadable: () => void): void
  stop(): void
  /**
   * Calls `onWritable` once, from the event loop, as soon as the kernel takes messages again or an error waits. Use it only on packet
   * sockets, after `send` returned less than `count`. Replaces the previous callback.
   */
  drain(onWritable: () => void): void
  /** @returns the number of packets that the kernel dropped since the last call (PACKET_STATISTICS); 0 on other sockets */
  drops(): number
  /** @param later whether a thread closes the descriptors: closing a packet socket takes tens of milliseconds */
  close(later?: boolean): void
}

export interface PacketOptions {
  readonly ifindex: number
  /** Ethertype in host byte order: 0x86dd for IPv6, or 0x0003 (ETH_P_ALL) for all frames, including those that this machine sends. */
  readonly protocol: number
  /** Classic BPF, an array of struct sock_filter in host order (8 bytes each); attached before bind. */
  readonly filter: Uint8Array
  readonly promiscuous: boolean
  /** Receive the frames of all multicast groups (PACKET_MR_ALLMULTI); true when absent. */
  readonly allMulticast?: boolean
  /** SO_RCVBUF in bytes; SO_RCVBUFFORCE is tried first. */
  readonly receiveBuffer: number
  /** Number of frames in the receive ring, a multiple of 128 (packet(7), PACKET_RX_RING); 0 or absent: no ring. */
  readonly ring?: number
  /** Use SOCK_DGRAM instead of SOCK_RAW, for links without Ethernet headers. */
  readonly cooked: boolean
}

export interface NativeAddon {
  /** Opens an AF_PACKET socket with PACKET_AUXDATA, bound to one link (packet(7)). */
  openPacket(options: PacketOptions): NativeSocket
  /**
   * Opens an AF_NETLINK socket (netlink(7)) with NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK and NETLINK_CAP_ACK.
   * @param groups the numbers of the groups to join
   * @param filter as in PacketOptions, or empty
   * @param sendBuffer SO_SNDBUF in bytes, which limits the size of a datagram; SO_SNDBUFFORCE is tried first. 0 or absent: the default
   */
  openNetlink(protocol: number, groups: Uint32Array, filter: Uint8Array, receiveBuffer: number, sendBuffer?: number): NativeSocket
  /**
   * Opens an AF_UNIX SOCK_DGRAM socket (unix(7)). `bind` is our own name (EADDRINUSE if it is taken), and `connect` is the name of the
   * peer. An empty string means no name. A name that starts with `@` is abstract.
   */
  openUnix(bind: string, connect: string): NativeSocket
}

/** Number of libuv's threads. Each closes one packet socket at a time: 4 threads (the default) take seconds for hundreds of links. */
process.env.UV_THREADPOOL_SIZE ??= '32'

let addon: NativeAddon | undefined

function loaded(): NativeAddon { return addon ??= loadAddon() as NativeAddon }

/** Loads the addon at the first call, because most commands do not need it. @throws NativeCodeMissing */
export const native: NativeAddon = {
  openPacket: (...args) => loaded().openPacket(...args),
  openNetlink: (...args) => loaded().openNetlink(...args),
  openUnix: (...args) => loaded().openUnix(...args),
}
