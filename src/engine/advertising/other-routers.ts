/** Reports other routers on links where this machine advertises itself, and advertisements that forge its address. */
import type { Address, Mac } from '../../address.ts'
import type { Effects, Instant } from '../types.ts'

/** The most routers of one link that are remembered, and milliseconds for which a silent one is. */
const ROUTER_LIMIT = 8
const MEMORY = 3_600_000
/** Least time between two reports about one link. Milliseconds. */
const INTERVAL = 60_000

interface Heard {
  /** Time of the last advertisement of each router, by its address. A forged address has another key. */
  readonly routers: Map<string, Instant>
  reported: Instant
}

export class OtherRouters {
  readonly #effects: Effects
  readonly #links = new Map<number, Heard>()

  constructor(effects: Effects) { this.#effects = effects }

  gone(ifindex: number): void { this.#links.delete(ifindex) }

  /** Reports a router that was not heard before. A flood from many addresses makes one report a minute, until too many are known. */
  heard(ifindex: number, address: Address, mac: Mac | undefined, lifetime: number, isForged: boolean, now: Instant): void {
    let heard = this.#links.get(ifindex)
    if (heard === undefined) this.#links.set(ifindex, heard = { routers: new Map(), reported: -Infinity as Instant })
    const { routers } = heard
    const key = `${address}${isForged ? ' forged' : ''}`
    const isNew = !routers.has(key) || now - routers.get(key)! > MEMORY
    if (isNew && (routers.size >= ROUTER_LIMIT || now - heard.reported < INTERVAL)) {
      for (const [other, at] of routers) if (now - at > MEMORY) routers.delete(other)
      return
    }
    routers.set(key, now)
    if (!isNew) return
    heard.reported = now
    this.#effects.events.push({ kind: 'router', ifindex, target: address, mac, lifetime, isForged })
  }
}
