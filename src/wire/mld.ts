/**
 * Multicast Listener Discovery and Multicast Router Discovery, as far as snooping switches make a proxy speak them, as a
 * listener and as a querier: RFC 2710 3 and RFC 3810 5 (messages, validation in 6.2 and 7.4), RFC 4286 3 to 5, RFC 2711 (router alert).
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +---------------+---------------+-------------------------------+
 *     | Next header 58|   Length 0    |  Option 5, 2 (router alert)   |   Hop-by-Hop, in front of every message
 *     +---------------+---------------+-------------------------------+
 *     |            Value 0            |    Option 1, 0 (padding)      |
 *     +---------------+---------------+-------------------------------+
 *     |     Type      | Code, interval|           Checksum            |   interval: 151
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
import { Address, writeWord } from '../address.ts'
import type { Mac } from '../address.ts'
import { onesSum, read16, write16 } from './bytes.ts'
import {
  LISTENER_DONE, LISTENER_QUERY, LISTENER_REPORT, LISTENER_REPORT_V2, MAX_REPORTED, MLD_HOP_LIMIT, MULTICAST_ROUTER_ADVERTISEMENT,
  MULTICAST_ROUTER_SOLICITATION, MULTICAST_ROUTER_TERMINATION, QUERY_INTERVAL, QUERY_RESPONSE_INTERVAL,
  ROBUSTNESS_VARIABLE,
} from './constants.ts'
import {
  DESTINATION, HOP_BY_HOP, HOP_LIMIT, ICMPV6, IPV6_HEADER, judgeHeaders, multicastMac, NEXT_HEADER, PAYLOAD_LENGTH,
  SOURCE, writeEthernet, writeIpv6,
} from './frame.ts'
import type { LinkHeader } from './frame.ts'
import { isSolicitedNode } from './ndisc.ts'

/** Why a frame is none that counts, in the order of the checks. */
export const MLD_DROP_REASONS = [
  'not-ipv6',       // ethertype or version
  'truncated',      // the frame ends before the IPv6 payload does, or either before the headers do
  'not-mld',        // of no type that is read here
  'router-alert',   // no Hop-by-Hop header of 8 bytes in front of it, or one without that option
  'hop-limit',      // not 1
  'source',         // not link-local; `::` is good for reports only (RFC 3810 5.2.13)
  'destination',    // a solicitation that is not sent to all routers
  'checksum',
  'length',         // too short for its type, or a record reaches past the end
  'records',        // more of them than we care to read
] as const
export type MldDropReason = (typeof MLD_DROP_REASONS)[number]

/** What a valid message says. */
export type ListenerMessage =
  | ListenerQuery
  /** Solicited-node groups that somebody listens to or, perhaps, left; either list may be empty. */
  | { readonly kind: 'report'; readonly joined: readonly Address[]; readonly left: readonly Address[] }
  | { readonly kind: 'router-solicitation' }

/** Who listens? */
export interface ListenerQuery {
  readonly kind: 'query'
  readonly version: 1 | 2
  readonly source: Address
  /** All nodes are asked, in a multicast frame or on a link without Ethernet addresses. */
  readonly toAll: boolean
  /** To what: this solicited-node group, none when it is of another kind; undefined: to anything (General Query). */
  readonly groups: readonly Address[] | undefined
  /** The most that an answer may be delayed. Milliseconds. */
  readonly delay: number
}

/** A message of ours. Groups are the low 24 bits of solicited-node groups. */
export type MulticastMessage =
  /** MLDv2 General Query (RFC 3810 5.1): who listens to what? */
  | { readonly kind: 'query'; readonly source: Address }
  /** MLDv2 reports (RFC 3810 5.2), of at most MAX_REPORTED groups: that we listen to now, and do not any more. */
  | { readonly kind: 'change'; readonly source: Address; readonly joined: Int32Array; readonly left: Int32Array }
  /** That we listen to, since somebody asked. */
  | { readonly kind: 'state'; readonly source: Address; readonly groups: Int32Array }
  /** MLDv1 (RFC 2710 3.3, 3.4): a report, the end. */
  | { readonly kind: 'report' | 'done'; readonly source: Address; readonly group: number }
  /** Multicast Router Advertisement (RFC 4286 3.1); `interval` in seconds. */
  | { readonly kind: 'router-advertisement'; readonly source: Address; readonly interval: number }
  /** Multicast Router Termination (RFC 4286 3.3). */
  | { readonly kind: 'router-termination'; readonly source: Address }

/** Offsets in a message, and the least lengths. */
const CHECKSUM = 2
const RESPONSE_CODE = 4
const GROUP = 8
const RECORDS = 6
const FIRST_RECORD = 8
const SHORT_MESSAGE = 4
const GROUP_MESSAGE = 24
const QUERY_V2 = 28

/** In a record. */
const RECORD_GROUP = 4
const RECORD = 20
const MAX_RECORDS = 255

/** RFC 3810 5.2.12. BLOCK_OLD_SOURCES (6) says nothing about groups. */
const MODE_IS_INCLUDE = 1
const MODE_IS_EXCLUDE = 2
const CHANGE_TO_INCLUDE_MODE = 3
const CHANGE_TO_EXCLUDE_MODE = 4
const ALLOW_NEW_SOURCES = 5

const HOP_BY_HOP_LENGTH = 8
const PAD1 = 0
const ROUTER_ALERT = 5
/** Next header ICMPv6, length 8; the router alert of MLD; PadN of two bytes. */
const HOP_BY_HOP_HEADER = [(ICMPV6 << 24) | (ROUTER_ALERT << 8) | 2, 0x0000_0100] as const

/** ff02::16 (RFC 3810 5.2.14), and ff02::6a, all snoopers (RFC 4286 9). */
const ALL_MLDV2_ROUTERS = new Address(0xff020000, 0, 0, 0x16)
const ALL_SNOOPERS = new Address(0xff020000, 0, 0, 0x6a)

const SECOND = 1000
const NONE = new Int32Array(0)
/** In the first byte of an Ethernet address. */
const MULTICAST = 1

/**
 * Validates the frame of `length` bytes at `at` and reads it.
 * @param linkHeader 14 (Ethernet) or 0 (cooked socket); see `LinkHeader`.
 * @param checksumPartial as for `NdiscView.decode`: not verified.
 * @returns what it says, or the reason to drop it. Nothing in it refers to the slab.
 */
export function decodeListenerMessage(
  slab: Uint8Array, at: number, length: number, linkHeader: number, checksumPartial: boolean,
): ListenerMessage | MldDropReason {
  const broken = judgeHeaders(slab, at, length, linkHeader)
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
  if (!isListenerType(type)) return 'not-mld'
  if (!alert || !hasRouterAlert(slab, first)) return 'router-alert'
  if (slab[ip + HOP_LIMIT] !== MLD_HOP_LIMIT) return 'hop-limit'
  const source = Address.read(slab, ip + SOURCE)
  const mayBeNobody = type !== LISTENER_QUERY && type !== MULTICAST_ROUTER_SOLICITATION
  if (!source.isLinkLocal && !(mayBeNobody && source.isUnspecified)) return 'source'
  const destination = Address.read(slab, ip + DESTINATION)
  if (type === MULTICAST_ROUTER_SOLICITATION && !destination.equals(Address.allRouters)) return 'destination'
  if (!checksumPartial && checksum(slab, ip, icmp, end) !== 0) return 'checksum'
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
  // In between it is of neither version (RFC 3810 8.1).
  if (size !== GROUP_MESSAGE && size < QUERY_V2) return 'length'
  const version = size === GROUP_MESSAGE ? 1 : 2
  const code = read16(slab, icmp + RESPONSE_CODE)
  // RFC 3810 5.1.3: |1|exp: 3|mant: 12|.
  const delay = version === 1 || code < 0x8000 ? code : ((code & 0xfff) | 0x1000) << (((code >> 12) & 7) + 3)
  const isGeneral = Address.read(slab, icmp + GROUP).isUnspecified
  return { kind: 'query', version, source, toAll, groups: isGeneral ? undefined : solicitedNodes(slab, icmp + GROUP), delay }
}

/** All records must be whole before any of them counts. */
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

/** The group at `at`, when it is one of ff02::1:ff00:0/104 (RFC 4291 2.7.1). */
function solicitedNodes(slab: Uint8Array, at: number): Address[] {
  const group = Address.read(slab, at)
  return isSolicitedNode(group.w0, group.w1, group.w2, group.w3) ? [group] : []
}

function isListenerType(type: number): boolean {
  return type === LISTENER_REPORT_V2 || type === LISTENER_REPORT || type === LISTENER_DONE || type === LISTENER_QUERY
    || type === MULTICAST_ROUTER_SOLICITATION
}

/** Whether the Hop-by-Hop header at `at` is of 8 bytes, in front of ICMPv6, with the router alert of MLD (value 0). */
function hasRouterAlert(slab: Uint8Array, at: number): boolean {
  if (slab[at] !== ICMPV6 || slab[at + 1] !== 0) return false
  const end = at + HOP_BY_HOP_LENGTH
  for (let p = at + 2; p + 4 <= end; p += slab[p] === PAD1 ? 1 : 2 + slab[p + 1]) {
    if (slab[p] === ROUTER_ALERT) return slab[p + 1] === 2 && read16(slab, p + 2) === 0
  }
  return false
}

/** As `icmpv6Checksum`, for a message that does not follow the IPv6 header at once. */
function checksum(slab: Uint8Array, ip: number, icmp: number, end: number): number {
  const addresses = onesSum(slab, ip + SOURCE, ip + IPV6_HEADER, end - icmp + ICMPV6)
  return ~onesSum(slab, icmp, end, addresses) & 0xffff
}

/** Room for any frame that is encoded here, with either link header. */
export const MAX_ENCODED_LISTENER = 14 + IPV6_HEADER + HOP_BY_HOP_LENGTH + FIRST_RECORD + RECORD * MAX_REPORTED

/** The headers around a message: what is at `at`, of `linkHeader` bytes (14 or 0), from `mac`. */
interface Envelope {
  readonly slab: Uint8Array
  readonly at: number
  /** Ethernet source; unused without link header. */
  readonly mac: Mac
  readonly linkHeader: LinkHeader
}

/** Writes a message with all of its headers. @returns the frame's length, at most MAX_ENCODED_LISTENER */
export function encodeMulticast(message: MulticastMessage, envelope: Envelope): number {
  const { slab, at, linkHeader } = envelope
  const icmp = at + linkHeader + IPV6_HEADER + HOP_BY_HOP_LENGTH
  const { source } = message
  switch (message.kind) {
    case 'query':
      // With the default timers of RFC 3810 9. Below 2^15 and 2^7 the codes are the numbers themselves: ms and s.
      slab.fill(0, icmp, icmp + QUERY_V2)
      slab[icmp] = LISTENER_QUERY
      write16(slab, icmp + RESPONSE_CODE, QUERY_RESPONSE_INTERVAL)
      slab[icmp + 24] = ROBUSTNESS_VARIABLE
      slab[icmp + 25] = QUERY_INTERVAL / SECOND
      return finish(envelope, QUERY_V2, source, Address.allNodes)
    case 'change':
    case 'state': {
      const isChange = message.kind === 'change'
      const listened = isChange ? message.joined : message.groups
      const left = isChange ? message.left : NONE
      writeWord(slab, icmp, LISTENER_REPORT_V2 << 24)
      writeWord(slab, icmp + 4, listened.length + left.length)
      let end = writeRecords(slab, icmp + FIRST_RECORD, isChange ? CHANGE_TO_EXCLUDE_MODE : MODE_IS_EXCLUDE, listened)
      end = writeRecords(slab, end, CHANGE_TO_INCLUDE_MODE, left)
      return finish(envelope, end - icmp, source, ALL_MLDV2_ROUTERS)
    }
    case 'report':
    case 'done': {
      const isReport = message.kind === 'report'
      const group = solicitedNode(message.group)
      writeWord(slab, icmp, (isReport ? LISTENER_REPORT : LISTENER_DONE) << 24)
      writeWord(slab, icmp + 4, 0)
      group.write(slab, icmp + GROUP)
      return finish(envelope, GROUP_MESSAGE, source, isReport ? group : Address.allRouters)
    }
    case 'router-advertisement':
      // Of a router that speaks no MLD on the link: its query interval and robustness are 0 (RFC 4286 3.2.4, 3.2.5).
      writeWord(slab, icmp, (MULTICAST_ROUTER_ADVERTISEMENT << 24) | (message.interval << 16))
      writeWord(slab, icmp + 4, 0)
      return finish(envelope, 8, source, ALL_SNOOPERS)
    case 'router-termination':
      writeWord(slab, icmp, MULTICAST_ROUTER_TERMINATION << 24)
      return finish(envelope, SHORT_MESSAGE, source, ALL_SNOOPERS)
  }
}

/** RFC 4291 2.7.1. */
function solicitedNode(suffix: number): Address { return new Address(0, 0, 0, suffix).solicitedNode }

/** Records without sources. @returns where they end */
function writeRecords(slab: Uint8Array, at: number, type: number, groups: Int32Array): number {
  for (const group of groups) {
    writeWord(slab, at, type << 24)
    solicitedNode(group).write(slab, at + RECORD_GROUP)
    at += RECORD
  }
  return at
}

/** Writes all headers around a message of `size` bytes, and its checksum, whose field is zero. Returns the length. */
function finish({ slab, at, mac, linkHeader }: Envelope, size: number, source: Address, destination: Address): number {
  const ip = at + linkHeader
  const first = ip + IPV6_HEADER
  const icmp = first + HOP_BY_HOP_LENGTH
  writeIpv6(slab, ip, source, HOP_BY_HOP_LENGTH + size, HOP_BY_HOP, MLD_HOP_LIMIT)
  destination.write(slab, ip + DESTINATION)
  writeWord(slab, first, HOP_BY_HOP_HEADER[0])
  writeWord(slab, first + 4, HOP_BY_HOP_HEADER[1])
  write16(slab, icmp + CHECKSUM, checksum(slab, ip, icmp, icmp + size))
  if (linkHeader !== 0) writeEthernet(slab, at, { to: multicastMac(destination.w3) }, mac)
  return linkHeader + IPV6_HEADER + HOP_BY_HOP_LENGTH + size
}
