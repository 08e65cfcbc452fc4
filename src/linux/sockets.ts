/** The sockets of all links that are listened on. Sends the messages that the engine orders. */
import type { Advertisement, Discovery, Effects, Link, Listening, Multicast, Probe } from '../engine-types.ts'
import type { Limit, LinkUsage } from '../events.ts'
import { LinkSockets, type LinkReader } from './link-sockets.ts'
import { SEND_LIMIT } from './send-queue.ts'

/** The most names of closed links that are kept. */
const CLOSED_LIMIT = 256

export class Sockets {
  readonly #readerOf: (link: Link) => LinkReader
  readonly #links = new Map<number, LinkSockets>()
  /** Links with frames to send at the next flush. */
  readonly #sending = new Set<LinkSockets>()
  /** Names of links that were closed lately: events about them may still have to be logged. */
  readonly #closed = new Map<number, string>()

  constructor(readerOf: (link: Link) => LinkReader) { this.#readerOf = readerOf }
  /** Names of the links whose sockets are open. */
  get open(): readonly string[] { return [...this.#links.values()].filter(({ isOpen }) => isOpen).map(({ name }) => name) }
  get usage(): readonly LinkUsage[] { return [...this.#links.values()].map(({ usage }) => usage) }
  /** @returns the figures of a link's sockets; undefined if it has no sockets */
  figuresOf(ifindex: number): LinkSockets['figures'] | undefined { return this.#links.get(ifindex)?.figures }

  get limits(): Limit[] {
    const used = [...this.#links.values()].reduce((most, { queued }) => Math.max(most, queued), 0)
    return [{ name: 'frames in the send queue of one link', used, size: SEND_LIMIT }]
  }

  /** @returns the name of a link; undefined if the link was not listened on lately */
  nameOf(ifindex: number): string | undefined { return this.#links.get(ifindex)?.name ?? this.#closed.get(ifindex) }

  /** Opens the sockets of a link, or adapts them. @returns whether the sockets are new. @throws OsError that is fatal */
  listen({ link, subscription }: Listening): boolean {
    const sockets = this.#links.get(link.ifindex)
    if (sockets === undefined) this.#links.set(link.ifindex, new LinkSockets(link, subscription, this.#readerOf(link)))
    else sockets.update(link, subscription)
    return sockets === undefined
  }

  ignore(ifindex: number): void {
    const sockets = this.#links.get(ifindex)
    if (sockets === undefined) return
    this.#links.delete(ifindex)
    this.#sending.delete(sockets)
    if (this.#closed.size >= CLOSED_LIMIT) this.#closed.clear()
    this.#closed.set(ifindex, sockets.name)
    sockets.close()
  }

  advertise(message: Advertisement): void {
    const sockets = this.#links.get(message.ifindex)
    if (sockets === undefined) return
    sockets.advertise(message)
    this.#sending.add(sockets)
  }

  probe(probe: Probe): void {
    const sockets = this.#links.get(probe.ifindex)
    if (sockets === undefined) return
    sockets.solicit(probe)
    this.#sending.add(sockets)
  }

  multicast({ ifindex, message }: Multicast): void { this.#links.get(ifindex)?.multicast(message) }
  advertiseRouter({ ifindex, message }: Effects['routerAdvertisements'][number]): void { this.#links.get(ifindex)?.advertiseRouter(message) }
  discover({ ifindex, sources }: Discovery): void { this.#links.get(ifindex)?.discover(sources) }

  flush(): void {
    if (this.#sending.size === 0) return
    for (const sockets of this.#sending) sockets.flush()
    this.#sending.clear()
  }

  /** Reads the drop counters of all links. @param now the time in milliseconds */
  checkDrops(now: number): void { for (const sockets of this.#links.values()) sockets.checkDrops(now) }

  close(): void {
    for (const sockets of this.#links.values()) sockets.close()
    this.#links.clear()
    this.#sending.clear()
  }
}
