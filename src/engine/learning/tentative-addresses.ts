/** Addresses in DAD on the links of hosts. An address is evidence of a host after DAD without an answer (RFC 4862 5.4). */
import type { Address, Mac } from '../../address.ts'
import { type Context, Part } from '../rules/context.ts'
import { Counts } from '../tables/counts.ts'
import { Deadlines, type Timed } from '../tables/deadlines.ts'
import type { Instant } from '../types.ts'
import type { Limit } from '../../events.ts'

/** Milliseconds of DAD, in which the host answers no probe: RetransTimer (RFC 4861 10), and up to 90 ms of delay of Linux' timers. */
const DAD_WINDOW = 1100
/** The most addresses in DAD, of all links together. */
export const TENTATIVE_LIMIT = 2048

export interface TentativeAddress extends Timed {
  readonly target: Address
  readonly ifindex: number
  readonly mac: Mac | undefined
}

export class TentativeAddresses extends Part<Pick<Context, 'effects'>> {
  readonly #addresses = new Deadlines<TentativeAddress>()
  readonly #byMac = new Counts<Mac | undefined>()
  readonly #byLink = new Counts<number>()

  get next(): Instant | undefined { return this.#addresses.next }
  get limits(): Limit[] { return [{ name: 'addresses in DAD', used: this.#addresses.size, size: TENTATIVE_LIMIT }] }

  /** Adds an address. @param hostLimit limit of addresses of one host @param target returns the address; not called beyond a limit */
  add(ifindex: number, mac: Mac | undefined, hostLimit: number, target: () => Address, now: Instant): void {
    if (mac !== undefined && this.#byMac.count(mac) >= hostLimit) {
      this.parts.effects.events.push({ kind: 'limit', limit: 'host', size: hostLimit, mac })
      return
    }
    // One link may use at most half of the places that the other links leave.
    const count = this.#byLink.count(ifindex)
    if (count >= TENTATIVE_LIMIT - this.#addresses.size) {
      this.parts.effects.events.push({ kind: 'limit', limit: 'tentative', size: count, ifindex })
      return
    }
    this.#byMac.add(mac)
    this.#byLink.add(ifindex)
    this.#addresses.set({ target: target(), ifindex, mac, deadline: now, place: -1 }, now + DAD_WINDOW as Instant)
  }

  /** Removes an address whose DAD is over. @returns the address; undefined: none is over */
  due(now: Instant): TentativeAddress | undefined {
    const due = this.#addresses.due(now)
    if (due === undefined) return undefined
    this.#byMac.add(due.mac, -1)
    this.#byLink.add(due.ifindex, -1)
    return due
  }
}
