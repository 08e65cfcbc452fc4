/**
 * The prefixes of Router Advertisements and their lifetimes (RFC 4861 4.6.2, RFC 4862 5.5.3). A prefix that a link no longer has is
 * advertised with a preferred lifetime of 0 for as long as hosts may have addresses in it (RFC 9096 3.5).
 */
import type { Prefix } from '../../address.ts'
import type { ActiveSubnet } from '../rules/rule.ts'
import type { Grant, Instant, SavedAdvertising, SavedPrefix } from '../../engine-types.ts'
import { deprecated, information, type PrefixInformation } from '../../wire/router-messages.ts'
import { PREFERRED_LIFETIME, ROUTER_LIFETIME, VALID_LIFETIME } from './lifetimes.ts'

/**
 * How long granted lifetimes are remembered after their end, milliseconds. The kernel keeps the route of an expired prefix for about half a
 * minute. In that half minute, a prefix without remembered lifetimes would get VALID_LIFETIME and PREFERRED_LIFETIME.
 */
const MEMORY = 3_600_000
/** The most prefixes of one link that are remembered: more than fit into an advertisement. */
const HELD_LIMIT = 64

/** Ends of lifetimes. */
interface Lifetimes { readonly valid: Instant; readonly preferred: Instant }

/** Hosts of a link may have addresses in `prefix` until `until`. `saved`: the value of `until` when this prefix last increased `revision`. */
interface Held { readonly prefix: Prefix; readonly until: Instant; readonly saved: Instant }

export class AdvertisedPrefixes {
  /** Ends of the lifetimes that upstreams grant, by ifindex of the upstream, then by prefix. */
  readonly #grants = new Map<number, ReadonlyMap<string, Lifetimes>>()
  /** Prefixes in which hosts may have addresses, by the name of the link, then by prefix. */
  readonly #held = new Map<string, Map<string, Held>>()
  /** Times at which hosts drop the default route of the last advertisement, by the name of the link. */
  readonly #routed = new Map<string, Instant>()
  /** Increases when the return value of `saved` has changed so much that it is to be saved again. */
  revision = 0

  /**
   * Replaces the lifetimes that an upstream grants. A prefix that is missing from `grants` keeps its former lifetimes, because the kernel may
   * still have its route. Otherwise the prefix would get the default lifetimes.
   */
  grant(ifindex: number, grants: readonly Grant[], now: Instant): void {
    const kept = [...this.#grants.get(ifindex) ?? []].filter(([, { valid }]) => valid > now - MEMORY && valid < Infinity)
    this.#grants.set(ifindex, new Map([...kept, ...grants.map(({ prefix, valid, preferred }) =>
      [prefix.toString(), { valid: now + valid as Instant, preferred: now + preferred as Instant }] as const)]))
  }

  gone(ifindex: number): void { this.#grants.delete(ifindex) }

  /** Takes over what the previous run advertised. */
  restore(saved: readonly SavedPrefix[], now: Instant): void {
    for (const { iface, prefix, left } of saved) this.#hold(iface, prefix, now + left as Instant, now)
  }

  /** @returns the links whose hosts may still use an advertisement, and the prefixes in which hosts may have addresses */
  saved(now: Instant): SavedAdvertising {
    const prefixes = [...this.#held].flatMap(([iface, held]) => [...held.values()].flatMap(({ prefix, until }) =>
      until > now ? [{ iface, prefix, left: until - now }] : []))
    const routed = [...this.#routed].flatMap(([iface, until]) => until > now ? [iface] : [])
    return { links: [...new Set([...routed, ...prefixes.map(({ iface }) => iface)])], prefixes }
  }

  /** @returns the prefixes of a link, the deprecated ones last. Lifetimes are rounded down, so none exceeds the granted one */
  on(name: string, subnets: readonly ActiveSubnet[], now: Instant): PrefixInformation[] {
    const live = subnets.flatMap((subnet) => subnet.active.map(({ prefix }) => {
      const { valid, preferred } = this.#lifetimes(subnet, prefix, now)
      return preferred > now ? information(prefix, valid - now, preferred - now) : deprecated(prefix, valid - now)
    }))
    const held = this.#held.get(name)
    for (const [text, { prefix, until }] of held ?? []) {
      if (until <= now) held!.delete(text)
      else if (!live.some((other) => other.prefix.equals(prefix))) live.push(deprecated(prefix, until - now))
    }
    return live.sort((a, b) => Number(a.preferred === 0) - Number(b.preferred === 0))
  }

  /** Notes the prefixes of an advertisement that was sent on a link. */
  advertised(name: string, prefixes: readonly PrefixInformation[], now: Instant): void {
    if (!this.#routed.has(name)) {
      this.#expire(now)
      this.revision++
    }
    this.#routed.set(name, now + 1000 * ROUTER_LIFETIME as Instant)
    for (const { prefix, valid, preferred } of prefixes) if (preferred > 0) this.#hold(name, prefix, now + 1000 * valid as Instant, now)
  }

  /** Forgets the prefixes of a link, after an advertisement that deprecates them all. */
  forget(name: string): void {
    this.#held.delete(name)
    if (this.#routed.delete(name)) this.revision++
  }

  #lifetimes({ prefix: configured, upstreams }: ActiveSubnet, prefix: Prefix, now: Instant): Lifetimes {
    const text = prefix.toString()
    const granted = configured === 'auto' ? upstreams.ifindexes.map((link) => this.#grants.get(link)?.get(text)).find(Boolean) : undefined
    return { valid: finite(granted?.valid, now + 1000 * VALID_LIFETIME),
      preferred: finite(granted?.preferred, now + 1000 * PREFERRED_LIFETIME) }
  }

  /**
   * Extends the time until which hosts may have addresses in a prefix. After a crash only the saved time is known. So `revision` increases
   * when the saved time covers less than half of the remaining time.
   */
  #hold(name: string, prefix: Prefix, end: Instant, now: Instant): void {
    let held = this.#held.get(name)
    if (held === undefined) this.#held.set(name, held = new Map())
    const text = prefix.toString()
    const before = held.get(text)
    const until = Math.max(end, before?.until ?? 0) as Instant
    const isSaved = before !== undefined && 2 * (before.saved - now) >= until - now
    if (!isSaved) this.revision++
    if (before === undefined && held.size >= HELD_LIMIT) held.delete([...held].reduce((a, b) => b[1].until < a[1].until ? b : a)[0])
    held.set(text, { prefix, until, saved: isSaved ? before.saved : until })
  }

  /** Removes what has expired. Otherwise the maps would grow, because the link of each new container has a new name. */
  #expire(now: Instant): void {
    for (const [name, until] of this.#routed) if (until <= now) this.#routed.delete(name)
    for (const [name, held] of this.#held) {
      for (const [text, { until }] of held) if (until <= now) held.delete(text)
      if (held.size === 0) this.#held.delete(name)
    }
  }
}

function finite(end: Instant | undefined, other: number): Instant { return (end === undefined || end === Infinity ? other : end) as Instant }
