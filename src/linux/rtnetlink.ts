/**
 * Routing requests to the kernel (rtnetlink(7)). All of them are carried out while they are sent, so that a route is
 * in the kernel when {@link Rtnetlink.changeRoutes} returns.
 */
import type { Address, Prefix } from '../address.ts'
import type { HostRoute, RouteChange } from '../engine/types.ts'
import type { MessageWriter } from '../wire/netlink.ts'
import { decodeNeighbor, decodeStation, dumpNeighbors, dumpStations } from '../wire/rtneighbor.ts'
import type { NeighborMessage, StationMessage } from '../wire/rtneighbor.ts'
import { decodeAddress, decodeLink, dumpAddresses, dumpLinks } from '../wire/rtnetlink.ts'
import type { AddressMessage, LinkMessage } from '../wire/rtnetlink.ts'
import {
  decodeOnLink, decodeRoute, deleteRoute, dumpHostRoutes, dumpLinkRoutes, lookupRoute, RT_TABLE_MAIN, RTN_LOCAL, RTN_UNICAST,
  writeRoute,
} from '../wire/rtroute.ts'
import type { OsError } from './errors.ts'
import { native } from './native.ts'
import { RequestSocket } from './netlink.ts'
import type { OpenNetlink } from './netlink.ts'
import { ROUTE_MARK } from './route-mark.ts'

export const NETLINK_ROUTE = 0
/** The kernel's answers to the deletion of a route that is not there, or just going. */
const GONE = ['ESRCH', 'ENOENT']

/** Where the kernel would send a packet. */
export interface Lookup {
  /** Undefined when there is no way (unreachable, prohibited, no route at all). */
  readonly ifindex: number | undefined
  /** An address of this machine. */
  readonly local: boolean
}

/** A change that the kernel refused. */
export interface RouteFailure {
  readonly change: RouteChange
  readonly error: OsError
}

/** The kernel's routing tables, links and neighbors. Every method throws an OsError when the kernel refuses. */
export class Rtnetlink {
  readonly #socket: RequestSocket

  constructor(open: OpenNetlink = native.openNetlink) {
    this.#socket = new RequestSocket(open, NETLINK_ROUTE)
  }

  links(): LinkMessage[] { return this.#socket.dump(dumpLinks, decodeLink) }

  /** All IPv6 addresses of this machine. */
  addresses(): AddressMessage[] { return this.#socket.dump(dumpAddresses, decodeAddress) }

  /** All IPv6 neighbors, not the kernel's proxy entries. */
  neighbors(): NeighborMessage[] { return this.#socket.dump(dumpNeighbors, decodeNeighbor) }

  /** The entries of all bridges' forwarding tables, own addresses too. */
  stations(): StationMessage[] { return this.#socket.dump(dumpStations, decodeStation) }

  /**
   * The prefixes that are on-link there, in the kernel's order; one may come twice, with different metrics. The kernel
   * filters by link. ENODEV: there is no such link.
   */
  onLinkPrefixes(ifindex: number): Prefix[] {
    const rows = this.#socket.dump((w, sequence) => dumpLinkRoutes(w, sequence, ifindex), decodeOnLink)
    // A kernel before 4.20 does not filter.
    return rows.filter((row) => row.ifindex === ifindex).map(({ prefix }) => prefix)
  }

  /**
   * Our host routes: protocol 136, metric 16, /128, table main. The kernel filters, so the table may be large.
   * @param isAll also those that have expired, and were not collected yet
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

  /** Which way would a packet to `target` go? Policy routing and all tables count. */
  lookup(target: Address): Lookup {
    let found: Lookup = { ifindex: undefined, local: false }
    // An error is the table's way of saying no: ENETUNREACH, EHOSTUNREACH, EACCES (prohibit), EINVAL (blackhole).
    this.#socket.request((w, sequence) => {
      lookupRoute(w, sequence, target)
      return 1
    }, (message) => {
      const route = decodeRoute(message)
      if (route?.type === RTN_UNICAST) found = { ifindex: route.ifindex, local: false }
      if (route?.type === RTN_LOCAL) found = { ifindex: route.ifindex, local: true }
    })
    return found
  }

  /**
   * Carries out `changes` in order, in one datagram with one acknowledgement. An addition fails with EEXIST where a
   * route of the same destination and metric is already, ours or not; a deletion of what is gone is no failure.
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
   * Overwrites routes that are ours and there, as {@link hostRoutes} has just shown (the kernel would as well take
   * another's of the same metric). ENOENT: it is not there any more.
   * @param expires seconds until the kernel ends them; undefined for ever.
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
