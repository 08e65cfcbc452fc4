/**
 * What goes into the engine and what comes out. The engine is told everything: packets, links, routes, time,
 * randomness. It acts only through the {@link Sink} it was given. Nothing here does I/O.
 */
import type { Address, Mac, Prefix } from '../address.ts'
import type { Config } from '../config/config.ts'
import type { ListenerQuery, MulticastMessage } from '../wire/mld.ts'
import type { DropReason, NdiscView, NeighborAdvertisement, NeighborSolicitation } from '../wire/ndisc.ts'

export type Instant = number & { readonly unit: 'monotonic ms' }
/** In [0, 1). */
export type Random = () => number

export interface LinkAddress {
  readonly address: Address
  readonly prefixLength: number
  /** Tentative, optimistic or dadfailed: not to be used as a source, nor answered for (RFC 4862 5.4). */
  readonly tentative: boolean
}

/** The kernel's object: an interface as rtnetlink shows it. */
export interface Link {
  readonly ifindex: number
  readonly name: string
  /** Undefined for links without Ethernet addresses. */
  readonly mac: Mac | undefined
  /** Administratively up and with carrier. */
  readonly up: boolean
  readonly addresses: readonly LinkAddress[]
}

/** A /128 route of ours (protocol 136). */
export interface HostRoute {
  readonly target: Address
  readonly ifindex: number
  /** `autovia`: the answering router. */
  readonly via?: Address
}

export interface RouteChange {
  readonly op: 'add' | 'delete'
  readonly route: HostRoute
}

/** An entry of the kernel's neighbor table, or of a bridge's forwarding table, as netlink shows it. */
export interface KernelNeighbor {
  readonly target: Address
  readonly ifindex: number
  /** Undefined while the kernel has none. */
  readonly mac: Mac | undefined
  /** NUD_REACHABLE; NUD_PROBE: it has packets for it; NUD_FAILED; any other that has a link-layer address. */
  readonly state: 'reachable' | 'probing' | 'known' | 'failed'
  /** NTF_ROUTER: it says that it is a router. */
  readonly router: boolean
}

/** What is kept across restarts about an owner that was learned. Links are named, since their indexes change. */
export interface RememberedHost {
  readonly target: Address
  readonly iface: string
  readonly mac: Mac | undefined
  /** A router on an upstream: nobody downstream may have its address. */
  readonly router: boolean
}

/** How a link is to be heard. */
export interface Hearing {
  /** PACKET_MR_PROMISC. */
  readonly promiscuous: boolean
  /** Receive through a mapped ring (packet(7)): routers ask there, perhaps for a whole prefix at once. */
  readonly ring: boolean
  /** Tell of solicitations that this machine sends there (`Input` local-solicitation). */
  readonly ownSolicitations: boolean
  /** Tell of multicast listener reports (`Input` report): for `snooping mirror`. */
  readonly reports: boolean
  /** Tell of multicast router solicitations (`Input` router-solicitation): for `snooping mrd`. */
  readonly routerSolicitations: boolean
  /** Tell its on-link prefixes (`Input` prefixes): for `subnet auto`. */
  readonly prefixes: boolean
}

export type Subscription = Hearing
export type Filter = QuietRule

/** Unicast ND messages that the kernel must not react to: one entry per link. */
export interface QuietRule {
  readonly ifindex: number
  /** The link's: what is for others passes, where a bridge lets this machine see it. Undefined when it has none. */
  readonly mac: Mac | undefined
  /** They may overlap. The same object says the same. */
  readonly prefixes: Iterable<Prefix>
}

/**
 * RFC 4861 5.1 and 7.3.2, as far as a proxy needs them: it never sends traffic, so an owner is verified (REACHABLE), being
 * verified again (PROBE), or not an owner. FAILED is the kernel's NUD_FAILED and our negative cache.
 */
export type NeighborState = 'INCOMPLETE' | 'REACHABLE' | 'PROBE' | 'FAILED'

/** Why a valid solicitation was not answered. */
export const SILENT_REASONS = [
  'link-local',     // target in fe80::/10
  'anycast',        // subnet-router or reserved anycast address
  'excluded',       // by `exclude`
  'no-rule',        // no rule of this link holds the target
  'own-address',    // of this machine on this link: the kernel answers
  'same-link',      // the owner sits on the asker's own link
  'no-candidate',   // no link, other than the asker's, where the owner may be
  'unknown-host',   // `learn no`, and not pinned
  'failed',         // probed in vain a short while ago
  'dad-unproven',   // DAD for an address that a static rule covers, without evidence
  'dad-own-mac',    // DAD by the owner itself
  'no-source',      // our link has no usable address
  'limit',          // a table is full
] as const
export type SilentReason = (typeof SILENT_REASONS)[number]

/** What became of a valid packet, when it was not a reason to stay silent. */
export const ACTIONS = [
  'answered',       // NS: NA sent
  'defended',       // NS of DAD: NA sent
  'asked',          // NS: probing, the asker waits
  'proof',          // NA that answers our probe
  'unsolicited',    // NA that answers none
  'proxied',        // NA with S=1, O=0 from a downstream link: another proxy's
  'conflict',       // NA that claims an address whose owner is another
] as const
export type Outcome = (typeof ACTIONS)[number] | SilentReason | DropReason

/** Why somebody is asked for: an owner of before, a host that showed itself, or only because somebody wants to know. */
export type Lane = 'seen' | 'alive' | 'unknown'

/** What has room for so many, and tells when there are more. */
export type LimitName =
  | 'neighbors'       // learned owners, in all or of one link
  | 'host'            // addresses, or questions under way, of one host
  | 'askers'          // targets that are asked for, or were in vain
  | 'waiting'         // who waits for one target
  | 'probes'          // for unknown targets
  | 'questions'       // that wait for their turn
  | 'tentative'       // addresses in DAD
  | 'lookups'         // questions to the kernel
  | 'announcements'   // under way
  | 'groups'          // that hosts report
  | 'absent'          // hosts of links that are gone
  | 'links'           // that are heard
  | 'prefixes'        // of one upstream
  | 'routes'          // changes that wait for the kernel
  | 'known'           // entries of the kernel's neighbor table, or of bridges' forwarding tables

/** A table, queue or budget: how much of it is in use. */
export interface Limit {
  readonly name: string
  readonly used: number
  readonly size: number
}

/** Usage of a link's packet socket since it was opened, in packets. */
export interface LinkUsage {
  readonly iface: string
  /** Passed the filter. */
  readonly received: number
  /** Dropped by the kernel: they came faster than they were read. */
  readonly drops: number
  readonly sent: number
  /** Not sent: the queue was full, or the kernel refused them. */
  readonly unsent: number
  /** Frames waiting to be sent. */
  readonly queued: number
}

/** State changes, for log, metrics and monitor. Packets are told by {@link Sink.outcome}. */
export type Event =
  | { readonly kind: 'neighbor'; readonly target: Address; readonly state: NeighborState | 'GONE'
      readonly ifindex: number | undefined; readonly mac: Mac | undefined; readonly reason: string
      /** The owner is another than the one that such an event told of last, or there is none any more. */
      readonly news: boolean }
  | { readonly kind: 'link'; readonly iface: string; readonly state: 'up' | 'down' | 'gone' }
  | { readonly kind: 'conflict'; readonly target: Address; readonly ifindex: number; readonly mac: Mac }
  /**
   * There is no room. `ifindex`: on that link; `mac`: for, or asked for by, that host; `refused`: how often since this was
   * said last, where it is not said each time.
   */
  | { readonly kind: 'limit'; readonly limit: LimitName; readonly size: number
      readonly ifindex?: number; readonly mac?: Mac; readonly refused?: number }
  /** So many packets of this link were dropped since the last such event: they came faster than they were read. */
  | { readonly kind: 'overrun'; readonly ifindex: number; readonly count: number }
  /** Traffic for the prefix passes, but no multicast solicitation has been heard on its upstream for `minutes`. */
  | { readonly kind: 'deaf'; readonly iface: string; readonly minutes: number }

/** One advertisement to send. The object is reused: read it during the call only. */
export interface Advertisement extends NeighborAdvertisement {
  readonly ifindex: number
}

/** A solicitation whose source and link-layer destination we choose: a unicast probe, or `announce solicit`. */
export interface UnicastProbe extends NeighborSolicitation {
  readonly ifindex: number
}

/** What the engine does to the world. Calls come in the order in which they must take effect. */
export interface Sink {
  /** Hear this link from now on; called again when the link or the manner of hearing changed. */
  listen(link: Link, hearing: Hearing): void
  ignore(ifindex: number): void
  /** Multicast probe, source chosen by the kernel (RFC 4861 7.2.2). */
  solicit(ifindex: number, target: Address): void
  confirm(probe: UnicastProbe): void
  advertise(advertisement: Advertisement): void
  /** Echo requests to all nodes of a link, one from each source; replies are the input `echo`. */
  discover(ifindex: number, sources: readonly Address[]): void
  multicast(ifindex: number, message: MulticastMessage): void
  /** Which link would the kernel use? The reply is the input `route`. */
  lookup(target: Address): void
  /** In the kernel before any later advertisement leaves. */
  route(change: RouteChange): void
  /** All of it: replaces what was said before. */
  quiet(rules: readonly QuietRule[]): void
  /** The view is valid during the call only. */
  outcome(outcome: Outcome, ifindex: number, view: NdiscView): void
  event(event: Event): void
}

/** Packets that one link received together. Valid during the step that gets them. */
export interface PacketBatch {
  readonly size: number
  /** Decodes packet `i`. @returns the shared view, valid until the next call, with the verdict in `drop`; undefined: not for the engine */
  read(i: number): NdiscView | undefined
}

/** What the engine is told. Packets have a method of their own: `Engine.packet`. */
export type Input =
  | { readonly kind: 'config'; readonly config: Config }
  | { readonly kind: 'link'; readonly link: Link }
  | { readonly kind: 'link-gone'; readonly ifindex: number }
  /** Something else is at the other end of a link: a bond failed over, this virtual machine was migrated. */
  | { readonly kind: 'link-replugged'; readonly ifindex: number }
  /** Reply to `lookup`; `local`: an address of this machine, by a local route. */
  | { readonly kind: 'route'; readonly target: Address; readonly ifindex: number | undefined; readonly local: boolean }
  /** All routes of ours, as the kernel has them. */
  | { readonly kind: 'routes'; readonly present: readonly HostRoute[] }
  /** The kernel's neighbor table: each entry at the start, then every change. */
  | { readonly kind: 'neighbor'; readonly neighbor: KernelNeighbor }
  /** A bridge learned where a link-layer address is, or lost it; `ifindex`: the bridge. */
  | { readonly kind: 'station'; readonly ifindex: number; readonly mac: Mac; readonly present: boolean }
  /** Somebody answered `discover`. */
  | { readonly kind: 'echo'; readonly ifindex: number; readonly source: Address; readonly mac: Mac | undefined }
  /** The kernel itself solicits on this link (RFC 4861 7.2.2): it has a packet for the target. */
  | { readonly kind: 'local-solicitation'; readonly ifindex: number; readonly target: Address }
  /** All prefixes that the kernel takes for on-link there; empty when there are none. */
  | { readonly kind: 'prefixes'; readonly ifindex: number; readonly prefixes: readonly Prefix[] }
  /** A multicast listener's report (RFC 2710, RFC 3810): the groups that it listens to, and those it left. */
  | { readonly kind: 'report'; readonly ifindex: number; readonly joined: readonly Address[]; readonly left: readonly Address[] }
  /** Another router's valid query for multicast listeners (RFC 2710, RFC 3810). */
  | { readonly kind: 'query'; readonly ifindex: number; readonly query: ListenerQuery }
  /** A valid Multicast Router Solicitation (RFC 4286 4). */
  | { readonly kind: 'router-solicitation'; readonly ifindex: number }
  /** What was known before a restart: answered for, while it is verified. */
  | { readonly kind: 'memory'; readonly hosts: readonly RememberedHost[] }
