/** Lifetimes in Router Advertisements: those that no upstream limits, and changes that are advertised at once. Seconds, as on the wire. */
import type { RouterAdvertisement } from '../../wire/router-messages.ts'

/** Router lifetime: AdvDefaultLifetime, three times MaxRtrAdvInterval (RFC 4861 6.2.1). */
export const ROUTER_LIFETIME = 1800
/** Lifetimes of a configured prefix, and of an `auto` prefix whose granted lifetime is unknown or infinite. */
export const VALID_LIFETIME = 86_400, PREFERRED_LIFETIME = 14_400
/**
 * Lifetime of configured DNS servers and search domains: three times MaxRtrAdvInterval (RFC 8106 5.1). Longer lifetimes of upstreams are shortened
 * to this value, so that no host uses a withdrawn server or domain for longer than that.
 */
export const DNS_LIFETIME = 1800

/** A lifetime is advertised at once if it differs by more than this fraction from what is left of the last advertised lifetime. */
const REFRESH = 0.1

/** @returns lifetimes in seconds, each under a unique name. A change of one of them may need an early multicast */
export function lifetimesOf({ prefixes, dns }: Pick<RouterAdvertisement, 'prefixes' | 'dns'>): Map<string, number> {
  const live = prefixes.filter(({ preferred }) => preferred > 0)
  return new Map([
    ...live.flatMap(({ prefix, valid, preferred }) => [[`${prefix}`, valid], [`${prefix} preferred`, preferred]] as const),
    // A lifetime of DNS_LIFETIME needs no early multicast: it is three times the longest interval between multicasts.
    ...dns.filter(({ lifetime }) => lifetime > 0 && lifetime < DNS_LIFETIME)
      .flatMap(({ kind, values, lifetime }) => values.map((value) => [`${kind} ${value}`, lifetime] as const)),
  ])
}

/**
 * @param present the present lifetimes, by name
 * @param advertised the lifetimes of the last advertisement
 * @param passed seconds since the last advertisement
 * @returns whether a lifetime differs by more than REFRESH from what is left of the advertised one
 */
export function haveChanged(present: ReadonlyMap<string, number>, advertised: ReadonlyMap<string, number>, passed: number): boolean {
  return [...present].some(([name, lifetime]) => {
    // A name missing from `advertised` had DNS_LIFETIME or more left at that time.
    const before = advertised.get(name) ?? Math.max(DNS_LIFETIME, lifetime + passed)
    return Math.abs(lifetime - before + passed) > REFRESH * Math.max(lifetime, before - passed)
  })
}
