/**
 * What the configuration file says, as typed values. Pure data: the schema makes it, the engine reads it.
 * Times are milliseconds. Interface fields hold names; a `*` in them stands for any run of characters.
 */
import type { Address, Prefix } from '../address.ts'

export type Override = 'auto' | 'always' | 'never'
export type SourceChoice = 'link-local' | 'global' | 'target'

/** How new owners are told to the asking side: not at all, by unsolicited NAs, or by an NS to its routers. */
export type Announce = 'no' | 'yes' | 'solicit'
/** What makes switches with MLD snooping pass solicitations for hosts that are not known yet. */
export type Snooping = 'no' | 'mirror' | 'mrd'

/** Options that a `proxy` and a `subnet` block share. */
export interface Settings {
  /** Router flag of advertisements. */
  readonly router: boolean
  /** Wait for an answer to one probe. */
  readonly timeout: number
  /** An owner counts as verified for this long. */
  readonly ttl: number
  /** Life of a negative (FAILED) entry. */
  readonly deadtime: number
  /** Probes after the first one. */
  readonly retries: number
  /** Verify at the end of `ttl` even when nobody asked. */
  readonly keepalive: boolean
  /** Keep host routes to owners (`autowire` in a proxy block, `routes` in a subnet). */
  readonly routes: boolean
  /** Learn hosts from evidence, and probe for unknown ones. Without it only pinned hosts are answered for. */
  readonly learn: boolean
  /** PACKET_MR_PROMISC on the listening link. */
  readonly promiscuous: boolean
  /** Learned addresses in all, and per link-layer address. */
  readonly limit: number
  readonly hostLimit: number
  /** Probes per second on one link for targets that nobody is known to have. */
  readonly probeLimit: number
  /** Override flag of advertisements: `auto` is RFC 4861 7.2.8 (0). */
  readonly override: Override
  /** Source address of advertisements. */
  readonly source: SourceChoice
  /** Announcements of new owners (RFC 4861 7.2.6, RFC 9131). */
  readonly announce: Announce
  /** `mirror`: join the solicited-node groups that hosts report (RFC 4605 in spirit); `mrd`: RFC 4286. */
  readonly snooping: Snooping
}

export type Rule =
  | { readonly kind: 'static'; readonly prefix: Prefix }
  | { readonly kind: 'iface'; readonly prefix: Prefix; readonly ifaces: readonly string[]; readonly autovia: boolean }
  | { readonly kind: 'auto'; readonly prefix: Prefix }

/** `proxy IFACE { ... }`: solicitations heard on `iface` are judged by the rules, in file order. */
export interface Proxy {
  readonly iface: string
  readonly settings: Settings
  readonly rules: readonly Rule[]
}

/** `host ADDRESS [IFACE]`: an owner that is always known and never taken over. */
export interface PinnedHost {
  readonly address: Address
  readonly iface: string | undefined
}

/** `subnet PREFIX { ... }`: one prefix spread over several links. */
export interface Subnet {
  /** `auto`: the on-link prefixes of the upstream, whatever they are. */
  readonly prefix: Prefix | 'auto'
  readonly upstream: string
  readonly downstream: readonly string[]
  readonly hosts: readonly PinnedHost[]
  readonly exclude: readonly Prefix[]
  readonly settings: Settings
}

export interface Endpoint {
  readonly host: string
  readonly port: number
}

export interface Config {
  readonly forwarding: boolean
  /** At a clean stop routes stay this long before they expire; 0 deletes them at once. */
  readonly grace: number
  /** Where metrics are served; nowhere without it. */
  readonly metrics?: Endpoint
  readonly proxies: readonly Proxy[]
  readonly subnets: readonly Subnet[]
}

/** Whether `name` matches an interface pattern. */
export function matchesIface(pattern: string, name: string): boolean {
  if (!pattern.includes('*')) return pattern === name
  const parts = pattern.split(/\*+/).map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`).test(name)
}
