/** Remembers and reports other routers on links where this machine sends Router Advertisements, and forgeries of its advertisements. */
import type { Address, Mac } from '../../address.ts'
import type { Effects, Instant } from '../../engine-types.ts'

/** The most routers that are remembered for one link. */
const ROUTER_LIMIT = 8
/** A router is forgotten this long after its last advertisement, milliseconds. */
const MEMORY = 3_600_000
/** Shortest time between two reports about one link, milliseconds. */
const INTERVAL = 60_000

export interface OtherRouter {
  readonly address: Address
  readonly mac: Mac | undefined
  /** Lifetime of its default route, seconds. */
  readonly lifetime: number
  /** The source of its advertisements is the link-local address of this machine. */
  readonly isForged: boolean
  /** Time of the last advertisement. */
  readonly at: Instant
}

/** The other routers of one link. */
interface LinkRouters {
  /** By address, with a suffix if the address is forged. */
  readonly routers: Map<string, OtherRouter>
  /** Time of the last report. */
  reported: Instant
}

export class OtherRouters {
  readonly #effects: Effects
  readonly #links = new Map<number, LinkRouters>()

  constructor(effects: Effects) { this.#effects = effects }

  gone(ifindex: number): void { this.#links.delete(ifindex) }

  /** @returns the routers of a link that advertised themselves within the last hour */
  on(ifindex: number, now: Instant): OtherRouter[] {
    return [...this.#links.get(ifindex)?.routers.values() ?? []].filter(({ at }) => now - at <= MEMORY)
  }

  /** Reports a new router. A flood from many addresses makes one report a minute, until ROUTER_LIMIT routers are remembered. */
  received(ifindex: number, router: OtherRouter): void {
    const { address, mac, lifetime, isForged, at } = router
    let link = this.#links.get(ifindex)
    if (link === undefined) this.#links.set(ifindex, link = { routers: new Map(), reported: -Infinity as Instant })
    const { routers } = link
    const key = `${address}${isForged ? ' forged' : ''}`
    const before = routers.get(key)
    const isNew = before === undefined || at - before.at > MEMORY
    if (isNew && (routers.size >= ROUTER_LIMIT || at - link.reported < INTERVAL)) {
      for (const [other, { at: last }] of routers) if (at - last > MEMORY) routers.delete(other)
      return
    }
    routers.set(key, router)
    if (!isNew) return
    link.reported = at
    this.#effects.events.push({ kind: 'router', ifindex, target: address, mac, lifetime, isForged })
  }
}
