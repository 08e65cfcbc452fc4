/**
 * rtnetlink messages of IPv6 routes (rtnetlink(7), linux/rtnetlink.h), with the fields that ndp6d uses. Requests follow
 * NETLINK_GET_STRICT_CHK, so that the kernel filters a dump.
 */
import { Address, Prefix } from '../address.ts'
import { assemble, JUMP_EQUAL, LOAD_BYTE, LOAD_WORD, RETURN } from './filter.ts'
import {
  Attributes, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, readU32,
} from './netlink.ts'
import type { Message, MessageWriter } from './netlink.ts'
import { AF_INET6 } from './rtnetlink.ts'

export const RTM_NEWROUTE = 24
export const RTM_DELROUTE = 25
const RTM_GETROUTE = 26

export const RTNLGRP_IPV6_ROUTE = 11

export const RT_TABLE_MAIN = 254
export const RTN_UNICAST = 1
export const RTN_LOCAL = 2
/** The gateway is on the link of the route, without a lookup. */
const RTNH_F_ONLINK = 4
/** Protocols of on-link prefixes: kernel (of an address), boot (set by hand), static, ra. */
const ON_LINK_PROTOCOLS = [2, 3, 4, 9]

const RTA_DST = 1, RTA_OIF = 4, RTA_GATEWAY = 5, RTA_PRIORITY = 6, RTA_MULTIPATH = 9, RTA_CACHEINFO = 12, RTA_TABLE = 15
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
  /** RTA_EXPIRES has passed: the kernel ignores the route and collects it later. */
  readonly expired: boolean
}

/** A prefix whose hosts are on the link itself. */
export interface OnLinkPrefix {
  readonly prefix: Prefix
  readonly ifindex: number
}

/** The protocol and metric of a host route, by which its owner finds it again. */
export interface RouteMark {
  readonly protocol: number
  readonly metric: number
}

/** A /128 route to write to table main. */
export interface RouteFields {
  readonly target: Address
  readonly ifindex: number
  readonly via?: Address
}

/** Decodes RTM_*ROUTE. @returns undefined for other types, messages that are too short, and other families than IPv6 */
export function decodeRoute(message: Message): RouteMessage | undefined {
  const { bytes, type, start, end } = message
  if (type !== RTM_NEWROUTE && type !== RTM_DELROUTE) return undefined
  if (end - start < 12 || bytes[start] !== AF_INET6) return undefined
  let destination, ifindex, gateway, metric
  let table = bytes[start + 4]
  let expires = 0
  // Tables can be large, so each attribute is read once.
  for (const { type, start: at, end: limit } of new Attributes(bytes, start + 12, end)) {
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
export function decodeOnLink(message: Message): OnLinkPrefix | undefined {
  const route = decodeRoute(message)
  if (route?.destination === undefined || route.ifindex === undefined) return undefined
  const { destination, length, ifindex, protocol, table, type } = route
  if (type !== RTN_UNICAST || table !== RT_TABLE_MAIN || length < 1 || length > 127) return undefined
  if (!ON_LINK_PROTOCOLS.includes(protocol) || destination.isLinkLocal || destination.isMulticast) return undefined
  for (const attribute of new Attributes(message.bytes, message.start + 12, message.end)) {
    if (NOT_ON_LINK.includes(attribute.type)) return undefined
  }
  return { prefix: new Prefix(destination, length), ifindex }
}

function routeHeader(w: MessageWriter, length: number, table: number, protocol: number, type: number, flags: number) {
  for (const byte of [AF_INET6, length, 0, 0, table, protocol, 0, type]) w.u8(byte)
  w.u32(flags)
}

/** Requests the routes of `protocol` in table main, all lengths and metrics. */
export function dumpHostRoutes(w: MessageWriter, sequence: number, protocol: number): void {
  w.begin(RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP, sequence)
  routeHeader(w, 0, RT_TABLE_MAIN, protocol, 0, 0)
  w.end()
}

/** Requests the unicast routes of one link in table main. The kernel refuses with ENODEV if the link does not exist. */
export function dumpLinkRoutes(w: MessageWriter, sequence: number, ifindex: number): void {
  w.begin(RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP, sequence)
  routeHeader(w, 0, RT_TABLE_MAIN, 0, RTN_UNICAST, 0)
  w.attributeU32(RTA_OIF, ifindex)
  w.end()
}

/**
 * Builds a filter for a socket in RTNLGRP_IPV6_ROUTE: it passes routes of `protocol` that other programs changed.
 * @param port port of the socket with our own changes; changes by the kernel have port 0
 */
export function hostRouteFilter(protocol: number, port: number): Uint8Array {
  // The filter loads numbers in network order, but the port is in host order.
  const loaded = new DataView(Uint32Array.of(port).buffer).getUint32(0)
  return assemble([
    { code: LOAD_WORD, k: 12 },
    { code: JUMP_EQUAL, k: loaded, equal: 'drop' },
    { code: LOAD_BYTE, k: 16 + 5 },
    { code: JUMP_EQUAL, k: protocol, other: 'drop' },
    { code: RETURN, k: 0xffff },
    { label: 'drop', code: RETURN, k: 0 },
  ])
}

/** Builds a filter for the same socket: it passes routes whose header fits {@link decodeOnLink}. */
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

/** Requests the route of this machine to `target`. The answer is an RTM_NEWROUTE or an error. */
export function lookupRoute(w: MessageWriter, sequence: number, target: Address): void {
  w.begin(RTM_GETROUTE, NLM_F_REQUEST, sequence)
  routeHeader(w, 128, 0, 0, 0, 0)
  w.attributeAddress(RTA_DST, target)
  w.end()
  w.acknowledge()
}

/**
 * Writes a route. `add` fails with EEXIST if any route with this destination and metric exists. `replace` overwrites the first
 * such route, so the caller must know that it is ours, and fails with ENOENT if there is none.
 * @param expires seconds until the kernel ends the route; undefined: never
 */
export function writeRoute(
  w: MessageWriter, sequence: number, op: 'add' | 'replace', route: RouteFields, mark: RouteMark, expires?: number,
): void {
  w.begin(RTM_NEWROUTE, NLM_F_REQUEST | (op === 'add' ? NLM_F_CREATE | NLM_F_EXCL : NLM_F_REPLACE), sequence)
  hostRoute(w, route, mark, expires)
  w.end()
}

/** Deletes the route with this mark. The kernel refuses with ESRCH if there is none. */
export function deleteRoute(w: MessageWriter, sequence: number, route: RouteFields, mark: RouteMark): void {
  w.begin(RTM_DELROUTE, NLM_F_REQUEST, sequence)
  hostRoute(w, route, mark)
  w.end()
}

function hostRoute(w: MessageWriter, { target, ifindex, via }: RouteFields, mark: RouteMark, expires?: number): void {
  // The kernel ignores the scope of IPv6 routes.
  routeHeader(w, 128, RT_TABLE_MAIN, mark.protocol, RTN_UNICAST, via === undefined ? 0 : RTNH_F_ONLINK)
  w.attributeAddress(RTA_DST, target)
  w.attributeU32(RTA_PRIORITY, mark.metric)
  if (via !== undefined) w.attributeAddress(RTA_GATEWAY, via)
  if (expires !== undefined) w.attributeU32(RTA_EXPIRES, expires)
  w.attributeU32(RTA_OIF, ifindex)
}
