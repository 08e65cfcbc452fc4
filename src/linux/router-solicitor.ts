/**
 * Solicits the routers of upstreams (RFC 4861 6.3.7, RFC 7559). The kernel solicits only when a link comes up, and it does not keep the
 * options for name resolution. A program that starts later would get these options only with the next unsolicited advertisement, after
 * up to half an hour.
 */
import { Address, type Mac, writeMac } from '../address.ts'
import {
  MAX_RTR_SOLICITATION_DELAY, ND_HOP_LIMIT, ROUTER_SOLICITATION, RTR_SOLICITATION_INTERVAL, SOURCE_LINK_LAYER_ADDRESS,
} from '../wire/constants.ts'
import { IPPROTO_IPV6, IPV6_MULTICAST_HOPS, openIcmp, sendOn, sendTo, setOption } from './raw-icmp.ts'

/**
 * The most solicitations after a start. The last solicitation leaves after about half an hour, the longest interval of advertisements
 * (RFC 4861 6.2.1). RFC 7559 has no limit. ndp6d has this limit because the kernel may never report an advertisement, for instance if
 * another program handles advertisements.
 */
const SOLICITATION_LIMIT = 10

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

  /** Solicits at intervals that double, until `stop` or SOLICITATION_LIMIT: solicitations and advertisements may be lost (RFC 7559). */
  start(ifindex: number): void { this.#plan(ifindex, Math.random() * MAX_RTR_SOLICITATION_DELAY, 0, 0) }

  /** Ends the solicitations on a link: the kernel reported what a router there advertised, or the link is no longer followed. */
  stop(ifindex: number): void {
    clearTimeout(this.#timers.get(ifindex))
    this.#timers.delete(ifindex)
  }

  close(): void { for (const ifindex of this.#timers.keys()) this.stop(ifindex) }

  /**
   * @param sent number of solicitations so far
   * @param failed number of failures so far, which do not count for the limit: the link may be down for long
   */
  #plan(ifindex: number, delay: number, sent: number, failed: number): void {
    this.stop(ifindex)
    if (sent === SOLICITATION_LIMIT) return
    this.#timers.set(ifindex, setTimeout(() => {
      const isSent = this.#solicit(ifindex)
      const interval = RTR_SOLICITATION_INTERVAL * 2 ** Math.min(sent + failed, SOLICITATION_LIMIT)
      // RAND of RFC 8415 15: machines that start together do not solicit together.
      this.#plan(ifindex, interval * (0.9 + 0.2 * Math.random()), sent + Number(isSent), failed + Number(!isSent))
    }, delay).unref())
  }

  /** @returns whether a solicitation was sent */
  #solicit(ifindex: number): boolean {
    try {
      solicit(ifindex, this.#listener.macOf(ifindex))
      return true
    } catch (error) {
      this.#listener.failed(ifindex, error as Error)
      return false
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
