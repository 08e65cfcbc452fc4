/** Addresses in DAD on the links of hosts. An address is evidence of a host after DAD without an answer (RFC 4862 5.4). */
import { Address, type Mac } from '../../address.ts'
import { NONE } from '../cache/neighbor.ts'
import { type Context, Part } from '../rules/context.ts'
import { AddressMap } from '../tables/address-map.ts'
import { Counts } from '../tables/counts.ts'
import { Deadlines, type Timed } from '../tables/deadlines.ts'
import type { Instant } from '../../engine-types.ts'
import type { Limit } from '../../events.ts'

/** Milliseconds of DAD, in which the host answers no probe: RetransTimer (RFC 4861 10) plus up to 90 ms of delay of Linux' timers. */
const DAD_WINDOW = 1100
/** The most addresses in DAD, of all links together. */
export const TENTATIVE_LIMIT = 2048

export interface TentativeAddress extends Timed {
  readonly target: Address
  readonly ifindex: number
  /** Undefined on links without link-layer addresses, and when several hosts check the same address. */
  mac: Mac | undefined
}

export class TentativeAddresses extends Part<Pick<Context, 'effects' | 'random'>> {
  readonly #addresses = new Deadlines<TentativeAddress>()
  readonly #byTarget = new AddressMap<readonly TentativeAddress[]>(this.parts.random)
  readonly #byMac = new Counts<Mac | undefined>()
  readonly #byLink = new Counts<number>()

  get next(): Instant | undefined { return this.#addresses.next }
  get limits(): Limit[] { return [{ name: 'addresses in DAD', used: this.#addresses.size, size: TENTATIVE_LIMIT }] }

  /** Adds an address, once for each link. `host-limit` applies only to the probes that follow, because packets in DAD may be forged. */
  add(ifindex: number, mac: Mac | undefined, t0: number, t1: number, t2: number, t3: number, now: Instant): void {
    const known = this.#byTarget.get(t0, t1, t2, t3) ?? NONE
    const same = known.find((address) => address.ifindex === ifindex)
    if (same !== undefined) return this.#merge(same, mac)
    // One link may use at most half of the places that other links leave. One host may use at most twice as many places as its link may still
    // take.
    const free = TENTATIVE_LIMIT - this.#addresses.size
    const count = this.#byLink.count(ifindex)
    const ofHost = mac === undefined ? 0 : this.#byMac.count(mac)
    if (count >= free || ofHost >= free - count) {
      const [size, host] = count >= free ? [count, {}] : [ofHost, { mac: mac! }]
      this.parts.effects.events.push({ kind: 'limit', limit: 'tentative', size, ifindex, ...host })
      return
    }
    const address = { target: new Address(t0, t1, t2, t3), ifindex, mac, deadline: now, place: -1 }
    this.#byTarget.set(t0, t1, t2, t3, [...known, address])
    this.#byMac.add(mac)
    this.#byLink.add(ifindex)
    this.#addresses.set(address, now + DAD_WINDOW as Instant)
  }

  /** Removes an address whose DAD is over. @returns the address; undefined: there is no such address */
  due(now: Instant): TentativeAddress | undefined {
    const due = this.#addresses.due(now)
    if (due === undefined) return undefined
    const { target: { w0, w1, w2, w3 }, ifindex, mac } = due
    const others = this.#byTarget.get(w0, w1, w2, w3)!.filter((address) => address !== due)
    if (others.length > 0) this.#byTarget.set(w0, w1, w2, w3, others)
    else this.#byTarget.delete(w0, w1, w2, w3)
    this.#byMac.add(mac, -1)
    this.#byLink.add(ifindex, -1)
    return due
  }

  /** Handles a further DAD packet for a known address. An address that several hosts check counts against the limit of none of them. */
  #merge(address: TentativeAddress, mac: Mac | undefined): void {
    if (address.mac === mac) return
    this.#byMac.add(address.mac, -1)
    this.#byMac.add(undefined)
    address.mac = undefined
  }
}
