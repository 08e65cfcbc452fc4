/**
 * Multicast Listener Discovery (RFC 2710 3, RFC 3810 5) and Multicast Router Discovery (RFC 4286 3 to 5): format, and
 * validation of received messages (RFC 3810 6.2, 7.4). RFC 2711 defines the router alert. mld-encode.ts writes the messages.
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +---------------+---------------+-------------------------------+
 *     | Next header 58|   Length 0    |  Option 5, 2 (router alert)   |   Hop-by-Hop, in front of every message
 *     +---------------+---------------+-------------------------------+
 *     |            Value 0            |    Option 1, 0 (padding)      |
 *     +---------------+---------------+-------------------------------+
 *     |     Type      | Code, interval|           Checksum            |   interval: only in 151
 *     +---------------+---------------+-------------------------------+
 *     | 130: maximum response code    |           Reserved            |   143: reserved, number of records
 *     +-------------------------------+-------------------------------+
 *     |                        Group (16 bytes)                       |   130, 131, 132
 *     +-------+-+-----+---------------+-------------------------------+
 *     | 0     |S| QRV |     QQIC      |       Number of sources       |   130 of version 2
 *     +-------+-+-----+---------------+-------------------------------+
 *
 *     +---------------+---------------+-------------------------------+
 *     |  Record type  |  Aux length   |       Number of sources       |   143: any number of records
 *     +---------------+---------------+-------------------------------+
 *     |        Group (16 bytes), sources (16 bytes each), aux         |
 *     +---------------------------------------------------------------+
 */
import { Address } from '../address.ts'
import { onesSum, read16 } from './bytes.ts'
import {
  LISTENER_DONE, LISTENER_QUERY, LISTENER_REPORT, LISTENER_REPORT_V2, MLD_HOP_LIMIT, MULTICAST_ROUTER_SOLICITATION,
} from './constants.ts'
import { checkHeaders, DESTINATION, HOP_BY_HOP, HOP_LIMIT, ICMPV6, IPV6_HEADER, NEXT_HEADER, PAYLOAD_LENGTH, SOURCE } from './frame.ts'
import { isSolicitedNode } from './ndisc-decode.ts'

/** Reasons to drop a frame, in the order of the checks. */
export const MLD_DROP_REASONS = [
  'not-ipv6',       // ethertype or version
  'truncated',      // the frame ends within the headers or the IPv6 payload, or the payload is too short for a message
  'not-mld',        // not ICMPv6, or a type that is not decoded here
  'router-alert',   // the first header is not a Hop-by-Hop header of 8 bytes with the router alert option of MLD
  'hop-limit',      // not 1
  'source',         // not link-local; `::` is valid for reports and Done only (RFC 3810 5.2.13)
  'destination',    // a Multicast Router Solicitation that is not to ff02::2 (all routers)
  'checksum',
  'length',         // too short for its type, or a record ends after the message
  'records',        // more than 255 records
] as const
export type MldDropReason = (typeof MLD_DROP_REASONS)[number]

export type ListenerMessage =
  | ListenerQuery
  /** Solicited-node groups that a host joined, and those that it may have left; either list may be empty. */
  | { readonly kind: 'report'; readonly joined: readonly Address[]; readonly left: readonly Address[] }
  | { readonly kind: 'router-solicitation' }

export interface ListenerQuery {
  readonly kind: 'query'
  readonly version: 1 | 2
  readonly source: Address
  /** The destination is ff02::1, and the frame was multicast or has no link header. */
  readonly toAll: boolean
  /** The queried group if it is a solicited-node group; empty for any other group; undefined for a General Query. */
  readonly groups: readonly Address[] | undefined
  /** Maximum Response Delay in ms. */
  readonly delay: number
}

/** A message to send. A group is given by the low 24 bits of its solicited-node address. */
export type MulticastMessage =
  /** MLDv2 General Query (RFC 3810 5.1). */
  | { readonly kind: 'query'; readonly source: Address }
  /** MLDv2 report of changes (RFC 3810 5.2): at most MAX_REPORTED groups in both lists together. */
  | { readonly kind: 'change'; readonly source: Address; readonly joined: Int32Array; readonly left: Int32Array }
  /** MLDv2 report of the current state, the answer to a query: at most MAX_REPORTED groups. */
  | { readonly kind: 'state'; readonly source: Address; readonly groups: Int32Array }
  /** MLDv1 Report and Done (RFC 2710 3.3, 3.4). */
  | { readonly kind: 'report' | 'done'; readonly source: Address; readonly group: number }
  /** Multicast Router Advertisement (RFC 4286 3.2); `interval` in seconds. */
  | { readonly kind: 'router-advertisement'; readonly source: Address; readonly interval: number }
  /** Multicast Router Termination (RFC 4286 5.1). */
  | { readonly kind: 'router-termination'; readonly source: Address }

const TYPES = [LISTENER_REPORT_V2, LISTENER_REPORT, LISTENER_DONE, LISTENER_QUERY, MULTICAST_ROUTER_SOLICITATION]

/** Offsets in a message and in a record. */
export const CHECKSUM = 2, RESPONSE_CODE = 4, GROUP = 8, FIRST_RECORD = 8, RECORD_GROUP = 4
const RECORDS = 6

/** Lengths in bytes: of the shortest message (MRD), of MLDv1 messages, and of an MLDv2 query and a record, both without sources. */
export const SHORT_MESSAGE = 4, GROUP_MESSAGE = 24, QUERY_V2 = 28, RECORD = 20
const MAX_RECORDS = 255

/** Record types (RFC 3810 5.2.12). BLOCK_OLD_SOURCES (6) does not change groups. */
const MODE_IS_INCLUDE = 1, ALLOW_NEW_SOURCES = 5
export const MODE_IS_EXCLUDE = 2, CHANGE_TO_INCLUDE_MODE = 3, CHANGE_TO_EXCLUDE_MODE = 4

export const HOP_BY_HOP_LENGTH = 8, ROUTER_ALERT = 5
const PAD1 = 0
/** Group bit in the first byte of an Ethernet address. */
const MULTICAST = 1

/**
 * Validates and reads the frame of `length` bytes at `at`.
 * @param linkHeader 14 (Ethernet) or 0 (cooked socket); see `LinkHeader`
 * @param checksumPartial whether to skip the check of the checksum, as for `NdiscView.decode`
 * @returns the message, which does not refer to the slab, or the reason to drop it
 */
export function decodeListenerMessage(
  slab: Uint8Array, at: number, length: number, linkHeader: number, checksumPartial: boolean,
): ListenerMessage | MldDropReason {
  const broken = checkHeaders(slab, at, length, linkHeader)
  if (broken !== undefined) return broken
  const ip = at + linkHeader
  const first = ip + IPV6_HEADER
  const end = first + read16(slab, ip + PAYLOAD_LENGTH)
  const alert = slab[ip + NEXT_HEADER] === HOP_BY_HOP
  if (end > at + length) return 'truncated'
  if (!alert && slab[ip + NEXT_HEADER] !== ICMPV6) return 'not-mld'

  const icmp = alert ? first + HOP_BY_HOP_LENGTH : first
  if (icmp + SHORT_MESSAGE > end) return 'truncated'
  const type = slab[icmp]
  if (!TYPES.includes(type)) return 'not-mld'
  if (!alert || !hasRouterAlert(slab, first)) return 'router-alert'
  if (slab[ip + HOP_LIMIT] !== MLD_HOP_LIMIT) return 'hop-limit'
  const source = Address.read(slab, ip + SOURCE)
  const mayBeUnspecified = type !== LISTENER_QUERY && type !== MULTICAST_ROUTER_SOLICITATION
  if (!source.isLinkLocal && !(mayBeUnspecified && source.isUnspecified)) return 'source'
  const destination = Address.read(slab, ip + DESTINATION)
  if (type === MULTICAST_ROUTER_SOLICITATION && !destination.equals(Address.allRouters)) return 'destination'
  if (!checksumPartial && mldChecksum(slab, ip, icmp, end) !== 0) return 'checksum'
  if (type !== LISTENER_QUERY) return readMessage(slab, icmp, end)
  const isMulticast = linkHeader === 0 || (slab[at] & MULTICAST) !== 0
  return readQuery(slab, icmp, end - icmp, source, isMulticast && destination.equals(Address.allNodes))
}

function readMessage(slab: Uint8Array, icmp: number, end: number): ListenerMessage | MldDropReason {
  const size = end - icmp
  switch (slab[icmp]) {
    case LISTENER_REPORT:
      return size < GROUP_MESSAGE ? 'length' : { kind: 'report', joined: solicitedNodes(slab, icmp + GROUP), left: [] }
    case LISTENER_DONE:
      return size < GROUP_MESSAGE ? 'length' : { kind: 'report', joined: [], left: solicitedNodes(slab, icmp + GROUP) }
    case LISTENER_REPORT_V2:
      return readRecords(slab, icmp, end)
    default:
      return { kind: 'router-solicitation' }
  }
}

function readQuery(slab: Uint8Array, icmp: number, size: number, source: Address, toAll: boolean): ListenerQuery | MldDropReason {
  // A length between those of the two versions is invalid (RFC 3810 8.1).
  if (size !== GROUP_MESSAGE && size < QUERY_V2) return 'length'
  const version = size === GROUP_MESSAGE ? 1 : 2
  const code = read16(slab, icmp + RESPONSE_CODE)
  // RFC 3810 5.1.3: |1|exp: 3|mant: 12|.
  const delay = version === 1 || code < 0x8000 ? code : ((code & 0xfff) | 0x1000) << (((code >> 12) & 7) + 3)
  const isGeneral = Address.read(slab, icmp + GROUP).isUnspecified
  return { kind: 'query', version, source, toAll, groups: isGeneral ? undefined : solicitedNodes(slab, icmp + GROUP), delay }
}

/** Reads an MLDv2 report. Drops the whole report if one of its records is incomplete. */
function readRecords(slab: Uint8Array, icmp: number, end: number): ListenerMessage | MldDropReason {
  if (icmp + FIRST_RECORD > end) return 'length'
  const records = read16(slab, icmp + RECORDS)
  if (records > MAX_RECORDS) return 'records'
  const joined: Address[] = []
  const left: Address[] = []
  let p = icmp + FIRST_RECORD
  for (let i = 0; i < records; i++) {
    if (p + RECORD > end) return 'length'
    const sources = read16(slab, p + 2)
    const group = p + RECORD_GROUP
    switch (slab[p]) {
      case MODE_IS_EXCLUDE: case CHANGE_TO_EXCLUDE_MODE:
        joined.push(...solicitedNodes(slab, group))
        break
      case MODE_IS_INCLUDE: case CHANGE_TO_INCLUDE_MODE: case ALLOW_NEW_SOURCES:
        if (sources > 0) joined.push(...solicitedNodes(slab, group))
        else if (slab[p] !== ALLOW_NEW_SOURCES) left.push(...solicitedNodes(slab, group))
    }
    p += RECORD + 16 * sources + 4 * slab[p + 1]
    if (p > end) return 'length'
  }
  return { kind: 'report', joined, left }
}

/** @returns the group at `at` if it is a solicited-node group, else an empty list */
function solicitedNodes(slab: Uint8Array, at: number): Address[] {
  const group = Address.read(slab, at)
  return isSolicitedNode(group.w0, group.w1, group.w2, group.w3) ? [group] : []
}

/** Returns whether the Hop-by-Hop header at `at` has 8 bytes, precedes ICMPv6 and contains the router alert of MLD (value 0). */
function hasRouterAlert(slab: Uint8Array, at: number): boolean {
  if (slab[at] !== ICMPV6 || slab[at + 1] !== 0) return false
  const end = at + HOP_BY_HOP_LENGTH
  for (let p = at + 2; p + 4 <= end; p += slab[p] === PAD1 ? 1 : 2 + slab[p + 1]) {
    if (slab[p] === ROUTER_ALERT) return slab[p + 1] === 2 && read16(slab, p + 2) === 0
  }
  return false
}

/** Computes the checksum of the message from `icmp` to `end` that follows a Hop-by-Hop header. @returns as `icmpv6Checksum` */
export function mldChecksum(slab: Uint8Array, ip: number, icmp: number, end: number): number {
  const addresses = onesSum(slab, ip + SOURCE, ip + IPV6_HEADER, end - icmp + ICMPV6)
  return ~onesSum(slab, icmp, end, addresses) & 0xffff
}
