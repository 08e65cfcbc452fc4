/**
 * How fast routes may be changed: routing daemons beside us are told of each change, and lose what their receive buffers
 * have no room for. So changes go out in bursts, the next when those who listen have taken in most of the one before. How
 * far behind they are says /proc/net/netlink (netlink(7), net/netlink/af_netlink.c).
 */
import { readFileSync } from 'node:fs'

/** Changes. Telling of one takes 1280 bytes of a receive buffer; by default that has 212 992 (net.core.rmem_default). */
const BURST = 50
/** Bytes that may wait for somebody when a burst begins: both together leave a third of an ordinary buffer free. */
const BACKLOG = 2 ** 16
/** Who does not get below that in this time does not read at all; from then on there is a burst each millisecond. Milliseconds. */
const PATIENCE = 100
const BLIND = 1
/** With each burst somebody who reads slowly gets that much of it back: 50 changes each 10 ms are waited for as long as it takes. */
const RESTORED = 10

/** RTNLGRP_IPV6_ROUTE in a socket's groups. */
const ROUTE_GROUP = 1 << 10
/** Columns: sk Eth Pid Groups Rmem ..., where Eth is the protocol, NETLINK_ROUTE. */
const LISTENER = /^\S+ +0 +\S+ +([0-9a-f]+) +(\d+)/gm

/**
 * Bytes that wait for the slowest of those, in this network namespace, who listen to changes of IPv6 routes. Infinity when
 * that cannot be seen.
 * @param path of the kernel's list
 */
export function routeBacklog(path = '/proc/net/netlink'): number {
  try {
    const sockets = readFileSync(path, 'latin1').matchAll(LISTENER)
    return Math.max(0, ...[...sockets].map(([, groups, waiting]) => parseInt(groups, 16) & ROUTE_GROUP ? Number(waiting) : 0))
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

export class RoutePace {
  readonly #backlog: () => number
  /** What is left of a burst. */
  #left = 0
  /** Since when somebody has been too far behind (performance.now()), and how long that may take. */
  #since: number | undefined
  #patience = PATIENCE

  constructor(backlog: () => number = routeBacklog) { this.#backlog = backlog }

  /** How many of `wanted` changes may be made now: 0 to 50. After none, ask again in a millisecond. */
  take(wanted: number): number {
    if (this.#left < wanted && this.#mayGoOn(performance.now())) this.#left = BURST
    const count = Math.min(wanted, this.#left)
    this.#left -= count
    return count
  }

  #mayGoOn(now: number): boolean {
    if (this.#backlog() <= BACKLOG) {
      const waited = this.#since === undefined ? 0 : now - this.#since
      this.#since = undefined
      this.#patience = Math.min(PATIENCE, Math.max(BLIND, this.#patience - waited) + RESTORED)
      return true
    }
    this.#since ??= now
    if (now < this.#since + this.#patience) return false
    this.#since = now
    this.#patience = BLIND
    return true
  }
}
