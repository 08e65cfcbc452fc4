/**
 * Packet filters in classic BPF (Linux Documentation/networking/filter.rst): an array of
 * `struct sock_filter { u16 code; u8 jt; u8 jf; u32 k }` in host byte order. A load beyond the end of the packet drops it.
 */
import { ECHO_REPLY } from './constants.ts'
import {
  DESTINATION_OPTIONS, ETHER_TYPE, ETHERTYPE_IPV6, FRAGMENT, HOP_BY_HOP, ICMPV6, IPV6_HEADER, type LinkHeader, NEXT_HEADER, ROUTING,
} from './frame.ts'

/** Opcodes: BPF_LD|BPF_ABS with BPF_H, BPF_B and BPF_W; BPF_ALU|BPF_AND|BPF_K; BPF_JMP|BPF_K with BPF_JEQ and BPF_JGE; BPF_RET|BPF_K. */
export const LOAD_HALF = 0x28, LOAD_BYTE = 0x30, LOAD_WORD = 0x20, AND = 0x54, JUMP_EQUAL = 0x15, JUMP_NOT_LESS = 0x35, RETURN = 0x06

const WHOLE = 0xffff

/** A line of a program. A jump goes to label `equal` if its condition holds, else to label `other`. A missing label means the next line. */
export interface Instruction {
  readonly label?: string
  readonly code: number
  readonly k: number
  readonly equal?: string
  readonly other?: string
}

/** End of a program: reaching it passes the whole packet, a jump to `drop` drops the packet. */
export const END: readonly Instruction[] = [{ label: 'pass', code: RETURN, k: WHOLE }, { label: 'drop', code: RETURN, k: 0 }]

/** Assembles a program. @throws RangeError for a jump that goes backward, skips more than 255 lines, or has an unknown label */
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

/** @returns lines that jump to `drop` unless the packet is IPv6 */
function isIpv6(linkHeader: LinkHeader): readonly Instruction[] {
  return linkHeader === 14
    ? [{ code: LOAD_HALF, k: ETHER_TYPE }, { code: JUMP_EQUAL, k: ETHERTYPE_IPV6, other: 'drop' }]
    : [{ code: LOAD_BYTE, k: 0 }, { code: AND, k: 0xf0 }, { code: JUMP_EQUAL, k: 0x60, other: 'drop' }]
}

/**
 * Builds a filter that passes ICMPv6 messages whose type is in `types`, directly after the IPv6 header or after one extension header of
 * 8 bytes (Hop-by-Hop, Routing, Fragment, Destination Options). Invalid messages pass too, so that they can be counted.
 * @param linkHeader 14 (SOCK_RAW on Ethernet) or 0 (SOCK_DGRAM)
 */
export function ndiscFilter(linkHeader: LinkHeader, types: readonly number[]): Uint8Array {
  const next = linkHeader + NEXT_HEADER
  const first = linkHeader + IPV6_HEADER
  const passTypes: Instruction[] = types.map((k) => ({ code: JUMP_EQUAL, k, equal: 'pass' }))
  return assemble([
    ...isIpv6(linkHeader),
    { code: LOAD_BYTE, k: next },
    { code: JUMP_EQUAL, k: ICMPV6, equal: 'plain' },
    { code: JUMP_EQUAL, k: HOP_BY_HOP, equal: 'extended' },
    { code: JUMP_EQUAL, k: ROUTING, equal: 'extended' },
    { code: JUMP_EQUAL, k: FRAGMENT, equal: 'extended' },
    { code: JUMP_EQUAL, k: DESTINATION_OPTIONS, other: 'drop' },
    { label: 'extended', code: LOAD_BYTE, k: first },
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

/** Builds a filter that passes the Echo Replies (RFC 4443 4.2) with `identifier`. @param linkHeader as in `ndiscFilter` */
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
    ...END,
  ])
}
