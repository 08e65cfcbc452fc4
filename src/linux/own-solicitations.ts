/**
 * The multicast solicitations that the kernel itself sends (RFC 4861 7.2.2), for packets that it has to deliver. A rule in our
 * nftables table (nftables.ts) shows them to a group of nfnetlink_log, which is bound here.
 */
import type { Address } from '../address.ts'
import { NEIGHBOR_SOLICITATION } from '../wire/constants.ts'
import { NdiscView } from '../wire/ndisc.ts'
import type { Message } from '../wire/netlink.ts'
import { bindGroup, decodePacket } from '../wire/nflog.ts'
import { native } from './native.ts'
import { NETLINK_NETFILTER, RequestSocket } from './netlink.ts'
import type { EventSocket, OpenNetlink } from './netlink.ts'

/** The first of these that nobody has bound is ours. */
const FIRST_GROUP = 58135
const LAST_GROUP = 58150
const TAKEN = ['EPERM', 'EBUSY', 'EEXIST']
/** A solicitation of the kernel takes 72 bytes. */
const RANGE = 128

export class OwnSolicitations {
  /** For {@link Quiet.apply}. */
  readonly group: number
  readonly #links: ReadonlySet<number>
  readonly #solicited: (ifindex: number, target: Address) => void
  readonly #events: EventSocket
  readonly #view = new NdiscView()

  /**
   * Listens at once.
   * @param links their ifindexes; may change
   * @param solicited called from the event loop: the kernel wants to know where `target` is on one of `links`. It asks three
   *   times, a second apart.
   * @throws OsError: no nfnetlink_log, or no permission, or no group is left.
   */
  constructor(
    links: ReadonlySet<number>, solicited: (ifindex: number, target: Address) => void, open: OpenNetlink = native.openNetlink,
  ) {
    this.#links = links
    this.#solicited = solicited
    const socket = new RequestSocket(open, NETLINK_NETFILTER)
    try {
      this.group = bind(socket)
    } catch (error) {
      socket.close()
      throw error
    }
    // What is lost in an overrun is asked again.
    this.#events = socket.listen({ message: (message) => this.#take(message), settled: () => {}, overrun: () => {} })
  }

  /** Idempotent. Nothing is told afterwards. */
  close(): void { this.#events.close() }

  #take(message: Message): void {
    const packet = decodePacket(message)
    if (packet === undefined || !this.#links.has(packet.ifindex)) return
    const view = this.#view
    if (view.decode(message.bytes, packet.start, packet.end - packet.start, 0, false) !== undefined) return
    if (view.type === NEIGHBOR_SOLICITATION) this.#solicited(packet.ifindex, view.target())
  }
}

/** @returns the group that is ours now. Throws an OsError. */
function bind(socket: RequestSocket): number {
  for (let group = FIRST_GROUP; ; group++) {
    const error = socket.request((w, sequence) => {
      bindGroup(w, sequence, group, RANGE)
      return 1
    }).get(0)
    if (error === undefined) return group
    if (group === LAST_GROUP || !TAKEN.includes(error.code)) throw error
  }
}
