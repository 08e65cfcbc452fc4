/**
 * Keeps the kernel from reacting to unicast ND messages for addresses that ndp6d answers for. Without this filter the kernel forwards
 * such an NS, or reports its target as unreachable (RFC 4443 3.1). Without this filter the kernel also forwards the NAs by which routers
 * reply to `announce solicit`. Packet sockets still get the frames. The same nftables table logs the kernel's own solicitations for
 * {@link OwnSolicitations}. On links without neighbor resolution, the kernel solicits nothing, so the table logs packets that leave there
 * for addresses that ndp6d answers for.
 *
 * Only ndp6d uses the table. With the owner flag (Linux 5.12) the kernel removes the table when our socket closes, however this process
 * ends. On older kernels {@link KernelFilter.close} or the next start removes the table.
 */
import { createHash } from 'node:crypto'
import type { Mac } from '../address.ts'
import type { Filter } from '../engine-types.ts'
import { Batch, NFT_TABLE_F_OWNER, ranges, type Range, subtract } from '../wire/nftables.ts'
import { native } from './native.ts'
import type { OsError } from './errors.ts'
import { NETLINK_NETFILTER, RequestSocket, type OpenNetlink } from './netlink.ts'

const NO_LINKS: ReadonlySet<number> = new Set()
/** Send buffer in bytes. One datagram carries the whole table, which takes 6 MB for 100 000 prefixes. */
const SEND_BUFFER = 64 * 2 ** 20
const PART = 512

interface LinkRanges {
  readonly ifindex: number
  readonly mac: Mac | undefined
  readonly ranges: readonly Range[]
  /** Whether packets that leave by the link are logged if their destination is in `ranges`. */
  readonly isWatched: boolean
}

interface Table {
  /** Hash of all links and ranges, kept instead of the ranges, which may be many. */
  readonly digest: string
  /** Group of nfnetlink_log for the kernel's own solicitations; undefined: they are not logged. */
  readonly group: number | undefined
  readonly isEmpty: boolean
}

export class KernelFilter {
  readonly #open: OpenNetlink
  #socket: RequestSocket | undefined
  #owner = true
  /** The table that we put into the kernel. While it is undefined, the kernel may have a table of a previous run. */
  #present: Table | undefined

  constructor(open: OpenNetlink = native.openNetlink) { this.#open = open }

  /** The nfnetlink_log group of the present table; undefined: it logs nothing. */
  get group(): number | undefined { return this.#present?.group }

  /**
   * Replaces the table in one transaction, if the new table differs. Merges the prefixes, and the excluded prefixes, of all filters of a
   * link.
   * @param group nfnetlink_log group for the kernel's own solicitations; undefined: do not log them
   * @param watched the ifindexes of the watched links. On a watched link without neighbor resolution, packets are logged instead of
   *   solicitations
   * @returns the error if the kernel refused the table (no nf_tables, no permission); then the previous table stays
   */
  apply(filters: readonly Filter[], group?: number, watched = NO_LINKS): OsError | undefined {
    const present = this.#present
    const links = merge(filters, group === undefined ? NO_LINKS : watched)
    const desired = { digest: digestOf(links), group, isEmpty: links.length === 0 && group === undefined }
    if (present?.digest !== desired.digest || present.group !== group) {
      const error = this.#put(links, group)
      // A kernel without nf_tables is no error as long as nothing is to be filtered.
      if (error !== undefined && !(present === undefined && desired.isEmpty)) return error
    }
    this.#present = desired
    return undefined
  }

  /** Removes the table. If that fails, the kernel or the next start removes the table. Idempotent. */
  close(): void {
    if (this.#present !== undefined) this.apply([])
    this.#socket?.close()
    this.#socket = undefined
    this.#present = undefined
  }

  #put(links: readonly LinkRanges[], group: number | undefined): OsError | undefined {
    try {
      this.#socket ??= new RequestSocket(this.#open, NETLINK_NETFILTER, SEND_BUFFER)
      const error = this.#replace(links, group)
      const isOwnerRefused = error !== undefined && this.#owner && ['ENOTSUP', 'EOPNOTSUPP', 'EINVAL'].includes(error.code)
      if (!isOwnerRefused) return error
      this.#owner = false
      return this.#replace(links, group)
    } catch (error) {
      return error as OsError
    }
  }

  /** Deletes the present table and makes the new one, in one transaction. */
  #replace(links: readonly LinkRanges[], group: number | undefined): OsError | undefined {
    const flags = this.#owner ? NFT_TABLE_F_OWNER : 0
    const failed = this.#socket!.request((w, first) => {
      const batch = new Batch(w, first)
      // `newTable` comes first, because deleting a missing table would fail. A table without owner flag may be missing, because other
      // programs can delete it. If the table exists, `newTable` must pass its flags. A table that a previous run left has no owner flag.
      batch.newTable(this.#present?.isEmpty === false ? flags : 0)
      batch.deleteTable()
      if (links.length > 0 || group !== undefined) batch.newTable(flags)
      if (links.length > 0) batch.newChain('prerouting')
      links.forEach((link, i) => {
        const set = `p${link.ifindex}`
        batch.newSet(set, i + 1)
        for (let at = 0; at < link.ranges.length; at += PART) batch.newElements(set, link.ranges.slice(at, at + PART))
        batch.newDropRule(link.ifindex, link.mac, set, i + 1)
      })
      if (group !== undefined) {
        batch.newChain('output')
        batch.newLogRule(group)
        if (links.some(({ isWatched }) => isWatched)) batch.newChain('postrouting')
        links.forEach(({ ifindex, isWatched }, i) => {
          if (isWatched) batch.newUnresolvedRule(ifindex, `p${ifindex}`, i + 1, group)
        })
      }
      return batch.end()
    })
    return failed.values().next().value
  }
}

/** @returns one entry per link that has prefixes, ordered by ifindex */
function merge(filters: readonly Filter[], watched: ReadonlySet<number>): LinkRanges[] {
  const byLink = new Map<number, Filter[]>()
  for (const filter of filters) byLink.set(filter.ifindex, [...byLink.get(filter.ifindex) ?? [], filter])
  return [...byLink].sort(([a], [b]) => a - b)
    .map(([ifindex, ofLink]) => {
      const { mac, noarp } = ofLink.at(-1)!
      const [covered, excluded] = (['prefixes', 'excluded'] as const).map((key) => ranges(ofLink.flatMap((filter) => [...filter[key]])))
      return { ifindex, mac, ranges: subtract(covered, excluded), isWatched: (mac === undefined || noarp === true) && watched.has(ifindex) }
    })
    .filter((link) => link.ranges.length > 0)
}

function digestOf(links: readonly LinkRanges[]): string {
  const hash = createHash('sha256')
  for (const { ifindex, mac, ranges, isWatched } of links) {
    const words = new Int32Array(9 * ranges.length)
    ranges.forEach(({ first, end }, i) => {
      words.set([first.w0, first.w1, first.w2, first.w3], 9 * i)
      if (end !== undefined) words.set([1, end.w0, end.w1, end.w2, end.w3], 9 * i + 4)
    })
    hash.update(`${ifindex} ${mac} ${isWatched} ${words.length} `).update(words)
  }
  return hash.digest('hex')
}
