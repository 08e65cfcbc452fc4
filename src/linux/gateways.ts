/** The gateway watcher: reports the default gateways of this machine, which are the next hops of its routes to ::/0 (rtnetlink(7)). */
import type { Gateway } from '../engine-types.ts'
import { type DefaultRoute, defaultRouteFilter, RTNLGRP_IPV6_ROUTE } from '../wire/rtroute.ts'
import { SMALL_SHARE, TableWatcher } from './table-watcher.ts'

/**
 * @param gateways the default gateways that have a global address
 * @param hasDefaultRoute whether there is a default route, with or without such a gateway
 */
export type GatewaysFound = (gateways: readonly Gateway[], hasDefaultRoute: boolean) => void

export class GatewayWatcher extends TableWatcher<readonly DefaultRoute[], GatewaysFound> {
  /** The routing tables may be large, so all changes of a burst cause only one dump. */
  protected readonly pause = 200
  protected override readonly share = SMALL_SHARE
  /** The next hops of all default routes, also next hops without a global address. */
  routes: readonly DefaultRoute[] = []
  #reported = ' false'

  /** If there is a default route, `start` reports the gateways before it returns. Then reports every change. @throws OsError */
  start(): void {
    this.listen([RTNLGRP_IPV6_ROUTE], defaultRouteFilter())
    this.resync()
  }

  /** The message may be about one next hop of several, so all gateways are read again. */
  override message(): void { this.resyncLater() }

  protected dump(): readonly DefaultRoute[] { return this.kernel.defaultRoutes() }

  protected compare(routes: readonly DefaultRoute[]): void {
    this.routes = routes
    // Leaves out link-local gateways, because no rule covers their addresses.
    const gateways = routes.flatMap(({ address, ifindex }) => address === undefined || address.isLinkLocal ? [] : [{ address, ifindex }])
    const hasDefaultRoute = routes.length > 0
    const text = `${gateways.map(({ address, ifindex }) => `${address} ${ifindex}`).sort().join()} ${hasDefaultRoute}`
    if (text === this.#reported) return
    this.#reported = text
    this.listener(gateways, hasDefaultRoute)
  }
}
