/**
 * Reports the multicast solicitations that the kernel itself sends (RFC 4861 7.2.2) for packets that it has to deliver. On a link without
 * neighbor resolution the kernel sends the packets without a solicitation, so the packets are reported instead. Rules of our nftables
 * table (kernel-filter.ts) send these solicitations and packets to a group of nfnetlink_log, and a netlink socket receives them.
 */
import { Address } from '../address.ts'
import { NEIGHBOR_SOLICITATION } from '../wire/constants.ts'
import { DESTINATION, IPV6_HEADER } from '../wire/frame.ts'
import { NdiscView } from '../wire/ndisc-decode.ts'
import type { Message } from '../wire/netlink.ts'
import { bindGroup, decodePacket } from '../wire/nflog.ts'
import { native } from './native.ts'
import { NETLINK_NETFILTER, RequestSocket, type EventSocket, type OpenNetlink } from './netlink.ts'

/** The first group to try. Other processes may have bound some of the groups. */
const FIRST_GROUP = 58135
/** The last group to try. */
const LAST_GROUP = 58150
const TAKEN = ['EPERM', 'EBUSY', 'EEXIST']

export class OwnSolicitations {
  /** The bound group of nfnetlink_log, for {@link KernelFilter.apply}. */
  readonly group: number
  readonly #links: ReadonlySet<number>
  readonly #solicited: (ifindex: number, target: Address) => void
  readonly #events: EventSocket
  readonly #view = new NdiscView()

  /**
   * Listens at once.
   * @param links ifindexes of the links to report; the caller may change the set
   * @param solicited called from the event loop for each solicitation that the kernel sends for `target` on one of `links`: up to three, a
   *   second apart. On a link without neighbor resolution, called for each packet to `target`, up to the rate limit of the rule
   * @throws OsError: no nfnetlink_log, no permission, or no free group
   */
  constructor(links: ReadonlySet<number>, solicited: (ifindex: number, target: Address) => void, open: OpenNetlink = native.openNetlink) {
    this.#links = links
    this.#solicited = solicited
    const socket = new RequestSocket(open, NETLINK_NETFILTER)
    try {
      this.group = bind(socket)
    } catch (error) {
      socket.close()
      throw error
    }
    // `overrun` ignores lost reports: the kernel repeats its solicitations, and the sender repeats packets that get no reply.
    this.#events = socket.listen({ message: (message) => this.#take(message), settled: () => {}, overrun: () => {} })
  }

  close(): void { this.#events.close() }

  #take(message: Message): void {
    const packet = decodePacket(message)
    if (packet === undefined || !this.#links.has(packet.ifindex)) return
    if (packet.end - packet.start < IPV6_HEADER) return
    const destination = Address.read(message.bytes, packet.start + DESTINATION)
    if (!destination.isMulticast) return this.#solicited(packet.ifindex, destination)
    const view = this.#view
    if (view.decode(message.bytes, packet.start, packet.end - packet.start, 0, false) !== undefined) return
    if (view.type === NEIGHBOR_SOLICITATION) this.#solicited(packet.ifindex, view.target())
  }
}

/** Binds the first free group. @returns its number. @throws OsError */
function bind(socket: RequestSocket): number {
  for (let group = FIRST_GROUP; ; group++) {
    const error = socket.request((w, sequence) => bindGroup(w, sequence, group)).get(0)
    if (error === undefined) return group
    if (group === LAST_GROUP || !TAKEN.includes(error.code)) throw error
  }
}
