/** Requests to rtnetlink(7). The kernel carries out each one while it is sent, so a route is in the kernel when the call returns. */
import type { Prefix } from '../address.ts'
import type { HostRoute, Lookup, NeighborRepair, RouteChange } from '../engine/types.ts'
import type { MessageWriter } from '../wire/netlink-encode.ts'
import {
  decodeNeighbor, decodeStation, dumpNeighbors, dumpStations, type NeighborMessage, replaceNeighbor, type StationMessage,
} from '../wire/rtneighbor.ts'
import { decodeAddress, decodeLink, dumpAddresses, dumpLinks, type AddressMessage, type LinkMessage } from '../wire/rtnetlink.ts'
import {
  changeRoute, decodeOnLink, decodeRoute, dumpHostRoutes, dumpLinkRoutes, lookupRoute, ROUTE_MARK, RT_TABLE_MAIN, RTN_LOCAL, RTN_UNICAST,
} from '../wire/rtroute.ts'
import type { OsError } from './errors.ts'
import { native } from './native.ts'
import { RequestSocket, type OpenNetlink } from './netlink.ts'

export const NETLINK_ROUTE = 0

/** Errors of deleting a route that does not exist, or is being deleted. */
const GONE = ['ESRCH', 'ENOENT']

/** The kernel's routing decision. */
export interface RoutingDecision {
  /** The link of the route; undefined without a usable route (unreachable, prohibited, none). */
  readonly ifindex: number | undefined
  /** Whether the target is an address of this machine. */
  readonly local: boolean
}

export interface RouteFailure {
  readonly change: RouteChange
  readonly error: OsError
}

/** The kernel's routing tables, links and neighbors. Every method throws an OsError when the kernel refuses it. */
export class Rtnetlink extends RequestSocket {
  constructor(open: OpenNetlink = native.openNetlink) { super(open, NETLINK_ROUTE) }
  links(): LinkMessage[] { return this.dump(dumpLinks, decodeLink) }
  addresses(): AddressMessage[] { return this.dump(dumpAddresses, decodeAddress) }

  /** All IPv6 neighbors except proxy entries. */
  neighbors(): NeighborMessage[] { return this.dump(dumpNeighbors, decodeNeighbor) }

  /** The forwarding tables of all bridges, including their own addresses. */
  stations(): StationMessage[] { return this.dump(dumpStations, decodeStation) }

  /** The on-link prefixes of a link, in the kernel's order, perhaps with duplicates. ENODEV: there is no such link. */
  onLinkPrefixes(ifindex: number): Prefix[] {
    const rows = this.dump((w, sequence) => dumpLinkRoutes(w, sequence, ifindex), decodeOnLink)
    // A kernel before 4.20 does not filter.
    return rows.filter((row) => row.ifindex === ifindex).map(({ prefix }) => prefix)
  }

  /** Our host routes: /128, table main, ROUTE_MARK. @param isAll includes expired routes that the kernel has not collected yet */
  hostRoutes(isAll = true): HostRoute[] {
    return this.dump(dumpHostRoutes, (message) => {
      const route = decodeRoute(message)
      if (route?.destination === undefined || route.length !== 128 || route.ifindex === undefined) return undefined
      // A kernel before 4.20 does not filter.
      if (route.protocol !== ROUTE_MARK.protocol || route.metric !== ROUTE_MARK.metric || route.table !== RT_TABLE_MAIN
        || route.type !== RTN_UNICAST || (route.expired && !isAll)) return undefined
      const { destination: target, ifindex, gateway: via } = route
      return via === undefined ? { target, ifindex } : { target, ifindex, via }
    })
  }

  /** Asks the kernel for the route of a packet, as forwarding does; policy routing and all tables count. */
  lookup(lookup: Lookup): RoutingDecision {
    let found: RoutingDecision = { ifindex: undefined, local: false }
    // Errors mean that there is no usable route: ENETUNREACH, EHOSTUNREACH, EACCES (prohibit), EINVAL (blackhole), ENODEV (the incoming
    // link is gone).
    this.request((w, sequence) => lookupRoute(w, sequence, lookup), (message) => {
      const route = decodeRoute(message)
      if (route?.type === RTN_UNICAST || route?.type === RTN_LOCAL) found = { ifindex: route.ifindex, local: route.type === RTN_LOCAL }
    })
    return found
  }

  /**
   * Carries out `changes` in order, in one datagram with one acknowledgement. Adding fails with EEXIST where a route has the same
   * destination and metric, ours or not. Deleting a route that is gone does not fail.
   * @returns the refused changes
   */
  changeRoutes(changes: readonly RouteChange[]): RouteFailure[] {
    return this.#batch(changes, (w, sequence, { op, route }) => changeRoute(w, sequence, op, route))
      .filter(({ change, error }) => !(change.op === 'delete' && GONE.includes(error.code)))
  }

  /**
   * Replaces routes that {@link hostRoutes} has just shown to be ours: the kernel would also replace another program's route of the
   * same metric. ENOENT: the route is gone.
   * @param expires seconds until the kernel removes the routes; undefined: never
   * @returns the refused changes
   */
  replaceRoutes(routes: readonly HostRoute[], expires?: number): RouteFailure[] {
    const changes = routes.map((route) => ({ op: 'add', route } as const))
    return this.#batch(changes, (w, sequence, { route }) => changeRoute(w, sequence, 'replace', route, expires))
  }

  /** Sets an existing neighbor entry to a link-layer address. @returns false: there is no such entry */
  repairNeighbor(repair: NeighborRepair): boolean {
    return this.request((w, sequence) => {
      replaceNeighbor(w, sequence, repair)
      w.acknowledge()
    }).size === 0
  }

  #batch(changes: readonly RouteChange[], write: (w: MessageWriter, sequence: number, change: RouteChange) => void): RouteFailure[] {
    if (changes.length === 0) return []
    const failed = this.request((w, first) => {
      changes.forEach((change, i) => write(w, first + i, change))
      w.acknowledge()
      return changes.length
    })
    return [...failed].map(([i, error]) => ({ change: changes[i], error }))
  }
}
