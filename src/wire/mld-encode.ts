/** Encoder of MLD and MRD messages (RFC 3810 5, RFC 2710 3, RFC 4286 3, 5); mld-decode.ts shows the format. */
import { Address, type Mac, writeWord } from '../address.ts'
import { write16 } from './bytes.ts'
import {
  LISTENER_DONE, LISTENER_QUERY, LISTENER_REPORT, LISTENER_REPORT_V2, MAX_REPORTED, MLD_HOP_LIMIT, MULTICAST_ROUTER_ADVERTISEMENT,
  MULTICAST_ROUTER_TERMINATION, QUERY_INTERVAL, QUERY_RESPONSE_INTERVAL, ROBUSTNESS_VARIABLE,
} from './constants.ts'
import { DESTINATION, HOP_BY_HOP, ICMPV6, IPV6_HEADER, type LinkHeader, multicastMac, writeEthernet, writeIpv6 } from './frame.ts'
import {
  CHANGE_TO_EXCLUDE_MODE, CHANGE_TO_INCLUDE_MODE, CHECKSUM, FIRST_RECORD, GROUP, GROUP_MESSAGE, HOP_BY_HOP_LENGTH, mldChecksum,
  MODE_IS_EXCLUDE, type MulticastMessage, QUERY_V2, RECORD, RECORD_GROUP, RESPONSE_CODE, ROUTER_ALERT, SHORT_MESSAGE,
} from './mld-decode.ts'

/** Maximum length of an encoded frame in bytes, including the link header. */
export const MAX_ENCODED_LISTENER = 14 + IPV6_HEADER + HOP_BY_HOP_LENGTH + FIRST_RECORD + RECORD * MAX_REPORTED

/** Hop-by-Hop header: next header ICMPv6, 8 bytes; the router alert of MLD; PadN of two bytes. */
const HOP_BY_HOP_HEADER = [(ICMPV6 << 24) | (ROUTER_ALERT << 8) | 2, 0x0000_0100] as const

/** ff02::16 (RFC 3810 5.2.14). */
const ALL_MLDV2_ROUTERS = new Address(0xff020000, 0, 0, 0x16)
/** ff02::6a (RFC 4286 9). */
const ALL_SNOOPERS = new Address(0xff020000, 0, 0, 0x6a)

const NONE = new Int32Array(0)

interface Envelope {
  readonly slab: Uint8Array
  readonly at: number
  /** Ethernet source; unused without link header. */
  readonly mac: Mac
  readonly linkHeader: LinkHeader
}

/** Writes a message with all of its headers. @returns the length of the frame, at most MAX_ENCODED_LISTENER */
export function encodeMulticast(message: MulticastMessage, envelope: Envelope): number {
  const { slab, at, linkHeader } = envelope
  const icmp = at + linkHeader + IPV6_HEADER + HOP_BY_HOP_LENGTH
  const { source } = message
  switch (message.kind) {
    case 'query':
      // The default timers of RFC 3810 9 need no exponent: a response code below 2^15 is in ms, and a QQIC below 2^7 is in seconds.
      slab.fill(0, icmp, icmp + QUERY_V2)
      slab[icmp] = LISTENER_QUERY
      write16(slab, icmp + RESPONSE_CODE, QUERY_RESPONSE_INTERVAL)
      slab[icmp + 24] = ROBUSTNESS_VARIABLE
      slab[icmp + 25] = QUERY_INTERVAL / 1000
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
      // The query interval and robustness of a router without MLD are 0 (RFC 4286 3.2.4, 3.2.5).
      writeWord(slab, icmp, (MULTICAST_ROUTER_ADVERTISEMENT << 24) | (message.interval << 16))
      writeWord(slab, icmp + 4, 0)
      return finish(envelope, 8, source, ALL_SNOOPERS)
    case 'router-termination':
      writeWord(slab, icmp, MULTICAST_ROUTER_TERMINATION << 24)
      return finish(envelope, SHORT_MESSAGE, source, ALL_SNOOPERS)
  }
}

function solicitedNode(suffix: number): Address { return new Address(0, 0, 0, suffix).solicitedNode }

/** Writes records without sources. @returns the offset after the records */
function writeRecords(slab: Uint8Array, at: number, type: number, groups: Int32Array): number {
  for (const group of groups) {
    writeWord(slab, at, type << 24)
    solicitedNode(group).write(slab, at + RECORD_GROUP)
    at += RECORD
  }
  return at
}

/** Writes the headers and the checksum of a message of `size` bytes. The checksum field must be zero. @returns the length of the frame */
function finish({ slab, at, mac, linkHeader }: Envelope, size: number, source: Address, destination: Address): number {
  const ip = at + linkHeader
  const first = ip + IPV6_HEADER
  const icmp = first + HOP_BY_HOP_LENGTH
  writeIpv6(slab, ip, source, HOP_BY_HOP_LENGTH + size, HOP_BY_HOP, MLD_HOP_LIMIT)
  destination.write(slab, ip + DESTINATION)
  writeWord(slab, first, HOP_BY_HOP_HEADER[0])
  writeWord(slab, first + 4, HOP_BY_HOP_HEADER[1])
  write16(slab, icmp + CHECKSUM, mldChecksum(slab, ip, icmp, icmp + size))
  if (linkHeader !== 0) writeEthernet(slab, at, { to: multicastMac(destination.w3) }, mac)
  return linkHeader + IPV6_HEADER + HOP_BY_HOP_LENGTH + size
}
