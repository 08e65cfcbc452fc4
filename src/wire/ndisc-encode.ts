/** Encoders of Neighbor Solicitations and Advertisements (RFC 4861 4.3, 4.4); ndisc-decode.ts shows the format. */
import { type Mac, writeMac, writeWord, writeWords } from '../address.ts'
import { icmpv6Checksum, write16 } from './bytes.ts'
import { NEIGHBOR_ADVERTISEMENT, NEIGHBOR_SOLICITATION, SOURCE_LINK_LAYER_ADDRESS, TARGET_LINK_LAYER_ADDRESS } from './constants.ts'
import { DESTINATION, IPV6_HEADER, writeEthernet, writeIpv6 } from './frame.ts'
import {
  CHECKSUM, FLAGS, LLADDR_OPTION, MESSAGE, type NeighborAdvertisement, type NeighborSolicitation, OVERRIDE, ROUTER, SOLICITED,
  TARGET,
} from './ndisc-decode.ts'

/** Maximum length of an encoded frame in bytes, including the link header. */
export const MAX_ENCODED = 86

/**
 * Writes an NA with its Target Link-Layer Address option at `at`.
 * @param lladdr Ethernet source and TLLA; -1 on a link without link-layer addresses, where the NA has no option (RFC 4861 4.4)
 * @param linkHeader 14 or 0
 * @returns the length of the frame, at most MAX_ENCODED
 */
export function encodeAdvertisement(slab: Uint8Array, at: number, message: NeighborAdvertisement, lladdr: Mac, linkHeader: number): number {
  const payload = lladdr < 0 ? MESSAGE : MESSAGE + LLADDR_OPTION
  const ip = at + linkHeader
  writeIpv6(slab, ip, message.source, payload)
  writeWords(slab, ip + DESTINATION, message.d0, message.d1, message.d2, message.d3)
  const icmp = ip + IPV6_HEADER
  const flags = (message.router ? ROUTER : 0) | (message.solicited ? SOLICITED : 0) | (message.override ? OVERRIDE : 0)
  writeWord(slab, icmp, NEIGHBOR_ADVERTISEMENT << 24)
  writeWord(slab, icmp + FLAGS, flags << 24)
  writeWords(slab, icmp + TARGET, message.t0, message.t1, message.t2, message.t3)
  if (lladdr >= 0) writeLladdr(slab, icmp + MESSAGE, TARGET_LINK_LAYER_ADDRESS, lladdr)
  return finish(slab, at, linkHeader, payload, message, lladdr)
}

/** Writes an NS with its Source Link-Layer Address option at `at`. Parameters and result as in `encodeAdvertisement`. */
export function encodeSolicitation(slab: Uint8Array, at: number, message: NeighborSolicitation, lladdr: Mac, linkHeader: number): number {
  const payload = lladdr < 0 ? MESSAGE : MESSAGE + LLADDR_OPTION
  const ip = at + linkHeader
  writeIpv6(slab, ip, message.source, payload)
  message.destination.write(slab, ip + DESTINATION)
  const icmp = ip + IPV6_HEADER
  writeWord(slab, icmp, NEIGHBOR_SOLICITATION << 24)
  writeWord(slab, icmp + FLAGS, 0)
  message.target.write(slab, icmp + TARGET)
  if (lladdr >= 0) writeLladdr(slab, icmp + MESSAGE, SOURCE_LINK_LAYER_ADDRESS, lladdr)
  return finish(slab, at, linkHeader, payload, message, lladdr)
}

function writeLladdr(bytes: Uint8Array, at: number, type: number, lladdr: Mac): void {
  bytes[at] = type
  bytes[at + 1] = 1
  writeMac(bytes, at + 2, lladdr)
}

/** Writes the checksum into its field, which must be zero, and writes the Ethernet header. @returns the length of the frame */
function finish(slab: Uint8Array, at: number, linkHeader: number, payload: number, message: { readonly to: Mac }, lladdr: Mac): number {
  const ip = at + linkHeader
  write16(slab, ip + IPV6_HEADER + CHECKSUM, icmpv6Checksum(slab, ip, payload))
  if (linkHeader !== 0) writeEthernet(slab, at, message, lladdr)
  return linkHeader + IPV6_HEADER + payload
}
