/**
 * Routing requests to the kernel (rtnetlink(7)), which carries out each one while it is sent: a route is in the kernel when
 * {@link Rtnetlink.changeRoutes} returns.
 */
import type { Prefix } from '../address.ts'
import type { HostRoute, Lookup, RouteChange } from '../engine/types.ts'
import type { MessageWriter } from '../wire/netlink-encode.ts'
import {
  decodeNeighbor, decodeStation, dumpNeighbors, dumpStations, type NeighborMessage, type StationMessage,
} from '../wire/rtneighbor.ts'
import { decodeAddress, decodeLink, dumpAddresses, dumpLinks, type AddressMessage, type LinkMessage } from '../wire/rtnetlink.ts'
import {
  decodeOnLink, decodeRoute, deleteRoute, dumpHostRoutes, dumpLinkRoutes, lookupRoute, RT_TABLE_MAIN, RTN_LOCAL, RTN_UNICAST, writeRoute,
  type RouteMark,
} from '../wire/rtroute.ts'
import type { OsError } from './errors.ts'
import { native } from './native.ts'
import { RequestSocket, type OpenNetlink } from './netlink.ts'

export const NETLINK_ROUTE = 0

/**
 * Marks our host routes: only routes with both numbers are changed or deleted. The protocol is named `ndp6d` in rt_protos.d. The low
 * metric makes our route preferred to a /128 that a routing daemon learned elsewhere.
 */
export const ROUTE_MARK: RouteMark = { protocol: 136, metric: 16 }
/** Errors of deleting a route that does not exist, or is being deleted. */
const GONE = ['ESRCH', 'ENOENT']

/** The kernel's routing decision. */
export interface RoutingDecision {
  /** The link of the route; undefined without a usable route (unreachable, prohibited, none). */
  readonly ifindex: number | undefined
  /** Whether the target is an address of this machine. */
  readonly local: boolean
}

/** A change that the kernel refused. */
export interface RouteFailure {
  readonly change: RouteChange
  readonly error: OsError
}

/** The kernel's routing tables, links and neighbors. Every method throws an OsError when the kernel refuses it. */
export class Rtnetlink {
  readonly #socket: RequestSocket

  constructor(open: OpenNetlink = native.openNetlink) {
    this.#socket = new RequestSocket(open, NETLINK_ROUTE)
  }

  links(): LinkMessage[] { return this.#socket.dump(dumpLinks, decodeLink) }

  /** All IPv6 addresses of this machine. */
  addresses(): AddressMessage[] { return this.#socket.dump(dumpAddresses, decodeAddress) }

  /** All IPv6 neighbors except proxy entries. */
  neighbors(): NeighborMessage[] { return this.#socket.dump(dumpNeighbors, decodeNeighbor) }

  /** The forwarding tables of all bridges, including their own addresses. */
  stations(): StationMessage[] { return this.#socket.dump(dumpStations, decodeStation) }

  /**
   * The on-link prefixes of a link, in the kernel's order; the same prefix may occur with several metrics. ENODEV: there is no such link.
   */
  onLinkPrefixes(ifindex: number): Prefix[] {
    const rows = this.#socket.dump((w, sequence) => dumpLinkRoutes(w, sequence, ifindex), decodeOnLink)
    // A kernel before 4.20 does not filter.
    return rows.filter((row) => row.ifindex === ifindex).map(({ prefix }) => prefix)
  }

  /**
   * Our host routes: protocol 136, metric 16, /128, table main. The kernel filters, so the table may be large.
   * @param isAll includes expired routes that the kernel has not collected yet
   */
  hostRoutes(isAll = true): HostRoute[] {
    return this.#socket.dump((w, sequence) => dumpHostRoutes(w, sequence, ROUTE_MARK.protocol), (message) => {
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
    this.#socket.request((w, sequence) => lookupRoute(w, sequence, lookup), (message) => {
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
    const failed = this.#batch(changes, (w, sequence, { op, route }) => {
      if (op === 'add') writeRoute(w, sequence, 'add', route, ROUTE_MARK)
      else deleteRoute(w, sequence, route, ROUTE_MARK)
    })
    return failed.filter(({ item, error }) => !(item.op === 'delete' && GONE.includes(error.code)))
      .map(({ item, error }) => ({ change: item, error }))
  }

  /**
   * Replaces routes that {@link hostRoutes} has just shown to be ours: the kernel would also replace another program's route of the
   * same metric. ENOENT: the route is gone.
   * @param expires seconds until the kernel removes the routes; undefined: never
   * @returns the refused changes
   */
  replaceRoutes(routes: readonly HostRoute[], expires?: number): RouteFailure[] {
    return this.#batch(routes, (w, sequence, route) => writeRoute(w, sequence, 'replace', route, ROUTE_MARK, expires))
      .map(({ item, error }) => ({ change: { op: 'add', route: item }, error }))
  }

  /** See {@link RequestSocket.port}. */
  get port(): number { return this.#socket.port }

  close(): void { this.#socket.close() }

  #batch<Item>(
    items: readonly Item[], write: (w: MessageWriter, sequence: number, item: Item) => void,
  ): Array<{ item: Item, error: OsError }> {
    if (items.length === 0) return []
    const failed = this.#socket.request((w, first) => {
      items.forEach((item, i) => write(w, first + i, item))
      w.acknowledge()
      return items.length
    })
    return items.flatMap((item, i) => {
      const error = failed.get(i)
      return error === undefined ? [] : [{ item, error }]
    })
  }
}
