/**
 * Echo Request and Echo Reply (RFC 4443 4.1, 4.2) for host discovery. The data is a cookie that the reply must repeat, so that only
 * a host that received the request can answer.
 */
import { Address, isHostMac, type Mac, readMac, writeWord } from '../address.ts'
import { icmpv6Checksum, read16, write16 } from './bytes.ts'
import { ECHO_REPLY, ECHO_REQUEST } from './constants.ts'
import {
  checkHeaders, DESTINATION, ETHER_SOURCE, ICMPV6, IPV6_HEADER, type LinkHeader, NEXT_HEADER, PAYLOAD_LENGTH, SOURCE, writeIpv6,
} from './frame.ts'

export interface EchoTag {
  /** 16 bits. */
  readonly identifier: number
  /** COOKIE bytes long. */
  readonly cookie: Uint8Array
}

export interface EchoReply {
  readonly source: Address
  readonly destination: Address
  /** Ethernet source; undefined without link header. */
  readonly mac: Mac | undefined
}

export const COOKIE = 8

const CHECKSUM = 2, IDENTIFIER = 4, DATA = 8, MESSAGE = DATA + COOKIE

/** @returns the IPv6 packet of an Echo Request, with hop limit 255, without link header */
export function encodeEchoRequest(source: Address, destination: Address, { identifier, cookie }: EchoTag): Uint8Array {
  const packet = new Uint8Array(IPV6_HEADER + MESSAGE)
  writeIpv6(packet, 0, source, MESSAGE)
  destination.write(packet, DESTINATION)
  writeWord(packet, IPV6_HEADER, ECHO_REQUEST << 24)
  write16(packet, IPV6_HEADER + IDENTIFIER, identifier)
  packet.set(cookie, IPV6_HEADER + DATA)
  write16(packet, IPV6_HEADER + CHECKSUM, icmpv6Checksum(packet, 0, MESSAGE))
  return packet
}

/**
 * Validates and reads the frame of `length` bytes at `at`, all of it within `slab`. Any hop limit is valid.
 * @param checksumPartial whether to skip the check of the checksum, as for `NdiscView.decode`
 * @returns the Echo Reply, if it has this tag and its IPv6 and Ethernet sources are unicast addresses; else undefined
 */
export function decodeEchoReply(
  slab: Uint8Array, at: number, length: number, linkHeader: LinkHeader, checksumPartial: boolean,
  { identifier, cookie }: EchoTag,
): EchoReply | undefined {
  const ip = at + linkHeader
  const icmp = ip + IPV6_HEADER
  if (checkHeaders(slab, at, length, linkHeader) !== undefined || icmp + MESSAGE > at + length) return undefined
  if (slab[ip + NEXT_HEADER] !== ICMPV6 || read16(slab, ip + PAYLOAD_LENGTH) !== MESSAGE) return undefined
  if (read16(slab, icmp) !== ECHO_REPLY << 8 || read16(slab, icmp + IDENTIFIER) !== identifier) return undefined
  if (cookie.some((byte, i) => slab[icmp + DATA + i] !== byte)) return undefined
  if (!checksumPartial && icmpv6Checksum(slab, ip, MESSAGE) !== 0) return undefined
  const source = Address.read(slab, ip + SOURCE)
  if (source.isUnspecified || source.isLoopback || source.isMulticast) return undefined
  const mac = linkHeader === 0 ? undefined : readMac(slab, at + ETHER_SOURCE)
  return mac === undefined || isHostMac(mac) ? { source, destination: Address.read(slab, ip + DESTINATION), mac } : undefined
}
