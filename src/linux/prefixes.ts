/**
 * The prefix watcher: reports the prefixes that the kernel treats as on-link (RFC 4861 2.1), which are its routes without gateway
 * (rtnetlink(7)). They come from addresses, Router Advertisements or an administrator. The kernel filters events and dumps by link, so
 * a large routing table costs little.
 */
import type { Prefix } from '../address.ts'
import { NLM_F_REPLACE } from '../wire/netlink.ts'
import type { Message } from '../wire/netlink.ts'
import { decodeRoute, onLinkFilter, RTNLGRP_IPV6_ROUTE } from '../wire/rtnetlink.ts'
import { verdict } from './errors.ts'
import { native } from './native.ts'
import { EventSocket } from './netlink.ts'
import type { OpenNetlink } from './netlink.ts'
import { NETLINK_ROUTE } from './rtnetlink.ts'
import type { Rtnetlink } from './rtnetlink.ts'

const RETRY_MS = 100

/** @param prefixes all of the link, sorted, without duplicates */
export type PrefixesFound = (ifindex: number, prefixes: readonly Prefix[]) => void

export class PrefixWatcher {
  readonly #found: PrefixesFound
  readonly #kernel: Rtnetlink
  readonly #open: OpenNetlink
  #events: EventSocket | undefined
  #timer: NodeJS.Timeout | undefined
  /** Last reported prefixes of each followed link, as text; undefined before the first report. */
  readonly #reported = new Map<number, string | undefined>()
  /** Links to dump. */
  readonly #touched = new Set<number>()

  constructor(found: PrefixesFound, kernel: Rtnetlink, open: OpenNetlink = native.openNetlink) {
    this.#found = found
    this.#kernel = kernel
    this.#open = open
  }

  /**
   * Follows these links and no others. Reports the prefixes of new links before it returns, then every change. A link that does not
   * exist has no prefixes.
   * @throws OsError
   */
  follow(ifindexes: Iterable<number>): void {
    const wanted = new Set(ifindexes)
    for (const ifindex of this.#reported.keys()) if (!wanted.has(ifindex)) this.#reported.delete(ifindex)
    if (wanted.size === 0) return this.close()
    // Listen first: changes during the dump wait in the socket.
    this.#events ??= new EventSocket(this.#open, NETLINK_ROUTE, [RTNLGRP_IPV6_ROUTE], {
      message: (message) => this.#take(message),
      settled: () => this.#dump(),
      overrun: () => this.resync(),
    }, onLinkFilter())
    for (const ifindex of wanted) {
      if (this.#reported.has(ifindex)) continue
      this.#reported.set(ifindex, undefined)
      this.#touched.add(ifindex)
    }
    this.#dump()
  }

  /** Dumps the prefixes of all followed links and reports the differences. @throws OsError */
  resync(): void {
    for (const ifindex of this.#reported.keys()) this.#touched.add(ifindex)
    this.#dump()
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#reported.clear()
    this.#touched.clear()
    this.#events?.close()
    this.#events = undefined
  }

  #take(message: Message): void {
    const ifindex = decodeRoute(message)?.ifindex
    if (ifindex !== undefined && this.#reported.has(ifindex)) this.#touched.add(ifindex)
    // The replaced route may have been on any link, and has no message of its own.
    if ((message.flags & NLM_F_REPLACE) !== 0) for (const each of this.#reported.keys()) this.#touched.add(each)
  }

  #dump(): void {
    clearTimeout(this.#timer)
    for (const ifindex of this.#touched) {
      let prefixes
      try {
        prefixes = this.#prefixes(ifindex)
      } catch (error) {
        if (verdict(error) !== 'retry') throw error
        this.#timer = setTimeout(() => this.#dump(), RETRY_MS)
        return
      }
      this.#touched.delete(ifindex)
      const text = prefixes.join(' ')
      if (!this.#reported.has(ifindex) || this.#reported.get(ifindex) === text) continue
      this.#reported.set(ifindex, text)
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
