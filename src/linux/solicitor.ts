/**
 * Multicast Neighbor Solicitations out of one link (RFC 4861 7.2.2), by a raw ICMPv6 socket (ipv6(7), RFC 3542): the
 * kernel selects the source address (RFC 6724) and fills in the checksum. The socket hears nothing.
 */
import { getSystemErrorMap } from 'node:util'
import raw from 'raw-socket'
import type { Socket } from 'raw-socket'
import type { Address, Mac } from '../address.ts'
import { ND_HOP_LIMIT } from '../wire/constants.ts'
import { solicitationBody } from '../wire/ndisc.ts'
import { osError } from './errors.ts'

/** Levels and options: socket(7), ipv6(7), netinet/icmp6.h. */
const SOL_SOCKET = 1
const SO_BINDTODEVICE = 25
const IPPROTO_IPV6 = 41
const IPV6_UNICAST_HOPS = 16
const IPV6_MULTICAST_HOPS = 18
const IPV6_MULTICAST_LOOP = 19
const IPPROTO_ICMPV6 = 58
const ICMP6_FILTER = 1
/** A set bit blocks the ICMPv6 type of its number. */
const BLOCK_ALL = Buffer.alloc(32, 0xff)

const ignore = (): void => {}

/** The words of strerror(3), in lower case: libuv's, and where glibc's or musl's differ from them. */
const errnos = new Map([
  ...[...getSystemErrorMap()].map(([errno, [, text]]) => [text, -errno] as const),
  ['cannot assign requested address', 99],
  ['cannot allocate memory', 12],
  ['out of memory', 12],
  ['no route to host', 113],
  ['network unreachable', 101],
])

/** raw-socket throws words; here they become an OsError again, when they are known. */
function named(error: unknown, syscall: string): Error {
  if (!(error instanceof Error)) return new Error(String(error))
  const errno = errnos.get(error.message.toLowerCase())
  return errno === undefined ? error : osError(errno, syscall)
}

function open(name: string): Socket {
  let socket: Socket | undefined
  try {
    socket = raw.createSocket({ protocol: raw.Protocol.ICMPv6, addressFamily: raw.AddressFamily.IPv6 })
    socket.pauseRecv()
    socket.setOption(IPPROTO_ICMPV6, ICMP6_FILTER, BLOCK_ALL, BLOCK_ALL.length)
    const device = Buffer.from(`${name}\0`)
    socket.setOption(SOL_SOCKET, SO_BINDTODEVICE, device, device.length)
    socket.setOption(IPPROTO_IPV6, IPV6_MULTICAST_HOPS, ND_HOP_LIMIT)
    socket.setOption(IPPROTO_IPV6, IPV6_UNICAST_HOPS, ND_HOP_LIMIT)
    socket.setOption(IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0)
    return socket
  } catch (error) {
    socket?.close()
    throw named(error, socket === undefined ? 'socket' : 'setsockopt')
  }
}

export class Solicitor {
  /** Follows the link's address; goes into the Source Link-Layer Address option. */
  mac: Mac | undefined
  readonly #socket: Socket
  readonly #failed: (error: Error) => void
  #closed = false

  /**
   * @param failed told of each solicitation that could not be sent, with `code` as in OsError where it is known:
   *   ENETUNREACH when the link is down or gone, EADDRNOTAVAIL while it has no address to send from.
   * @throws OsError; ENODEV: there is no link of that name.
   */
  constructor(link: { readonly name: string; readonly mac: Mac | undefined }, failed: (error: Error) => void) {
    this.mac = link.mac
    this.#failed = failed
    this.#socket = open(link.name)
  }

  /** Sends one NS for `target` to its solicited-node group. */
  solicit(target: Address): void {
    if (this.#closed) return
    const body = Buffer.from(solicitationBody(target, this.mac).buffer)
    try {
      // Not by the socket's own queue, which sends one datagram for each turn of the event loop.
      this.#socket.wrap.send(body, 0, body.length, target.solicitedNode.toString(), ignore)
    } catch (error) {
      this.#failed(named(error, 'sendto'))
    }
  }

  /** Idempotent. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#socket.close()
  }
}
