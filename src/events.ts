/** What the engine reports: state changes, the outcome of each packet, and the usage of limits. */
import type { Address, Mac } from './address.ts'
import type { DropReason } from './wire/ndisc-decode.ts'

/** States of RFC 4861 7.3.2, and FAILED, the negative cache. REACHABLE: the owner is verified. PROBE: the owner is being verified again. */
export type NeighborState = 'INCOMPLETE' | 'REACHABLE' | 'PROBE' | 'FAILED'

/** Reasons for not answering a valid solicitation. */
export const SILENT_REASONS = [
  'link-local',     // target in fe80::/10
  'anycast',        // subnet-router or reserved anycast address
  'excluded',       // by `exclude`
  'no-rule',        // no rule of this link covers the target
  'own-address',    // an address of this machine on this link: the kernel answers
  'same-link',      // the owner is on the solicitor's own link
  'no-candidate',   // there is no other link where the owner may be
  'unknown-host',   // `learn no`, and not pinned
  'failed',         // earlier probes got no answer, and `deadtime` is not over yet
  'dad-unproven',   // DAD for an address without a proven owner: a static rule covers it, or another proxy answered for it
  'dad-own-mac',    // DAD by the owner itself
  'foreign',        // the kernel's route leads to a link without hosts of the rule, or discards packets
  'no-source',      // this machine has no usable address on the link yet (DAD)
  'limit',          // a table or budget is full
] as const
export type SilentReason = (typeof SILENT_REASONS)[number]

/** Outcomes of valid packets, besides SILENT_REASONS. `repaired` is no packet, but is counted with the outcomes. */
export const ACTIONS = [
  'answered',       // NS: NA sent
  'defended',       // NS of DAD: NA sent
  'probing',        // NS: the solicitor waits for the owner's proof or for the host route
  'proof',          // NA: the answer to our probe
  'unsolicited',    // NA: not the answer to a probe
  'proxied',        // NA with S=1 and O=0 that counts as the answer of another proxy
  'conflict',       // NA: claims an address that another host owns
  'repaired',       // no packet: an entry of the kernel's neighbor table was set back to its owner
] as const
export type Outcome = (typeof ACTIONS)[number] | SilentReason | DropReason

/** Names of limits in events. */
export const LIMIT_NAMES = [
  'neighbors',      // learned owners, in total or on one link
  'host',           // addresses of one host, or targets that are probed because of packets from one host
  'targets',        // targets being probed, or without an owner
  'solicitors',     // solicitors that wait for one target
  'probes',         // probes for unknown targets
  'queue',          // targets that wait for their first probe
  'tentative',      // addresses in DAD
  'next-hops',      // next hops that are probed, or were probed within `ttl`
  'lookups',        // targets in DAD that wait for the kernel's reply to a route lookup
  'announcements',  // announcements in the queue
  'groups',         // groups that hosts reported
  'gone-hosts',     // hosts of links that are gone
  'gone-links',     // links that are gone and whose hosts are kept
  'links',          // links to receive from
  'prefixes',       // prefixes of one upstream
  'routes',         // route changes that wait for the kernel
  'kernel',         // entries of the kernel's neighbor table, or of bridges' forwarding tables
] as const
export type LimitName = (typeof LIMIT_NAMES)[number]

/** Usage of a table, queue or budget. */
export interface Limit {
  readonly name: string
  /** The link, if each link has a limit of its own; `name` then contains ` on IFACE`. Undefined: the limit is for the whole program. */
  readonly iface?: string
  readonly used: number
  readonly size: number
}

/** Packet counters of the sockets of one link. */
export interface LinkUsage {
  readonly iface: string
  /** Why the sockets of the link cannot be opened. Undefined: the link has open sockets, so it is served. */
  readonly failure: string | undefined
  readonly received: number
  /** Received packets that were dropped, by the kernel or because the receive ring was full. */
  readonly drops: number
  readonly sent: number
  readonly unsent: number
  readonly queued: number
}

/** Why a neighbor entry changed its state. The comments name the new state. GONE: the entry was removed. */
export type NeighborReason =
  | 'solicited' | 'local traffic' | 'evidence' | 'link back' | 'owner silent'            // INCOMPLETE
  | 'ttl' | 'DAD' | 'kernel' | 'bridge' | 'claimed' | 'link up' | 'restart' | 'route' | 'new'   // PROBE
  | 'proof' | 'verified' | 'pinned' | 'next hop'                                         // REACHABLE
  | 'no answer' | 'no address' | 'probe-limit' | 'no route' | 'next hop silent' | 'host-limit' | 'limit' | 'link gone'   // FAILED
  | 'configuration' | 'deadtime' | 'gateway'                                             // GONE

/** Why a host does not get the address that it claims: the owner answered, is pinned, or is a default gateway of this machine. */
export type ConflictBasis = 'answered' | 'pinned' | 'gateway'

/** State changes, for log, metrics and monitor. */
export type Event =
  | { readonly kind: 'neighbor'; readonly target: Address; readonly state: NeighborState | 'GONE'
      readonly ifindex: number | undefined; readonly mac: Mac | undefined; readonly reason: NeighborReason
      /** The link of the owner before this event, if it differs from `ifindex`. */
      readonly former: number | undefined
      /** True for a new owner, a moved owner, and the loss of an owner that an earlier event with `news` reported. */
      readonly news: boolean
      /** Prefix length of the rule or `subnet` block that covers the target, in bits. */
      readonly length?: number | undefined
      /** The next hop that was probed instead of the owner. */
      readonly via?: Address | undefined
      /** The solicitor, if a solicitation starts the probes; `::` for DAD. */
      readonly source?: Address | undefined }
  /** A solicitor got its answer after it waited for the owner's proof, for the host route or for a route lookup. */
  | { readonly kind: 'answered'; readonly target: Address; readonly ifindex: number; readonly source: Address; readonly mac: Mac }
  /** A next hop replied (`alive`), or did not (`silent`). `news` is false for a silent next hop that was not `alive` before. */
  | { readonly kind: 'next-hop'; readonly ifindex: number; readonly address: Address; readonly mac: Mac | undefined
      readonly state: 'alive' | 'silent'; readonly news: boolean }
  | { readonly kind: 'link'; readonly iface: string; readonly ifindex: number; readonly state: 'up' | 'down' | 'gone' }
  /** A host claimed the address of an owner. `absent`: name of a pinned owner's link, if that link is down or does not exist. */
  | { readonly kind: 'conflict'; readonly target: Address; readonly ifindex: number; readonly mac: Mac
      readonly length?: number | undefined; readonly basis: ConflictBasis; readonly absent?: string | undefined }
  /** An owner on `ifindex` is ignored: the kernel's route leads to link `other`, which has no hosts of the rule. */
  | { readonly kind: 'foreign'; readonly target: Address; readonly ifindex: number; readonly mac: Mac | undefined
      readonly length?: number | undefined
      /** Undefined: the route discards packets. */
      readonly other: number | undefined }
  /** Another ND proxy claims addresses of other hosts. `target` is the address that it claimed last. */
  | { readonly kind: 'proxy'; readonly target: Address; readonly ifindex: number; readonly mac: Mac }
  /**
   * A limit was reached: on link `ifindex` if set, by host `mac` if set.
   * `refused`, if set: refusals since the previous event about this limit.
   */
  | { readonly kind: 'limit'; readonly limit: LimitName; readonly size: number
      readonly ifindex?: number; readonly mac?: Mac; readonly refused?: number }
  /** `count` packets on this link were dropped since the previous `overrun` event, because packets came faster than they were read. */
  | { readonly kind: 'overrun'; readonly ifindex: number; readonly count: number }
  /**
   * Another router, `target`, sends Router Advertisements on a link where this machine sends them too. `isForged`: the source of these
   * advertisements is the address of this machine. `lifetime`: Router Lifetime of RFC 4861 4.2, seconds.
   */
  | { readonly kind: 'router'; readonly ifindex: number; readonly target: Address; readonly mac: Mac | undefined
      readonly lifetime: number; readonly isForged: boolean }
  /** On a link where the kernel resolves no neighbors, the probes for `target` got no answer, and no host has answered a probe so far. */
  | { readonly kind: 'silent'; readonly ifindex: number; readonly target: Address }
  /** The link has no address. `source` is that of the first NS or NA there: an address of another link, or else the advertised address. */
  | { readonly kind: 'bare'; readonly ifindex: number; readonly source: Address }
  /** The kernel gets no answer from `mac`, the owner of `target` on this link, although the owner replies to ndp6d. */
  | { readonly kind: 'filtered'; readonly ifindex: number; readonly target: Address; readonly mac: Mac }
  /** An upstream passed no multicast solicitation for `minutes`, although there was traffic for downstream hosts. */
  | { readonly kind: 'snooped'; readonly iface: string; readonly minutes: number }
