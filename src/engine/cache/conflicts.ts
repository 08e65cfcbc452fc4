/**
 * Reports claims on the addresses of other hosts. All claims of another ND proxy cause one event an hour. Whether its answers prove
 * owners is decided by `proof` and `DownstreamProxies`.
 */
import type { Address, Mac } from '../../address.ts'
import type { ConflictBasis, Limit } from '../../events.ts'
import type { NdiscView } from '../../wire/ndisc-decode.ts'
import { type Context, Part } from '../rules/context.ts'
import type { Instant } from '../types.ts'
import type { NeighborCache } from './neighbor-cache.ts'

/** The most proxies that are registered. Beyond it, a new proxy replaces the oldest one. */
const PROXY_LIMIT = 64
/** Milliseconds at least between two events about one proxy. */
const REPEAT_INTERVAL = 3_600_000

export class Conflicts extends Part<Context & { readonly cache: NeighborCache }> {
  /** The time of the last event about each proxy; -Infinity: none yet. */
  readonly #proxies = new Map<Mac, number>()

  get limits(): Limit[] { return [{ name: 'other proxies', used: this.#proxies.size, size: PROXY_LIMIT }] }

  /**
   * Registers the sender of an NA as a proxy, if the NA has another source than its target and O=0 (RFC 4861 7.2.8). A router that announces
   * an address with O=1 counts as well: a proxy announces a host so that moved to the proxy's other link.
   */
  advertisement({ override, router, solicited, sourceMac, tlla, s0, s1, s2, s3, t0, t1, t2, t3 }: NdiscView): void {
    const mac = tlla < 0 ? sourceMac : tlla
    if ((override && (solicited || !router)) || mac < 0 || (s3 === t3 && s2 === t2 && s1 === t1 && s0 === t0)) return
    this.register(mac as Mac)
  }

  /** Registers another proxy: its claims are reported once an hour. */
  register(mac: Mac): void {
    if (this.#proxies.has(mac)) return
    if (this.#proxies.size >= PROXY_LIMIT) this.#proxies.delete(this.#proxies.keys().next().value!)
    this.#proxies.set(mac, Number.NEGATIVE_INFINITY)
  }

  /** Reports a claim. @param mac link-layer address of the host or proxy that claims `target` */
  report(target: Address, ifindex: number, mac: Mac, basis: ConflictBasis, now: Instant): void {
    const { events } = this.parts.effects
    const reported = this.#proxies.get(mac)
    if (reported === undefined) {
      const length = this.parts.cache.find(target)?.rule.length
      events.push({ kind: 'conflict', target, length, ifindex, mac, basis, absent: this.#absent(target) })
    } else if (now - reported >= REPEAT_INTERVAL) {
      this.#proxies.set(mac, now)
      events.push({ kind: 'proxy', target, ifindex, mac })
    }
  }

  /** @returns the name of the link of a pinned owner, if that link is down or does not exist */
  #absent(target: Address): string | undefined {
    const { rules: { config: { hosts } }, links, cache } = this.parts
    return links.up(cache.find(target)?.ifindex ?? 0) ? undefined : hosts.linkOf(target)
  }
}
