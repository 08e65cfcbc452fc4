/** The gateway watcher: reports the default gateways of this machine, which are the next hops of its routes to ::/0 (rtnetlink(7)). */
import type { Gateway } from '../engine/types.ts'
import { defaultRouteFilter, RTNLGRP_IPV6_ROUTE } from '../wire/rtroute.ts'
import { TableWatcher } from './table-watcher.ts'

/** @param gateways all default gateways with a global address */
export type GatewaysFound = (gateways: readonly Gateway[]) => void

export class GatewayWatcher extends TableWatcher<readonly Gateway[], GatewaysFound> {
  /** The tables may be large, so bursts of changes cause one dump. */
  protected readonly pause = 500
  #reported = ''

  /** Reports the gateways before it returns, if there are any, and then every change. @throws OsError */
  start(): void {
    this.listen([RTNLGRP_IPV6_ROUTE], defaultRouteFilter())
    this.resync()
  }

  /** The message may be about one next hop of several, so all gateways are read again. */
  override message(): void { this.resyncLater() }

  protected dump(): readonly Gateway[] { return this.kernel.gateways() }

  protected compare(gateways: readonly Gateway[]): void {
    const text = gateways.map(({ address, ifindex }) => `${address} ${ifindex}`).sort().join()
    if (text === this.#reported) return
    this.#reported = text
    this.listener(gateways)
  }
}
