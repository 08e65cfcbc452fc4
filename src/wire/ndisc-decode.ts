/**
 * Neighbor Solicitations and Advertisements: format (RFC 4861 4.3, 4.4, 4.6.1), validation (RFC 4861 7.1, RFC 6980 5) and a
 * view of a received message. ndisc-encode.ts writes the messages.
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +---------------+---------------+-------------------------------+
 *     |   Type 135/6  |    Code 0     |           Checksum            |
 *     +-+-+-+---------+---------------+-------------------------------+
 *     |R|S|O|                   Reserved (all of it in an NS)         |
 *     +-+-+-+---------------------------------------------------------+
 *     |                       Target (16 bytes)                       |
 *     +---------------+---------------+-------------------------------+
 *     |  Option type  |  Length / 8   |  lladdr, nonce ...            |   any number of options
 *     +---------------+---------------+-------------------------------+
 */
import { Address, isHostMac, type Mac, readMac, readWord } from '../address.ts'
import { icmpv6Checksum, read16 } from './bytes.ts'
import {
  ND_HOP_LIMIT, NEIGHBOR_ADVERTISEMENT, NEIGHBOR_SOLICITATION, SOURCE_LINK_LAYER_ADDRESS, TARGET_LINK_LAYER_ADDRESS,
} from './constants.ts'
import {
  checkHeaders, DESTINATION, DESTINATION_OPTIONS, ETHER_SOURCE, ETHER_TYPE, FRAGMENT, hasOtherEthertype, HOP_BY_HOP, HOP_LIMIT, ICMPV6,
  IPV6_HEADER, NEXT_HEADER, PAYLOAD_LENGTH, ROUTING, SOURCE,
} from './frame.ts'

/**
 * Reasons to drop a frame that is not a valid NS or NA, in the order of the checks. The reason is the first check that fails; a check is
 * skipped if the bytes that it needs are missing. An NS or NA with a Fragment header is a `fragment`, even with other extension headers.
 */
export const DROP_REASONS = [
  // Checked by the packet socket, before the frame is decoded.
  'own-frame',                // sent by this machine
  'vlan',                     // tagged: it belongs to a VLAN interface
  'other-host',               // to another MAC; received because the link is promiscuous
  'ethernet-source',          // a group address or zero: an answer would reach many hosts, or none
  // Checked by NdiscView.decode. For reasons before 'hop-limit' the view is blank; from 'hop-limit' on it has source and target.
  'not-ipv6',                 // ethertype or version
  'not-ndisc',                // neither NS nor NA
  'extension-header',         // an NS or NA after extension headers, which no host sends
  'fragment',                 // an NS or NA after a Fragment header, also an atomic fragment (RFC 6980 5)
  'truncated',                // the frame ends within the headers or the IPv6 payload
  'length',                   // IPv6 payload below 24 bytes
  'hop-limit',                // not 255: a router forwarded it
  'checksum',
  'code',                     // not 0
  'target-multicast',
  'source',                   // multicast, loopback, or (NS) the target itself
  'dad-destination',          // NS from `::` to an address that is not a solicited-node group
  'na-multicast-solicited',   // NA to a group, with S=1
  'option-length',            // zero, or beyond the end
  'dad-slla',                 // NS from `::` with a Source Link-Layer Address option
] as const

export type DropReason = (typeof DROP_REASONS)[number]

/** A frame that is dropped. Its first `size` bytes begin at `at` in the slab. */
export interface InvalidFrame {
  readonly reason: DropReason
  readonly slab: Uint8Array
  readonly at: number
  readonly size: number
  /** Bytes of the whole frame. */
  readonly length: number
  /** As in {@link NdiscView}. Also -1 if the slab has only the first `size` bytes of the frame, and the decoder needed more. */
  readonly wrongAt: number
}

/** An NA to send (RFC 4861 7.2.4, 7.2.8). Destination and target are words, as in {@link NdiscView}. */
export interface NeighborAdvertisement {
  readonly source: Address
  readonly d0: number; readonly d1: number; readonly d2: number; readonly d3: number
  readonly t0: number; readonly t1: number; readonly t2: number; readonly t3: number
  /** Ethernet destination. */
  readonly to: Mac
  readonly router: boolean
  readonly solicited: boolean
  readonly override: boolean
}

/** An NS to send to a known Ethernet destination (RFC 4861 7.2.2, 7.3.3). */
export interface NeighborSolicitation {
  readonly source: Address
  readonly destination: Address
  readonly target: Address
  readonly to: Mac
}

/** Offsets in the message, and its length without options. */
const CODE = 1
export const CHECKSUM = 2, FLAGS = 4, TARGET = 8, MESSAGE = 24

export const ROUTER = 0x80, SOLICITED = 0x40, OVERRIDE = 0x20

/** Length in bytes of a link-layer address option on Ethernet (RFC 2464 6). */
export const LLADDR_OPTION = 8

/** Stands for an absent link-layer address. */
export const NO_LLADDR = -1 as Mac

function isNdisc(type: number): boolean { return type === NEIGHBOR_SOLICITATION || type === NEIGHBOR_ADVERTISEMENT }

/** Returns whether the address of these words is in ff02::1:ff00:0/104 (RFC 4291 2.7.1). */
export function isSolicitedNode(w0: number, w1: number, w2: number, w3: number): boolean {
  return w0 === (0xff020000 | 0) && w1 === 0 && w2 === 1 && w3 >>> 24 === 0xff
}

/**
 * A received NS or NA. One instance is reused: `decode` overwrites it for each frame, so only
 * the results of `target()` and `source()` outlive the next call. Addresses are signed 32-bit words, as in `Address`.
 */
export class NdiscView {
  /** NEIGHBOR_SOLICITATION or NEIGHBOR_ADVERTISEMENT; 0 in a blank view. */
  type = 0
  /** IPv6 source, destination, and target. */
  s0 = 0; s1 = 0; s2 = 0; s3 = 0
  d0 = 0; d1 = 0; d2 = 0; d3 = 0
  t0 = 0; t1 = 0; t2 = 0; t3 = 0
  /** Ethernet source; -1 without link header. */
  sourceMac = NO_LLADDR
  /** First Target Link-Layer Address option of an NA; -1: absent. */
  tlla = NO_LLADDR
  /** Flags of an NA; false in an NS. */
  router = false
  solicited = false
  override = false
  /** The IPv6 destination is the target. */
  unicastToTarget = false
  /** The verdict on the packet: the result of `decode`, or the drop reason of the packet socket. */
  drop: DropReason | undefined = undefined
  /**
   * Offset in the frame of the first byte of the field that fails the check; the length of the frame if the frame ends too early;
   * -1: the frame is valid, or no byte of it is wrong ('own-frame', 'vlan').
   */
  wrongAt = -1

  /**
   * Validates and reads the frame of `length` bytes at `at`, all of it within `slab`.
   * @param linkHeader 14 (Ethernet) or 0 (cooked socket); see `LinkHeader`
   * @param checksumPartial the checksum was left to hardware (TP_STATUS_CSUMNOTREADY) and is not verified
   * @returns undefined for a valid NS or NA, else the reason to drop it. `drop` has the same value. For reasons before 'hop-limit' in
   *   DROP_REASONS the view is blank; from 'hop-limit' on it has the type, addresses and flags, without options.
   */
  decode(slab: Uint8Array, at: number, length: number, linkHeader: number, checksumPartial: boolean): DropReason | undefined {
    this.wrongAt = -1
    this.drop = this.#read(slab, at, length, linkHeader, checksumPartial)
    if (this.drop !== undefined) this.wrongAt -= at
    return this.drop
  }

  #read(slab: Uint8Array, at: number, length: number, linkHeader: number, checksumPartial: boolean): DropReason | undefined {
    const ip = at + linkHeader
    const icmp = ip + IPV6_HEADER
    const frameEnd = at + length
    const broken = checkHeaders(slab, at, length, linkHeader)
    if (broken === 'truncated') return this.#blank(broken, frameEnd)
    if (broken !== undefined) return this.#blank(broken, hasOtherEthertype(slab, at, linkHeader) ? at + ETHER_TYPE : ip)
    if (slab[ip + NEXT_HEADER] !== ICMPV6) return this.#readExtended(slab, ip, frameEnd)

    // Bytes after the payload are Ethernet padding.
    const payload = read16(slab, ip + PAYLOAD_LENGTH)
    if (payload > 0 && icmp < frameEnd && !isNdisc(slab[icmp])) return this.#blank('not-ndisc', icmp)
    if (icmp + payload > frameEnd) return this.#blank('truncated', frameEnd)
    if (payload < MESSAGE) return this.#blank('length', ip + PAYLOAD_LENGTH)

    this.#readFields(slab, at, linkHeader)

    if (slab[ip + HOP_LIMIT] !== ND_HOP_LIMIT) return this.#fail('hop-limit', ip + HOP_LIMIT)
    if (!checksumPartial && icmpv6Checksum(slab, ip, payload) !== 0) return this.#fail('checksum', icmp + CHECKSUM)
    if (slab[icmp + CODE] !== 0) return this.#fail('code', icmp + CODE)
    if (this.t0 >>> 24 === 0xff) return this.#fail('target-multicast', icmp + TARGET)
    const { s0, s1, s2, s3, d0 } = this
    if (s0 >>> 24 === 0xff || ((s0 | s1 | s2) === 0 && s3 === 1)) return this.#fail('source', ip + SOURCE)
    const solicitation = this.type === NEIGHBOR_SOLICITATION
    const dad = solicitation && (s0 | s1 | s2 | s3) === 0
    if (solicitation) {
      if (s3 === this.t3 && s2 === this.t2 && s1 === this.t1 && s0 === this.t0) return this.#fail('source', ip + SOURCE)
      if (dad && !isSolicitedNode(d0, this.d1, this.d2, this.d3)) return this.#fail('dad-destination', ip + DESTINATION)
    } else if (d0 >>> 24 === 0xff && this.solicited) {
      return this.#fail('na-multicast-solicited', icmp + FLAGS)
    }
    return this.#readOptions(slab, icmp + MESSAGE, icmp + payload, solicitation, dad)
  }

  /** Returns the reason to drop a packet whose next header is not ICMPv6. Extension headers are read only to find the ICMPv6 type. */
  #readExtended(slab: Uint8Array, ip: number, end: number): DropReason {
    let reason: DropReason = 'extension-header'
    let wrongAt = ip + NEXT_HEADER
    let nextAt = wrongAt
    let p = ip + IPV6_HEADER
    for (;;) {
      const next = slab[nextAt]
      if (next === ICMPV6 && p < end) return isNdisc(slab[p]) ? this.#blank(reason, wrongAt) : this.#blank('not-ndisc', p)
      if (next === ICMPV6) return this.#blank('truncated', end)
      if (next !== HOP_BY_HOP && next !== ROUTING && next !== FRAGMENT && next !== DESTINATION_OPTIONS) return this.#blank('not-ndisc', nextAt)
      if (p + 8 > end) return this.#blank('truncated', end)
      if (next === FRAGMENT && reason !== 'fragment') {
        reason = 'fragment'
        wrongAt = nextAt
      }
      nextAt = p
      p += next === FRAGMENT ? 8 : 8 + 8 * slab[p + 1]
    }
  }

  /** Reads the fields at fixed offsets. This is a separate method, because V8 would not inline all reads into one larger method. */
  #readFields(slab: Uint8Array, at: number, linkHeader: number): void {
    const ip = at + linkHeader
    const icmp = ip + IPV6_HEADER
    const flags = slab[icmp] === NEIGHBOR_ADVERTISEMENT ? slab[icmp + FLAGS] : 0
    this.type = slab[icmp]
    this.router = (flags & ROUTER) !== 0
    this.solicited = (flags & SOLICITED) !== 0
    this.override = (flags & OVERRIDE) !== 0
    this.sourceMac = linkHeader === 0 ? NO_LLADDR : readMac(slab, at + ETHER_SOURCE)
    this.s0 = readWord(slab, ip + SOURCE)
    this.s1 = readWord(slab, ip + SOURCE + 4)
    this.s2 = readWord(slab, ip + SOURCE + 8)
    this.s3 = readWord(slab, ip + SOURCE + 12)
    const d0 = this.d0 = readWord(slab, ip + DESTINATION)
    const d1 = this.d1 = readWord(slab, ip + DESTINATION + 4)
    const d2 = this.d2 = readWord(slab, ip + DESTINATION + 8)
    const d3 = this.d3 = readWord(slab, ip + DESTINATION + 12)
    const t0 = this.t0 = readWord(slab, icmp + TARGET)
    const t1 = this.t1 = readWord(slab, icmp + TARGET + 4)
    const t2 = this.t2 = readWord(slab, icmp + TARGET + 8)
    const t3 = this.t3 = readWord(slab, icmp + TARGET + 12)
    // Compares without branches: V8 would recompile this function when an address takes a branch for the first time, perhaps during a scan.
    this.unicastToTarget = ((d0 ^ t0) | (d1 ^ t1) | (d2 ^ t2) | (d3 ^ t3)) === 0
    this.tlla = NO_LLADDR
  }

  /** Reads the options. Drops the packet if a length is invalid (RFC 4861 7.1). Of several TLLA options, only the first counts. */
  #readOptions(slab: Uint8Array, at: number, end: number, solicitation: boolean, dad: boolean): DropReason | undefined {
    let tlla = NO_LLADDR
    let dadSlla = -1
    for (let p = at, size = 0; p < end; p += size) {
      if (p + 2 > end) return this.#fail('option-length', p + 1)
      size = 8 * slab[p + 1]
      if (size === 0 || p + size > end) return this.#fail('option-length', p + 1)
      if (slab[p] === SOURCE_LINK_LAYER_ADDRESS) dadSlla = dad ? p : -1
      else if (slab[p] === TARGET_LINK_LAYER_ADDRESS && !solicitation && size === LLADDR_OPTION && tlla === NO_LLADDR) {
        tlla = readMac(slab, p + 2)
      }
    }
    if (dadSlla >= 0) return this.#fail('dad-slla', dadSlla)
    this.tlla = tlla
    return undefined
  }

  /**
   * Link-layer address of the target of an NA: the address in the option, else the Ethernet source, else -1. An option with a group address
   * is ignored, because an owner is a single host. RFC 4861 allows such an option: clusters with a shared address send it.
   */
  get lladdr(): Mac { return isHostMac(this.tlla) ? this.tlla : this.sourceMac }

  /** @returns the target in a new object */
  target(): Address { return new Address(this.t0, this.t1, this.t2, this.t3) }
  /** @returns the source in a new object */
  source(): Address { return new Address(this.s0, this.s1, this.s2, this.s3) }

  /** Fills all fields with invalid values, so that a simulator detects reads after the frame is processed. */
  poison(): void {
    this.#fill(-1, 0xdeadbeef | 0, 0xdeadbeefdead as Mac, true)
    this.wrongAt = 0xdeadbeef | 0
  }

  /** @param wrongAt offset in the slab */
  #blank(reason: DropReason, wrongAt: number): DropReason {
    this.#fill(0, 0, NO_LLADDR, false)
    return this.#fail(reason, wrongAt)
  }

  /** @param wrongAt offset in the slab */
  #fail(reason: DropReason, wrongAt: number): DropReason {
    this.wrongAt = wrongAt
    return reason
  }

  #fill(type: number, word: number, mac: Mac, flag: boolean): void {
    this.type = type
    this.s0 = this.s1 = this.s2 = this.s3 = word
    this.d0 = this.d1 = this.d2 = this.d3 = word
    this.t0 = this.t1 = this.t2 = this.t3 = word
    this.sourceMac = this.tlla = mac
    this.router = this.solicited = this.override = this.unicastToTarget = flag
  }
}
