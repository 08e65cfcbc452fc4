/** Rules and subnets in the form that the engine uses, and checks of the rules that cover a target. */
import { type Prefix, wordMask } from '../../address.ts'
import type { Settings, Subnet } from '../../config/config.ts'
import type { LinkSet } from '../links/link-sets.ts'
import type { OwnAddress } from '../links/links.ts'
import type { Link } from '../types.ts'

/** A rule without its address. Rules that differ only in their address share one object. */
export interface ActiveRule {
  readonly kind: 'static' | 'iface' | 'auto'
  /** Prefix length in bits. */
  readonly length: number
  readonly settings: Settings
  /** Links where owners may be; empty unless `kind` is `iface`. May contain the solicitor's link, which does not count. */
  readonly links: LinkSet
  readonly autovia: boolean
  /** Undefined for rules of `proxy` blocks. */
  readonly subnet: ActiveSubnet | undefined
}

/** A `subnet` block, without its hosts. */
export interface ActiveSubnet extends Pick<Subnet, 'prefix' | 'upstream' | 'downstream' | 'settings'> {
  readonly links: LinkSet
  readonly upstreams: LinkSet
  /** The present prefixes, each with the rule that it makes. */
  active: readonly { readonly prefix: Prefix; readonly rule: ActiveRule }[]
}

export function isStatic({ kind }: ActiveRule): boolean { return kind === 'static' }

/** @returns whether one of these rules answers for owners on this link */
export function allows(rules: readonly ActiveRule[], ifindex: number): boolean {
  // A loop, because a closure for each packet would be garbage.
  for (const { kind, links } of rules) if (kind !== 'iface' || links.ifindexes.includes(ifindex)) return true
  return false
}

/** @returns whether one of these rules answers for an address of this machine. No other host answers for an address on loopback. */
export function isReachable(own: readonly OwnAddress[], rules: readonly ActiveRule[]): boolean {
  return own.some(({ ifindex, loopback }) => loopback || allows(rules, ifindex))
}

/** @returns whether hosts on this link are learned for the rule */
export function learnsOn({ kind, settings, subnet, links }: ActiveRule, ifindex: number): boolean {
  return kind === 'iface' && settings.learn && links.ifindexes.includes(ifindex)
    && (subnet === undefined ? settings.routes : !subnet.upstreams.ifindexes.includes(ifindex))
}

export function isUpstream({ subnet }: ActiveRule, link: Link | undefined): boolean {
  return subnet !== undefined && link?.name === subnet.upstream
}

/** @returns whether the address is subnet-router anycast (RFC 4291 2.6.1) or reserved anycast (RFC 2526) in the prefix of a rule */
export function isAnycast(rules: readonly ActiveRule[], t0: number, t1: number, t2: number, t3: number): boolean {
  let found = (t2 | t3) === 0
  for (const { length } of rules) {
    if (length === 128) return false
    found ||= (length < 127 && isFirst(length, t0, t1, t2, t3))
      || (length <= 64 && t2 === (0xfdffffff | 0) && t3 >>> 7 === 0xffffff80 >>> 7)
  }
  return found
}

function isFirst(length: number, t0: number, t1: number, t2: number, t3: number): boolean {
  return (t3 & ~wordMask(length, 3) | t2 & ~wordMask(length, 2) | t1 & ~wordMask(length, 1) | t0 & ~wordMask(length, 0)) === 0
}
