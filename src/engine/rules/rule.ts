/** Rules and subnets in the form that the engine uses, and checks of the rules that cover a target. */
import type { Address, Prefix } from '../../address.ts'
import type { Settings, Subnet } from '../../config/config.ts'
import { fitsAny, type LinkSet } from '../links/link-sets.ts'
import type { Link } from '../../engine-types.ts'

/** A rule without its address. Rules that differ only in their address share one object. */
export interface ActiveRule {
  readonly kind: 'static' | 'iface' | 'auto'
  /** Prefix length in bits. */
  readonly length: number
  readonly settings: Settings
  /** Links where owners may be; empty unless `kind` is `iface`. An owner on the solicitor's own link is not answered for. */
  readonly links: LinkSet
  readonly autovia: boolean
  /** Undefined for rules of `proxy` blocks. */
  readonly subnet: ActiveSubnet | undefined
}

/** A `subnet` block, without its hosts. */
export interface ActiveSubnet extends Pick<Subnet, 'prefix' | 'upstream' | 'downstream' | 'settings'> {
  readonly links: LinkSet
  readonly upstreams: LinkSet
  readonly dns: readonly Address[] | undefined
  readonly search: readonly string[] | undefined
  /** The present prefixes, each with its rule. */
  active: readonly { readonly prefix: Prefix; readonly rule: ActiveRule }[]
}

export function isStatic({ kind }: ActiveRule): boolean { return kind === 'static' }

/** @returns whether one of these rules answers for owners on this link */
export function allows(rules: readonly ActiveRule[], ifindex: number): boolean {
  // A loop, because a callback for `some` would be allocated for each packet.
  for (const { kind, links } of rules) if (kind !== 'iface' || links.ifindexes.includes(ifindex)) return true
  return false
}

/** @returns whether one of these rules answers for owners on a link of this name, whether or not that link exists */
export function allowsNamed(rules: readonly ActiveRule[], name: string): boolean {
  return rules.some(({ kind, links: { names } }) => kind !== 'iface' || fitsAny(names, name))
}

/** @returns whether hosts on this link are learned for the rule */
export function learnsOn({ kind, settings, subnet, links }: ActiveRule, ifindex: number): boolean {
  return kind === 'iface' && settings.learn && links.ifindexes.includes(ifindex)
    && (subnet === undefined ? settings.routes : !subnet.upstreams.ifindexes.includes(ifindex))
}

export function isUpstream({ subnet }: ActiveRule, link: Link | undefined): boolean {
  return subnet !== undefined && link?.name === subnet.upstream
}
