/** Lifetimes in Router Advertisements: those that no upstream limits, and changes that hosts learn at once. Seconds, as on the wire. */
import type { RouterAdvertisement } from '../../wire/router-messages.ts'

/** Of the default route: AdvDefaultLifetime, three times MaxRtrAdvInterval (RFC 4861 6.2.1). */
export const ROUTER_LIFETIME = 1800
/** Of a configured prefix, and of an `auto` prefix whose granted lifetime is unknown or infinite. */
export const VALID_LIFETIME = 86_400, PREFERRED_LIFETIME = 14_400
/**
 * Of configured DNS servers and search domains: three times MaxRtrAdvInterval (RFC 8106 5.1). Longer lifetimes of upstreams are shortened
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
 * @param now the present lifetimes, by name @param advertised those of the last advertisement
 * @param passed seconds since the last advertisement
 * @returns whether a lifetime changed by more than counting down
 */
export function haveChanged(now: ReadonlyMap<string, number>, advertised: ReadonlyMap<string, number>, passed: number): boolean {
  return [...now].some(([name, lifetime]) => {
    // A name missing from `advertised` had DNS_LIFETIME or more left at that time.
    const before = advertised.get(name) ?? Math.max(DNS_LIFETIME, lifetime + passed)
    return Math.abs(lifetime - before + passed) > REFRESH * Math.max(lifetime, before - passed)
  })
}
