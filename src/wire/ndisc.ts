/**
 * Neighbor Solicitations and Advertisements: validation, view and encoding.
 * RFC 4861 4.3, 4.4, 4.6.1 (formats), 7.1 (validation), 7.2.2, 7.2.4, 7.2.8 (contents); RFC 6980 5 (fragments);
 * RFC 3971 5.3 (nonce).
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
import { Address, readMac, readWord, writeMac, writeWord } from '../address.ts'
import type { Mac } from '../address.ts'
import { icmpv6Checksum, read16, write16 } from './bytes.ts'
import {
  ND_HOP_LIMIT, NEIGHBOR_ADVERTISEMENT, NEIGHBOR_SOLICITATION, NONCE, SOURCE_LINK_LAYER_ADDRESS,
  TARGET_LINK_LAYER_ADDRESS,
} from './constants.ts'
import {
  DESTINATION, DESTINATION_OPTIONS, ETHER_DESTINATION, ETHER_SOURCE, FRAGMENT, HOP_BY_HOP, HOP_LIMIT, ICMPV6,
  IPV6_HEADER, judgeHeaders, NEXT_HEADER, PAYLOAD_LENGTH, ROUTING, SOURCE, writeEthernet, writeIpv6,
} from './frame.ts'

/**
 * Why a frame is not a valid NS or NA, in the order of the checks: first what the frame is, then whether it is whole,
 * then where it comes from, then what it says. The first that fails is the reason, so each one implies that those
 * above it passed, except `extension-header` and `fragment`, which are judged by their header alone.
 */
export const DROP_REASONS = [
  // Given by the packet layer, before the frame is decoded.
  'own-frame',                // we sent it
  'vlan',                     // tagged: the VLAN interface's business
  'other-host',               // to another MAC; seen because the link is promiscuous
  // Given by NdiscView.decode. Up to 'length' the view is blank, from 'hop-limit' on it names source and target.
  'not-ipv6',                 // ethertype or version
  'not-ndisc',                // neither NS nor NA
  'extension-header',         // an NS or NA behind extension headers: nobody sends these, so not walked for options
  'fragment',                 // an NS or NA behind a Fragment header, an atomic fragment too (RFC 6980 5)
  'truncated',                // the frame ends before the headers or before the IPv6 payload does
  'length',                   // IPv6 payload below 24 bytes
  'hop-limit',                // not 255: came through a router
  'checksum',
  'code',                     // not 0
  'target-multicast',
  'source',                   // multicast, loopback, or (NS) the target itself
  'dad-destination',          // NS from `::` to anything but a solicited-node group
  'na-multicast-solicited',   // NA to a group, with S=1
  'option-length',            // zero, or past the end
  'dad-slla',                 // NS from `::` with a Source Link-Layer Address option
] as const

export type DropReason = (typeof DROP_REASONS)[number]

/** Offsets in the message, and its length without options. */
const CODE = 1
const CHECKSUM = 2
const FLAGS = 4
const TARGET = 8
const MESSAGE = 24

const ROUTER = 0x80
const SOLICITED = 0x40
const OVERRIDE = 0x20

/** Length in bytes of a link-layer address option on Ethernet (RFC 2464 6). */
const LLADDR_OPTION = 8

/** Absent link-layer address. */
const NONE = -1 as Mac

function isNdisc(type: number): boolean {
  return type === NEIGHBOR_SOLICITATION || type === NEIGHBOR_ADVERTISEMENT
}

/** In ff02::1:ff00:0/104 (RFC 4291 2.7.1). */
export function isSolicitedNode(w0: number, w1: number, w2: number, w3: number): boolean {
  return w0 === (0xff020000 | 0) && w1 === 0 && w2 === 1 && w3 >>> 24 === 0xff
}

/** What a packet is whose IPv6 header is not followed by ICMPv6: the headers are walked only to name it. */
function judgeChain(slab: Uint8Array, ip: number, end: number): DropReason {
  let reason: DropReason = 'extension-header'
  let next = slab[ip + NEXT_HEADER]
  let p = ip + IPV6_HEADER
  for (;;) {
    if (next === ICMPV6 && p < end) return isNdisc(slab[p]) ? reason : 'not-ndisc'
    if (next === ICMPV6) return 'truncated'
    if (next !== HOP_BY_HOP && next !== ROUTING && next !== FRAGMENT && next !== DESTINATION_OPTIONS) return 'not-ndisc'
    if (p + 8 > end) return 'truncated'
    if (next === FRAGMENT) reason = 'fragment'
    const size = next === FRAGMENT ? 8 : 8 + 8 * slab[p + 1]
    next = slab[p]
    p += size
  }
}

/**
 * A received NS or NA. One instance is reused: `decode` fills it, and everything but the addresses made by `target()`
 * and `source()` holds only until the next `decode`. Addresses are signed 32-bit words, as in `Address`.
 */
export class NdiscView {
  /** NEIGHBOR_SOLICITATION or NEIGHBOR_ADVERTISEMENT; 0 when the frame is too broken to tell. */
  type = 0
  /** IPv6 source, destination, and target. */
  s0 = 0; s1 = 0; s2 = 0; s3 = 0
  d0 = 0; d1 = 0; d2 = 0; d3 = 0
  t0 = 0; t1 = 0; t2 = 0; t3 = 0
  /** Ethernet addresses; -1 without link header. */
  sourceMac = NONE
  destinationMac = NONE
  /** First Source Link-Layer Address option of an NS, first Target Link-Layer Address option of an NA; -1: absent. */
  slla = NONE
  tlla = NONE
  /** Flags of an NA; false in an NS. */
  router = false
  solicited = false
  override = false
  /** The first nonce: offset in the slab (-1: none) and length in bytes. */
  nonceAt = -1
  nonceLength = 0
  /** Why the packet is to be dropped; undefined: valid. Stored by `decode`; a packet socket may replace it. */
  drop: DropReason | undefined = undefined
  /** The IPv6 destination is the solicited-node group of the target, or the target itself; often neither in an NA. */
  solicitedNode = false
  unicastToTarget = false

  /**
   * Validates the frame of `length` bytes at `at` (all of it within `slab`) and reads it.
   * @param linkHeader 14 (Ethernet) or 0 (cooked socket); see `LinkHeader`.
   * @param checksumPartial the kernel left the checksum to hardware that never saw it (TP_STATUS_CSUMNOTREADY):
   *   not verified.
   * @returns undefined for a valid NS or NA, else the reason to drop it, which is also stored in `drop`. Up to `length` in the order of DROP_REASONS
   *   the view is then blank; later ones leave `type`, the addresses and MACs readable, and the options unread.
   */
  decode(
    slab: Uint8Array, at: number, length: number, linkHeader: number, checksumPartial: boolean,
  ): DropReason | undefined {
    return this.drop = this.#read(slab, at, length, linkHeader, checksumPartial)
  }

  #read(slab: Uint8Array, at: number, length: number, linkHeader: number, checksumPartial: boolean): DropReason | undefined {
    const ip = at + linkHeader
    const icmp = ip + IPV6_HEADER
    const frameEnd = at + length
    const broken = judgeHeaders(slab, at, length, linkHeader)
    if (broken !== undefined) return this.#blank(broken)
    if (slab[ip + NEXT_HEADER] !== ICMPV6) return this.#blank(judgeChain(slab, ip, frameEnd))

    // What follows the payload is Ethernet padding, not part of the message.
    const payload = read16(slab, ip + PAYLOAD_LENGTH)
    if (payload > 0 && icmp < frameEnd && !isNdisc(slab[icmp])) return this.#blank('not-ndisc')
    if (icmp + payload > frameEnd) return this.#blank('truncated')
    if (payload < MESSAGE) return this.#blank('length')

    this.#readFields(slab, at, linkHeader)

    if (slab[ip + HOP_LIMIT] !== ND_HOP_LIMIT) return 'hop-limit'
    if (!checksumPartial && icmpv6Checksum(slab, ip, payload) !== 0) return 'checksum'
    if (slab[icmp + CODE] !== 0) return 'code'
    if (this.t0 >>> 24 === 0xff) return 'target-multicast'
    const { s0, s1, s2, s3, d0 } = this
    if (s0 >>> 24 === 0xff || ((s0 | s1 | s2) === 0 && s3 === 1)) return 'source'
    const solicitation = this.type === NEIGHBOR_SOLICITATION
    const dad = solicitation && (s0 | s1 | s2 | s3) === 0
    if (solicitation) {
      if (s3 === this.t3 && s2 === this.t2 && s1 === this.t1 && s0 === this.t0) return 'source'
      if (dad && !isSolicitedNode(d0, this.d1, this.d2, this.d3)) return 'dad-destination'
    } else if (d0 >>> 24 === 0xff && this.solicited) {
      return 'na-multicast-solicited'
    }
    return this.#readOptions(slab, icmp + MESSAGE, icmp + payload, solicitation, dad)
  }

  /** Everything at a fixed place; no options. Apart from `decode`, so that V8 inlines the reads into both. */
  #readFields(slab: Uint8Array, at: number, linkHeader: number): void {
    const ip = at + linkHeader
    const icmp = ip + IPV6_HEADER
    const flags = slab[icmp] === NEIGHBOR_ADVERTISEMENT ? slab[icmp + FLAGS] : 0
    this.type = slab[icmp]
    this.router = (flags & ROUTER) !== 0
    this.solicited = (flags & SOLICITED) !== 0
    this.override = (flags & OVERRIDE) !== 0
    this.sourceMac = linkHeader === 0 ? NONE : readMac(slab, at + ETHER_SOURCE)
    this.destinationMac = linkHeader === 0 ? NONE : readMac(slab, at + ETHER_DESTINATION)
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
    this.solicitedNode = isSolicitedNode(d0, d1, d2, d3) && ((d3 ^ t3) & 0xffffff) === 0
    // All of it always: a comparison that the first random address brings makes V8 compile this anew, in the middle of a scan.
    this.unicastToTarget = ((d0 ^ t0) | (d1 ^ t1) | (d2 ^ t2) | (d3 ^ t3)) === 0
    this.slla = this.tlla = NONE
    this.nonceAt = -1
    this.nonceLength = 0
  }

  /** The whole list must be well-formed before any of it counts (RFC 4861 7.1). Of equal options the first counts. */
  #readOptions(slab: Uint8Array, at: number, end: number, solicitation: boolean, dad: boolean): DropReason | undefined {
    let slla = NONE
    let tlla = NONE
    let nonceAt = -1
    let nonceLength = 0
    let dadSlla = false
    for (let p = at, size = 0; p < end; p += size) {
      if (p + 2 > end) return 'option-length'
      size = 8 * slab[p + 1]
      if (size === 0 || p + size > end) return 'option-length'
      switch (slab[p]) {
        case SOURCE_LINK_LAYER_ADDRESS:
          dadSlla = dad
          if (solicitation && size === LLADDR_OPTION && slla === NONE) slla = readMac(slab, p + 2)
          break
        case TARGET_LINK_LAYER_ADDRESS:
          if (!solicitation && size === LLADDR_OPTION && tlla === NONE) tlla = readMac(slab, p + 2)
          break
        case NONCE:
          if (nonceAt < 0) {
            nonceAt = p + 2
            nonceLength = size - 2
          }
      }
    }
    if (dadSlla) return 'dad-slla'
    this.slla = slla
    this.tlla = tlla
    this.nonceAt = nonceAt
    this.nonceLength = nonceLength
    return undefined
  }

  /** Allocates. */
  target(): Address { return new Address(this.t0, this.t1, this.t2, this.t3) }
  /** Allocates. */
  source(): Address { return new Address(this.s0, this.s1, this.s2, this.s3) }

  /** Fills every field with nonsense, so that code which reads the view after its turn fails loudly (simulator). */
  poison(): void {
    this.#fill(0xdeadbeef | 0, 0xdeadbeefdead as Mac)
    this.type = -1
    this.router = this.solicited = this.override = this.solicitedNode = this.unicastToTarget = true
    this.nonceAt = this.nonceLength = 0xdeadbeef | 0
  }

  #blank(reason: DropReason): DropReason {
    this.#fill(0, NONE)
    this.type = 0
    this.router = this.solicited = this.override = this.solicitedNode = this.unicastToTarget = false
    this.nonceAt = -1
    this.nonceLength = 0
    return reason
  }

  #fill(word: number, mac: Mac): void {
    this.s0 = this.s1 = this.s2 = this.s3 = word
    this.d0 = this.d1 = this.d2 = this.d3 = word
    this.t0 = this.t1 = this.t2 = this.t3 = word
    this.sourceMac = this.destinationMac = this.slla = this.tlla = mac
  }
}

/** An NA to send (RFC 4861 7.2.4, 7.2.8). Destination and target are words, copied from the NS. */
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

/** Room for any frame that is encoded here, with either link header. */
export const MAX_ENCODED = 86

/**
 * Writes an NA with its Target Link-Layer Address option at `at`.
 * @param lladdr Ethernet source and TLLA; -1 on a link without such addresses: no option (RFC 4861 4.4).
 * @param linkHeader 14 or 0.
 * @returns the frame's length, at most MAX_ENCODED.
 */
export function encodeAdvertisement(
  slab: Uint8Array, at: number, message: NeighborAdvertisement, lladdr: Mac, linkHeader: number,
): number {
  const payload = lladdr < 0 ? MESSAGE : MESSAGE + LLADDR_OPTION
  const ip = at + linkHeader
  writeIpv6(slab, ip, message.source, payload)
  writeWord(slab, ip + DESTINATION, message.d0)
  writeWord(slab, ip + DESTINATION + 4, message.d1)
  writeWord(slab, ip + DESTINATION + 8, message.d2)
  writeWord(slab, ip + DESTINATION + 12, message.d3)
  const icmp = ip + IPV6_HEADER
  const flags = (message.router ? ROUTER : 0) | (message.solicited ? SOLICITED : 0) | (message.override ? OVERRIDE : 0)
  writeWord(slab, icmp, NEIGHBOR_ADVERTISEMENT << 24)
  writeWord(slab, icmp + FLAGS, flags << 24)
  writeWord(slab, icmp + TARGET, message.t0)
  writeWord(slab, icmp + TARGET + 4, message.t1)
  writeWord(slab, icmp + TARGET + 8, message.t2)
  writeWord(slab, icmp + TARGET + 12, message.t3)
  if (lladdr >= 0) writeLladdr(slab, icmp + MESSAGE, TARGET_LINK_LAYER_ADDRESS, lladdr)
  return finish(slab, at, linkHeader, payload, message, lladdr)
}

/**
 * Writes an NS with its Source Link-Layer Address option at `at`. Parameters and result as in `encodeAdvertisement`.
 */
export function encodeSolicitation(
  slab: Uint8Array, at: number, message: NeighborSolicitation, lladdr: Mac, linkHeader: number,
): number {
  const payload = lladdr < 0 ? MESSAGE : MESSAGE + LLADDR_OPTION
  const ip = at + linkHeader
  writeIpv6(slab, ip, message.source, payload)
  message.destination.write(slab, ip + DESTINATION)
  writeSolicitation(slab, ip + IPV6_HEADER, message.target, lladdr)
  return finish(slab, at, linkHeader, payload, message, lladdr)
}

/**
 * The ICMPv6 message of an NS, checksum 0, for a raw ICMPv6 socket, where the kernel fills it (RFC 3542 3.1).
 * @param lladdr goes into the Source Link-Layer Address option; undefined: no option, as a source of `::` demands.
 */
export function solicitationBody(target: Address, lladdr: Mac | undefined): Uint8Array {
  const body = new Uint8Array(lladdr === undefined ? MESSAGE : MESSAGE + LLADDR_OPTION)
  writeSolicitation(body, 0, target, lladdr ?? NONE)
  return body
}

function writeSolicitation(bytes: Uint8Array, at: number, target: Address, lladdr: Mac): void {
  writeWord(bytes, at, NEIGHBOR_SOLICITATION << 24)
  writeWord(bytes, at + FLAGS, 0)
  target.write(bytes, at + TARGET)
  if (lladdr >= 0) writeLladdr(bytes, at + MESSAGE, SOURCE_LINK_LAYER_ADDRESS, lladdr)
}

function writeLladdr(bytes: Uint8Array, at: number, type: number, lladdr: Mac): void {
  bytes[at] = type
  bytes[at + 1] = 1
  writeMac(bytes, at + 2, lladdr)
}

/** Sets the checksum, whose field is zero, and the Ethernet header. Returns the frame's length. */
function finish(
  slab: Uint8Array, at: number, linkHeader: number, payload: number, message: { readonly to: Mac }, lladdr: Mac,
): number {
  const ip = at + linkHeader
  write16(slab, ip + IPV6_HEADER + CHECKSUM, icmpv6Checksum(slab, ip, payload))
  if (linkHeader !== 0) writeEthernet(slab, at, message, lladdr)
  return linkHeader + IPV6_HEADER + payload
}
