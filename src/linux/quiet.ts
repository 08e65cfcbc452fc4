/**
 * Keeps the kernel quiet about the addresses that ndp6d answers for (checklist P1, P2, P4): without this it forwards a
 * unicast NS, or reports its target as unreachable, and forwards what routers answer to `announce solicit`. Packet sockets
 * see the frames all the same. The same table shows which solicitations the kernel sends itself, for {@link OwnSolicitations}.
 *
 * The table is ours alone. With the owner flag (Linux 5.12) the kernel removes it together with our socket, however
 * this process ends; without, {@link Quiet.close} does, or the next start.
 */
import { createHash } from 'node:crypto'
import type { Mac } from '../address.ts'
import type { QuietRule } from '../engine/types.ts'
import { Batch, NFT_TABLE_F_OWNER, ranges } from '../wire/nftables.ts'
import type { Range } from '../wire/nftables.ts'
import { native } from './native.ts'
import type { OsError } from './errors.ts'
import { NETLINK_NETFILTER, RequestSocket } from './netlink.ts'
import type { OpenNetlink } from './netlink.ts'

/** One datagram carries the whole table; 100 000 prefixes take 6 MB. */
const SEND_BUFFER = 64 * 2 ** 20
/** Ranges in one message. */
const PART = 512

/** One link's part of the table. */
interface Part {
  readonly ifindex: number
  readonly mac: Mac | undefined
  /** What its prefixes add up to, told from anything else. */
  readonly digest: string
}

interface Table {
  readonly parts: readonly Part[]
  /** Of nfnetlink_log, for the kernel's own solicitations; undefined: they are not shown. */
  readonly group: number | undefined
}

interface LinkRanges extends Part {
  readonly ranges: readonly Range[]
}

export class Quiet {
  readonly #open: OpenNetlink
  #socket: RequestSocket | undefined
  #owner = true
  /** What the kernel has of ours; undefined until we know: a predecessor's table may be there. */
  #present: Table | undefined
  /** The rules that said so. */
  #rules: readonly QuietRule[] = []

  constructor(open: OpenNetlink = native.openNetlink) { this.#open = open }

  /** The group that sees the kernel's own solicitations, as things are. */
  get group(): number | undefined { return this.#present?.group }

  /**
   * Makes the kernel drop what `rules` say, and nothing else; several rules of one link add up. All or nothing, at
   * once; nothing is sent when nothing changes.
   * @param group of nfnetlink_log, which is to see the kernel's own solicitations, if any
   * @returns why it could not be done (no nf_tables, no permission: OsError); what was in force before stays so.
   */
  apply(rules: readonly QuietRule[], group?: number): OsError | undefined {
    if (this.#present?.group === group && this.#present !== undefined && sameRules(this.#rules, rules)) return undefined
    const desired = merge(rules)
    if (this.#present === undefined || this.#present.group !== group || !same(this.#present.parts, desired)) {
      // Where there was nothing to keep quiet, and is nothing, a kernel that cannot do it is no failure.
      const isIdle = this.#present === undefined && desired.length === 0 && group === undefined
      const error = this.#put(desired, group)
      if (error !== undefined && !isIdle) return error
    }
    // Without the ranges: there may be very many.
    this.#present = { parts: desired.map(({ ifindex, mac, digest }) => ({ ifindex, mac, digest })), group }
    this.#rules = rules
    return undefined
  }

  /** Removes the table. Idempotent; failures leave it to the kernel or to the next start. */
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

  /** One batch: away with the table that is there, ours or a predecessor's, and up with the new one. */
  #replace(links: readonly LinkRanges[], group: number | undefined): OsError | undefined {
    const flags = this.#owner ? NFT_TABLE_F_OWNER : 0
    const failed = this.#socket!.request((w, first) => {
      const batch = new Batch(w, first)
      // Only what exists can be deleted. A predecessor's table has no owner: he is dead, or the kernel refuses us.
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

/** One entry per link that has prefixes, by ifindex. */
function merge(rules: readonly QuietRule[]): LinkRanges[] {
  return [...new Map(rules.map(({ ifindex, mac }) => [ifindex, mac]))].sort(([a], [b]) => a - b)
    .map(([ifindex, mac]) => {
      const all = ranges(rules.filter((rule) => rule.ifindex === ifindex).flatMap(({ prefixes }) => [...prefixes]))
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

/** As far as can be seen without a look at the prefixes. */
function sameRules(a: readonly QuietRule[], b: readonly QuietRule[]): boolean {
  return a.length === b.length
    && a.every(({ ifindex, mac, prefixes }, i) => ifindex === b[i].ifindex && mac === b[i].mac && prefixes === b[i].prefixes)
}
