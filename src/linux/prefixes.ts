/**
 * The prefix watcher: reports the prefixes that the kernel treats as on-link (RFC 4861 2.1), which are its routes without gateway
 * (rtnetlink(7)). Such routes come from addresses, Router Advertisements or an administrator. A socket filter passes only events that may
 * concern them, and a dump covers one link, so a large routing table costs little.
 */
import { Prefix } from '../address.ts'
import type { LinkAddress } from '../engine/types.ts'
import { NLM_F_REPLACE, type Message } from '../wire/netlink.ts'
import { decodeRoute, onLinkFilter, RTNLGRP_IPV6_ROUTE } from '../wire/rtroute.ts'
import { verdict } from './errors.ts'
import { TableWatcher } from './table-watcher.ts'

/** @param prefixes all on-link prefixes of the link, sorted, without duplicates */
export type PrefixesFound = (ifindex: number, prefixes: readonly Prefix[]) => void

type Prefixes = Map<number, Prefix[]>

/**
 * @returns the on-link prefixes of a link; without any, those of its own addresses. Mobile networks assign a prefix to this machine without
 * making it on-link (RFC 7278). A deprecated address does not count: its prefix was withdrawn, and the address stays for up to two hours
 * (RFC 4862 5.5.3 e)
 */
export function prefixesOf(onLink: readonly Prefix[], addresses: readonly LinkAddress[]): readonly Prefix[] {
  if (onLink.length > 0) return onLink
  const all: Prefix[] = []
  for (const { address, prefixLength, deprecated } of addresses) {
    const prefix = new Prefix(address, prefixLength)
    const isCandidate = address.isGlobal && prefixLength > 0 && prefixLength < 128 && deprecated !== true
    if (isCandidate && !all.some((other) => other.equals(prefix))) all.push(prefix)
  }
  return all.sort(inOrder)
}

export class PrefixWatcher extends TableWatcher<Prefixes, PrefixesFound> {
  protected readonly pause = 100
  /** Last reported prefixes of each followed link, as text; undefined before the first report. */
  readonly #reported = new Map<number, string | undefined>()
  readonly #touched = new Set<number>()

  /**
   * Follows these links and no others. Reports the prefixes of new links before it returns, then every change. A link that does not
   * exist has no prefixes.
   * @throws OsError
   */
  follow(ifindexes: Iterable<number>): void {
    const wanted = new Set(ifindexes)
    for (const ifindex of this.#reported.keys()) if (!wanted.has(ifindex)) this.#reported.delete(ifindex)
    if (wanted.size === 0) return this.close()
    for (const ifindex of wanted) {
      if (this.#reported.has(ifindex)) continue
      this.#reported.set(ifindex, undefined)
      this.#touched.add(ifindex)
    }
    super.resync()
  }

  /** Dumps the prefixes of all followed links and reports the differences. @throws OsError */
  override resync(): void {
    for (const ifindex of this.#reported.keys()) this.#touched.add(ifindex)
    super.resync()
  }

  override settled(): void { if (this.#touched.size > 0) super.resync() }

  override close(): void {
    super.close()
    this.#reported.clear()
    this.#touched.clear()
  }

  override message(message: Message): void {
    const ifindex = decodeRoute(message)?.ifindex
    if (ifindex !== undefined && this.#reported.has(ifindex)) this.#touched.add(ifindex)
    // The message does not show the link of the replaced route, so all followed links are dumped.
    if ((message.flags & NLM_F_REPLACE) !== 0) for (const each of this.#reported.keys()) this.#touched.add(each)
  }

  protected dump(): Prefixes {
    this.listen([RTNLGRP_IPV6_ROUTE], onLinkFilter())
    return new Map([...this.#touched].map((ifindex) => [ifindex, this.#prefixes(ifindex)]))
  }

  protected compare(links: Prefixes): void {
    this.#touched.clear()
    for (const [ifindex, prefixes] of links) {
      const text = prefixes.join(' ')
      if (!this.#reported.has(ifindex) || this.#reported.get(ifindex) === text) continue
      this.#reported.set(ifindex, text)
      this.listener(ifindex, prefixes)
    }
  }

  #prefixes(ifindex: number): Prefix[] {
    let found: Prefix[] = []
    try {
      found = this.kernel.onLinkPrefixes(ifindex)
    } catch (error) {
      // ENODEV: the link is gone, and has no prefixes.
      if (verdict(error) !== 'wait') throw error
    }
    return found.sort(inOrder)
      .filter((prefix, i, all) => i === 0 || !prefix.equals(all[i - 1]))
  }
}

function inOrder(a: Prefix, b: Prefix): number { return a.address.compare(b.address) || a.length - b.length }
