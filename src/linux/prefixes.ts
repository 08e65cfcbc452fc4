/**
 * The prefix watcher: reports the prefixes that the kernel treats as on-link (RFC 4861 2.1), which are its routes without gateway
 * (rtnetlink(7)). Such routes come from addresses, Router Advertisements or an administrator. A socket filter passes only events that may
 * concern such routes, and a dump covers one link, so a large routing table costs little. Any host of an upstream can add any number of
 * prefixes (RFC 4861 6.3.4): prefixes beyond the limit are not kept, and cause no dump.
 */
import { Prefix } from '../address.ts'
import type { LinkAddress } from '../engine-types.ts'
import { NLM_F_REPLACE, type Message } from '../wire/netlink.ts'
import { decodeOnLink, onLinkFilter, RTM_NEWROUTE, RTNLGRP_IPV6_ROUTE } from '../wire/rtroute.ts'
import { verdict } from './errors.ts'
import { SMALL_SHARE, TableWatcher } from './table-watcher.ts'

/** The most prefixes of one link that are reported: more than `subnet auto` serves, so the engine notices that there are too many. */
export const REPORT_LIMIT = 256

/** @param prefixes the on-link prefixes of the link, sorted, without duplicates. Above REPORT_LIMIT, new prefixes are left out first */
export type PrefixesFound = (ifindex: number, prefixes: readonly Prefix[]) => void

type Prefixes = Map<number, readonly Prefix[]>

/**
 * @returns the on-link prefixes of a link; if there are none, the prefixes of its addresses. Mobile networks assign a prefix to this
 * machine without making it on-link (RFC 7278). A deprecated address does not count: its prefix was withdrawn, and the address stays for
 * up to two hours (RFC 4862 5.5.3 e)
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
  protected override readonly share = SMALL_SHARE
  /** For each followed link, the prefixes that were reported last, as texts of {@link keyOf}; undefined before the first report. */
  readonly #reported = new Map<number, ReadonlySet<string> | undefined>()
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
    let isNew = false
    for (const ifindex of wanted) {
      if (this.#reported.has(ifindex)) continue
      this.#reported.set(ifindex, undefined)
      this.#touched.add(ifindex)
      isNew = true
    }
    if (isNew) super.resync()
  }

  /** Dumps the prefixes of all followed links and reports the differences. @throws OsError */
  override resync(): void {
    this.#touchAll()
    super.resync()
  }

  override settled(): void { if (this.#touched.size > 0) this.resyncInShare() }
  override overrun(): void {
    this.#touchAll()
    super.overrun()
  }

  override close(): void {
    super.close()
    this.#reported.clear()
    this.#touched.clear()
  }

  override message(message: Message): void {
    // The message does not show the link of the replaced route, so all followed links are dumped.
    if ((message.flags & NLM_F_REPLACE) !== 0) this.#touchAll()
    const route = decodeOnLink(message)
    const known = route === undefined ? undefined : this.#reported.get(route.ifindex)
    if (route === undefined || known === undefined) return
    const isKnown = known.has(keyOf(route.prefix))
    // At the limit, a further prefix changes nothing.
    const isChange = message.type === RTM_NEWROUTE ? !isKnown && known.size < REPORT_LIMIT : isKnown
    if (isChange) this.#touched.add(route.ifindex)
  }

  protected dump(): Prefixes {
    this.listen([RTNLGRP_IPV6_ROUTE], onLinkFilter())
    return new Map([...this.#touched].map((ifindex) => [ifindex, this.#prefixes(ifindex)]))
  }

  protected compare(links: Prefixes): void {
    this.#touched.clear()
    for (const [ifindex, prefixes] of links) {
      const known = this.#reported.get(ifindex)
      const isSame = known?.size === prefixes.length && prefixes.every((prefix) => known.has(keyOf(prefix)))
      if (!this.#reported.has(ifindex) || isSame) continue
      this.#reported.set(ifindex, new Set(prefixes.map(keyOf)))
      this.listener(ifindex, prefixes)
    }
  }

  #touchAll(): void { for (const ifindex of this.#reported.keys()) this.#touched.add(ifindex) }

  #prefixes(ifindex: number): Prefix[] {
    const known = this.#reported.get(ifindex) ?? new Set()
    let found: Prefix[] = []
    try {
      found = this.kernel.onLinkPrefixes(ifindex, (prefix, count) => count < known.size + REPORT_LIMIT || known.has(keyOf(prefix)))
    } catch (error) {
      // ENODEV: the link is gone, and has no prefixes.
      if (verdict(error) !== 'wait') throw error
    }
    const distinct = found.sort(inOrder).filter((prefix, i, all) => i === 0 || !prefix.equals(all[i - 1]))
    if (distinct.length <= REPORT_LIMIT) return distinct
    const isKnown = (prefix: Prefix): boolean => known.has(keyOf(prefix))
    return [...distinct.filter(isKnown), ...distinct.filter((prefix) => !isKnown(prefix))].slice(0, REPORT_LIMIT).sort(inOrder)
  }
}

/** Formats faster than `toString`, for dumps of large tables. */
function keyOf({ address: { w0, w1, w2, w3 }, length }: Prefix): string { return `${w0} ${w1} ${w2} ${w3} ${length}` }

function inOrder(a: Prefix, b: Prefix): number { return a.address.compare(b.address) || a.length - b.length }
