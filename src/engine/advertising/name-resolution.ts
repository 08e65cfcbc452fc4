/** Servers and search domains of Router Advertisements (RFC 8106): the configured ones, else those that upstreams advertise. */
import type { ActiveSubnet } from '../rules/rule.ts'
import type { Instant } from '../types.ts'
import { type DnsOption, INFINITY } from '../../wire/router-messages.ts'

/** Lifetime of what does not expire: the configured values, and infinite ones. Three times MaxRtrAdvInterval (RFC 8106 5.1), seconds. */
export const DNS_LIFETIME = 1800
const KINDS = ['servers', 'domains'] as const
/** The most values of one upstream and kind. */
const LIMIT = 16

/** A server or domain that an upstream advertises. */
interface Received {
  /** End of its lifetime. A withdrawn one is remembered until its withdrawal has been advertised. */
  readonly until: Instant
  readonly isWithdrawn: boolean
}

export class NameResolution {
  /** By ifindex and kind. */
  readonly #received = new Map<string, Map<string, Received>>()

  /** Adds to what is known, as hosts do (RFC 8106 5.3.1): an advertisement may have several options, each with its lifetime. */
  received(ifindex: number, { kind, values, lifetime }: DnsOption, now: Instant): void {
    const key = keyOf(kind, ifindex)
    let known = this.#received.get(key)
    if (known === undefined) this.#received.set(key, known = new Map())
    for (const [value, { until }] of known) if (until <= now) known.delete(value)
    for (const value of values) {
      const before = known.get(value)
      const until = lifetime === INFINITY ? Infinity : now + 1000 * lifetime
      if (lifetime > 0) known.set(value, { until: until as Instant, isWithdrawn: false })
      else if (before?.isWithdrawn === false) {
        known.set(value, { until: Math.min(before.until, now + 1000 * DNS_LIFETIME) as Instant, isWithdrawn: true })
      }
      if (known.size > LIMIT) known.delete([...known].reduce((a, b) => b[1].until < a[1].until ? b : a)[0])
    }
  }

  gone(ifindex: number): void { for (const kind of KINDS) this.#received.delete(keyOf(kind, ifindex)) }

  /** @returns one option for each kind and lifetime; a lifetime of 0 is that of withdrawn values */
  on(subnets: readonly ActiveSubnet[], now: Instant): DnsOption[] {
    return KINDS.flatMap((kind) => {
      const lifetimes = new Map<string, number>()
      for (const [value, lifetime] of subnets.flatMap((subnet) => [...this.#valuesOf(subnet, kind, now)])) {
        lifetimes.set(value, Math.max(lifetimes.get(value) ?? 0, lifetime))
      }
      return [...new Set(lifetimes.values())].map((lifetime) => (
        { kind, lifetime, values: [...lifetimes.keys()].filter((value) => lifetimes.get(value) === lifetime) }))
    })
  }

  /** Yields values with their lifetimes in seconds, rounded down. */
  * #valuesOf({ dns, search, upstreams }: ActiveSubnet, kind: DnsOption['kind'], now: Instant): Generator<readonly [string, number]> {
    const configured = kind === 'servers' ? dns?.map(String) : search
    if (configured !== undefined) return yield * configured.map((value) => [value, DNS_LIFETIME] as const)
    for (const link of upstreams.ifindexes) {
      for (const [value, { until, isWithdrawn }] of this.#received.get(keyOf(kind, link)) ?? []) {
        const left = until === Infinity ? DNS_LIFETIME : Math.floor((until - now) / 1000)
        if (left > 0) yield [value, isWithdrawn ? 0 : left]
      }
    }
  }
}

function keyOf(kind: DnsOption['kind'], ifindex: number): string { return `${kind} ${ifindex}` }
