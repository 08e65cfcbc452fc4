/**
 * Keeps the kernel from reacting to unicast ND messages for addresses that ndp6d answers for. Without this filter the kernel forwards
 * such an NS, or reports its target as unreachable (RFC 4443 3.1), and forwards replies of routers to `announce solicit`. Packet
 * sockets get the frames all the same. The same nftables table logs the kernel's own solicitations for {@link OwnSolicitations}.
 *
 * The table is ours alone. With the owner flag (Linux 5.12) the kernel removes it with our socket, however this process ends. On older
 * kernels {@link KernelFilter.close} removes it, or the next start.
 */
import { createHash } from 'node:crypto'
import type { Mac } from '../address.ts'
import type { Filter } from '../engine/types.ts'
import { Batch, NFT_TABLE_F_OWNER, ranges } from '../wire/nftables.ts'
import type { Range } from '../wire/nftables.ts'
import { native } from './native.ts'
import type { OsError } from './errors.ts'
import { NETLINK_NETFILTER, RequestSocket } from './netlink.ts'
import type { OpenNetlink } from './netlink.ts'

/** Bytes. One datagram carries the whole table; 100 000 prefixes take 6 MB. */
const SEND_BUFFER = 64 * 2 ** 20
/** Ranges per message. */
const PART = 512

/** The part of the table for one link. */
interface Part {
  readonly ifindex: number
  readonly mac: Mac | undefined
  /** Hash of its ranges. */
  readonly digest: string
}

interface Table {
  readonly parts: readonly Part[]
  /** Group of nfnetlink_log for the kernel's own solicitations; undefined: they are not logged. */
  readonly group: number | undefined
}

interface LinkRanges extends Part {
  readonly ranges: readonly Range[]
}

export class KernelFilter {
  readonly #open: OpenNetlink
  #socket: RequestSocket | undefined
  #owner = true
  /** The table in the kernel; undefined until the first change: a table of the previous run may be there. */
  #present: Table | undefined
  /** The filters of the table. */
  #filters: readonly Filter[] = []

  constructor(open: OpenNetlink = native.openNetlink) { this.#open = open }

  /** The group of the table in force. */
  get group(): number | undefined { return this.#present?.group }

  /**
   * Replaces the table in one transaction, if it differs. Several filters of one link add up.
   * @param group of nfnetlink_log for the kernel's own solicitations; undefined: do not log them
   * @returns the error if the kernel refused (no nf_tables, no permission); then the previous table stays
   */
  apply(filters: readonly Filter[], group?: number): OsError | undefined {
    if (this.#present?.group === group && this.#present !== undefined && haveSamePrefixes(this.#filters, filters)) return undefined
    const desired = merge(filters)
    if (this.#present === undefined || this.#present.group !== group || !same(this.#present.parts, desired)) {
      // A kernel without nf_tables is no error as long as nothing is to be filtered.
      const isIdle = this.#present === undefined && desired.length === 0 && group === undefined
      const error = this.#put(desired, group)
      if (error !== undefined && !isIdle) return error
    }
    // Without the ranges, which may be many.
    this.#present = { parts: desired.map(({ ifindex, mac, digest }) => ({ ifindex, mac, digest })), group }
    this.#filters = filters
    return undefined
  }

  /** Removes the table. Idempotent. After an error the kernel or the next start removes it. */
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
      // Creates the table first if it may not exist: deleting it would fail. One of the previous run has no owner any more.
      if (this.#present === undefined || isEmpty(this.#present)) batch.newTable(0)
      batch.deleteTable()
      if (!isEmpty({ parts: links, group })) batch.newTable(flags)
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
      }
      return batch.end()
    })
    return failed.values().next().value
  }
}

function isEmpty({ parts, group }: Table): boolean { return parts.length === 0 && group === undefined }

/** @returns one entry per link that has prefixes, ordered by ifindex */
function merge(filters: readonly Filter[]): LinkRanges[] {
  return [...new Map(filters.map(({ ifindex, mac }) => [ifindex, mac]))].sort(([a], [b]) => a - b)
    .map(([ifindex, mac]) => {
      const all = ranges(filters.filter((filter) => filter.ifindex === ifindex).flatMap(({ prefixes }) => [...prefixes]))
      return { ifindex, mac, ranges: all, digest: digestOf(all) }
    })
    .filter((link) => link.ranges.length > 0)
}

function digestOf(all: readonly Range[]): string {
  const words = new Int32Array(9 * all.length)
  all.forEach(({ first, end }, i) => {
    words.set([first.w0, first.w1, first.w2, first.w3], 9 * i)
    if (end !== undefined) words.set([1, end.w0, end.w1, end.w2, end.w3], 9 * i + 4)
  })
  return createHash('sha256').update(words).digest('hex')
}

function same(a: readonly Part[], b: readonly Part[]): boolean {
  return a.length === b.length
    && a.every(({ ifindex, mac, digest }, i) => ifindex === b[i].ifindex && mac === b[i].mac && digest === b[i].digest)
}

/** @returns whether the prefixes are the same objects: contents are not compared */
function haveSamePrefixes(a: readonly Filter[], b: readonly Filter[]): boolean {
  return a.length === b.length
    && a.every(({ ifindex, mac, prefixes }, i) => ifindex === b[i].ifindex && mac === b[i].mac && prefixes === b[i].prefixes)
}
