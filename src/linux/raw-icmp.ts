/** Raw ICMPv6 sockets (raw(7), ipv6(7), RFC 3542) that only send. */
import { getSystemErrorMap } from 'node:util'
import type { RawSocket, Socket } from 'raw-socket'
import type { Address } from '../address.ts'
import { loadRawSocket } from './binaries.ts'
import { osError } from './errors.ts'

/** Levels and options: ipv6(7), linux/in6.h, netinet/icmp6.h. */
export const IPPROTO_IPV6 = 41
export const IPV6_MULTICAST_IF = 17
export const IPV6_MULTICAST_HOPS = 18
const IPV6_MULTICAST_LOOP = 19
export const IPV6_HDRINCL = 36
const IPPROTO_ICMPV6 = 58
const ICMP6_FILTER = 1
/** If bit n is set, the filter blocks ICMPv6 type n. */
const BLOCK_ALL = Buffer.alloc(32, 0xff)

const ignore = (): void => {}

/** The errno of each text of strerror(3), in lower case: first the texts of libuv, then differing texts of glibc and musl. */
const errnos = new Map([
  ...[...getSystemErrorMap()].map(([errno, [, text]]) => [text, -errno] as const),
  ['cannot assign requested address', 99],
  ['cannot allocate memory', 12],
  ['out of memory', 12],
  ['no route to host', 113],
  ['network unreachable', 101],
  // ENOKEY, an error of WireGuard. libuv has no text for it.
  ['required key not available', 126],
])

/**
 * Finds the errno for an error of raw-socket, which has only the text of strerror(3).
 * @returns an OsError if the text is known, else the error itself
 */
function named(error: unknown, syscall: string): Error {
  if (!(error instanceof Error)) return new Error(String(error))
  const errno = errnos.get(error.message.toLowerCase())
  return errno === undefined ? error : osError(errno, syscall)
}

/**
 * Opens a socket that receives nothing. After an error no socket stays open.
 * @param configure called with the socket, to set further options
 * @throws NativeCodeMissing, OsError. The other functions of this file throw OsError, too
 */
export function openIcmp(configure: (socket: Socket) => void): Socket {
  const raw = loadRawSocket() as RawSocket
  let socket: Socket | undefined
  try {
    socket = raw.createSocket({ protocol: raw.Protocol.ICMPv6, addressFamily: raw.AddressFamily.IPv6 })
    socket.pauseRecv()
    setOption(socket, IPPROTO_ICMPV6, ICMP6_FILTER, BLOCK_ALL)
    configure(socket)
    return socket
  } catch (error) {
    socket?.close()
    throw socket === undefined ? named(error, 'socket') : error
  }
}

export function setOption(socket: Socket, level: number, option: number, value: number | Buffer): void {
  try {
    if (typeof value === 'number') socket.setOption(level, option, value)
    else socket.setOption(level, option, value, value.length)
  } catch (error) {
    throw named(error, 'setsockopt')
  }
}

/** Makes a socket send its multicasts on a link. This machine does not receive them. */
export function sendOn(socket: Socket, ifindex: number): void {
  setOption(socket, IPPROTO_IPV6, IPV6_MULTICAST_IF, ifindex)
  setOption(socket, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0)
}

export function sendTo(socket: Socket, datagram: Uint8Array, to: Address): void {
  const { buffer, byteOffset, length } = datagram
  try {
    // Bypasses the queue of raw-socket, which sends one datagram per turn of the event loop.
    socket.wrap.send(Buffer.from(buffer, byteOffset, length), 0, length, to.toString(), ignore)
  } catch (error) {
    throw named(error, 'sendto')
  }
}
