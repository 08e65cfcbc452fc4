/**
 * The prefix watcher: which prefixes the kernel takes for on-link (RFC 4861 2.1), by its routes without gateway
 * (rtnetlink(7)), whether they came with an address, by hand, or by a Router Advertisement. Of some links only: the
 * kernel filters both events and dumps, so that a machine with the whole Internet's routes pays little.
 */
import type { Prefix } from '../address.ts'
import { NLM_F_REPLACE } from '../wire/netlink.ts'
import type { Message } from '../wire/netlink.ts'
import { decodeRoute, onLinkFilter, RTNLGRP_IPV6_ROUTE } from '../wire/rtroute.ts'
import { verdict } from './errors.ts'
import { native } from './native.ts'
import { EventSocket } from './netlink.ts'
import type { OpenNetlink } from './netlink.ts'
import { NETLINK_ROUTE } from './rtnetlink.ts'
import type { Rtnetlink } from './rtnetlink.ts'

const RETRY_MS = 100

/** All of them, in order, each once. */
export type PrefixesFound = (ifindex: number, prefixes: readonly Prefix[]) => void

export class PrefixWatcher {
  readonly #found: PrefixesFound
  readonly #kernel: Rtnetlink
  readonly #open: OpenNetlink
  #events: EventSocket | undefined
  #timer: NodeJS.Timeout | undefined
  /** As it was told last of each link that is followed; undefined before. */
  readonly #told = new Map<number, string | undefined>()
  /** Links to ask for. */
  readonly #touched = new Set<number>()

  constructor(found: PrefixesFound, kernel: Rtnetlink, open: OpenNetlink = native.openNetlink) {
    this.#found = found
    this.#kernel = kernel
    this.#open = open
  }

  /**
   * From now on these links and no others: tells the prefixes of those that are new, before it returns, then every
   * change. A link that does not exist has none. Throws an OsError.
   */
  follow(ifindexes: Iterable<number>): void {
    const wanted = new Set(ifindexes)
    for (const ifindex of this.#told.keys()) if (!wanted.has(ifindex)) this.#told.delete(ifindex)
    if (wanted.size === 0) return this.close()
    // Listen first: what changes during the dump waits in the socket.
    this.#events ??= new EventSocket(this.#open, NETLINK_ROUTE, [RTNLGRP_IPV6_ROUTE], {
      message: (message) => this.#take(message),
      settled: () => this.#ask(),
      overrun: () => this.resync(),
    }, onLinkFilter())
    for (const ifindex of wanted) {
      if (this.#told.has(ifindex)) continue
      this.#told.set(ifindex, undefined)
      this.#touched.add(ifindex)
    }
    this.#ask()
  }

  /** Asks for all links that are followed and tells the differences. Throws an OsError. */
  resync(): void {
    for (const ifindex of this.#told.keys()) this.#touched.add(ifindex)
    this.#ask()
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#told.clear()
    this.#touched.clear()
    this.#events?.close()
    this.#events = undefined
  }

  #take(message: Message): void {
    const ifindex = decodeRoute(message)?.ifindex
    if (ifindex !== undefined && this.#told.has(ifindex)) this.#touched.add(ifindex)
    // The route that was replaced, perhaps on another link, has no message of its own.
    if ((message.flags & NLM_F_REPLACE) !== 0) for (const each of this.#told.keys()) this.#touched.add(each)
  }

  #ask(): void {
    clearTimeout(this.#timer)
    for (const ifindex of this.#touched) {
      let prefixes
      try {
        prefixes = this.#prefixes(ifindex)
      } catch (error) {
        if (verdict(error) !== 'retry') throw error
        this.#timer = setTimeout(() => this.#ask(), RETRY_MS)
        return
      }
      this.#touched.delete(ifindex)
      const text = prefixes.join(' ')
      if (!this.#told.has(ifindex) || this.#told.get(ifindex) === text) continue
      this.#told.set(ifindex, text)
      this.#found(ifindex, prefixes)
    }
  }

  #prefixes(ifindex: number): Prefix[] {
    let found: Prefix[] = []
    try {
      found = this.#kernel.onLinkPrefixes(ifindex)
    } catch (error) {
      // ENODEV: the link is gone.
      if (verdict(error) !== 'wait') throw error
    }
    return found.sort((a, b) => a.address.compare(b.address) || a.length - b.length)
      .filter((prefix, i, all) => i === 0 || !prefix.equals(all[i - 1]))
  }
}
