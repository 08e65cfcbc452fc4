/** One rule, as the engine has it. */
import type { Prefix } from '../address.ts'
import { wordMask } from '../address.ts'
import type { Settings, Subnet } from '../config/config.ts'
import type { LinkSet } from './link-sets.ts'
import type { Link } from './types.ts'

/** What rules say, but for the address of their prefix: those that say the same are one object. */
export interface ActiveRule {
  readonly kind: 'static' | 'iface' | 'auto'
  /** Of the prefix, in bits. */
  readonly length: number
  readonly settings: Settings
  /** Where to ask; empty unless `kind` is `iface`. May hold the listening link, which is never asked. */
  readonly links: LinkSet
  readonly autovia: boolean
  /** The subnet block that it comes from. */
  readonly subnet: ActiveSubnet | undefined
}

/** A subnet block, without its hosts. */
export interface ActiveSubnet extends Pick<Subnet, 'prefix' | 'upstream' | 'downstream' | 'settings'> {
  /** All of its links, and the upstream alone. */
  readonly links: LinkSet
  readonly upstreams: LinkSet
  /** Its prefixes at present, and the rule that each of them makes. */
  active: readonly { readonly prefix: Prefix; readonly rule: ActiveRule }[]
}

/** Whether hosts of this rule may be on this link, and are learned. */
export function learnsOn({ kind, settings, subnet, links }: ActiveRule, ifindex: number): boolean {
  return kind === 'iface' && settings.learn && links.ifindexes.includes(ifindex)
    && (subnet === undefined ? settings.routes : !subnet.upstreams.ifindexes.includes(ifindex))
}

/** Whether the link is the upstream of the rule's subnet. */
export function isUpstream({ subnet }: ActiveRule, link: Link | undefined): boolean {
  return subnet !== undefined && link?.name === subnet.upstream
}

/**
 * Whether the address is, for the rules that hold it, a subnet-router (RFC 4291 2.6.1) or reserved anycast (RFC 2526)
 * address: many machines have these.
 */
export function isAnycast(rules: readonly ActiveRule[], t0: number, t1: number, t2: number, t3: number): boolean {
  let found = (t2 | t3) === 0
  for (const { length } of rules) {
    if (length === 128) return false
    found ||= (length < 127 && isFirst(length, t0, t1, t2, t3))
      || (length <= 64 && t2 === (0xfdffffff | 0) && t3 >>> 7 === 0xffffff80 >>> 7)
  }
  return found
}

/** Whether the address is the first one of a prefix of this length. */
function isFirst(length: number, t0: number, t1: number, t2: number, t3: number): boolean {
  return (t3 & ~wordMask(length, 3) | t2 & ~wordMask(length, 2) | t1 & ~wordMask(length, 1) | t0 & ~wordMask(length, 0)) === 0
}
