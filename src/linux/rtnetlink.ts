/** Requests to rtnetlink(7). The kernel carries out a request inside send(), so a route is in the kernel when the method returns. */
import { Address, Prefix } from '../address.ts'
import type { HostRoute, Lookup, NeighborRepair, PathLookup, RouteChange, RoutingDecision } from '../engine-types.ts'
import type { Message } from '../wire/netlink.ts'
import type { MessageWriter } from '../wire/netlink-encode.ts'
import { type AddressState, decodeAddressState, decodeLinkDetails, type LinkDetails } from '../wire/link-details.ts'
import {
  decodeNeighbor, decodeStation, dumpNeighbors, dumpProxies, dumpStations, getNeighbor, type NeighborMessage, replaceNeighbor, type StationMessage,
} from '../wire/rtneighbor.ts'
import { decodeAddress, decodeLink, dumpAddresses, dumpLinks, type AddressMessage, type LinkMessage } from '../wire/rtnetlink.ts'
import {
  changeRoute, decodeDefaultRoutes, decodeForeign, decodeNextHops, decodeOnLink, decodeRoute, type DefaultRoute, dumpHostRoutes, dumpLinkRoutes,
  dumpRoutes, type ForeignRoute, lookupRoute, ROUTE_MARK, type RouteMessage, RT_TABLE_MAIN, RTN_LOCAL, RTN_UNICAST,
} from '../wire/rtroute.ts'
import type { OsError } from './errors.ts'
import { native } from './native.ts'
import { RequestSocket, type OpenNetlink } from './netlink.ts'

export const NETLINK_ROUTE = 0

/** Errors of deleting a route that does not exist, or is being deleted. */
const GONE = ['ESRCH', 'ENOENT']

/** A datagram with this many messages gets no further lookups. The receive buffer holds two replies to each message. */
const LOOKUP_LIMIT = 512

/** The most links whose entries are requested in one datagram. */
const ENTRY_LIMIT = 256

/**
 * The decision if there is no route, or the lookup fails: ENETUNREACH, EHOSTUNREACH, EACCES (prohibit), ENODEV (the incoming link is
 * gone).
 */
export const NO_ROUTE: RoutingDecision = { ifindex: undefined, local: false, via: undefined, length: 0 }

const EVERYTHING = new Prefix(Address.unspecified, 0)

/** Errors of a lookup that ends at a route of type blackhole, unreachable, or prohibit. */
const DISCARDED = ['EINVAL', 'EHOSTUNREACH', 'EACCES']

export interface RouteFailure {
  readonly change: RouteChange
  readonly error: OsError
}

/** The kernel's routing tables, links and neighbors. Methods throw an OsError as {@link request} and {@link dump} do. */
export class Rtnetlink extends RequestSocket {
  constructor(open: OpenNetlink = native.openNetlink) { super(open, NETLINK_ROUTE) }
  links(): LinkMessage[] { return this.dump(dumpLinks, decodeLink) }
  addresses(): AddressMessage[] { return this.dump(dumpAddresses, decodeAddress) }

  linkDetails(): LinkDetails[] { return this.dump(dumpLinks, decodeLinkDetails) }
  addressStates(): AddressState[] { return this.dump(dumpAddresses, decodeAddressState) }

  /** All IPv6 neighbors except proxy entries. */
  neighbors(): NeighborMessage[] { return this.dump(dumpNeighbors, decodeNeighbor) }

  /** The IPv6 proxy entries (`ip neigh add proxy`). */
  proxies(): NeighborMessage[] { return this.dump(dumpProxies, decodeNeighbor) }

  /** The forwarding tables of all bridges, including the bridges' own addresses. */
  stations(): StationMessage[] { return this.dump(dumpStations, decodeStation) }

  /**
   * The on-link prefixes of a link, in the kernel's order, perhaps with duplicates. ENODEV: there is no such link.
   * @param isWanted selects prefixes; `count` is the number of prefixes that were selected before
   */
  onLinkPrefixes(ifindex: number, isWanted: (prefix: Prefix, count: number) => boolean = () => true): Prefix[] {
    return this.dump((w, sequence) => dumpLinkRoutes(w, sequence, ifindex), (message, count) => {
      const row = decodeOnLink(message)
      // A kernel before 4.20 does not filter.
      return row?.ifindex === ifindex && isWanted(row.prefix, count) ? row.prefix : undefined
    })
  }

  /** The next hops of all default routes, perhaps with duplicates. */
  defaultRoutes(): DefaultRoute[] { return this.dump((w, sequence) => dumpRoutes(w, sequence, RTN_UNICAST), decodeDefaultRoutes).flat() }

  /** Routes of other programs and of the kernel to parts of `prefixes`, in all tables, perhaps with duplicates. */
  routesWithin(prefixes: readonly Prefix[]): ForeignRoute[] {
    const shortest = Math.min(...prefixes.map(({ length }) => length))
    return this.dump(dumpRoutes, (message) => {
      const route = decodeForeign(message, shortest)
      if (route === undefined) return undefined
      const { address, length } = route.prefix
      return prefixes.some((prefix) => length > prefix.length && prefix.contains(address)) ? route : undefined
    })
  }

  /** Our host routes: /128, table main, ROUTE_MARK. @param isAll whether to include expired routes that the kernel has not collected yet */
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

  /** Lets the kernel look up the route of a packet as for forwarding, with policy routing and all tables. */
  lookup(lookup: Lookup): RoutingDecision {
    let found = NO_ROUTE
    this.request((w, sequence) => lookupRoute(w, sequence, lookup), (message) => { found = decisionsOf(message)[0] })
    return found
  }

  /** @returns the route that the kernel would use for the packet of `lookup`; undefined: there is none, or it discards the packet */
  route(lookup: Lookup): RouteMessage | undefined {
    let found: RouteMessage | undefined
    this.request((w, sequence) => lookupRoute(w, sequence, lookup, true), (message) => { found = decodeRoute(message) })
    return found
  }

  /** @returns the neighbor and proxy entries of an address on some links */
  entries(target: Address, links: readonly number[]): NeighborMessage[] {
    const found: NeighborMessage[] = []
    for (let at = 0; at < links.length; at += ENTRY_LIMIT) {
      const some = links.slice(at, at + ENTRY_LIMIT)
      this.request((w, first) => {
        some.forEach((ifindex, i) => {
          getNeighbor(w, first + 2 * i, { target, ifindex, proxy: false })
          getNeighbor(w, first + 2 * i + 1, { target, ifindex, proxy: true })
        })
        w.acknowledge()
        return 2 * some.length
      }, (message) => {
        const entry = decodeNeighbor(message)
        if (entry !== undefined) found.push(entry)
      })
    }
    return found
  }

  /**
   * Looks up routes to owners. One datagram deletes the `hidden` route of an owner, looks up the routes, and adds the hidden route again.
   * @param foreign returns the routes among which to look for a route that discards packets. Called only if the kernel discards the packets
   *   of a lookup, because its reply does not name the route
   * @returns the decisions of each lookup: one per next hop of the route from each link of `from`. All links without a usable route share
   *   one decision
   */
  paths(lookups: readonly PathLookup[], foreign = (): readonly ForeignRoute[] => this.routesWithin([EVERYTHING])): (readonly RoutingDecision[])[] {
    const found = lookups.map((): RoutingDecision[] => [])
    const refused = lookups.map(({ from }) => from.length)
    const discarded = new Set<number>()
    for (let at = 0; at < lookups.length;) {
      /** For each message: the index of its lookup, or the change of a hidden route. */
      const messages: (number | RouteChange)[] = []
      let first = 0
      const failed = this.request((w, sequence) => {
        first = sequence
        const change = (op: RouteChange['op'], route: HostRoute): void => {
          changeRoute(w, sequence + messages.length, op, route)
          messages.push({ op, route })
        }
        for (; at < lookups.length && messages.length < LOOKUP_LIMIT; at++) {
          const { target, from, hidden } = lookups[at]
          if (hidden !== undefined) change('delete', hidden)
          for (const link of from) {
            lookupRoute(w, sequence + messages.length, { target, from: link, source: undefined }, true)
            messages.push(at)
          }
          if (hidden !== undefined) change('add', hidden)
        }
        w.acknowledge()
        return messages.length
      }, (message) => {
        const index = messages[message.sequence - first]
        if (typeof index !== 'number') return
        found[index].push(...decisionsOf(message))
        refused[index]--
      })
      // A hidden route that could not be added again gets a second attempt.
      const lost: RouteChange[] = []
      for (const [index, { code }] of failed) {
        const message = messages[index]
        if (typeof message !== 'number') lost.push(...message.op === 'add' ? [message] : [])
        else if (DISCARDED.includes(code)) discarded.add(message)
      }
      if (lost.length > 0) this.changeRoutes(lost)
    }
    const routes = discarded.size > 0 ? foreign() : []
    return found.map((decisions, i) => refused[i] === 0 ? decisions
      : [...decisions, discarded.has(i) ? discardOf(lookups[i].target, routes) : NO_ROUTE])
  }

  /**
   * Carries out `changes` in order, in one datagram with one acknowledgement. Adding fails with EEXIST if any route has the same
   * destination and metric. Deleting a route that is gone does not fail.
   * @returns the refused changes
   */
  changeRoutes(changes: readonly RouteChange[]): RouteFailure[] {
    return this.#batch(changes, (w, sequence, { op, route }) => changeRoute(w, sequence, op, route))
      .filter(({ change, error }) => !(change.op === 'delete' && GONE.includes(error.code)))
  }

  /**
   * Replaces routes. The caller must know from {@link hostRoutes} that the routes are ours: the kernel would also replace another program's
   * route of the same metric. Fails with ENOENT for a route that is gone.
   * @param expires seconds until the kernel removes the routes; undefined: never
   * @returns the refused changes
   */
  replaceRoutes(routes: readonly HostRoute[], expires?: number): RouteFailure[] {
    const changes = routes.map((route) => ({ op: 'add', route } as const))
    return this.#batch(changes, (w, sequence, { route }) => changeRoute(w, sequence, 'replace', route, expires))
  }

  /** Sets an existing neighbor entry to a link-layer address. @returns false: there is no such entry, or the kernel refused */
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

/**
 * @returns the decision by the longest discarding route to `target`. Without such a route, a routing rule discards the packets: then the
 * decision is NO_ROUTE
 */
function discardOf(target: Address, routes: readonly ForeignRoute[]): RoutingDecision {
  const lengths = routes.filter(({ prefix, isDiscarding }) => isDiscarding && prefix.contains(target)).map(({ prefix }) => prefix.length)
  return { ...NO_ROUTE, length: Math.max(0, ...lengths) }
}

function decisionsOf(message: Message): RoutingDecision[] {
  const route = decodeRoute(message)
  if (route === undefined) return [NO_ROUTE]
  const { type, length } = route
  const isUsable = type === RTN_UNICAST || type === RTN_LOCAL
  return decodeNextHops(message).map(({ address: via, ifindex }) =>
    ({ ifindex: isUsable ? ifindex : undefined, local: type === RTN_LOCAL, via, length }))
}
