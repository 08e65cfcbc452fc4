/** rtnetlink messages of IPv6 routes (linux/rtnetlink.h). With NETLINK_GET_STRICT_CHK, a dump has only routes that match the request. */
import { Address, Prefix } from '../address.ts'
import { assemble, END, JUMP_EQUAL, JUMP_NOT_LESS, LOAD_BYTE, LOAD_HALF, LOAD_WORD, RETURN } from './filter.ts'
import { hostOrder, type MessageWriter } from './netlink-encode.ts'
import {
  align, Attributes, attributesOf, little, type Message, NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST,
  readU16, readU32,
} from './netlink.ts'
import { AF_INET6 } from './rtnetlink.ts'

export const RTM_NEWROUTE = 24, RTM_DELROUTE = 25
const RTM_GETROUTE = 26
export const RTM_NEWRULE = 32

export const RTNLGRP_IPV6_ROUTE = 11, RTNLGRP_IPV6_RULE = 19

/** Lengths of struct rtmsg and struct rtnexthop. */
const RTMSG = 12, RTNEXTHOP = 8
export const RT_TABLE_MAIN = 254
export const RTN_UNICAST = 1, RTN_LOCAL = 2
export const RTPROT_RA = 9
const RTN_ANYCAST = 4, RTN_MULTICAST = 5
/** Flag of a request for a route: see {@link lookupRoute}. Since Linux 4.18. */
const RTM_F_FIB_MATCH = 0x2000
/** Flag of a route: the kernel takes the gateway as on-link, without a lookup. */
const RTNH_F_ONLINK = 4
/** Values of `rtm_protocol` of on-link prefixes: kernel (made with an address), boot (added by hand), static, ra. */
const ON_LINK_PROTOCOLS = [2, 3, 4, RTPROT_RA]

const RTA_DST = 1, RTA_SRC = 2, RTA_IIF = 3, RTA_OIF = 4, RTA_GATEWAY = 5, RTA_PRIORITY = 6, RTA_MULTIPATH = 9, RTA_CACHEINFO = 12, RTA_TABLE = 15
const RTA_VIA = 18, RTA_ENCAP = 22, RTA_EXPIRES = 23
/** Attributes of routes with a gateway or a tunnel. */
const NOT_ON_LINK = [RTA_GATEWAY, RTA_MULTIPATH, RTA_VIA, RTA_ENCAP]

/** RTM_NEWROUTE, RTM_DELROUTE; also the answer to a lookup. */
export interface RouteMessage {
  /** Undefined for ::/0. */
  readonly destination: Address | undefined
  readonly length: number
  readonly ifindex: number | undefined
  readonly gateway: Address | undefined
  readonly protocol: number
  readonly metric: number | undefined
  readonly table: number
  /** RTN_UNICAST, RTN_LOCAL ... */
  readonly type: number
  /** The lifetime (`rta_expires` of RTA_CACHEINFO) is over: the kernel ignores the route, and deletes it later. */
  readonly expired: boolean
}

/**
 * Marks our host routes: only routes with both numbers are changed or deleted. The protocol is named `ndp6d` in rt_protos.d. The low
 * metric makes our route preferred to a /128 that a routing daemon learned elsewhere.
 */
export const ROUTE_MARK = { protocol: 136, metric: 16 } as const

/** A /128 route to write to table main. */
export interface RouteFields {
  readonly target: Address
  readonly ifindex: number
  readonly via?: Address
}

/** Decodes RTM_*ROUTE. @returns undefined for other types, messages that are too short, and other families than IPv6 */
export function decodeRoute(message: Message): RouteMessage | undefined {
  const attributes = attributesOf(message, RTM_NEWROUTE, RTMSG, AF_INET6)
  if (attributes === undefined) return undefined
  const { bytes, start } = message
  let destination, ifindex, gateway, metric
  let table = bytes[start + 4]
  let expires = 0
  // Tables can be large, so each attribute is read once.
  for (const { type, start: at, end: limit } of attributes) {
    const size = limit - at
    if (type === RTA_DST && size >= 16) destination = Address.read(bytes, at)
    else if (type === RTA_GATEWAY && size >= 16) gateway = Address.read(bytes, at)
    else if (type === RTA_OIF && size >= 4) ifindex = readU32(bytes, at)
    else if (type === RTA_PRIORITY && size >= 4) metric = readU32(bytes, at)
    else if (type === RTA_TABLE && size >= 4) table = readU32(bytes, at)
    else if (type === RTA_CACHEINFO && size >= 12) expires = readU32(bytes, at + 8) | 0
  }
  return { destination, length: bytes[start + 1], ifindex, gateway, protocol: bytes[start + 5], metric, table, type: bytes[start + 7],
    expired: expires < 0 }
}

/**
 * Decodes the on-link prefix of RTM_*ROUTE: a unicast route of table main without gateway, of 1 to 127 bits, with a protocol
 * of ON_LINK_PROTOCOLS.
 * @returns undefined for other routes, link-local and multicast prefixes, and other messages
 */
export function decodeOnLink(message: Message): { prefix: Prefix; ifindex: number } | undefined {
  const route = decodeRoute(message)
  if (route?.destination === undefined || route.ifindex === undefined) return undefined
  const { destination, length, ifindex, protocol, table, type } = route
  if (type !== RTN_UNICAST || table !== RT_TABLE_MAIN || length < 1 || length > 127) return undefined
  if (!ON_LINK_PROTOCOLS.includes(protocol) || destination.isLinkLocal || destination.isMulticast) return undefined
  for (const attribute of attributesOf(message, RTM_NEWROUTE, RTMSG, AF_INET6)!) {
    if (NOT_ON_LINK.includes(attribute.type)) return undefined
  }
  return { prefix: new Prefix(destination, length), ifindex }
}

/** A next hop of a unicast route to ::/0. */
export interface DefaultRoute {
  /** Undefined for a route that has a link but no gateway. */
  readonly address: Address | undefined
  readonly ifindex: number
  /** Origin of the route; RTPROT_RA is a Router Advertisement. */
  readonly protocol: number
}

/** Decodes the next hops of a unicast route to ::/0 (RTM_*ROUTE), in any table. @returns undefined for other routes and messages */
export function decodeDefaultRoutes(message: Message): DefaultRoute[] | undefined {
  const { bytes, start } = message
  // Tables can be large, so attributes of other routes are not read.
  const isDefault = bytes[start + 1] === 0 && bytes[start + 7] === RTN_UNICAST
  const attributes = isDefault ? attributesOf(message, RTM_NEWROUTE, RTMSG, AF_INET6) : undefined
  if (attributes === undefined) return undefined
  return nextHops(bytes, attributes).flatMap(({ address, ifindex }) => ifindex === undefined ? []
    : [{ address, ifindex, protocol: bytes[start + 5] }])
}

/** A next hop of a route, which may have several (ECMP). */
export interface NextHop {
  readonly address: Address | undefined
  readonly ifindex: number | undefined
}

/** Decodes the next hops of RTM_*ROUTE. @returns one next hop for a route without RTA_MULTIPATH; none for other messages */
export function decodeNextHops(message: Message): NextHop[] {
  const attributes = attributesOf(message, RTM_NEWROUTE, RTMSG, AF_INET6)
  return attributes === undefined ? [] : nextHops(message.bytes, attributes)
}

function nextHops(bytes: Uint8Array, attributes: Attributes): NextHop[] {
  const hops: NextHop[] = []
  const { start: first, end } = attributes.find(RTA_MULTIPATH) ?? { start: 0, end: 0 }
  for (let at = first; at + RTNEXTHOP <= end;) {
    const next = at + readU16(bytes, at)
    if (next < at + RTNEXTHOP || next > end) break
    hops.push({ address: new Attributes(bytes, at + RTNEXTHOP, next).address(RTA_GATEWAY), ifindex: readU32(bytes, at + 4) })
    at = align(next - first) + first
  }
  return hops.length > 0 ? hops : [{ address: attributes.address(RTA_GATEWAY), ifindex: attributes.u32(RTA_OIF) }]
}

/** @returns struct rtmsg without flags */
function header(length: number, table: number, protocol: number, type: number): number[] {
  return [AF_INET6, length, 0, 0, table, protocol, 0, type, 0, 0, 0, 0]
}

/** Requests the routes of our protocol in table main, of all lengths and metrics. */
export function dumpHostRoutes(w: MessageWriter, sequence: number): void {
  w.message(RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP, sequence, header(0, RT_TABLE_MAIN, ROUTE_MARK.protocol, 0))
}

/** Requests the routes of all tables. The kernel cannot filter by length. @param type the type of the routes; 0: all types */
export function dumpRoutes(w: MessageWriter, sequence: number, type = 0): void {
  w.message(RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP, sequence, header(0, 0, 0, type))
}

/** Requests the unicast routes of one link in table main. The kernel refuses with ENODEV if the link does not exist. */
export function dumpLinkRoutes(w: MessageWriter, sequence: number, ifindex: number): void {
  const unicast = header(0, RT_TABLE_MAIN, 0, RTN_UNICAST)
  w.message(RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP, sequence, unicast, [[RTA_OIF, hostOrder(ifindex)]])
}

/**
 * Builds a filter for a socket in RTNLGRP_IPV6_ROUTE: it passes routes of our protocol that other programs or the kernel changed.
 * @param port the port ID of our socket, whose changes are dropped; changes by the kernel have port 0
 */
export function hostRouteFilter(port: number): Uint8Array {
  // The filter loads numbers in network order, but the port is in host order.
  const loaded = new DataView(Uint32Array.of(port).buffer).getUint32(0)
  return assemble([
    { code: LOAD_WORD, k: 12 },
    { code: JUMP_EQUAL, k: loaded, equal: 'drop' },
    { code: LOAD_BYTE, k: 16 + 5 },
    { code: JUMP_EQUAL, k: ROUTE_MARK.protocol, other: 'drop' },
    ...END,
  ])
}

/** Builds a filter for a socket in RTNLGRP_IPV6_ROUTE: it passes routes to ::/0. */
export function defaultRouteFilter(): Uint8Array {
  return assemble([{ code: LOAD_BYTE, k: 16 + 1 }, { code: JUMP_EQUAL, k: 0, other: 'drop' }, ...END])
}

/** Builds a filter for a socket in RTNLGRP_IPV6_ROUTE: it passes routes whose length, type and protocol {@link decodeOnLink} accepts. */
export function onLinkFilter(): Uint8Array {
  return assemble([
    { code: LOAD_BYTE, k: 16 + 1 },
    { code: JUMP_EQUAL, k: 0, equal: 'drop' },
    { code: JUMP_EQUAL, k: 128, equal: 'drop' },
    { code: LOAD_BYTE, k: 16 + 7 },
    { code: JUMP_EQUAL, k: RTN_UNICAST, other: 'drop' },
    { code: LOAD_BYTE, k: 16 + 5 },
    ...ON_LINK_PROTOCOLS.map((k) => ({ code: JUMP_EQUAL, k, equal: 'pass' })),
    { label: 'drop', code: RETURN, k: 0 },
    { label: 'pass', code: RETURN, k: 0xffff },
  ])
}

/** Types of routes that the kernel adds for addresses of this machine and for groups. */
const NOT_FOREIGN = [RTN_LOCAL, RTN_ANYCAST, RTN_MULTICAST]

/** Types of routes that discard packets: blackhole, unreachable, prohibit. */
const DISCARDING = [6, 7, 8]

/** A route of another program or of the kernel. */
export interface ForeignRoute { readonly prefix: Prefix; readonly isDiscarding: boolean }

/**
 * Decodes a route whose prefix has more than `above` bits.
 * @returns undefined for other prefixes, for our own, local, anycast, multicast and expired routes, and for other messages
 */
export function decodeForeign(message: Message, above: number): ForeignRoute | undefined {
  const { bytes, start } = message
  // Tables can be large, so attributes of short prefixes are not read.
  const route = bytes[start + 1] > above ? decodeRoute(message) : undefined
  if (route?.destination === undefined || route.expired || route.protocol === ROUTE_MARK.protocol || NOT_FOREIGN.includes(route.type)) return undefined
  return { prefix: new Prefix(route.destination, route.length), isDiscarding: DISCARDING.includes(route.type) }
}

/** The most words, and the most halves, that {@link foreignRouteFilter} compares. */
export const WORD_LIMIT = 64

/**
 * Builds a filter for a socket in RTNLGRP_IPV6_ROUTE and RTNLGRP_IPV6_RULE. It drops our own routes, and local, anycast and multicast
 * routes. It passes all routing rules, and those other routes that may concern the caller's prefixes.
 * @param words the first 32 bits of each prefix: a route of 32 bits or more must begin with one of these words. Shorter routes always pass.
 *   If there are more than WORD_LIMIT words, routes of all lengths pass, whatever their halves.
 * @param halves bits 33 to 48 of each prefix: if there are 1 to WORD_LIMIT halves, a route of 48 bits or more must have one of these halves
 */
export function foreignRouteFilter(words: readonly number[], halves: readonly number[] = []): Uint8Array {
  const destination = 16 + 12 + 8
  return assemble([
    // The low byte of the type of the message.
    { code: LOAD_BYTE, k: little ? 4 : 5 },
    { code: JUMP_NOT_LESS, k: RTM_NEWRULE, equal: 'pass' },
    { code: LOAD_BYTE, k: 16 + 5 },
    { code: JUMP_EQUAL, k: ROUTE_MARK.protocol, equal: 'drop' },
    { code: LOAD_BYTE, k: 16 + 7 },
    ...NOT_FOREIGN.map((k) => ({ code: JUMP_EQUAL, k, equal: 'drop' })),
    { code: LOAD_BYTE, k: 16 + 1 },
    { code: JUMP_NOT_LESS, k: 32, other: 'pass' },
    // The kernel writes RTA_TABLE first, then RTA_DST.
    { code: LOAD_BYTE, k: destination + (little ? 2 : 3) },
    { code: JUMP_EQUAL, k: RTA_DST, other: 'pass' },
    { code: LOAD_WORD, k: destination + 4 },
    ...words.length > WORD_LIMIT ? [{ code: JUMP_NOT_LESS, k: 0, equal: 'pass' }] : words.map((k) => ({ code: JUMP_EQUAL, k, equal: 'sameWord' })),
    { code: RETURN, k: 0 },
    { label: 'sameWord', code: LOAD_BYTE, k: 16 + 1 },
    { code: JUMP_NOT_LESS, k: halves.length > 0 && halves.length <= WORD_LIMIT ? 48 : 129, other: 'pass' },
    { code: LOAD_HALF, k: destination + 8 },
    ...halves.slice(0, WORD_LIMIT).map((k) => ({ code: JUMP_EQUAL, k, equal: 'pass' })),
    { label: 'drop', code: RETURN, k: 0 },
    { label: 'pass', code: RETURN, k: 0xffff },
  ])
}

/** A packet whose route is requested. */
export interface LookupFields {
  readonly target: Address
  /** The link that the packet comes in on; 0: this machine sends it. */
  readonly from: number
  readonly source: Address | undefined
}

/**
 * Requests the route of a packet. The answer is an RTM_NEWROUTE or an error.
 * @param isMatch whether the answer is the route in the table, with its prefix and all next hops; else it is a /128 with one next hop
 */
export function lookupRoute(w: MessageWriter, sequence: number, { target, from, source }: LookupFields, isMatch = false): void {
  const fields = header(128, 0, 0, 0)
  if (isMatch) fields[little ? 9 : 10] = RTM_F_FIB_MATCH >>> 8
  if (source !== undefined) fields[2] = 128
  w.message(RTM_GETROUTE, NLM_F_REQUEST | NLM_F_ACK, sequence, fields, [
    [RTA_DST, target], [RTA_SRC, source], [RTA_IIF, from === 0 ? undefined : hostOrder(from)],
  ])
}

const CHANGE = { add: NLM_F_CREATE | NLM_F_EXCL, replace: NLM_F_REPLACE, delete: 0 } as const

/**
 * Writes the change of a host route with our mark. `add` fails with EEXIST if any route with this destination and metric exists.
 * `replace` overwrites the first route with this destination and metric, or fails with ENOENT. The caller must know that this route
 * is ours. `delete` fails with ESRCH if no route has this destination, metric, protocol and link, and `via` if it is given.
 * @param expires the lifetime of the route, seconds; undefined: the route does not expire
 */
export function changeRoute(w: MessageWriter, sequence: number, op: keyof typeof CHANGE, { target, ifindex, via }: RouteFields,
  expires?: number): void {
  // header() leaves the scope 0, because the kernel ignores the scope of IPv6 routes.
  const fields = header(128, RT_TABLE_MAIN, ROUTE_MARK.protocol, RTN_UNICAST)
  if (via !== undefined) fields[little ? 8 : 11] = RTNH_F_ONLINK
  w.message(op === 'delete' ? RTM_DELROUTE : RTM_NEWROUTE, NLM_F_REQUEST | CHANGE[op], sequence, fields, [
    [RTA_DST, target], [RTA_PRIORITY, hostOrder(ROUTE_MARK.metric)], [RTA_GATEWAY, via],
    [RTA_EXPIRES, expires === undefined ? undefined : hostOrder(expires)], [RTA_OIF, hostOrder(ifindex)],
  ])
}
