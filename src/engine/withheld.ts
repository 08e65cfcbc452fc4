/**
 * Advertisements whose targets have no route yet. An answer leads traffic here, so the route has to be there first; those
 * who ask for other targets do not wait for it, even when there are thousands of routes to be made.
 */
import type { Address } from '../address.ts'
import { AddressMap } from './address-map.ts'
import type { Advertisement, Limit, Random, RouteChange } from './types.ts'

/** Beyond that they go out at once: most likely their routes are there by the time that somebody uses them. */
const LIMIT = 4096

const NONE: readonly Advertisement[] = []

export class Withheld {
  readonly #random: Random
  /** Targets whose routes are under way. */
  #targets: AddressMap<true>
  #advertisements: Advertisement[] = []

  constructor(random: Random) {
    this.#random = random
    this.#targets = new AddressMap(random)
  }

  get limits(): Limit[] { return [{ name: 'answers that wait for routes', used: this.#advertisements.length, size: LIMIT }] }

  /** The route of this target is under way, until it is {@link made}. */
  await({ w0, w1, w2, w3 }: Address): void { this.#targets.set(w0, w1, w2, w3, true) }

  /** Keeps a copy when its target waits for a route. @returns whether it does; else it is to be sent */
  keep(advertisement: Advertisement): boolean {
    if (this.#targets.size === 0) return false
    const { t0, t1, t2, t3 } = advertisement
    if (this.#advertisements.length >= LIMIT || this.#targets.get(t0, t1, t2, t3) === undefined) return false
    this.#advertisements.push({ ...advertisement })
    return true
  }

  /** These changes are made. @returns what waited for them, in its order, to be sent */
  made(changes: readonly RouteChange[]): readonly Advertisement[] {
    for (const { op, route: { target: { w0, w1, w2, w3 } } } of changes) if (op === 'add') this.#targets.delete(w0, w1, w2, w3)
    if (this.#advertisements.length === 0) return NONE
    const waits = ({ t0, t1, t2, t3 }: Advertisement): boolean => this.#targets.get(t0, t1, t2, t3) !== undefined
    const free = this.#advertisements.filter((one) => !waits(one))
    if (free.length > 0) this.#advertisements = this.#advertisements.filter(waits)
    return free
  }

  /** No route is under way any more. @returns what waited, in its order, to be sent */
  release(): readonly Advertisement[] {
    const advertisements = this.#advertisements
    this.#advertisements = []
    if (this.#targets.size > 0) this.#targets = new AddressMap(this.#random)
    return advertisements
  }
}
