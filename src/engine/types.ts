/**
 * What goes into the engine and what comes out. The engine is told everything: packets, links, routes, time,
 * randomness. It acts only through the {@link Sink} it was given. Nothing here does I/O.
 */
import type { Address, Mac, Prefix } from '../address.ts'
import type { DropReason } from '../wire/ndisc.ts'

export type Instant = number & { readonly unit: 'monotonic ms' }
/** In [0, 1). */
export type Random = () => number

export interface LinkAddress {
  readonly address: Address
  readonly prefixLength: number
  /** Tentative, optimistic or dadfailed: not to be used as a source, nor taken for ours (RFC 4862 5.4). */
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

/** RFC 4861 5.1 and 7.3.2; FAILED is the kernel's NUD_FAILED and our negative cache. */
export type NeighborState = 'INCOMPLETE' | 'REACHABLE' | 'STALE' | 'DELAY' | 'PROBE' | 'FAILED'

/** Why a valid solicitation was not answered (product: who is answered). */
export type SilentReason =
  | 'link-local' | 'anycast' | 'excluded' | 'own-address' | 'same-link' | 'no-rule' | 'failed' | 'dad-unproven'
  | 'dad-own-mac' | 'no-source' | 'limit' | 'no-candidate' | 'unknown-host'

/** What became of a received packet. */
export type Outcome =
  | 'answered'         // NA sent
  | 'defended'         // DAD probe answered
  | 'asked'            // probing; the asker waits
  | 'proof'            // an NA that answers our probe
  | 'evidence'         // an NA or NS that hints at a host
  | 'unsolicited'      // an NA nobody waited for
  | SilentReason
  | DropReason

/** State changes, for log, metrics and monitor. Packets are reported by {@link Sink.outcome}. */
export type Event =
  | { readonly kind: 'neighbor'; readonly target: Address; readonly state: NeighborState | 'GONE'
      readonly ifindex: number | undefined; readonly mac: Mac | undefined; readonly reason: string }
  | { readonly kind: 'link'; readonly iface: string; readonly state: 'up' | 'down' | 'gone' }
  | { readonly kind: 'conflict'; readonly target: Address; readonly ifindex: number; readonly mac: Mac }
  | { readonly kind: 'limit'; readonly limit: 'neighbors' | 'host' | 'askers'; readonly mac?: Mac; readonly size: number }

/** One advertisement to send. The object is reused: read it during the call only. */
export interface Advertisement {
  readonly ifindex: number
  readonly source: Address
  /** IPv6 destination and target as words (see Address). */
  readonly d0: number; readonly d1: number; readonly d2: number; readonly d3: number
  readonly t0: number; readonly t1: number; readonly t2: number; readonly t3: number
  /** Ethernet destination. */
  readonly to: Mac
  readonly router: boolean
  readonly solicited: boolean
  readonly override: boolean
}

export interface RouteChange {
  readonly op: 'add' | 'delete'
  readonly route: HostRoute
}

/** Drop NS of these prefixes before the kernel reacts to them: one entry per link. */
export interface QuietRule {
  readonly ifindex: number
  readonly prefixes: readonly Prefix[]
}
