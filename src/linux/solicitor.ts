/**
 * Multicast Neighbor Solicitations out of one link (RFC 4861 7.2.2), by a raw ICMPv6 socket (ipv6(7), RFC 3542): the
 * kernel selects the source address (RFC 6724) and fills in the checksum. The socket hears nothing.
 *
 * Each takes as long as dozens of answers. So that who is known does not wait for those who are looked for (RFC 6583 7.1), they
 * leave behind the answers of a turn of the event loop, a few in each.
 */
import type { Socket } from 'raw-socket'
import type { Address, Mac } from '../address.ts'
import { ND_HOP_LIMIT } from '../wire/constants.ts'
import { solicitationBody } from '../wire/ndisc-encode.ts'
import {
  IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, IPV6_MULTICAST_HOPS, IPV6_MULTICAST_LOOP, IPV6_UNICAST_HOPS, openIcmp, sendTo,
  setOption, SO_BINDTODEVICE, SOL_SOCKET,
} from './raw-icmp.ts'

/** Solicitations in one turn of the event loop, and those that wait. */
const SLICE = 4
export const QUEUE_LIMIT = 8192

export class Solicitor {
  /** Follows the link's address; goes into the Source Link-Layer Address option. */
  mac: Mac | undefined
  readonly #socket: Socket
  readonly #failed: (error: Error) => void
  #queue: Address[] = []
  /** The first that waits. */
  #next = 0
  #turn: NodeJS.Immediate | undefined
  #closed = false

  /**
   * @param failed told of each solicitation that could not be sent, with `code` as in OsError where it is known:
   *   ENETUNREACH when the link is down or gone, EADDRNOTAVAIL while it has no address to send from.
   * @throws OsError; ENODEV: there is no link of that name.
   */
  constructor(link: { readonly name: string; readonly mac: Mac | undefined }, failed: (error: Error) => void) {
    this.mac = link.mac
    this.#failed = failed
    this.#socket = openIcmp((socket) => {
      setOption(socket, SOL_SOCKET, SO_BINDTODEVICE, Buffer.from(`${link.name}\0`))
      setOption(socket, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, ND_HOP_LIMIT)
      setOption(socket, IPPROTO_IPV6, IPV6_UNICAST_HOPS, ND_HOP_LIMIT)
      setOption(socket, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0)
      // Tells ours from the kernel's own, whose flow label is 0: nft-rules.ts.
      setOption(socket, IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, 1)
    })
  }

  /** Solicitations that wait. */
  get waiting(): number { return this.#queue.length - this.#next }

  /** Sends one NS for `target` to its solicited-node group, soon. False: there are too many already. */
  solicit(target: Address): boolean {
    if (this.#closed || this.waiting >= QUEUE_LIMIT) return false
    this.#queue.push(target)
    this.#turn ??= setImmediate(() => this.#continue())
    return true
  }

  #continue(): void {
    this.#turn = undefined
    const end = Math.min(this.#queue.length, this.#next + SLICE)
    while (this.#next < end && !this.#closed) this.#send(this.#queue[this.#next++])
    if (this.waiting > 0) this.#turn = setImmediate(() => this.#continue())
    if (this.waiting > 0 && this.#next < QUEUE_LIMIT) return
    this.#queue = this.#queue.slice(this.#next)
    this.#next = 0
  }

  #send(target: Address): void {
    try {
      sendTo(this.#socket, solicitationBody(target, this.mac), target.solicitedNode)
    } catch (error) {
      this.#failed(error as Error)
    }
  }

  /** Idempotent. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#queue = []
    this.#next = 0
    clearImmediate(this.#turn)
    this.#socket.close()
  }
}
