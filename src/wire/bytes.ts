/** Big-endian 16-bit fields and the Internet checksum (RFC 1071, RFC 8200 8.1). 32-bit words are in address.ts. */

export function read16(bytes: Uint8Array, at: number): number { return (bytes[at] << 8) | bytes[at + 1] }

/** Writes the low 16 bits of `value`. */
export function write16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8
  bytes[at + 1] = value
}

/**
 * Computes the one's complement sum of the bytes from `from` up to `to`, at most 64 KiB, folded to 16 bits. If the number of bytes is odd,
 * a zero byte is added at the end (RFC 1071 1).
 * @param initial the value that the sum begins with; below 2^31
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
 * Computes the checksum of an ICMPv6 message with its pseudo header.
 * @param ip offset of the IPv6 header; the message of `length` bytes follows without extension headers
 * @returns the value to write into a checksum field that contains zero; 0 if the field contains the correct value
 */
export function icmpv6Checksum(bytes: Uint8Array, ip: number, length: number): number {
  // The message follows the addresses, so one sum covers addresses and message. The sum begins with the rest of the pseudo header.
  return ~onesSum(bytes, ip + 8, ip + 40 + length, length + ICMPV6) & 0xffff
}
