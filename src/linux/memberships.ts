/**
 * Multicast groups that this machine listens to on one link (ipv6(7), RFC 3493 5.2): the kernel reports them by MLD, which
 * opens snooping switches, again when the link comes back, and leaves them however this process ends.
 *
 * It charges each membership to its socket, up to net.core.optmem_max; so one socket holds as many as it can, and
 * the next the others.
 */
import type { Socket } from 'raw-socket'
import type { Address } from '../address.ts'
import { osError } from './errors.ts'
import { IPPROTO_IPV6, IPV6_JOIN_GROUP, IPV6_LEAVE_GROUP, openIcmp, setOption } from './raw-icmp.ts'

/** With the smallest default of optmem_max, 20480, these hold 93 000 groups. */
export const MAX_SOCKETS = 256
const ENOBUFS = 105

interface Holder {
  readonly socket: Socket
  /** Groups, at least one. */
  size: number
  /** It had no room for another one. */
  full: boolean
}

/** For want of room in the socket, as far as that can be told. */
function isFull(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return code === 'ENOMEM' || code === 'ENOBUFS'
}

export class Memberships {
  readonly #ifindex: number
  readonly #failed: (error: Error) => void
  readonly #open: typeof openIcmp
  readonly #setOption: typeof setOption
  #holders: Holder[] = []
  /** By the group's text. */
  readonly #held = new Map<string, Holder>()
  /** Wanted, in vain so far. What keeps one of them out keeps all of them out. */
  readonly #waiting = new Map<string, Address>()
  #told = false
  #closed = false

  /**
   * @param failed told once when groups cannot be joined, and then not before all have been. They stay wanted.
   *   ENODEV: the link is gone. EINVAL: it is without IPv6 (MTU below 1280). ENOBUFS: there are too many.
   */
  constructor(
    link: { readonly ifindex: number }, failed: (error: Error) => void,
    kernel: { open: typeof openIcmp; setOption: typeof setOption } = { open: openIcmp, setOption },
  ) {
    this.#ifindex = link.ifindex
    this.#failed = failed
    this.#open = kernel.open
    this.#setOption = kernel.setOption
  }

  /** Groups that are joined. */
  get size(): number { return this.#held.size }
  /** Groups that wait for `retry`. */
  get waiting(): number { return this.#waiting.size }
  get sockets(): number { return this.#holders.length }

  /** Idempotent. @param group multicast */
  join(group: Address): void {
    const key = group.toString()
    if (this.#closed || this.#held.has(key) || this.#waiting.has(key)) return
    this.#waiting.set(key, group)
    if (this.#waiting.size === 1) this.retry()
  }

  /** Idempotent. */
  leave(group: Address): void {
    const key = group.toString()
    const holder = this.#held.get(key)
    if (this.#waiting.delete(key) && this.#waiting.size === 0) this.#told = false
    if (holder === undefined) return
    this.#held.delete(key)
    holder.full = false
    if (--holder.size > 0) {
      this.#change(holder.socket, IPV6_LEAVE_GROUP, group)
    } else {
      holder.socket.close()
      this.#holders = this.#holders.filter((each) => each !== holder)
    }
  }

  /** Joins what could not be joined before. */
  retry(): void {
    for (const [key, group] of this.#waiting) {
      try {
        this.#held.set(key, this.#enter(group))
        this.#waiting.delete(key)
      } catch (error) {
        if (!this.#told) this.#failed(error as Error)
        this.#told = true
        return
      }
    }
    this.#told = false
  }

  /** Leaves all. Idempotent. */
  close(): void {
    this.#closed = true
    for (const { socket } of this.#holders) socket.close()
    this.#holders = []
    this.#held.clear()
    this.#waiting.clear()
  }

  /** Joins by the first socket that has room, or by a further one. Throws an OsError. */
  #enter(group: Address): Holder {
    for (const holder of this.#holders) {
      if (holder.full) continue
      try {
        this.#change(holder.socket, IPV6_JOIN_GROUP, group)
        holder.size++
        return holder
      } catch (error) {
        if (!isFull(error)) throw error
        holder.full = true
      }
    }
    if (this.#holders.length === MAX_SOCKETS) throw osError(ENOBUFS, 'setsockopt', `${this.size} groups joined`)
    const socket = this.#open((socket) => this.#change(socket, IPV6_JOIN_GROUP, group))
    const holder = { socket, size: 1, full: false }
    this.#holders.push(holder)
    return holder
  }

  #change(socket: Socket, option: number, group: Address): void {
    // struct ipv6_mreq { struct in6_addr; int ifindex }, the latter in host order.
    const words = new Int32Array(5)
    words[4] = this.#ifindex
    const request = Buffer.from(words.buffer)
    group.write(request)
    this.#setOption(socket, IPPROTO_IPV6, option, request)
  }
}
