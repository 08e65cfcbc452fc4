/**
 * Other ND proxies, by their link-layer addresses. All claims of one proxy together cause at most one event an hour. `proof` and
 * `DownstreamProxies` decide whether the answers of a proxy prove owners.
 */
import type { Mac } from '../../address.ts'
import type { Limit } from '../../events.ts'
import type { NdiscView } from '../../wire/ndisc-decode.ts'
import type { Instant } from '../../engine-types.ts'

/** The most proxies that are registered. Above this number, a new proxy replaces the one that was registered first. */
const LIMIT = 64
/** The shortest time between two events about one proxy, milliseconds. */
const REPEAT_INTERVAL = 3_600_000

const NOT_YET = Number.NEGATIVE_INFINITY as Instant

export class OtherProxies {
  /** The time of the last event about each proxy. */
  readonly #reported = new Map<Mac, Instant>()

  get limits(): Limit[] { return [{ name: 'other proxies', used: this.#reported.size, size: LIMIT }] }

  /**
   * Registers the sender of an NA as a proxy if the NA has O=0 and its source is not its target (RFC 4861 7.2.8). An unsolicited NA with
   * R=1 may have O=1 as well: a proxy sends such an NA for a host that moved to another link of the proxy.
   */
  advertisement({ override, router, solicited, sourceMac, tlla, s0, s1, s2, s3, t0, t1, t2, t3 }: NdiscView): void {
    const mac = tlla < 0 ? sourceMac : tlla
    if ((override && (solicited || !router)) || mac < 0 || (s3 === t3 && s2 === t2 && s1 === t1 && s0 === t0)) return
    this.register(mac as Mac)
  }

  register(mac: Mac): void {
    if (this.#reported.has(mac)) return
    if (this.#reported.size >= LIMIT) this.#reported.delete(this.#reported.keys().next().value!)
    this.#reported.set(mac, NOT_YET)
  }

  has(mac: Mac): boolean { return this.#reported.has(mac) }

  /** @returns whether an event about a registered proxy is due. If so, counts the event as emitted */
  report(mac: Mac, now: Instant): boolean {
    if (now - this.#reported.get(mac)! < REPEAT_INTERVAL) return false
    this.#reported.set(mac, now)
    return true
  }
}
