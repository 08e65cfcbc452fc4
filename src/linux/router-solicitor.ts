/**
 * Solicits the routers of upstreams (RFC 4861 6.3.7, RFC 7559). The kernel does so only when a link comes up, and it does not keep the
 * options for name resolution. A program that starts after that and does not solicit gets these options only with the next advertisement,
 * after up to half an hour.
 */
import { Address, type Mac, writeMac } from '../address.ts'
import {
  MAX_RTR_SOLICITATION_DELAY, MAX_RTR_SOLICITATION_INTERVAL, ND_HOP_LIMIT, ROUTER_SOLICITATION, RTR_SOLICITATION_INTERVAL,
  SOURCE_LINK_LAYER_ADDRESS,
} from '../wire/constants.ts'
import { IPPROTO_IPV6, IPV6_MULTICAST_HOPS, openIcmp, sendOn, sendTo, setOption } from './raw-icmp.ts'

export interface SolicitorListener {
  /** @returns the link-layer address of a link; undefined if the link has none */
  macOf(ifindex: number): Mac | undefined
  /** An error of sending, to be judged by `verdict`. */
  failed(ifindex: number, error: Error): void
}

export class RouterSolicitor {
  readonly #listener: SolicitorListener
  /** Timers of the next solicitations, by ifindex. */
  readonly #timers = new Map<number, NodeJS.Timeout>()

  constructor(listener: SolicitorListener) { this.#listener = listener }

  /** Solicits at intervals that double up to MAX_RTR_SOLICITATION_INTERVAL, until `stop`: solicitations and advertisements may be lost. */
  start(ifindex: number): void { this.#plan(ifindex, Math.random() * MAX_RTR_SOLICITATION_DELAY, RTR_SOLICITATION_INTERVAL) }

  /** Ends the solicitations on a link: a router there advertised itself, or the link is no longer followed. */
  stop(ifindex: number): void {
    clearTimeout(this.#timers.get(ifindex))
    this.#timers.delete(ifindex)
  }

  close(): void { for (const ifindex of this.#timers.keys()) this.stop(ifindex) }

  /** @param interval milliseconds between the next two solicitations, before up to a tenth is added or subtracted (RFC 8415 15, RAND) */
  #plan(ifindex: number, delay: number, interval: number): void {
    this.stop(ifindex)
    this.#timers.set(ifindex, setTimeout(() => {
      this.#solicit(ifindex)
      this.#plan(ifindex, interval * (0.9 + 0.2 * Math.random()), Math.min(2 * interval, MAX_RTR_SOLICITATION_INTERVAL))
    }, delay).unref())
  }

  #solicit(ifindex: number): void {
    try {
      solicit(ifindex, this.#listener.macOf(ifindex))
    } catch (error) {
      this.#listener.failed(ifindex, error as Error)
    }
  }
}

/**
 * Sends one solicitation. The kernel computes the checksum and chooses the source. The source is never the unspecified address, so the
 * option with the link-layer address is allowed (RFC 4861 4.1).
 * @throws NativeCodeMissing, OsError
 */
function solicit(ifindex: number, mac: Mac | undefined): void {
  const message = new Uint8Array(mac === undefined ? 8 : 16)
  message[0] = ROUTER_SOLICITATION
  if (mac !== undefined) {
    message.set([SOURCE_LINK_LAYER_ADDRESS, 1], 8)
    writeMac(message, 10, mac)
  }
  const socket = openIcmp((each) => {
    sendOn(each, ifindex)
    setOption(each, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, ND_HOP_LIMIT)
  })
  try {
    sendTo(socket, message, Address.allRouters)
  } finally {
    socket.close()
  }
}
