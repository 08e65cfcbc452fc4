/**
 * Solicits the routers of upstreams (RFC 4861 6.3.7). The kernel does so only when a link comes up, and it does not keep the options for name
 * resolution. Without a solicitation, a program that starts later knows these only after the next advertisement: up to half an hour.
 */
import { Address } from '../address.ts'
import {
  MAX_RTR_SOLICITATION_DELAY, MAX_RTR_SOLICITATIONS, ND_HOP_LIMIT, ROUTER_SOLICITATION, RTR_SOLICITATION_INTERVAL,
} from '../wire/constants.ts'
import { IPPROTO_IPV6, IPV6_MULTICAST_HOPS, IPV6_MULTICAST_IF, IPV6_MULTICAST_LOOP, openIcmp, sendTo, setOption } from './raw-icmp.ts'

export class RouterSolicitor {
  /** Timers of the next solicitations, by ifindex. */
  readonly #timers = new Map<number, NodeJS.Timeout>()

  /** Solicits until an advertisement arrives, at most MAX_RTR_SOLICITATIONS times. */
  start(ifindex: number): void { this.#plan(ifindex, Math.random() * MAX_RTR_SOLICITATION_DELAY, MAX_RTR_SOLICITATIONS) }

  /** Ends the solicitations on a link: a router there advertised itself, or the link is no longer followed. */
  stop(ifindex: number): void {
    clearTimeout(this.#timers.get(ifindex))
    this.#timers.delete(ifindex)
  }

  close(): void { for (const ifindex of this.#timers.keys()) this.stop(ifindex) }

  #plan(ifindex: number, delay: number, left: number): void {
    this.stop(ifindex)
    if (left === 0) return
    this.#timers.set(ifindex, setTimeout(() => {
      solicit(ifindex)
      this.#plan(ifindex, RTR_SOLICITATION_INTERVAL, left - 1)
    }, delay).unref())
  }
}

/** Sends one solicitation. The kernel chooses the source and computes the checksum. */
function solicit(ifindex: number): void {
  try {
    const socket = openIcmp((each) => {
      setOption(each, IPPROTO_IPV6, IPV6_MULTICAST_IF, ifindex)
      setOption(each, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, ND_HOP_LIMIT)
      setOption(each, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0)
    })
    try {
      sendTo(socket, Uint8Array.of(ROUTER_SOLICITATION, 0, 0, 0, 0, 0, 0, 0), Address.allRouters)
    } finally {
      socket.close()
    }
  } catch {
    // The link is down or has no address, so the kernel solicits when it comes up; or the next solicitation succeeds.
  }
}
