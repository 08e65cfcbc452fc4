/**
 * Constants of Neighbor Discovery under their RFC names: RFC 4861 10 (hosts and nodes), RFC 4862 5.1,
 * RFC 4861 4 (message types, options). Times are milliseconds.
 */

/** RFC 4861 10, node constants. */
export const MAX_MULTICAST_SOLICIT = 3
export const MAX_UNICAST_SOLICIT = 3
export const MAX_ANYCAST_DELAY_TIME = 1000
export const MAX_NEIGHBOR_ADVERTISEMENT = 3
export const REACHABLE_TIME = 30_000
export const RETRANS_TIMER = 1000
export const DELAY_FIRST_PROBE_TIME = 5000
export const MIN_RANDOM_FACTOR = 0.5
export const MAX_RANDOM_FACTOR = 1.5

/** RFC 4862 5.1: DupAddrDetectTransmits. Its RetransTimer is RETRANS_TIMER. */
export const DUP_ADDR_DETECT_TRANSMITS = 1

/** Hop limit of every ND message (RFC 4861 7.1): proof that no router forwarded it. */
export const ND_HOP_LIMIT = 255

/** ICMPv6 types (RFC 4861 4.3, 4.4). */
export const NEIGHBOR_SOLICITATION = 135
export const NEIGHBOR_ADVERTISEMENT = 136

/** Option types (RFC 4861 4.6.1, RFC 3971 5.3.2). */
export const SOURCE_LINK_LAYER_ADDRESS = 1
export const TARGET_LINK_LAYER_ADDRESS = 2
export const NONCE = 14
