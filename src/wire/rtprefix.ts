/** rtnetlink messages about received Router Advertisements: prefixes, and options for user space (linux/rtnetlink.h, linux/if_addr.h). */
import { Prefix } from '../address.ts'
import { Attributes, type Message, readU16, readU32 } from './netlink.ts'
import { AF_INET6 } from './rtnetlink.ts'
import { decodeDnsOption, type DnsOption } from './router-messages.ts'

export const RTM_NEWPREFIX = 52, RTM_NEWNDUSEROPT = 68
export const RTNLGRP_IPV6_PREFIX = 18, RTNLGRP_ND_USEROPT = 20

/** Lengths of struct prefixmsg and struct nduseroptmsg. */
const PREFIXMSG = 12, NDUSEROPTMSG = 16
const PREFIX_ADDRESS = 1, PREFIX_CACHEINFO = 2

/** A prefix in a Router Advertisement that the kernel processed. Lifetimes in seconds. */
export interface PrefixMessage {
  readonly ifindex: number
  readonly prefix: Prefix
  readonly valid: number
  readonly preferred: number
}

/** Decodes RTM_NEWPREFIX. @returns undefined for other types and messages that are too short */
export function decodePrefix(message: Message): PrefixMessage | undefined {
  if (message.type !== RTM_NEWPREFIX || message.end - message.start < PREFIXMSG) return undefined
  const { bytes, start, end } = message
  const attributes = new Attributes(bytes, start + PREFIXMSG, end)
  const address = attributes.address(PREFIX_ADDRESS)
  const lifetimes = attributes.find(PREFIX_CACHEINFO, 8)
  if (address === undefined || lifetimes === undefined) return undefined
  return { ifindex: readU32(bytes, start + 4), prefix: new Prefix(address, bytes[start + 9]),
    preferred: readU32(bytes, lifetimes.start), valid: readU32(bytes, lifetimes.start + 4) }
}

/** Decodes RTM_NEWNDUSEROPT. @returns undefined for other types, other options, and messages that are too short */
export function decodeUserOption(message: Message): { readonly ifindex: number; readonly option: DnsOption } | undefined {
  const { bytes, type, start, end } = message
  if (type !== RTM_NEWNDUSEROPT || end - start < NDUSEROPTMSG || bytes[start] !== AF_INET6) return undefined
  const options = start + NDUSEROPTMSG
  const option = decodeDnsOption(bytes, options, Math.min(options + readU16(bytes, start + 2), end))
  return option && { ifindex: readU32(bytes, start + 4), option }
}
