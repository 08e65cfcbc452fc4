/**
 * Solicited-node groups that this machine is to be a member of, for addresses that it answers for (RFC 4861 7.2.1,
 * 7.2.8; RFC 4291 2.7.1): several addresses share a group, and it is left with the last of them. Joining makes the
 * kernel send the reports that open snooping switches.
 */
import { Address } from '../address.ts'
import type { Sink } from './types.ts'

/** The low 24 bits, by which an address and its solicited-node group agree. */
function suffixOf({ w3 }: Address): number { return w3 & 0xffffff }

export class Groups {
  readonly #sink: Pick<Sink, 'join' | 'leave'>
  /** By link, then by suffix: how many addresses want the group. No count is 0, no map is empty. */
  readonly #wanted = new Map<number, Map<number, number>>()
  readonly #heard = new Set<number>()

  constructor(sink: Pick<Sink, 'join' | 'leave'>) {
    this.#sink = sink
  }

  /** Groups that are wanted on this link. */
  size(ifindex: number): number { return this.#wanted.get(ifindex)?.size ?? 0 }

  /** One more who wants the group of `address` on this link. @param address unicast, or the group itself */
  add(ifindex: number, address: Address): void {
    let counts = this.#wanted.get(ifindex)
    if (counts === undefined) this.#wanted.set(ifindex, counts = new Map())
    const suffix = suffixOf(address)
    const count = counts.get(suffix) ?? 0
    counts.set(suffix, count + 1)
    if (count === 0 && this.#heard.has(ifindex)) this.#sink.join(ifindex, address.solicitedNode)
  }

  /** Takes back one `add`. @throws Error when there was none: somebody else's membership would be at stake. */
  remove(ifindex: number, address: Address): void {
    const counts = this.#wanted.get(ifindex)
    const suffix = suffixOf(address)
    const count = counts?.get(suffix)
    if (counts === undefined || count === undefined) {
      throw new Error(`link ${ifindex} is no member of ${address.solicitedNode}, so ${address} cannot leave it`)
    }
    if (count > 1) {
      counts.set(suffix, count - 1)
      return
    }
    counts.delete(suffix)
    if (counts.size === 0) this.#wanted.delete(ifindex)
    if (this.#heard.has(ifindex)) this.#sink.leave(ifindex, address.solicitedNode)
  }

  /** The sink hears this link from now on: joins what is wanted there. To hear it in another way changes nothing. */
  heard(ifindex: number): void {
    if (this.#heard.has(ifindex)) return
    this.#heard.add(ifindex)
    for (const suffix of this.#wanted.get(ifindex)?.keys() ?? []) {
      this.#sink.join(ifindex, new Address(0, 0, 0, suffix).solicitedNode)
    }
  }

  /** The sink does not hear this link any more, and dropped its memberships. What is wanted stays so. */
  gone(ifindex: number): void {
    this.#heard.delete(ifindex)
  }
}
