/**
 * Router Solicitations and Router Advertisements (RFC 4861 4.1, 4.2, 4.6; RFC 8106 5): format, validation of received messages
 * (RFC 4861 6.1.1, 6.1.2), and the encoder of advertisements.
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +---------------+---------------+-------------------------------+
 *     |   Type 134    |    Code 0     |           Checksum            |   a solicitation, type 133, has 4 reserved bytes
 *     +---------------+-+-+-----------+-------------------------------+   and options after these
 *     | Cur hop limit |M|O| Reserved  |        Router lifetime        |
 *     +---------------+-+-+-----------+-------------------------------+
 *     |                        Reachable time                         |
 *     +---------------------------------------------------------------+
 *     |                         Retrans timer                         |
 *     +---------------------------------------------------------------+
 *     |  Option type  |  Length / 8   |   lladdr, MTU, prefix ...     |   any number of options
 *     +---------------+---------------+-------------------------------+
 *
 *     |    Type 3     |   Length 4    | Prefix length |L|A| Reserved  |   then lifetimes (valid, preferred), 4 reserved bytes, the prefix
 *     |    Type 5     |   Length 1    |           Reserved            |   then the MTU
 *     |    Type 25    |  Length 2n+1  |           Reserved            |   then the lifetime, n addresses of servers
 *     |    Type 31    |    Length     |           Reserved            |   then the lifetime, domains as in RFC 1035 3.1, padded with zeros
 */
import { Address, isHostMac, type Mac, type Prefix, readMac, writeMac, writeWord } from '../address.ts'
import { icmpv6Checksum, read16, write16 } from './bytes.ts'
import { DEPRECATED_VALID, ND_HOP_LIMIT, ROUTER_ADVERTISEMENT, ROUTER_SOLICITATION, SOURCE_LINK_LAYER_ADDRESS } from './constants.ts'
import {
  checkHeaders, DESTINATION, ETHER_SOURCE, HOP_LIMIT, ICMPV6, IPV6_HEADER, NEXT_HEADER, PAYLOAD_LENGTH, SOURCE, writeEthernet, writeIpv6,
} from './frame.ts'

/** A lifetime that does not end, in seconds (RFC 4861 4.6.2). */
export const INFINITY = 0xffffffff
/** Maximum length of an encoded advertisement without the link header: the minimum MTU of IPv6 (RFC 8200 5). */
export const MAX_ADVERTISEMENT = 1280

/** Reasons to drop a frame, in the order of the checks. */
export const ROUTER_DROP_REASONS = ['not-ipv6', 'truncated', 'not-router', 'hop-limit', 'source', 'checksum', 'code', 'options'] as const
export type RouterDropReason = (typeof ROUTER_DROP_REASONS)[number]

export type RouterMessage =
  | { readonly kind: 'solicitation'; readonly source: Address; readonly mac: Mac | undefined }
  /** `lifetime` of the default route, in seconds. */
  | { readonly kind: 'advertisement'; readonly source: Address; readonly mac: Mac | undefined; readonly lifetime: number }

/** A Prefix Information option (RFC 4861 4.6.2). Lifetimes are whole seconds, at most INFINITY. */
export interface PrefixInformation {
  readonly prefix: Prefix
  /**
   * The A flag: hosts make an address in this prefix (RFC 4862). The L flag is never set, so hosts send packets for other addresses in the
   * prefix to a default router, not to each other.
   */
  readonly autonomous: boolean
  readonly valid: number
  readonly preferred: number
}

/** Makes an option from two lifetimes in milliseconds, which are rounded down to seconds. */
export function information(prefix: Prefix, valid: number, preferred: number): PrefixInformation {
  return { prefix, autonomous: prefix.length === 64, valid: wholeSeconds(valid), preferred: wholeSeconds(preferred) }
}

/** Makes the option of a deprecated prefix. @param valid how long hosts may still have addresses in the prefix, milliseconds */
export function deprecated(prefix: Prefix, valid: number): PrefixInformation {
  return information(prefix, Math.min(valid, 1000 * DEPRECATED_VALID), 0)
}

function wholeSeconds(ms: number): number { return Math.max(0, Math.min(Math.floor(ms / 1000), INFINITY - 1)) }

export interface RouterAdvertisement {
  readonly source: Address
  readonly destination: Address
  /** Ethernet destination; -1 on links without link-layer addresses. */
  readonly to: Mac
  /** Lifetime of the default route, seconds; at most 9000. */
  readonly lifetime: number
  readonly mtu: number | undefined
  readonly prefixes: readonly PrefixInformation[]
  readonly dns: readonly DnsOption[]
}

const LIFETIME = 6, SOLICITATION = 8, ADVERTISEMENT = 16
const MTU = 5, PREFIX_INFORMATION = 3, RDNSS = 25, DNSSL = 31
/** PREFIX_SIZE: bytes of a prefix option. DNS_HEADER: bytes of a server or domain option before its values. */
const PREFIX_SIZE = 32, DNS_HEADER = 8
/** Bytes that the options of the link-layer address and the MTU leave for prefix, server and domain options. */
const SPACE = MAX_ADVERTISEMENT - IPV6_HEADER - ADVERTISEMENT - 8 - 8
const AUTONOMOUS = 0x40
/** A label of a host name (RFC 1123 2.1). `_` is accepted too, because private domains may contain it. */
const LABEL = /^[\w-]+$/
/** Hop limit that hosts use (IANA: the default is 64). */
const CURRENT_HOP_LIMIT = 64

/**
 * Validates and reads the frame of `length` bytes at `at`.
 * @param linkHeader 14 (Ethernet) or 0
 * @param checksumPartial whether to skip the check of the checksum, as for `NdiscView.decode`
 * @returns the message, which does not refer to the slab, or the reason to drop it
 */
export function decodeRouterMessage(
  slab: Uint8Array, at: number, length: number, linkHeader: number, checksumPartial: boolean,
): RouterMessage | RouterDropReason {
  const broken = checkHeaders(slab, at, length, linkHeader)
  if (broken !== undefined) return broken
  const ip = at + linkHeader
  const icmp = ip + IPV6_HEADER
  const payload = read16(slab, ip + PAYLOAD_LENGTH)
  const end = icmp + payload
  if (slab[ip + NEXT_HEADER] !== ICMPV6) return 'not-router'
  if (end > at + length || payload < SOLICITATION) return 'truncated'
  const isSolicitation = slab[icmp] === ROUTER_SOLICITATION
  if (!isSolicitation && slab[icmp] !== ROUTER_ADVERTISEMENT) return 'not-router'
  if (!isSolicitation && payload < ADVERTISEMENT) return 'truncated'
  if (slab[ip + HOP_LIMIT] !== ND_HOP_LIMIT) return 'hop-limit'
  const source = Address.read(slab, ip + SOURCE)
  if (isSolicitation ? source.isMulticast : !source.isLinkLocal) return 'source'
  if (!checksumPartial && icmpv6Checksum(slab, ip, payload) !== 0) return 'checksum'
  if (slab[icmp + 1] !== 0) return 'code'
  const option = lladdrOption(slab, icmp + (isSolicitation ? SOLICITATION : ADVERTISEMENT), end)
  if (option === undefined || (option !== -1 && source.isUnspecified)) return 'options'
  const mac = isHostMac(option) ? option : linkHeader === 0 ? undefined : readMac(slab, at + ETHER_SOURCE)
  return isSolicitation ? { kind: 'solicitation', source, mac }
    : { kind: 'advertisement', source, mac, lifetime: read16(slab, icmp + LIFETIME) }
}

/** @returns the Source Link-Layer Address option; -1 without one; undefined if an option is broken (RFC 4861 6.1) */
function lladdrOption(slab: Uint8Array, from: number, end: number): Mac | undefined {
  let mac = -1 as Mac
  for (let p = from; p < end;) {
    const size = p + 1 < end ? 8 * slab[p + 1] : 0
    if (size === 0 || p + size > end) return undefined
    if (slab[p] === SOURCE_LINK_LAYER_ADDRESS && size === 8) mac = readMac(slab, p + 2)
    p += size
  }
  return mac
}

/** @returns what fits into an advertisement: the first prefixes, then the first values of each DNS option */
export function fitting(
  { prefixes: all, dns }: Pick<RouterAdvertisement, 'prefixes' | 'dns'>,
): Pick<RouterAdvertisement, 'prefixes' | 'dns'> {
  const prefixes = all.slice(0, Math.floor(SPACE / PREFIX_SIZE))
  let space = SPACE - PREFIX_SIZE * prefixes.length
  const options = dns.map((option) => {
    let end = DNS_HEADER
    const values = option.values.filter((value) => (end += sizeOf(option.kind, value)) <= space)
    if (values.length > 0) space -= dnsOptionSize({ ...option, values })
    return { ...option, values }
  })
  return { prefixes, dns: options.filter(({ values }) => values.length > 0) }
}

/**
 * Writes an advertisement at `at`, with its Source Link-Layer Address option. Leaves out prefixes, servers and domains that do not fit:
 * see {@link fitting}.
 * @param lladdr Ethernet source, and value of the option; -1 on a link without link-layer addresses, where there is no option
 * @param linkHeader 14 or 0
 * @returns the length of the frame
 */
export function encodeRouterAdvertisement(
  slab: Uint8Array, at: number, message: RouterAdvertisement, lladdr: Mac, linkHeader: number,
): number {
  const ip = at + linkHeader
  const icmp = ip + IPV6_HEADER
  slab.fill(0, at, ip + MAX_ADVERTISEMENT)
  slab[icmp] = ROUTER_ADVERTISEMENT
  slab[icmp + 4] = CURRENT_HOP_LIMIT
  write16(slab, icmp + LIFETIME, message.lifetime)
  let p = icmp + ADVERTISEMENT
  /** Adds an option of `size` bytes. @returns its offset */
  const add = (type: number, size: number): number => {
    slab[p] = type
    slab[p + 1] = size / 8
    p += size
    return p - size
  }
  if (lladdr >= 0) writeMac(slab, add(SOURCE_LINK_LAYER_ADDRESS, 8) + 2, lladdr)
  if (message.mtu !== undefined) writeWord(slab, add(MTU, 8) + 4, message.mtu)
  const { prefixes, dns } = fitting(message)
  for (const { prefix, autonomous, valid, preferred } of prefixes) {
    const option = add(PREFIX_INFORMATION, PREFIX_SIZE)
    slab[option + 2] = prefix.length
    slab[option + 3] = autonomous ? AUTONOMOUS : 0
    writeWord(slab, option + 4, valid | 0)
    writeWord(slab, option + 8, preferred | 0)
    prefix.address.write(slab, option + 16)
  }
  for (const each of dns) {
    const isServers = each.kind === 'servers'
    const option = add(isServers ? RDNSS : DNSSL, dnsOptionSize(each))
    writeWord(slab, option + 4, each.lifetime | 0)
    slab.set(each.values.flatMap(isServers ? addressBytes : domainBytes), option + DNS_HEADER)
  }
  const payload = p - icmp
  writeIpv6(slab, ip, message.source, payload)
  message.destination.write(slab, ip + DESTINATION)
  write16(slab, icmp + 2, icmpv6Checksum(slab, ip, payload))
  if (linkHeader !== 0) writeEthernet(slab, at, message, lladdr)
  return linkHeader + IPV6_HEADER + payload
}

function dnsOptionSize({ kind, values }: DnsOption): number {
  return 8 * Math.ceil(values.reduce((size, value) => size + sizeOf(kind, value), DNS_HEADER) / 8)
}

function sizeOf(kind: DnsOption['kind'], value: string): number { return kind === 'servers' ? 16 : value.length + 2 }

function addressBytes(address: string): number[] {
  const bytes = new Uint8Array(16)
  Address.parse(address)!.write(bytes, 0)
  return [...bytes]
}

/** @returns the domain as a sequence of labels (RFC 1035 3.1) */
function domainBytes(domain: string): number[] {
  return [...domain.split('.').flatMap((label) => [label.length, ...[...label].map((char) => char.charCodeAt(0))]), 0]
}

/** An RDNSS or DNSSL option: servers or domains for name resolution. The kernel passes a received option to programs (RTM_NEWNDUSEROPT). */
export interface DnsOption {
  readonly kind: 'servers' | 'domains'
  readonly values: readonly string[]
  /** Seconds; 0: hosts stop using the values. */
  readonly lifetime: number
}

/**
 * Decodes an RDNSS or DNSSL option in bytes[start, end). Leaves out servers that hosts of another link cannot reach, and domains that are
 * no host names, such as those with control characters.
 * @returns undefined for a broken option, and for options of other types
 */
export function decodeDnsOption(bytes: Uint8Array, start: number, end: number): DnsOption | undefined {
  const size = end - start
  if (size < 16 || 8 * bytes[start + 1] > size) return undefined
  const limit = start + 8 * bytes[start + 1]
  const lifetime = ((read16(bytes, start + 4) << 16) | read16(bytes, start + 6)) >>> 0
  const values: string[] = []
  if (bytes[start] === RDNSS) {
    for (let p = start + 8; p + 16 <= limit; p += 16) {
      const server = Address.read(bytes, p)
      if (server.isGlobal) values.push(server.toString())
    }
    return { kind: 'servers', values, lifetime }
  }
  if (bytes[start] !== DNSSL) return undefined
  let labels: string[] = []
  for (let p = start + 8; p < limit;) {
    const length = bytes[p]
    if (length === 0) {
      if (labels.length > 0 && labels.every((label) => LABEL.test(label))) values.push(labels.join('.'))
      labels = []
      p++
      continue
    }
    if (length > 63 || p + 1 + length > limit) return undefined
    labels.push(String.fromCharCode(...bytes.subarray(p + 1, p + 1 + length)))
    p += 1 + length
  }
  return { kind: 'domains', values, lifetime }
}
