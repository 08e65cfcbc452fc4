/**
 * DNS servers and search domains of Router Advertisements (RFC 8106): the configured ones, else those that upstreams advertise. A value
 * that a link no longer has is withdrawn: it is advertised with a lifetime of 0 for as long as hosts may use it.
 */
import type { ActiveSubnet } from '../rules/rule.ts'
import type { Instant } from '../../engine-types.ts'
import type { DnsOption } from '../../wire/router-messages.ts'
import { DNS_LIFETIME } from './lifetimes.ts'

/**
 * Limit of received lifetimes, seconds, so that forged values expire. Genuine values do not: a router repeats its options within its own
 * lifetime, which is at most 65535 s (RFC 8319).
 */
const MAX_REPETITION = 65_535
const KINDS = ['servers', 'domains'] as const
/** The most values of one upstream and kind. Further values are ignored: replacing known ones would change the values all the time. */
const LIMIT = 16

/** The most values of one link and kind that are remembered. About 70 servers fit into an advertisement. */
const HELD_LIMIT = 128

export class NameResolution {
  /** Ends of the lifetimes that upstreams advertise: by ifindex and kind, then by value. */
  readonly #received = new Map<string, Map<string, Instant>>()
  /** Times until which the hosts of a link may use advertised values: by ifindex and kind, then by value. */
  readonly #held = new Map<string, Map<string, Instant>>()

  /** Adds values, as hosts do (RFC 8106 5.3.1). Keeps known values that are not in this option: the advertisement may have several options. */
  received(ifindex: number, { kind, values, lifetime }: DnsOption, now: Instant): void {
    const known = presentIn(this.#received, keyOf(kind, ifindex), now)
    for (const value of values) {
      if (lifetime === 0) known.delete(value)
      else if (known.has(value) || known.size < LIMIT) known.set(value, now + 1000 * Math.min(lifetime, MAX_REPETITION) as Instant)
    }
  }

  /** Notes the options of an advertisement that was sent on a link. Hosts use the latest lifetime (RFC 8106 5.3.1). */
  advertised(ifindex: number, options: readonly DnsOption[], now: Instant): void {
    for (const { kind, values, lifetime } of options) {
      const held = presentIn(this.#held, keyOf(kind, ifindex), now)
      if (lifetime > 0) for (const value of values) hold(held, value, now + 1000 * lifetime as Instant)
    }
  }

  gone(ifindex: number): void {
    for (const kind of KINDS) this.#received.delete(keyOf(kind, ifindex))
    this.forget(ifindex)
  }

  /** Forgets what was advertised on a link. */
  forget(ifindex: number): void { for (const kind of KINDS) this.#held.delete(keyOf(kind, ifindex)) }

  /** @returns the options for a link, one for each kind and lifetime. Withdrawn values have lifetime 0 and come last */
  on(ifindex: number, subnets: readonly ActiveSubnet[], now: Instant): DnsOption[] {
    const options = KINDS.flatMap((kind) => {
      const lifetimes = new Map<string, number>()
      for (const [value, lifetime] of subnets.flatMap((subnet) => [...this.#valuesOf(subnet, kind, now)])) {
        lifetimes.set(value, Math.max(lifetimes.get(value) ?? 0, lifetime))
      }
      for (const [value, until] of this.#held.get(keyOf(kind, ifindex)) ?? []) if (until > now && !lifetimes.has(value)) lifetimes.set(value, 0)
      return [...new Set(lifetimes.values())].map((lifetime) => (
        { kind, lifetime, values: [...lifetimes.keys()].filter((value) => lifetimes.get(value) === lifetime) }))
    })
    return options.sort((a, b) => Number(a.lifetime === 0) - Number(b.lifetime === 0))
  }

  /** Yields values with their lifetimes in seconds, rounded down. */
  * #valuesOf({ dns, search, upstreams }: ActiveSubnet, kind: DnsOption['kind'], now: Instant): Generator<readonly [string, number]> {
    const configured = kind === 'servers' ? dns?.map(String) : search
    if (configured !== undefined) return yield * configured.map((value) => [value, DNS_LIFETIME] as const)
    for (const link of upstreams.ifindexes) {
      for (const [value, until] of this.#received.get(keyOf(kind, link)) ?? []) {
        const left = Math.min(Math.floor((until - now) / 1000), DNS_LIFETIME)
        if (left > 0) yield [value, left]
      }
    }
  }
}

/** @returns the map of the values under `key`, without expired values. The caller may change it */
function presentIn(all: Map<string, Map<string, Instant>>, key: string, now: Instant): Map<string, Instant> {
  let values = all.get(key)
  if (values === undefined) all.set(key, values = new Map())
  for (const [value, until] of values) if (until <= now) values.delete(value)
  return values
}

/** Adds a value. Above the limit, drops the value that expires first. */
function hold(values: Map<string, Instant>, value: string, until: Instant): void {
  values.set(value, until)
  if (values.size > HELD_LIMIT) values.delete([...values].reduce((a, b) => b[1] < a[1] ? b : a)[0])
}

function keyOf(kind: DnsOption['kind'], ifindex: number): string { return `${kind} ${ifindex}` }
