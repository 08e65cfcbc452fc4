/** Details of links and addresses that `ndp6d doctor` looks at (linux/if_link.h, linux/if_addr.h). */
import { attributesOf, type Message, readU32 } from './netlink.ts'
import { AF_INET6, decodeAddress, decodeLink, RTM_NEWADDR, RTM_NEWLINK, type AddressMessage, type LinkMessage } from './rtnetlink.ts'

const IFF_UP = 1
const IFLA_LINKINFO = 18
const IFLA_INFO_KIND = 1, IFLA_INFO_DATA = 2
const IFLA_BR_MCAST_SNOOPING = 23, IFLA_BR_MCAST_QUERIER = 25, IFLA_BR_MCAST_QUERIER_STATE = 47
const BRIDGE_QUERIER_IPV6_ADDRESS = 5
const IFA_FLAGS = 8
const IFA_F_DADFAILED = 0x08

export interface LinkDetails extends LinkMessage {
  /** IFF_UP: the administrator has enabled the link. */
  readonly isEnabled: boolean
  /** Kind of a virtual link, such as `bridge`, `veth` or `wireguard`; undefined for other links, such as network cards. */
  readonly type: string | undefined
  /** MLD snooping of a bridge. `hasQuerier`: the bridge, or another node, sends MLD queries. */
  readonly bridge?: { readonly isSnooping: boolean; readonly hasQuerier: boolean }
}

/** Decodes RTM_*LINK. @returns undefined for what {@link decodeLink} refuses */
export function decodeLinkDetails(message: Message): LinkDetails | undefined {
  const link = decodeLink(message)
  if (link === undefined) return undefined
  const info = attributesOf(message, RTM_NEWLINK, 16, 0)!.nested(IFLA_LINKINFO)
  const type = info.text(IFLA_INFO_KIND)
  const details = { ...link, isEnabled: (readU32(message.bytes, message.start + 8) & IFF_UP) !== 0, type }
  if (type !== 'bridge') return details
  const data = info.nested(IFLA_INFO_DATA)
  const flag = (attribute: number): boolean => {
    const found = data.find(attribute, 1)
    return found !== undefined && message.bytes[found.start] !== 0
  }
  const hasQuerier = flag(IFLA_BR_MCAST_QUERIER) || data.nested(IFLA_BR_MCAST_QUERIER_STATE).find(BRIDGE_QUERIER_IPV6_ADDRESS) !== undefined
  return { ...details, bridge: { isSnooping: flag(IFLA_BR_MCAST_SNOOPING), hasQuerier } }
}

export interface AddressState extends AddressMessage {
  /** Another node has the address (RFC 4862 5.4.5). */
  readonly isDuplicate: boolean
}

/** Decodes RTM_*ADDR. @returns undefined for what {@link decodeAddress} refuses */
export function decodeAddressState(message: Message): AddressState | undefined {
  const address = decodeAddress(message)
  if (address === undefined) return undefined
  const flags = attributesOf(message, RTM_NEWADDR, 8, AF_INET6)!.u32(IFA_FLAGS) ?? message.bytes[message.start + 2]
  return { ...address, isDuplicate: (flags & IFA_F_DADFAILED) !== 0 }
}
