/**
 * The kernel's packet filter as data: classic BPF (Linux Documentation/networking/filter.rst), an array of
 * `struct sock_filter { u16 code; u8 jt; u8 jf; u32 k }` in host byte order.
 *
 * It passes what `NdiscView` should see, and what is broken about an NS or NA too, so that it can be counted. A load
 * past the end of the packet drops it: a frame cut before its ICMPv6 type cannot be told from any other.
 */
import { ECHO_REPLY } from './constants.ts'
import {
  DESTINATION_OPTIONS, ETHER_TYPE, ETHERTYPE_IPV6, FRAGMENT, HOP_BY_HOP, ICMPV6, IPV6_HEADER, NEXT_HEADER,
  ROUTING,
} from './frame.ts'
import type { LinkHeader } from './frame.ts'

/** Opcodes: BPF_LD|BPF_ABS with BPF_H or BPF_B, BPF_ALU|BPF_AND|BPF_K, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K. */
export const LOAD_HALF = 0x28
export const LOAD_BYTE = 0x30
export const LOAD_WORD = 0x20
export const AND = 0x54
export const JUMP_EQUAL = 0x15
export const RETURN = 0x06

/** How much of a passed packet the socket gets: all of it. */
const WHOLE = 0xffff

/** A line: opcode, k, and for JUMP_EQUAL the labels to go to; without one it goes on with the next line. */
export interface Instruction {
  readonly label?: string
  readonly code: number
  readonly k: number
  readonly equal?: string
  readonly other?: string
}

/** Turns lines into bytes. Jumps lead forward, at most 255 lines; anything else throws. */
export function assemble(program: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(8 * program.length)
  const codes = new Uint16Array(bytes.buffer)
  const ks = new Uint32Array(bytes.buffer)
  const distance = (from: number, label: string | undefined) => {
    if (label === undefined) return 0
    const lines = program.findIndex((line) => line.label === label) - from - 1
    if (lines < 0 || lines > 255) throw new RangeError(`jump from line ${from} to ${label}`)
    return lines
  }
  program.forEach((line, i) => {
    codes[4 * i] = line.code
    bytes[8 * i + 2] = distance(i, line.equal)
    bytes[8 * i + 3] = distance(i, line.other)
    ks[2 * i + 1] = line.k
  })
  return bytes
}

/** Goes on when it is IPv6, else to `drop`. */
function isIpv6(linkHeader: LinkHeader): readonly Instruction[] {
  return linkHeader === 14
    ? [{ code: LOAD_HALF, k: ETHER_TYPE }, { code: JUMP_EQUAL, k: ETHERTYPE_IPV6, other: 'drop' }]
    : [{ code: LOAD_BYTE, k: 0 }, { code: AND, k: 0xf0 }, { code: JUMP_EQUAL, k: 0x60, other: 'drop' }]
}

/**
 * Passes IPv6 packets with an ICMPv6 message of one of `types`, directly behind the IPv6 header or behind one extension
 * header of 8 bytes (Hop-by-Hop, Routing, Fragment, Destination Options).
 * @param linkHeader 14 (SOCK_RAW on Ethernet) or 0 (SOCK_DGRAM).
 */
export function ndiscFilter(linkHeader: LinkHeader, types: readonly number[]): Uint8Array {
  const next = linkHeader + NEXT_HEADER
  const first = linkHeader + IPV6_HEADER
  const passTypes: Instruction[] = types.map((k) => ({ code: JUMP_EQUAL, k, equal: 'pass' }))
  return assemble([
    ...isIpv6(linkHeader),
    { code: LOAD_BYTE, k: next },
    { code: JUMP_EQUAL, k: ICMPV6, equal: 'plain' },
    { code: JUMP_EQUAL, k: HOP_BY_HOP, equal: 'behind' },
    { code: JUMP_EQUAL, k: ROUTING, equal: 'behind' },
    { code: JUMP_EQUAL, k: FRAGMENT, equal: 'behind' },
    { code: JUMP_EQUAL, k: DESTINATION_OPTIONS, other: 'drop' },
    { label: 'behind', code: LOAD_BYTE, k: first },
    { code: JUMP_EQUAL, k: ICMPV6, other: 'drop' },
    { code: LOAD_BYTE, k: first + 8 },
    ...passTypes,
    { code: RETURN, k: 0 },
    { label: 'plain', code: LOAD_BYTE, k: first },
    ...passTypes,
    { label: 'drop', code: RETURN, k: 0 },
    { label: 'pass', code: RETURN, k: WHOLE },
  ])
}

/** Passes the Echo Replies (RFC 4443 4.2) with this identifier. @param linkHeader as in `ndiscFilter`. */
export function echoReplyFilter(linkHeader: LinkHeader, identifier: number): Uint8Array {
  const icmp = linkHeader + IPV6_HEADER
  return assemble([
    ...isIpv6(linkHeader),
    { code: LOAD_BYTE, k: linkHeader + NEXT_HEADER },
    { code: JUMP_EQUAL, k: ICMPV6, other: 'drop' },
    // Type and code.
    { code: LOAD_HALF, k: icmp },
    { code: JUMP_EQUAL, k: ECHO_REPLY << 8, other: 'drop' },
    { code: LOAD_HALF, k: icmp + 4 },
    { code: JUMP_EQUAL, k: identifier, other: 'drop' },
    { code: RETURN, k: WHOLE },
    { label: 'drop', code: RETURN, k: 0 },
  ])
}
