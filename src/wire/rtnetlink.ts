/**
 * rtnetlink messages: links, IPv6 addresses, IPv6 routes (rtnetlink(7), linux/rtnetlink.h, linux/if_link.h,
 * linux/if_addr.h). Only the fields that ndp6d uses. Neighbors are in rtneighbor.ts.
 *
 * Requests keep to what NETLINK_GET_STRICT_CHK allows, so that the kernel itself filters a dump.
 */
import { Address, Prefix } from '../address.ts'
import type { Mac } from '../address.ts'
import {
  Attributes, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, readU16, readU32,
} from './netlink.ts'
import { assemble, JUMP_EQUAL, LOAD_BYTE, LOAD_WORD, RETURN } from './filter.ts'
import type { Message, MessageWriter } from './netlink.ts'

export const RTM_NEWLINK = 16
export const RTM_DELLINK = 17
const RTM_GETLINK = 18
export const RTM_NEWADDR = 20
export const RTM_DELADDR = 21
const RTM_GETADDR = 22
export const RTM_NEWROUTE = 24
export const RTM_DELROUTE = 25
const RTM_GETROUTE = 26

export const RTNLGRP_LINK = 1
export const RTNLGRP_IPV6_IFADDR = 9
export const RTNLGRP_IPV6_ROUTE = 11

const AF_UNSPEC = 0
export const AF_INET6 = 10

/** Who else says what is on-link: kernel (an address), boot (by hand), static, ra. */
const ON_LINK_PROTOCOLS = [2, 3, 4, 9]
export const RT_TABLE_MAIN = 254
export const RTN_UNICAST = 1
export const RTN_LOCAL = 2
/** The gateway is on this link, whatever the routing table thinks of its address. */
const RTNH_F_ONLINK = 4

const RTA_DST = 1
const RTA_OIF = 4
const RTA_GATEWAY = 5
const RTA_PRIORITY = 6
const RTA_MULTIPATH = 9
const RTA_CACHEINFO = 12
const RTA_TABLE = 15
const RTA_VIA = 18
const RTA_ENCAP = 22
const RTA_EXPIRES = 23
/** Any of them: the packet does not go to the link as it is. */
const NOT_ON_LINK = [RTA_GATEWAY, RTA_MULTIPATH, RTA_VIA, RTA_ENCAP]

const IFF_UP = 0x1
const IFF_RUNNING = 0x40
const IFF_LOWER_UP = 0x10000
const ARPHRD_ETHER = 1
const IFLA_ADDRESS = 1
const IFLA_IFNAME = 3
const IFLA_EXT_MASK = 29
const IFLA_EVENT = 44
/** IFLA_EVENT_BONDING_FAILOVER, IFLA_EVENT_NOTIFY_PEERS, IFLA_EVENT_IGMP_RESEND. */
const REPLUGGED = [3, 4, 5]
const RTEXT_FILTER_SKIP_STATS = 8

const IFA_ADDRESS = 1
const IFA_LOCAL = 2
const IFA_FLAGS = 8
const IFA_F_OPTIMISTIC = 0x04
const IFA_F_DADFAILED = 0x08
const IFA_F_TENTATIVE = 0x40

/** RTM_NEWLINK, RTM_DELLINK. */
export interface LinkMessage {
  readonly ifindex: number
  readonly name: string
  /** Of Ethernet-like links only. */
  readonly mac: Mac | undefined
  /** IFF_UP, with carrier and operational. */
  readonly up: boolean
  /** Something else is at its other end than before: a bond failed over, a virtual machine was migrated. */
  readonly replugged: boolean
}

/** RTM_NEWADDR, RTM_DELADDR. */
export interface AddressMessage {
  readonly ifindex: number
  readonly address: Address
  readonly prefixLength: number
  /** Tentative, optimistic or dadfailed. */
  readonly tentative: boolean
}

/** RTM_NEWROUTE, RTM_DELROUTE; also the answer to a lookup. */
export interface RouteMessage {
  /** Undefined for ::/0 (and any route that says nothing of its destination). */
  readonly destination: Address | undefined
  readonly length: number
  readonly ifindex: number | undefined
  readonly gateway: Address | undefined
  readonly protocol: number
  readonly metric: number | undefined
  readonly table: number
  /** RTN_UNICAST, RTN_LOCAL ... */
  readonly type: number
  /** Its time (RTA_EXPIRES) is over: it carries nothing any more, and waits to be collected. */
  readonly expired: boolean
}

/** A prefix whose hosts are on the link itself: its packets need no router. */
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

/** RTM_*LINK -> its fields; undefined when it is none, cut off, or a bridge port's message (AF_BRIDGE). */
export function decodeLink(message: Message): LinkMessage | undefined {
  const { bytes, type, start, end } = message
  if (type !== RTM_NEWLINK && type !== RTM_DELLINK) return undefined
  if (end - start < 16 || bytes[start] !== AF_UNSPEC) return undefined
  const attributes = new Attributes(bytes, start + 16, end)
  const name = attributes.text(IFLA_IFNAME)
  if (name === undefined) return undefined
  const up = IFF_UP | IFF_LOWER_UP | IFF_RUNNING
  return {
    ifindex: readU32(bytes, start + 4),
    name,
    mac: readU16(bytes, start + 2) === ARPHRD_ETHER ? attributes.mac(IFLA_ADDRESS) : undefined,
    up: (readU32(bytes, start + 8) & up) === up,
    replugged: REPLUGGED.includes(attributes.u32(IFLA_EVENT) ?? 0),
  }
}

/** RTM_*ADDR -> its fields; undefined when it is none, cut off, or not IPv6. */
export function decodeAddress(message: Message): AddressMessage | undefined {
  const { bytes, type, start, end } = message
  if (type !== RTM_NEWADDR && type !== RTM_DELADDR) return undefined
  if (end - start < 8 || bytes[start] !== AF_INET6) return undefined
  const attributes = new Attributes(bytes, start + 8, end)
  // With a peer, IFA_ADDRESS is the peer's and the prefix is its own.
  const local = attributes.address(IFA_LOCAL)
  const address = local ?? attributes.address(IFA_ADDRESS)
  if (address === undefined) return undefined
  const flags = attributes.u32(IFA_FLAGS) ?? bytes[start + 2]
  return {
    ifindex: readU32(bytes, start + 4),
    address,
    prefixLength: local === undefined ? bytes[start + 1] : 128,
    tentative: (flags & (IFA_F_TENTATIVE | IFA_F_OPTIMISTIC | IFA_F_DADFAILED)) !== 0,
  }
}

/** RTM_*ROUTE -> its fields; undefined when it is none, cut off, or not IPv6. */
export function decodeRoute(message: Message): RouteMessage | undefined {
  const { bytes, type, start, end } = message
  if (type !== RTM_NEWROUTE && type !== RTM_DELROUTE) return undefined
  if (end - start < 12 || bytes[start] !== AF_INET6) return undefined
  let destination, ifindex, gateway, metric
  let table = bytes[start + 4]
  let expires = 0
  // A table may have very many: one look at each attribute.
  for (const { type, start: at, end: behind } of new Attributes(bytes, start + 12, end)) {
    const size = behind - at
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
 * RTM_*ROUTE -> the on-link prefix that it is about: a unicast route of table main without gateway, of 1 to 127 bits, made
 * by the kernel, by hand or by an RA. Undefined for any other route, for link-local and multicast, and for no route.
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

/** Asks for all links, without their counters. */
export function dumpLinks(w: MessageWriter, sequence: number): void {
  w.begin(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, sequence)
  for (let i = 0; i < 4; i++) w.u32(0)
  w.attributeU32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)
  w.end()
}

/** Asks for all IPv6 addresses. */
export function dumpAddresses(w: MessageWriter, sequence: number): void {
  w.begin(RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, sequence)
  w.u8(AF_INET6)
  w.u8(0)
  w.u16(0)
  w.u32(0)
  w.end()
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

/** Asks for the unicast routes of one link in table main. ENODEV when there is no such link. */
export function dumpLinkRoutes(w: MessageWriter, sequence: number, ifindex: number): void {
  w.begin(RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP, sequence)
  routeHeader(w, 0, RT_TABLE_MAIN, 0, RTN_UNICAST, 0)
  w.attributeU32(RTA_OIF, ifindex)
  w.end()
}

/**
 * Passes messages about routes of `protocol` that others changed, for a socket in RTNLGRP_IPV6_ROUTE: the churn of their
 * own wakes nobody, nor do thousands of changes of ours.
 * @param port of the socket that our changes are made with; the kernel's own have 0
 */
export function hostRouteFilter(protocol: number, port: number): Uint8Array {
  // A filter reads numbers in network order; this one is in the host's.
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

/** Passes messages about routes that {@link decodeOnLink} may take, by what their fixed part says: a socket as above. */
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

/** Asks where this machine would send a packet for `target`; an RTM_NEWROUTE or an error answers. */
export function lookupRoute(w: MessageWriter, sequence: number, target: Address): void {
  w.begin(RTM_GETROUTE, NLM_F_REQUEST, sequence)
  routeHeader(w, 128, 0, 0, 0, 0)
  w.attributeAddress(RTA_DST, target)
  w.end()
  w.acknowledge()
}

/**
 * Adds (`add`: fails with EEXIST where any route of that destination and metric is, whose ever it be) or overwrites
 * (`replace`: takes the place of the first such route, whose ever it be: the caller knows that it is ours; ENOENT
 * when there is none).
 * @param expires seconds until the kernel ends the route; undefined for ever.
 */
export function writeRoute(
  w: MessageWriter, sequence: number, op: 'add' | 'replace', route: RouteFields, mark: RouteMark, expires?: number,
): void {
  w.begin(RTM_NEWROUTE, NLM_F_REQUEST | (op === 'add' ? NLM_F_CREATE | NLM_F_EXCL : NLM_F_REPLACE), sequence)
  hostRoute(w, route, mark, expires)
  w.end()
}

/** Deletes the route with this mark; ESRCH when it is not there. Routes of others do not match. */
export function deleteRoute(w: MessageWriter, sequence: number, route: RouteFields, mark: RouteMark): void {
  w.begin(RTM_DELROUTE, NLM_F_REQUEST, sequence)
  hostRoute(w, route, mark)
  w.end()
}

function hostRoute(w: MessageWriter, { target, ifindex, via }: RouteFields, mark: RouteMark, expires?: number): void {
  // The kernel has no use for a scope in IPv6 routes and shows all of them as global.
  routeHeader(w, 128, RT_TABLE_MAIN, mark.protocol, RTN_UNICAST, via === undefined ? 0 : RTNH_F_ONLINK)
  w.attributeAddress(RTA_DST, target)
  w.attributeU32(RTA_PRIORITY, mark.metric)
  if (via !== undefined) w.attributeAddress(RTA_GATEWAY, via)
  if (expires !== undefined) w.attributeU32(RTA_EXPIRES, expires)
  w.attributeU32(RTA_OIF, ifindex)
}
