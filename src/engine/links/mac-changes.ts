/** Detects links whose link-layer address changed. Hosts on such a link have the former address in their caches. */
import type { Mac } from '../../address.ts'
import type { Instant, Link } from '../../engine-types.ts'

/** Maximum number of deleted or renamed links that are remembered. Beyond that, the link that has been gone longest is forgotten. */
export const GONE_LIMIT = 64
/**
 * How long hosts that use the former address may keep it, milliseconds: 1.5 times REACHABLE_TIME, plus DELAY_FIRST_PROBE_TIME, plus three
 * probes without an answer (RFC 4861 10).
 */
const CACHE_TIME = 45_000 + 5000 + 3000

export class MacChanges {
  /** Current addresses of links in use, by ifindex. */
  readonly #used = new Map<number, Mac>()
  /** Last addresses of links that were deleted or renamed, by name. */
  readonly #gone = new Map<string, Mac>()
  /** Time of the last address change of each link, by ifindex. */
  readonly #changed = new Map<number, Instant>()

  /**
   * Registers a usable link.
   * @returns whether its link-layer address changed since the last call. Hosts on the link may then have the former address in their caches
   */
  use({ ifindex, name, mac }: Link, now: Instant): boolean {
    if (mac === undefined) return false
    const isChanged = [this.#used.get(ifindex), this.#gone.get(name)].some((known) => known !== undefined && known !== mac)
    this.#gone.delete(name)
    this.#used.set(ifindex, mac)
    if (isChanged) this.#changed.set(ifindex, now)
    return isChanged
  }

  /** @returns whether hosts on the link may still have the former address */
  isRecent(ifindex: number, now: Instant): boolean {
    const changed = this.#changed.get(ifindex)
    return changed !== undefined && now - changed < CACHE_TIME
  }

  /** Keeps the address of a link that goes, for a later link with the same name. */
  leave(name: string, ifindex: number): void {
    const mac = this.#used.get(ifindex)
    if (mac === undefined) return
    this.#gone.delete(name)
    this.#gone.set(name, mac)
    if (this.#gone.size > GONE_LIMIT) this.#gone.delete(this.#gone.keys().next().value!)
  }

  gone(ifindex: number): void {
    this.#used.delete(ifindex)
    this.#changed.delete(ifindex)
  }
}
