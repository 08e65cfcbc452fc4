/**
 * Ethernet/IPv6/ICMPv6 frames as the lab sees and makes them, by offsets of its own: the daemon's decoder must not
 * vouch for itself. RFC 4861 4.2-4.4, 4.6; RFC 8200 3; RFC 4443 2.3.
 */
import { Address } from '../../../src/address.ts'
import type { SeenFrame } from './agent.ts'

export type FrameKind = 'NS' | 'NA' | 'RS' | 'RA' | 'redirect' | 'error' | 'echo' | 'mld' | 'other'

/** A captured frame, decoded. Addresses are RFC 5952 text; absent fields are empty strings. */
export interface Seen extends SeenFrame {
  readonly kind: FrameKind
  readonly from: string
  readonly to: string
  readonly source: string
  readonly destination: string
  readonly hopLimit: number
  readonly type: number
  readonly target: string
  /** Of a Neighbor Advertisement, as a subset of `RSO`. */
  readonly flags: string
  /** Source (NS) or target (NA) link-layer address option. */
  readonly lladdr: string
}

const KINDS = new Map<number, FrameKind>([[1, 'error'], [2, 'error'], [3, 'error'], [4, 'error'], [128, 'echo'],
  [129, 'echo'], [130, 'mld'], [131, 'mld'], [132, 'mld'], [143, 'mld'], [133, 'RS'], [134, 'RA'], [135, 'NS'],
  [136, 'NA'], [137, 'redirect']])

function mac(bytes: Buffer, at: number): string {
  return bytes.toString('hex', at, at + 6).replace(/..(?!$)/g, '$&:')
}

function lladdrOption(bytes: Buffer, wanted: number): string {
  for (let at = 78; at + 8 <= bytes.length && bytes[at + 1] > 0; at += bytes[at + 1] * 8) {
    if (bytes[at] === wanted) return mac(bytes, at + 2)
  }
  return ''
}

export function decode(frame: SeenFrame): Seen {
  const bytes = Buffer.from(frame.hex, 'hex')
  const ipv6 = bytes.length >= 54 && bytes.readUInt16BE(12) === 0x86dd
  // Behind a hop-by-hop header (MLD) the ICMPv6 header starts later.
  const at = ipv6 && bytes[20] === 0 ? 54 + 8 + bytes[55] * 8 : 54
  const icmp = ipv6 && (bytes[20] === 58 || (bytes[20] === 0 && bytes[54] === 58)) && bytes.length > at
  const type = icmp ? bytes[at] : -1
  const kind = KINDS.get(type) ?? 'other'
  const ndisc = (kind === 'NS' || kind === 'NA') && bytes.length >= 78
  return {
    ...frame, kind, type,
    from: mac(bytes, 6), to: mac(bytes, 0),
    source: ipv6 ? Address.read(bytes, 22).toString() : '',
    destination: ipv6 ? Address.read(bytes, 38).toString() : '',
    hopLimit: ipv6 ? bytes[21] : 0,
    target: ndisc ? Address.read(bytes, 62).toString() : '',
    flags: kind === 'NA' && ndisc ? ['R', 'S', 'O'].filter((_, i) => bytes[58] & (0x80 >> i)).join('') : '',
    lladdr: ndisc ? lladdrOption(bytes, kind === 'NS' ? 1 : 2) : '',
  }
}

export interface NsFrame {
  readonly from: string
  readonly source: string
  readonly target: string
  /** Default: the solicited-node group, and its Ethernet group. */
  readonly to?: string
  readonly destination?: string
  /** With a source link-layer address option; default: unless the source is `::`. */
  readonly slla?: boolean
}

function bytesOf(address: string): Buffer {
  const bytes = Buffer.alloc(16)
  const parsed = Address.parse(address)
  if (parsed === undefined) throw new TypeError(`not an address: ${address}`)
  parsed.write(bytes)
  return bytes
}

function macBytes(text: string): Buffer {
  return Buffer.from(text.replaceAll(':', ''), 'hex')
}

/** Internet checksum of an ICMPv6 message with its pseudo-header (RFC 8200 8.1). */
function checksum(source: Buffer, destination: Buffer, message: Buffer): number {
  const pseudo = Buffer.alloc(8)
  pseudo.writeUInt32BE(message.length, 0)
  pseudo[7] = 58
  const all = Buffer.concat([source, destination, pseudo, message, Buffer.alloc(message.length % 2)])
  let sum = 0
  for (let i = 0; i < all.length; i += 2) sum += all.readUInt16BE(i)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

export interface NaFrame {
  readonly from: string
  readonly source: string
  readonly target: string
  /** Default: all nodes, and their Ethernet group. */
  readonly to?: string
  readonly destination?: string
  /** A subset of `RSO`; default `O`, as a host announces a change (RFC 4861 7.2.6). */
  readonly flags?: string
  /** Target link-layer address option; default: `from`. */
  readonly tlla?: string
}

/** The Ethernet group of an IPv6 group (RFC 2464 7). */
function groupMac(group: Buffer): Buffer {
  return Buffer.concat([Buffer.of(0x33, 0x33), group.subarray(12)])
}

/** A valid Neighbor Solicitation as hex, unless the fields given make it something else. */
export function nsFrame(ns: NsFrame): string {
  const target = bytesOf(ns.target)
  const group = Buffer.concat([bytesOf('ff02::1:ff00:0').subarray(0, 13), target.subarray(13)])
  const destination = ns.destination === undefined ? group : bytesOf(ns.destination)
  const to = ns.to === undefined ? groupMac(destination) : macBytes(ns.to)
  const slla = ns.slla ?? ns.source !== '::' ? Buffer.concat([Buffer.of(1, 1), macBytes(ns.from)]) : Buffer.alloc(0)
  const message = Buffer.concat([Buffer.of(135, 0, 0, 0, 0, 0, 0, 0), target, slla])
  return icmpFrame(to, macBytes(ns.from), bytesOf(ns.source), destination, message)
}

/** A valid Neighbor Advertisement as hex, unless the fields given make it something else. */
export function naFrame(na: NaFrame): string {
  const destination = bytesOf(na.destination ?? 'ff02::1')
  const to = na.to === undefined ? groupMac(destination) : macBytes(na.to)
  const flags = [...na.flags ?? 'O'].reduce((bits, flag) => bits | 0x80 >> 'RSO'.indexOf(flag), 0)
  const tlla = Buffer.concat([Buffer.of(2, 1), macBytes(na.tlla ?? na.from)])
  const message = Buffer.concat([Buffer.of(136, 0, 0, 0, flags, 0, 0, 0), bytesOf(na.target), tlla])
  return icmpFrame(to, macBytes(na.from), bytesOf(na.source), destination, message)
}

export interface RaFrame {
  readonly from: string
  readonly source: string
  /** On-link, for SLAAC (A and L flags), /64. */
  readonly prefix: string
}

/** A Router Advertisement to all nodes, as hex: a default router with one prefix. RFC 4861 4.2, 4.6.2. */
export function raFrame(ra: RaFrame): string {
  const destination = bytesOf('ff02::1')
  const router = Buffer.of(134, 0, 0, 0, 64, 0, 1800 >> 8, 1800 & 0xff, 0, 0, 0, 0, 0, 0, 0, 0)
  const prefix = Buffer.alloc(16)
  prefix.set([3, 4, 64, 0xc0])
  prefix.writeUInt32BE(86_400, 4)
  prefix.writeUInt32BE(14_400, 8)
  const message = Buffer.concat([router, Buffer.of(1, 1), macBytes(ra.from), prefix, bytesOf(ra.prefix)])
  return icmpFrame(macBytes('33:33:00:00:00:01'), macBytes(ra.from), bytesOf(ra.source), destination, message)
}

/** Fills in the checksum of an ICMPv6 message and puts the headers before it. */
function icmpFrame(to: Buffer, from: Buffer, source: Buffer, destination: Buffer, message: Buffer): string {
  message.writeUInt16BE(checksum(source, destination, message), 2)
  const header = Buffer.of(0x60, 0, 0, 0, 0, message.length, 58, 255)
  return Buffer.concat([to, from, Buffer.of(0x86, 0xdd), header, source, destination, message]).toString('hex')
}
