/**
 * Multicast Neighbor Solicitations out of one link (RFC 4861 7.2.2), by a raw ICMPv6 socket (ipv6(7), RFC 3542): the kernel selects
 * the source address (RFC 6724) and fills in the checksum. The socket receives nothing.
 */
import type { Socket } from 'raw-socket'
import type { Address, Mac } from '../address.ts'
import { ND_HOP_LIMIT } from '../wire/constants.ts'
import { solicitationBody } from '../wire/ndisc-encode.ts'
import {
  IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, IPV6_MULTICAST_HOPS, IPV6_MULTICAST_LOOP, IPV6_UNICAST_HOPS, openIcmp, sendTo, setOption,
  SO_BINDTOIFINDEX, SOL_SOCKET,
} from './raw-icmp.ts'

export class Solicitor {
  mac: Mac | undefined
  readonly #socket: Socket
  readonly #failed: (error: Error) => void
  #closed = false

  /**
   * @param link need not exist yet
   * @param failed called for each solicitation that could not be sent, with `code` as in OsError where it is known: ENETUNREACH when
   *   the link is down or gone, EADDRNOTAVAIL while it has no source address.
   * @throws OsError
   */
  constructor(link: { readonly ifindex: number; readonly mac: Mac | undefined }, failed: (error: Error) => void) {
    this.mac = link.mac
    this.#failed = failed
    this.#socket = openIcmp((socket) => {
      setOption(socket, SOL_SOCKET, SO_BINDTOIFINDEX, link.ifindex)
      setOption(socket, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, ND_HOP_LIMIT)
      setOption(socket, IPPROTO_IPV6, IPV6_UNICAST_HOPS, ND_HOP_LIMIT)
      setOption(socket, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0)
      // Distinguishes our solicitations from the kernel's own, which have flow label 0 (nft-rules.ts).
      setOption(socket, IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, 1)
    })
  }

  /** Sends one NS for `target` to its solicited-node group. Never throws. @returns whether it was sent */
  solicit(target: Address): boolean {
    if (this.#closed) return false
    try {
      sendTo(this.#socket, solicitationBody(target, this.mac), target.solicitedNode)
      return true
    } catch (error) {
      this.#failed(error as Error)
      return false
    }
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#socket.close()
  }
}
