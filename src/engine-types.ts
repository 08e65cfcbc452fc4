/** The types of the engine's inputs and effects. The engine does no I/O: time and randomness are inputs as well. */
import type { Address, Mac, Prefix } from './address.ts'
import type { Config } from './config/config.ts'
import type { Event, Outcome } from './events.ts'
import type { ListenerQuery, MulticastMessage } from './wire/mld-decode.ts'
import type { DnsOption, RouterAdvertisement, RouterMessage } from './wire/router-messages.ts'
import type { NdiscView, NeighborAdvertisement, NeighborSolicitation } from './wire/ndisc-decode.ts'
import type { Pool } from './engine/tables/pool.ts'

/** Milliseconds on a monotonic clock. */
export type Instant = number & { readonly unit: 'monotonic ms' }
/** Returns a number in [0, 1). */
export type Random = () => number

export interface LinkAddress {
  readonly address: Address
  readonly prefixLength: number
  /** The address is tentative, optimistic or dadfailed: it is not used as a source, and not answered for (RFC 4862 5.4). */
  readonly tentative: boolean
  /** The preferred lifetime is over (RFC 4862 5.5.4). */
  readonly deprecated?: boolean
}

/** An interface of this machine, as rtnetlink shows it. */
export interface Link {
  readonly ifindex: number
  readonly name: string
  /** Undefined on links without Ethernet addresses. */
  readonly mac: Mac | undefined
  /** IFF_NOARP on an Ethernet link: the kernel resolves no neighbors, and sends all frames to the link's own link-layer address. */
  readonly noarp?: true
  /** Administratively up and with carrier. */
  readonly up: boolean
  /** Maximum Transmission Unit, bytes. */
  readonly mtu?: number | undefined
  readonly addresses: readonly LinkAddress[]
}

/** A /128 route with our mark (protocol 136, metric 16). */
export interface HostRoute {
  readonly target: Address
  readonly ifindex: number
  /** Gateway of the route, only with `autovia`: the router that answered for the target. */
  readonly via?: Address
}

export interface RouteChange {
  readonly op: 'add' | 'delete'
  readonly route: HostRoute
}

/** An entry of the kernel's neighbor table, as rtnetlink shows it. */
export interface KernelNeighbor {
  readonly target: Address
  readonly ifindex: number
  /** Undefined while the entry has no link-layer address. */
  readonly mac: Mac | undefined
  /**
   * `reachable`: NUD_REACHABLE. `probing`: NUD_PROBE, a packet was sent to the target. `known`: any other state with a link-layer address.
   * `failed`: NUD_FAILED, the kernel's solicitations got no reply just now. `deleted`: the entry is gone, or failed at an unknown time.
   */
  readonly state: 'reachable' | 'probing' | 'known' | 'failed' | 'deleted'
  /** NTF_ROUTER. */
  readonly router: boolean
  /** NUD_PERMANENT: the administrator set the entry. */
  readonly permanent?: boolean
}

/** A change of the kernel's neighbor table: sets the entry of an owner to the owner's link-layer address. */
export interface NeighborRepair {
  readonly target: Address
  readonly ifindex: number
  readonly mac: Mac
  /** NTF_ROUTER. */
  readonly router: boolean
}

/** A learned owner, kept across a restart. The link is named, because its ifindex may change. */
export interface SavedHost {
  readonly target: Address
  readonly iface: string
  readonly mac: Mac | undefined
  /** Whether the owner is a router on an upstream. */
  readonly router: boolean
}

/** A default gateway of this machine: the next hop of a route to ::/0. */
export interface Gateway {
  readonly address: Address
  readonly ifindex: number
}

/** A prefix that the router of an upstream advertises, with its lifetimes in milliseconds from now. Infinity: the lifetime does not end. */
export interface Grant {
  readonly prefix: Prefix
  readonly valid: number
  readonly preferred: number
}

/** A prefix that this machine advertised on a link, kept across a restart. For `left` ms, hosts may still have addresses in the prefix. */
export interface SavedPrefix {
  readonly iface: string
  readonly prefix: Prefix
  readonly left: number
}

/** What hosts learned from the Router Advertisements of this machine, kept across a restart. */
export interface SavedAdvertising {
  /** Names of the links with Router Advertisements. */
  readonly links: readonly string[]
  readonly prefixes: readonly SavedPrefix[]
}

/** Packets that one link received together. Valid only during the step that gets the batch. */
export interface PacketBatch {
  readonly size: number
  /** Decodes packet `i`. @returns a view, valid until the next call; undefined: the packet is an MLD query, or the batch was cleared */
  read(i: number): NdiscView | undefined
}

export type Input =
  | { readonly kind: 'packets'; readonly ifindex: number; readonly batch: PacketBatch }
  | { readonly kind: 'config'; readonly config: Config }
  | { readonly kind: 'link'; readonly link: Link }
  | { readonly kind: 'link-gone'; readonly ifindex: number }
  /** Another device may be at the other end of the link now: a bond failed over, or this virtual machine was migrated. */
  | { readonly kind: 'link-replugged'; readonly ifindex: number }
  /** `ndp6d explain --probe`: solicits the target once on each of these links. On the link of a known owner, the probe is unicast. */
  | { readonly kind: 'probe'; readonly target: Address; readonly links: readonly number[] }
  /** The kernel's reply to a lookup. */
  | { readonly kind: 'lookup'; readonly target: Address; readonly decision: RoutingDecision }
  /** Replies to a `PathLookup`: one for each link of `from` and next hop of its route. All links without a usable route share one. */
  | { readonly kind: 'path'; readonly target: Address; readonly ifindex: number; readonly decisions: readonly RoutingDecision[] }
  /** Another program or the kernel changed a route to `prefix`. Undefined: any route or routing rule may have changed. */
  | { readonly kind: 'route-changed'; readonly prefix: Prefix | undefined }
  /** All routes with our mark, as the kernel has them. */
  | { readonly kind: 'routes'; readonly present: readonly HostRoute[] }
  /** Route changes from `Effects.routes` that the kernel carried out or refused. */
  | { readonly kind: 'routes-done'; readonly changes: readonly RouteChange[] }
  /** Entries of the kernel's neighbor table: all of them at the start, then every change. */
  | { readonly kind: 'neighbor'; readonly neighbor: KernelNeighbor }
  /** The bridge `ifindex` learned, changed or lost the port of a link-layer address. */
  | { readonly kind: 'station'; readonly ifindex: number; readonly mac: Mac
      /** ifindex of the port. Undefined: the bridge forgot the address. */
      readonly port: number | undefined }
  | { readonly kind: 'echo'; readonly ifindex: number; readonly source: Address; readonly mac: Mac | undefined }
  /**
   * The kernel has a packet for the target, and solicits on this link (RFC 4861 7.2.2). On a link without link-layer addresses, the kernel
   * sends the packet itself instead of a solicitation.
   */
  | { readonly kind: 'local-solicitation'; readonly ifindex: number; readonly target: Address }
  /** All prefixes that the kernel treats as on-link on this link; if there are none, the prefixes of the link's own addresses. */
  | { readonly kind: 'prefixes'; readonly ifindex: number; readonly prefixes: readonly Prefix[] }
  /** All default gateways of this machine. A host on another link cannot take the address of a gateway. */
  | { readonly kind: 'gateways'; readonly gateways: readonly Gateway[]
      /** Whether a default route exists. Its next hop may be missing from `gateways`, which contains no link-local addresses. */
      readonly hasDefaultRoute?: boolean }
  /** Whether this machine forwards IPv6 packets. */
  | { readonly kind: 'forwarding'; readonly isEnabled: boolean }
  /** What the router of an upstream advertises, as the kernel has it: all prefixes with lifetimes, and the MTU of IPv6 on the link. */
  | { readonly kind: 'grants'; readonly ifindex: number; readonly grants: readonly Grant[]; readonly mtu: number | undefined }
  /** A DNS option (RFC 8106) of a Router Advertisement that came in on an upstream. */
  | { readonly kind: 'dns'; readonly ifindex: number; readonly option: DnsOption }
  /** A valid Router Solicitation, or a Router Advertisement of another router, on a downstream link. */
  | { readonly kind: 'router-message'; readonly ifindex: number; readonly message: RouterMessage }
  /** What the previous run advertised. */
  | { readonly kind: 'saved-prefixes'; readonly prefixes: readonly SavedPrefix[] }
  /** A multicast listener report (RFC 2710, RFC 3810): the groups that the sender joined or left. */
  | { readonly kind: 'report'; readonly ifindex: number; readonly joined: readonly Address[]; readonly left: readonly Address[] }
  /** A valid multicast listener query of another router (RFC 2710, RFC 3810). */
  | { readonly kind: 'query'; readonly ifindex: number; readonly query: ListenerQuery }
  /** A valid Multicast Router Solicitation (RFC 4286 4). */
  | { readonly kind: 'router-solicitation'; readonly ifindex: number }
  /** Owners that the previous run saved. Solicitations for saved owners are answered even before the owners are verified. */
  | { readonly kind: 'saved-hosts'; readonly hosts: readonly SavedHost[] }

/** A route lookup that the kernel is asked for: where does a packet to `target` go? */
export interface Lookup {
  readonly target: Address
  /** The link that the packet comes in on; 0: this machine sends it. */
  readonly from: number
  /** Source of the packet; undefined: unspecified. */
  readonly source: Address | undefined
}

/** The kernel's routing decision for a packet. */
export interface RoutingDecision {
  /** The link of the route; undefined without a usable route (none, unreachable, prohibited). */
  readonly ifindex: number | undefined
  /** Whether the target is an address of this machine. */
  readonly local: boolean
  /** The next hop. Undefined: the route has none, or several. */
  readonly via: Address | undefined
  /** Prefix length of the route, in bits; 0 without a route. In the reply to a `Lookup`, any route has length 128. */
  readonly length: number
}

/** Route lookups that the kernel is asked for: where would packets for an owner go if the host route `hidden` did not exist? */
export interface PathLookup {
  readonly target: Address
  /** The owner's link. */
  readonly ifindex: number
  /** Links that the packets come in on; 0: this machine sends them. */
  readonly from: readonly number[]
  readonly hidden: HostRoute | undefined
}

/** What to receive from one link. */
export interface Subscription {
  /** PACKET_MR_PROMISC. */
  readonly promiscuous: boolean
  /** Receive through a mapped ring (packet(7)), because routers on this link may solicit for a whole prefix at once. */
  readonly ring: boolean
  /** Report the solicitations that this machine sends on the link, as an `Input` of kind `local-solicitation`. */
  readonly ownSolicitations: boolean
  /** Pass on multicast listener reports, as an `Input` of kind `report`, for `snooping mirror`. */
  readonly reports: boolean
  /** Report Multicast Router Solicitations, as an `Input` of kind `router-solicitation`, for `snooping mrd`. */
  readonly routerSolicitations: boolean
  /** Report prefixes, as an `Input` of kind `prefixes`, for `subnet auto`. */
  readonly prefixes: boolean
  /** Pass on Router Solicitations and Advertisements, as an `Input` of kind `router-message`. */
  readonly routerMessages: boolean
  /** The engine needs the inputs `grants` and `dns` from this link: their content goes into Router Advertisements on other links. */
  readonly grants: boolean
}

export interface Listening {
  readonly link: Link
  readonly subscription: Subscription
}

/** The unicast ND messages of one link that the kernel must not react to. */
export interface Filter {
  readonly ifindex: number
  /** The link's own link-layer address: only frames to this address are filtered. Undefined on links without link-layer addresses. */
  readonly mac: Mac | undefined
  /** The kernel resolves no neighbors on this link, as in {@link Link}. */
  readonly noarp?: true
  /** Prefixes of the targets, which may overlap. When the prefixes change, another object replaces this `Iterable`. */
  readonly prefixes: Iterable<Prefix>
  /** Targets in `prefixes` whose messages still reach the kernel: those of `exclude`, and anycast addresses of this machine. */
  readonly excluded: readonly Prefix[]
}

/** A Neighbor Advertisement to send: an answer or an announcement. */
export type Advertisement = NeighborAdvertisement & { readonly ifindex: number }

/** A Neighbor Solicitation to send: a probe, a claim (see `Prober.claim`), or an announcement by `announce solicit`. */
export type Probe = NeighborSolicitation & { readonly ifindex: number }

/** An MLD or MRD message to send. */
export type Multicast = { readonly ifindex: number; readonly message: MulticastMessage }

/** Echo requests to all nodes of a link, one from each source. Replies come back as an `Input` of kind `echo`. */
export interface Discovery {
  readonly ifindex: number
  readonly sources: readonly Address[]
}

export interface PacketOutcome {
  readonly outcome: Outcome
  readonly ifindex: number
  /** NEIGHBOR_SOLICITATION or NEIGHBOR_ADVERTISEMENT; 0 if the packet has another type or was not decoded. */
  readonly type: number
  /** Target and source, as words. All words of an address that the packet does not have are 0. */
  readonly t0: number; readonly t1: number; readonly t2: number; readonly t3: number
  readonly s0: number; readonly s1: number; readonly s2: number; readonly s3: number
  /** Ethernet source; -1 without link header. */
  readonly mac: Mac
  /** The IPv6 destination is the target. */
  readonly isUnicast: boolean
}

/** What is to be done after a step, in the order of the members. The object is reused, so it is valid until the next step. */
export interface Effects {
  /** New subscriptions by ifindex; undefined: stop receiving from the link, after all messages of this step are sent. */
  readonly listening: Map<number, Listening | undefined>
  /** All filters; undefined: they did not change. */
  filters: readonly Filter[] | undefined
  /** Changes to be carried out before `answers` are sent. The results come back as an `Input` of kind `routes-done`. */
  readonly routes: RouteChange[]
  /** Corrections of the kernel's neighbor table: an owner was confirmed, but its entry has another link-layer address. */
  readonly repairs: NeighborRepair[]
  /** Sent before `answers`. Before hosts reply to a discovery, they solicit for its source. One advertisement in `answers` may reply to all. */
  readonly discoveries: Discovery[]
  readonly answers: Pool<Advertisement>
  readonly probes: Probe[]
  readonly multicasts: Multicast[]
  readonly routerAdvertisements: { readonly ifindex: number; readonly message: RouterAdvertisement }[]
  /** Route lookups for targets. Replies come back as an `Input` of kind `lookup`. */
  readonly lookups: Lookup[]
  /** Route lookups for owners. Replies come back as an `Input` of kind `path`. */
  readonly paths: PathLookup[]
  readonly events: Event[]
  readonly outcomes: Pool<PacketOutcome>
}
