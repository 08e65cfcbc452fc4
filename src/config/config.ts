/**
 * The configuration as typed values: compiler.ts makes it, the engine reads it. Times are milliseconds. Interface fields
 * hold names; `*` in a name matches any run of characters.
 */
import type { Address, Prefix } from '../address.ts'

export type Override = 'auto' | 'always' | 'never'
export type SourceChoice = 'link-local' | 'global' | 'target'

/** How new owners of addresses are announced to solicitors: not at all, by unsolicited NAs, or by an NS to each router. */
export type Announce = 'no' | 'yes' | 'solicit'
/** Method that makes switches with MLD snooping forward solicitations for unknown hosts. */
export type Snooping = 'no' | 'mirror' | 'mrd'

export type DefaultRoute = 'auto' | 'always'

/** Options that `proxy` and `subnet` blocks share. */
export interface Settings {
  /** R flag of advertisements (RFC 4861 4.4). */
  readonly router: boolean
  readonly timeout: number
  /** Lifetime of a verified owner. */
  readonly ttl: number
  /** Lifetime of a negative (FAILED) entry. */
  readonly deadtime: number
  /** Number of probes after the first one. */
  readonly retries: number
  /** Verify owners at the end of `ttl`, also without solicitations. */
  readonly keepalive: boolean
  /** Install host routes to owners (`autowire` in a proxy block, `routes` in a subnet). */
  readonly routes: boolean
  /** Learn hosts from evidence, and probe for unknown targets. If false, only pinned hosts are answered for. */
  readonly learn: boolean
  /** PACKET_MR_PROMISC on the link that receives solicitations. */
  readonly promiscuous: boolean
  /** Limits of learned addresses: in total, and per link-layer address. */
  readonly limit: number
  readonly hostLimit: number
  /** Limit of probes per second and link for unknown targets. */
  readonly probeLimit: number
  /** O flag of answers: `auto` is 0 (RFC 4861 7.2.8). Announcements after a change have O=1, unless this is `never`. */
  readonly override: Override
  readonly source: SourceChoice
  /** Whether a changed entry of the kernel's neighbor table is set back to the link-layer address of the verified owner. */
  readonly neighborRepair: boolean
  /** Announcements of new owners (RFC 4861 7.2.6, RFC 9131). */
  readonly announce: Announce
  /** `mirror`: join the solicited-node groups that hosts report, as in RFC 4605; `mrd`: RFC 4286. */
  readonly snooping: Snooping
  /** Send Router Advertisements on the downstream links (RFC 4861 6.2). */
  readonly routerAdvertisements: boolean
  /** When hosts get a default route: while this machine forwards and has one itself (`auto`), or while it forwards (`always`). */
  readonly defaultRoute: DefaultRoute
}

export type Rule =
  | { readonly kind: 'static'; readonly prefix: Prefix }
  | { readonly kind: 'iface'; readonly prefix: Prefix; readonly ifaces: readonly string[]; readonly autovia: boolean }
  | { readonly kind: 'auto'; readonly prefix: Prefix }

/** `proxy IFACE { ... }`: rules for solicitations received on `iface`, in file order. */
export interface Proxy {
  readonly iface: string
  readonly settings: Settings
  readonly rules: readonly Rule[]
}

/** `host ADDRESS [IFACE]`: no other host can take over the address. If the link of the host is certain, no probe is needed. */
export interface PinnedHost {
  readonly address: Address
  readonly iface: string | undefined
}

/** `subnet PREFIX { ... }`: one prefix spread over several links. */
export interface Subnet {
  /** `auto`: the current on-link prefixes of the upstream. */
  readonly prefix: Prefix | 'auto'
  readonly upstream: string
  readonly downstream: readonly string[]
  readonly hosts: readonly PinnedHost[]
  readonly exclude: readonly Prefix[]
  /** Name servers and search domains of Router Advertisements (RFC 8106). If absent, ndp6d takes those of the routers on the upstream. */
  readonly dns?: readonly Address[]
  readonly search?: readonly string[]
  readonly settings: Settings
}

export interface Endpoint {
  readonly host: string
  readonly port: number
}

export interface Config {
  readonly forwarding: boolean
  /** Lifetime of host routes during a restart; 0 deletes the routes at once, as a stop always does. */
  readonly grace: number
  /** Endpoint where metrics are to be served. If absent, metrics are not served. */
  readonly metrics?: Endpoint
  readonly proxies: readonly Proxy[]
  readonly subnets: readonly Subnet[]
}

/** Names a block by its index, or a statement by its index among the rules, `host` or `exclude` statements of the block. */
export interface StatementKey {
  readonly kind: 'proxies' | 'subnets'
  readonly block: number
  readonly part?: 'rules' | 'hosts' | 'exclude'
  readonly index?: number
}

/** Patterns compiled to regular expressions: each pattern is compared with the names of all links, many times. */
const expressions = new Map<string, RegExp>()

export function matchesIface(pattern: string, name: string): boolean {
  if (!pattern.includes('*')) return pattern === name
  let expression = expressions.get(pattern)
  if (expression === undefined) {
    const parts = pattern.split(/\*+/).map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'))
    expressions.set(pattern, expression = new RegExp(`^${parts.join('.*')}$`))
  }
  return expression.test(name)
}

/** Prefix length below which a `static` rule gets a warning: a scan of a wider prefix fills the neighbor table of a router (RFC 6583 6.1). */
export const WIDEST_STATIC = 112
