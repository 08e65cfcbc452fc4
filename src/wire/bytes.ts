/**
 * Big-endian 16-bit fields and the Internet checksum (RFC 1071, RFC 8200 8.1). 32-bit words: `address.ts`.
 */

export function read16(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 8) | bytes[at + 1]
}

/** Writes the low 16 bits of `value`. */
export function write16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8
  bytes[at + 1] = value
}

/**
 * The one's complement sum of the 16-bit fields from `from` up to `to`, folded to 16 bits. An odd last byte counts
 * as if a zero followed (RFC 1071 1). `initial` is added. At most 64 KiB and an `initial` below 2^31.
 */
export function onesSum(bytes: Uint8Array, from: number, to: number, initial = 0): number {
  let sum = initial
  const even = to - ((to - from) & 1)
  for (let i = from; i < even; i += 2) sum += (bytes[i] << 8) | bytes[i + 1]
  if (even < to) sum += bytes[even] << 8
  while (sum > 0xffff) sum = (sum >>> 16) + (sum & 0xffff)
  return sum
}

const ICMPV6 = 58

/**
 * The checksum of the ICMPv6 message of `length` bytes that follows the IPv6 header at `ip` without extension headers,
 * pseudo header included: what belongs in the checksum field when that is zero, and 0 when the field is right.
 */
export function icmpv6Checksum(bytes: Uint8Array, ip: number, length: number): number {
  // Source and destination lie in front of the message, so pseudo header and message are one run of bytes.
  return ~onesSum(bytes, ip + 8, ip + 40 + length, length + ICMPV6) & 0xffff
}
