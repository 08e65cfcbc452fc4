/**
 * The prefixes of Router Advertisements and their lifetimes (RFC 4861 4.6.2, RFC 4862 5.5.3). A prefix that is no longer advertised is
 * deprecated for as long as hosts may have addresses in it (RFC 9096 3.5).
 */
import { Prefix } from '../../address.ts'
import type { ActiveSubnet } from '../rules/rule.ts'
import type { Grant, Instant, SavedAdvertising, SavedPrefix } from '../types.ts'
import { INFINITY, type PrefixInformation } from '../../wire/router-messages.ts'

/** Lifetimes of a prefix that has no other: that of a static subnet, or of an upstream whose prefix does not expire. Milliseconds. */
const VALID = 86_400_000, PREFERRED = 14_400_000
/** Hosts shorten no valid lifetime below two hours (RFC 4862 5.5.3 e). Milliseconds. */
const DEPRECATED_VALID = 7_200_000
/** Milliseconds for which an expired prefix is remembered: the kernel removes its route about half a minute later. */
const MEMORY = 3_600_000
/** The most deprecated prefixes of one link. */
const DEPRECATED_LIMIT = 16

/** Ends of lifetimes. */
interface Lifetimes { readonly valid: Instant; readonly preferred: Instant }

/** A prefix that hosts of a link may have addresses in, until `until`. */
interface Held { readonly prefix: Prefix; readonly until: Instant }

export class AdvertisedPrefixes {
  /** What upstreams grant: by ifindex and prefix. */
  readonly #grants = new Map<number, ReadonlyMap<string, Lifetimes>>()
  /** By name of the link and prefix. Links of which all prefixes expired stay: hosts there have a default route. */
  readonly #held = new Map<string, Map<string, Held>>()
  /** Increases with every change of the links, and of the prefixes that hosts may have addresses in. */
  revision = 0

  /** A prefix that is missing keeps its lifetimes: its route may outlive it, and would count as a prefix without lifetimes. */
  grant(ifindex: number, grants: readonly Grant[], now: Instant): void {
    const kept = [...this.#grants.get(ifindex) ?? []].filter(([, { valid }]) => valid > now - MEMORY && valid < Infinity)
    this.#grants.set(ifindex, new Map([...kept, ...grants.map(({ prefix, valid, preferred }) =>
      [prefix.toString(), { valid: now + valid as Instant, preferred: now + preferred as Instant }] as const)]))
  }

  gone(ifindex: number): void { this.#grants.delete(ifindex) }

  /** Takes over what the previous run advertised. */
  restore(saved: readonly SavedPrefix[], now: Instant): void {
    for (const { iface, prefix, left } of saved) this.#hold(iface, prefix, now + left as Instant)
  }

  /** @returns the links with advertisements, and what hosts may have addresses in */
  saved(now: Instant): SavedAdvertising {
    const prefixes = [...this.#held].flatMap(([iface, held]) => [...held.values()].flatMap(({ prefix, until }) =>
      until > now ? [{ iface, prefix, left: until - now }] : []))
    return { links: [...this.#held.keys()], prefixes }
  }

  /** @returns the prefixes of a link, the deprecated ones last. Lifetimes are rounded down, because they never exceed what is granted */
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

  /** Notes what hosts of a link have heard. */
  advertised(name: string, prefixes: readonly PrefixInformation[], now: Instant): void {
    this.#link(name)
    for (const { prefix, valid, preferred } of prefixes) if (preferred > 0) this.#hold(name, prefix, now + 1000 * valid as Instant)
  }

  /** Forgets what hosts of a link have heard. */
  forget(name: string): void { if (this.#held.delete(name)) this.revision++ }

  #lifetimes({ prefix: configured, upstreams }: ActiveSubnet, prefix: Prefix, now: Instant): Lifetimes {
    const text = prefix.toString()
    const granted = configured === 'auto' ? upstreams.ifindexes.map((link) => this.#grants.get(link)?.get(text)).find(Boolean) : undefined
    return { valid: finite(granted?.valid, now + VALID), preferred: finite(granted?.preferred, now + PREFERRED) }
  }

  #link(name: string): Map<string, Held> {
    let held = this.#held.get(name)
    if (held === undefined) {
      this.#held.set(name, held = new Map())
      this.revision++
    }
    return held
  }

  #hold(name: string, prefix: Prefix, until: Instant): void {
    const held = this.#link(name)
    const text = prefix.toString()
    const before = held.get(text)
    if (before === undefined) {
      this.revision++
      if (held.size >= DEPRECATED_LIMIT) held.delete(held.keys().next().value!)
    }
    if (before === undefined || before.until < until) held.set(text, { prefix, until })
  }
}

function finite(end: Instant | undefined, other: number): Instant { return (end === undefined || end === Infinity ? other : end) as Instant }

/** @param valid @param preferred milliseconds */
function information(prefix: Prefix, valid: number, preferred: number): PrefixInformation {
  return { prefix, autonomous: prefix.length === 64, valid: seconds(valid), preferred: seconds(preferred) }
}

function deprecated(prefix: Prefix, valid: number): PrefixInformation { return information(prefix, Math.min(valid, DEPRECATED_VALID), 0) }

function seconds(ms: number): number { return Math.max(0, Math.min(Math.floor(ms / 1000), INFINITY - 1)) }
