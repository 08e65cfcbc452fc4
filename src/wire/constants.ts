/** Constants by their RFC names: ND (RFC 4861), MLD (RFC 3810 9) and MRD (RFC 4286 3.1, 8). Times are milliseconds. */

/** RFC 4861 10: node constants. */
export const MAX_UNICAST_SOLICIT = 3, MAX_NEIGHBOR_ADVERTISEMENT = 3, RETRANS_TIMER = 1000

/** Hop limit of every ND message (RFC 4861 7.1). A message with a smaller hop limit was forwarded by a router. */
export const ND_HOP_LIMIT = 255

/** ICMPv6 types (RFC 4861 4.1, 4.2). */
export const ROUTER_SOLICITATION = 133, ROUTER_ADVERTISEMENT = 134

/** RFC 4861 10: router constants. */
export const MAX_INITIAL_RTR_ADVERT_INTERVAL = 16_000, MAX_INITIAL_RTR_ADVERTISEMENTS = 3
export const MIN_DELAY_BETWEEN_RAS = 3000, MAX_RA_DELAY_TIME = 500

/** RFC 4861 10: host constants. */
export const MAX_RTR_SOLICITATION_DELAY = 1000, RTR_SOLICITATION_INTERVAL = 4000

/** Longest valid lifetime of a deprecated prefix, seconds. Hosts do not shorten a valid lifetime below two hours (RFC 4862 5.5.3 e). */
export const DEPRECATED_VALID = 7200

/** ICMPv6 types (RFC 4861 4.3, 4.4). */
export const NEIGHBOR_SOLICITATION = 135, NEIGHBOR_ADVERTISEMENT = 136

/** ICMPv6 types (RFC 4443 4.1, 4.2). */
export const ECHO_REQUEST = 128, ECHO_REPLY = 129

/** Option types (RFC 4861 4.6.1). */
export const SOURCE_LINK_LAYER_ADDRESS = 1, TARGET_LINK_LAYER_ADDRESS = 2

/** Hop limit of every MLD and MRD message (RFC 3810 5, RFC 4286 3). */
export const MLD_HOP_LIMIT = 1

/** ICMPv6 types of MLD (RFC 2710 3.1, RFC 3810 5) and MRD (RFC 4286 3.2, 4.1, 5.1). */
export const LISTENER_QUERY = 130, LISTENER_REPORT = 131, LISTENER_DONE = 132, LISTENER_REPORT_V2 = 143
export const MULTICAST_ROUTER_ADVERTISEMENT = 151, MULTICAST_ROUTER_SOLICITATION = 152, MULTICAST_ROUTER_TERMINATION = 153

/** RFC 3810 9.1 to 9.8, 9.11, 9.12: defaults. */
export const ROBUSTNESS_VARIABLE = 2
export const QUERY_INTERVAL = 125_000, QUERY_RESPONSE_INTERVAL = 10_000
export const MULTICAST_ADDRESS_LISTENING_INTERVAL = ROBUSTNESS_VARIABLE * QUERY_INTERVAL + QUERY_RESPONSE_INTERVAL
export const OTHER_QUERIER_PRESENT_TIMEOUT = ROBUSTNESS_VARIABLE * QUERY_INTERVAL + QUERY_RESPONSE_INTERVAL / 2
export const STARTUP_QUERY_INTERVAL = QUERY_INTERVAL / 4, STARTUP_QUERY_COUNT = ROBUSTNESS_VARIABLE
export const LAST_LISTENER_QUERY_INTERVAL = 1000, UNSOLICITED_REPORT_INTERVAL = 1000
/** The most groups in one report, so that 56 bytes of headers and 20 bytes per record fit into the minimum MTU (RFC 8200 5). */
export const MAX_REPORTED = Math.floor((1280 - 56) / 20)
export const OLDER_VERSION_QUERIER_PRESENT_TIMEOUT = ROBUSTNESS_VARIABLE * QUERY_INTERVAL + QUERY_RESPONSE_INTERVAL

/** RFC 4286 3.1: defaults. The jitter is a fraction of the interval; MAX_MESSAGE_RATE is per second. */
export const ADVERTISEMENT_INTERVAL = 20_000, ADVERTISEMENT_JITTER = 0.025
export const MAX_INITIAL_ADVERTISEMENT_INTERVAL = 2000, MAX_INITIAL_ADVERTISEMENTS = 3, MAX_MESSAGE_RATE = 10
