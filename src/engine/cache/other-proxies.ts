/**
 * Other ND proxies, by their link-layer addresses. All claims of one cause one event an hour. Whether its answers prove owners is decided
 * by `proof` and `DownstreamProxies`.
 */
import type { Mac } from '../../address.ts'
import type { Limit } from '../../events.ts'
import type { NdiscView } from '../../wire/ndisc-decode.ts'
import type { Instant } from '../types.ts'

/** The most proxies that are registered. Beyond it, a new proxy replaces the oldest one. */
const LIMIT = 64
/** Milliseconds at least between two events about one proxy. */
const REPEAT_INTERVAL = 3_600_000

const NEVER = Number.NEGATIVE_INFINITY as Instant

export class OtherProxies {
  /** The time of the last event about each proxy. */
  readonly #reported = new Map<Mac, Instant>()

  get limits(): Limit[] { return [{ name: 'other proxies', used: this.#reported.size, size: LIMIT }] }

  /**
   * Registers the sender of an NA as a proxy, if the NA has another source than its target and O=0 (RFC 4861 7.2.8). A router that announces
   * an address with O=1 counts as well: a proxy announces a host so that moved to the proxy's other link.
   */
  advertisement({ override, router, solicited, sourceMac, tlla, s0, s1, s2, s3, t0, t1, t2, t3 }: NdiscView): void {
    const mac = tlla < 0 ? sourceMac : tlla
    if ((override && (solicited || !router)) || mac < 0 || (s3 === t3 && s2 === t2 && s1 === t1 && s0 === t0)) return
    this.register(mac as Mac)
  }

  register(mac: Mac): void {
    if (this.#reported.has(mac)) return
    if (this.#reported.size >= LIMIT) this.#reported.delete(this.#reported.keys().next().value!)
    this.#reported.set(mac, NEVER)
  }

  has(mac: Mac): boolean { return this.#reported.has(mac) }

  /** @returns whether an event about a registered proxy is due. It is then taken as reported */
  report(mac: Mac, now: Instant): boolean {
    if (now - this.#reported.get(mac)! < REPEAT_INTERVAL) return false
    this.#reported.set(mac, now)
    return true
  }
}
