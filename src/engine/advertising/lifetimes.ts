/** Lifetimes in Router Advertisements, for what no upstream limits. Seconds, as on the wire. */

/** Of the default route: AdvDefaultLifetime, three times MaxRtrAdvInterval (RFC 4861 6.2.1). */
export const ROUTER_LIFETIME = 1800
/** Of a configured prefix, and of an `auto` prefix whose granted lifetime is unknown or infinite. */
export const VALID_LIFETIME = 86_400, PREFERRED_LIFETIME = 14_400
/**
 * Of configured DNS servers and search domains: three times MaxRtrAdvInterval (RFC 8106 5.1). Longer lifetimes of upstreams are shortened
 * to this value, so that no host uses a withdrawn server or domain for longer than that.
 */
export const DNS_LIFETIME = 1800
