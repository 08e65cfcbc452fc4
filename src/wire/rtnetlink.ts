/** rtnetlink messages of links and IPv6 addresses (rtnetlink(7), linux/if_link.h, linux/if_addr.h). */
import type { Address, Mac } from '../address.ts'
import { hostOrder, type MessageWriter } from './netlink-encode.ts'
import { attributesOf, type Message, NLM_F_DUMP, NLM_F_REQUEST, readU16, readU32 } from './netlink.ts'

export const RTM_NEWLINK = 16, RTM_DELLINK = 17, RTM_NEWADDR = 20, RTM_DELADDR = 21
const RTM_GETLINK = 18, RTM_GETADDR = 22
export const RTNLGRP_LINK = 1, RTNLGRP_IPV6_IFADDR = 9, RTNLGRP_IPV6_IFINFO = 12, RTNLGRP_IPV6_NETCONF = 25

const AF_UNSPEC = 0
export const AF_INET6 = 10
const ARPHRD_ETHER = 1
const IFF_UP = 0x1, IFF_RUNNING = 0x40, IFF_NOARP = 0x80, IFF_LOWER_UP = 0x10000
const IFLA_ADDRESS = 1, IFLA_IFNAME = 3, IFLA_MTU = 4, IFLA_MASTER = 10, IFLA_LINKINFO = 18, IFLA_EXT_MASK = 29, IFLA_EVENT = 44
const IFLA_INFO_SLAVE_KIND = 4
/** Events that set `replugged`: IFLA_EVENT_BONDING_FAILOVER, IFLA_EVENT_NOTIFY_PEERS, IFLA_EVENT_IGMP_RESEND. */
const REPLUGGED = [3, 4, 5]
const RTEXT_FILTER_SKIP_STATS = 8
const IFA_ADDRESS = 1, IFA_LOCAL = 2, IFA_CACHEINFO = 6, IFA_FLAGS = 8
const IFA_F_TEMPORARY = 0x01, IFA_F_OPTIMISTIC = 0x04, IFA_F_DADFAILED = 0x08, IFA_F_DEPRECATED = 0x20, IFA_F_TENTATIVE = 0x40

export interface LinkMessage {
  readonly ifindex: number
  readonly name: string
  /** Undefined for links without Ethernet addresses. */
  readonly mac: Mac | undefined
  /** IFF_NOARP: the kernel resolves no neighbors on this link, although the link has Ethernet addresses. */
  readonly noarp?: true
  /** IFF_UP, IFF_LOWER_UP (carrier) and IFF_RUNNING (operational) are all set. */
  readonly up: boolean
  /** Bytes. */
  readonly mtu?: number
  /** The link has another peer than before: a bond failed over, or a virtual machine migrated. */
  readonly replugged: boolean
  /** The bridge, bond or team that takes all packets of the link. Absent for a link in a VRF, because such a link keeps its neighbors. */
  readonly master?: number
}

export interface AddressMessage {
  readonly ifindex: number
  readonly address: Address
  readonly prefixLength: number
  /** Tentative, optimistic or dadfailed. */
  readonly tentative: boolean
  /** The preferred lifetime is over. */
  readonly deprecated?: boolean
  /** Lifetimes in seconds. */
  readonly valid?: number
  readonly preferred?: number
  /** An address for privacy (RFC 8981), whose lifetimes are shorter than those of its prefix. */
  readonly temporary?: boolean
}

/** Decodes RTM_*LINK. @returns undefined for other types, messages that are too short, and bridge ports (AF_BRIDGE) */
export function decodeLink(message: Message): LinkMessage | undefined {
  const attributes = attributesOf(message, RTM_NEWLINK, 16, AF_UNSPEC)
  const name = attributes?.text(IFLA_IFNAME)
  if (attributes === undefined || name === undefined) return undefined
  const { bytes, start } = message
  const flags = readU32(bytes, start + 8)
  const up = IFF_UP | IFF_LOWER_UP | IFF_RUNNING
  const mac = readU16(bytes, start + 2) === ARPHRD_ETHER ? attributes.mac(IFLA_ADDRESS) : undefined
  const master = attributes.u32(IFLA_MASTER) ?? 0
  const mtu = attributes.u32(IFLA_MTU)
  const isPort = master !== 0 && attributes.nested(IFLA_LINKINFO).text(IFLA_INFO_SLAVE_KIND) !== 'vrf'
  return {
    ifindex: readU32(bytes, start + 4),
    name,
    mac,
    up: (flags & up) === up,
    replugged: REPLUGGED.includes(attributes.u32(IFLA_EVENT) ?? 0),
    ...mac !== undefined && (flags & IFF_NOARP) !== 0 && { noarp: true },
    ...isPort && { master },
    ...mtu !== undefined && { mtu },
  }
}

/** Decodes RTM_NEWLINK of any family; AF_INET6 is for the IPv6 settings of a link. @returns the ifindex; undefined for other messages */
export function decodeLinkIndex({ type, bytes, start, end }: Message): number | undefined {
  return type === RTM_NEWLINK && end - start >= 16 ? readU32(bytes, start + 4) : undefined
}

/** Decodes RTM_*ADDR. @returns undefined for other types, messages that are too short, and other families than IPv6 */
export function decodeAddress(message: Message): AddressMessage | undefined {
  const attributes = attributesOf(message, RTM_NEWADDR, 8, AF_INET6)
  // On a point-to-point link IFA_ADDRESS and the prefix length belong to the peer.
  const local = attributes?.address(IFA_LOCAL)
  const address = local ?? attributes?.address(IFA_ADDRESS)
  if (attributes === undefined || address === undefined) return undefined
  const { bytes, start } = message
  const lifetimes = attributes.find(IFA_CACHEINFO, 8)
  const flags = attributes.u32(IFA_FLAGS) ?? bytes[start + 2]
  return {
    ifindex: readU32(bytes, start + 4),
    address,
    prefixLength: local === undefined ? bytes[start + 1] : 128,
    tentative: (flags & (IFA_F_TENTATIVE | IFA_F_OPTIMISTIC | IFA_F_DADFAILED)) !== 0,
    temporary: (flags & IFA_F_TEMPORARY) !== 0,
    ...(flags & IFA_F_DEPRECATED) !== 0 && { deprecated: true },
    ...lifetimes !== undefined && { preferred: readU32(bytes, lifetimes.start), valid: readU32(bytes, lifetimes.start + 4) },
  }
}

/** Requests all links, without their counters. */
export function dumpLinks(w: MessageWriter, sequence: number): void {
  const header = new Uint8Array(16)
  w.message(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, sequence, header, [[IFLA_EXT_MASK, hostOrder(RTEXT_FILTER_SKIP_STATS)]])
}

export function dumpAddresses(w: MessageWriter, sequence: number): void {
  w.message(RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, sequence, [AF_INET6, 0, 0, 0, 0, 0, 0, 0])
}
