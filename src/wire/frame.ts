/**
 * Headers of a frame before the ICMPv6 message: Ethernet II (RFC 894, RFC 2464) and the IPv6 header (RFC 8200 3).
 *
 *      0                   6                  12      14
 *     +-------------------+-------------------+-------+
 *     |  destination MAC  |    source MAC     | 86 DD |        absent on a cooked socket (link header 0)
 *     +-------------------+-------------------+-------+
 */
import { type Address, type Mac, writeMac, writeWord } from '../address.ts'
import { read16, write16 } from './bytes.ts'
import { ND_HOP_LIMIT } from './constants.ts'

/** Length of the link header: Ethernet (SOCK_RAW) or none (SOCK_DGRAM). */
export type LinkHeader = 14 | 0

/** Offsets in the Ethernet header. */
export const ETHER_DESTINATION = 0, ETHER_SOURCE = 6, ETHER_TYPE = 12

export const ETHERTYPE_IPV6 = 0x86dd

/** Offsets in the IPv6 header, and the length of this header. */
export const PAYLOAD_LENGTH = 4, NEXT_HEADER = 6, HOP_LIMIT = 7, SOURCE = 8, DESTINATION = 24, IPV6_HEADER = 40

/** Next header values (RFC 8200 4). */
export const HOP_BY_HOP = 0, ROUTING = 43, FRAGMENT = 44, ICMPV6 = 58, DESTINATION_OPTIONS = 60

/** @returns the Ethernet address of the multicast group whose last 32 bits are `word` (RFC 2464 7) */
export function multicastMac(word: number): Mac { return (0x3333 * 2 ** 32 + (word >>> 0)) as Mac }

/** @returns whether the Ethernet header at `at` is of another protocol than IPv6; false without link header */
export function hasOtherEthertype(slab: Uint8Array, at: number, linkHeader: number): boolean {
  return linkHeader !== 0 && read16(slab, at + ETHER_TYPE) !== ETHERTYPE_IPV6
}

/** Checks that the frame of `length` bytes at `at` has a whole link header and IPv6 header. @returns undefined if so, else the drop reason */
export function checkHeaders(slab: Uint8Array, at: number, length: number, linkHeader: number): 'not-ipv6' | 'truncated' | undefined {
  if (length >= linkHeader && hasOtherEthertype(slab, at, linkHeader)) return 'not-ipv6'
  if (length > linkHeader && slab[at + linkHeader] >>> 4 !== 6) return 'not-ipv6'
  return length < linkHeader + IPV6_HEADER ? 'truncated' : undefined
}

/**
 * Writes the Ethernet header at `at`. The destination is passed as a field of `message`: if a number beyond 32 bits is itself an argument,
 * V8 may allocate memory for it.
 */
export function writeEthernet(slab: Uint8Array, at: number, message: { readonly to: Mac }, from: Mac): void {
  write16(slab, at + ETHER_DESTINATION, Math.floor(message.to / 2 ** 32))
  writeWord(slab, at + ETHER_DESTINATION + 2, message.to | 0)
  writeMac(slab, at + ETHER_SOURCE, from)
  write16(slab, at + ETHER_TYPE, ETHERTYPE_IPV6)
}

/**
 * Writes an IPv6 header at `ip`, except for its destination. The defaults are those of ND messages.
 * @param payload the length of the payload, bytes
 */
export function writeIpv6(
  slab: Uint8Array, ip: number, source: Address, payload: number, nextHeader = ICMPV6, hopLimit = ND_HOP_LIMIT,
): void {
  writeWord(slab, ip, 6 << 28)
  writeWord(slab, ip + PAYLOAD_LENGTH, (payload << 16) | (nextHeader << 8) | hopLimit)
  source.write(slab, ip + SOURCE)
}
