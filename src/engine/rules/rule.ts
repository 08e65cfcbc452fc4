/** Rules and subnets in the form that the engine uses, and checks of the rules that cover a target. */
import type { Prefix } from '../../address.ts'
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
  /** Upstream and downstream links. */
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

/** @returns whether the link is the upstream of the rule's subnet */
export function isUpstream({ subnet }: ActiveRule, link: Link | undefined): boolean {
  return subnet !== undefined && link?.name === subnet.upstream
}
