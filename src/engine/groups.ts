/**
 * Solicited-node groups that this machine is to be a member of, for addresses that it answers for (RFC 4861 7.2.1,
 * 7.2.8; RFC 4291 2.7.1): several addresses share a group, and it is left with the last of them. Joining makes the
 * kernel send the reports that open snooping switches.
 *
 * The kernel keeps the groups of a link in a list, and walks it for each that is joined and for each multicast packet that
 * comes in: of 1000 groups each costs 6 ns of every packet, and 10 000 take half a second to join. So there is a limit.
 * Without a snooping switch none of them is needed, since links are heard with all of their multicast.
 */
import { Address } from '../address.ts'
import { IntMap } from './int-map.ts'
import type { Limit, Sink } from './types.ts'

/** Groups joined on one link. Who comes later waits until one is left. */
export const GROUP_LIMIT = 1024

/** In the value of a wanted group: it is joined; and one of those who want it. */
const JOINED = 1
const ONE = 2

interface Wanted {
  /** By suffix: how many addresses want the group, and whether it is joined. */
  readonly groups: IntMap
  joined: number
  heard: boolean
  /** The limit was met, and told. */
  full: boolean
}

/** The low 24 bits, by which an address and its solicited-node group agree. */
function suffixOf({ w3 }: Address): number { return w3 & 0xffffff }

function groupOf(suffix: number): Address { return new Address(0, 0, 0, suffix).solicitedNode }

export class Groups {
  readonly #sink: Pick<Sink, 'join' | 'leave' | 'event'>
  readonly #links = new Map<number, Wanted>()

  readonly #limit: number

  constructor(sink: Pick<Sink, 'join' | 'leave' | 'event'>, limit = GROUP_LIMIT) {
    this.#sink = sink
    this.#limit = limit
  }

  get limits(): Limit[] {
    const used = [...this.#links.values()].reduce((most, { joined }) => Math.max(most, joined), 0)
    return [{ name: 'multicast groups of one link, at most', used, size: this.#limit }]
  }

  /** Groups that are wanted on this link. */
  size(ifindex: number): number { return this.#links.get(ifindex)?.groups.size ?? 0 }

  /** One more who wants the group of `address` on this link. @param address unicast, or the group itself */
  add(ifindex: number, address: Address): void {
    const wanted = this.#at(ifindex)
    const suffix = suffixOf(address)
    const value = wanted.groups.get(suffix)
    wanted.groups.set(suffix, value + ONE)
    if (value === 0) this.#join(ifindex, wanted, suffix)
  }

  /** Takes back one `add`. @throws Error when there was none: somebody else's membership would be at stake. */
  remove(ifindex: number, address: Address): void {
    const wanted = this.#links.get(ifindex)
    const suffix = suffixOf(address)
    const value = wanted?.groups.get(suffix) ?? 0
    if (wanted === undefined || value === 0) {
      throw new Error(`link ${ifindex} is no member of ${address.solicitedNode}, so ${address} cannot leave it`)
    }
    const rest = value - ONE
    wanted.groups.set(suffix, rest >= ONE ? rest : 0)
    if (rest === JOINED) {
      wanted.joined--
      this.#sink.leave(ifindex, groupOf(suffix))
      this.#fill(ifindex, wanted)
    }
    this.#tidy(ifindex, wanted)
  }

  /** The sink hears this link from now on: joins what is wanted there. To hear it in another way changes nothing. */
  heard(ifindex: number): void {
    const wanted = this.#at(ifindex)
    if (wanted.heard) return
    wanted.heard = true
    this.#fill(ifindex, wanted)
  }

  /** The sink does not hear this link any more, and dropped its memberships. What is wanted stays so. */
  gone(ifindex: number): void {
    const wanted = this.#links.get(ifindex)
    if (wanted === undefined) return
    for (const suffix of wanted.groups.keys()) wanted.groups.set(suffix, wanted.groups.get(suffix) & ~JOINED)
    wanted.joined = 0
    wanted.heard = wanted.full = false
    this.#tidy(ifindex, wanted)
  }

  #at(ifindex: number): Wanted {
    let wanted = this.#links.get(ifindex)
    if (wanted === undefined) this.#links.set(ifindex, wanted = { groups: new IntMap(), joined: 0, heard: false, full: false })
    return wanted
  }

  #tidy(ifindex: number, { heard, groups }: Wanted): void {
    if (!heard && groups.size === 0) this.#links.delete(ifindex)
  }

  /** Joins those that wait, as far as there is room. */
  #fill(ifindex: number, wanted: Wanted): void {
    if (wanted.joined === wanted.groups.size) return
    for (const suffix of wanted.groups.keys()) {
      if (wanted.groups.get(suffix) % ONE !== JOINED && !this.#join(ifindex, wanted, suffix)) return
    }
    wanted.full = false
  }

  /** False: there is no room for it. */
  #join(ifindex: number, wanted: Wanted, suffix: number): boolean {
    if (!wanted.heard) return true
    if (wanted.joined >= this.#limit) {
      if (!wanted.full) this.#sink.event({ kind: 'limit', limit: 'groups', size: this.#limit })
      wanted.full = true
      return false
    }
    wanted.joined++
    wanted.groups.set(suffix, wanted.groups.get(suffix) | JOINED)
    this.#sink.join(ifindex, groupOf(suffix))
    return true
  }
}
