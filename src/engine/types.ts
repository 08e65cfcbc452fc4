/**
 * What goes into the engine and what comes out. The engine is told everything: packets, links, routes, time,
 * randomness. It acts only through the {@link Sink} it was given. Nothing here does I/O.
 */
import type { Address, Mac, Prefix } from '../address.ts'
import type { Config } from '../config/config.ts'
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

/** Solicitations that the kernel must not react to: one entry per link. */
export interface QuietRule {
  readonly ifindex: number
  readonly prefixes: readonly Prefix[]
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
] as const
export type Outcome = (typeof ACTIONS)[number] | SilentReason | DropReason

/** State changes, for log, metrics and monitor. Packets are told by {@link Sink.outcome}. */
export type Event =
  | { readonly kind: 'neighbor'; readonly target: Address; readonly state: NeighborState | 'GONE'
      readonly ifindex: number | undefined; readonly mac: Mac | undefined; readonly reason: string }
  | { readonly kind: 'link'; readonly iface: string; readonly state: 'up' | 'down' | 'gone' }
  | { readonly kind: 'conflict'; readonly target: Address; readonly ifindex: number; readonly mac: Mac }
  | { readonly kind: 'limit'; readonly limit: 'neighbors' | 'host' | 'askers'; readonly mac?: Mac; readonly size: number }

/** One advertisement to send. The object is reused: read it during the call only. */
export interface Advertisement extends NeighborAdvertisement {
  readonly ifindex: number
}

/** A unicast probe. */
export interface UnicastProbe extends NeighborSolicitation {
  readonly ifindex: number
}

/** What the engine does to the world. Calls come in the order in which they must take effect. */
export interface Sink {
  /** Hear this link from now on; called again when the link or `promiscuous` changed. */
  listen(link: Link, promiscuous: boolean): void
  ignore(ifindex: number): void
  /** Multicast probe, source chosen by the kernel (RFC 4861 7.2.2). */
  solicit(ifindex: number, target: Address): void
  confirm(probe: UnicastProbe): void
  advertise(advertisement: Advertisement): void
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

/** What the engine is told. Packets have a method of their own: `Engine.packet`. */
export type Input =
  | { readonly kind: 'config'; readonly config: Config }
  | { readonly kind: 'link'; readonly link: Link }
  | { readonly kind: 'link-gone'; readonly ifindex: number }
  /** Reply to `lookup`; `local`: an address of this machine, by a local route. */
  | { readonly kind: 'route'; readonly target: Address; readonly ifindex: number | undefined; readonly local: boolean }
  /** All routes of ours, as the kernel has them. */
  | { readonly kind: 'routes'; readonly present: readonly HostRoute[] }
