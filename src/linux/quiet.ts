/**
 * Keeps the kernel quiet about the addresses that ndp6d answers for (checklist P1, P2, P4): without this it forwards a
 * unicast NS, or reports its target as unreachable, and forwards what routers answer to `announce solicit`. Packet sockets
 * see the frames all the same.
 *
 * The table is ours alone. With the owner flag (Linux 5.12) the kernel removes it together with our socket, however
 * this process ends; without, {@link Quiet.close} does, or the next start.
 */
import type { Mac } from '../address.ts'
import type { QuietRule } from '../engine/types.ts'
import { Batch, NFT_TABLE_F_OWNER, ranges } from '../wire/nftables.ts'
import type { Range } from '../wire/nftables.ts'
import { native } from './native.ts'
import type { OsError } from './errors.ts'
import { RequestSocket } from './netlink.ts'
import type { OpenNetlink } from './netlink.ts'

const NETLINK_NETFILTER = 12
/** One datagram carries the whole table; 100 000 prefixes take 6 MB. */
const SEND_BUFFER = 64 * 2 ** 20
/** Ranges in one message. */
const PART = 512

interface LinkRanges {
  readonly ifindex: number
  readonly mac: Mac | undefined
  readonly ranges: readonly Range[]
}

export class Quiet {
  readonly #open: OpenNetlink
  #socket: RequestSocket | undefined
  #owner = true
  /** What the kernel has of ours; undefined until we know: a predecessor's table may be there. */
  #present: readonly LinkRanges[] | undefined

  constructor(open: OpenNetlink = native.openNetlink) { this.#open = open }

  /**
   * Makes the kernel drop what `rules` say, and nothing else; several rules of one link add up. All or nothing, at
   * once; nothing is sent when nothing changes.
   * @returns why it could not be done (no nf_tables, no permission: OsError); what was in force before stays so.
   */
  apply(rules: readonly QuietRule[]): OsError | undefined {
    const desired = merge(rules)
    if (this.#present !== undefined && same(this.#present, desired)) return undefined
    // Where there was nothing to keep quiet, and is nothing, a kernel that cannot do it is no failure.
    const idle = this.#present === undefined && desired.length === 0
    try {
      this.#socket ??= new RequestSocket(this.#open, NETLINK_NETFILTER, SEND_BUFFER)
      let error = this.#replace(desired)
      if (error !== undefined && this.#owner && ['ENOTSUP', 'EOPNOTSUPP', 'EINVAL'].includes(error.code)) {
        this.#owner = false
        error = this.#replace(desired)
      }
      if (error === undefined || idle) this.#present = desired
      return idle ? undefined : error
    } catch (error) {
      return idle ? undefined : error as OsError
    }
  }

  /** Removes the table. Idempotent; failures leave it to the kernel or to the next start. */
  close(): void {
    if (this.#present !== undefined) this.apply([])
    this.#socket?.close()
    this.#socket = undefined
    this.#present = undefined
  }

  /** One batch: away with the table that is there, ours or a predecessor's, and up with the new one. */
  #replace(links: readonly LinkRanges[]): OsError | undefined {
    const flags = this.#owner ? NFT_TABLE_F_OWNER : 0
    const failed = this.#socket!.request((w, first) => {
      const batch = new Batch(w, first)
      // Only what exists can be deleted. A predecessor's table has no owner: he is dead, or the kernel refuses us.
      if (this.#present === undefined || this.#present.length === 0) batch.newTable(0)
      batch.deleteTable()
      if (links.length > 0) {
        batch.newTable(flags)
        batch.newChain()
      }
      links.forEach((link, i) => {
        const set = `p${link.ifindex}`
        batch.newSet(set, i + 1)
        for (let at = 0; at < link.ranges.length; at += PART) batch.newElements(set, link.ranges.slice(at, at + PART))
        batch.newRule(link.ifindex, link.mac, set, i + 1)
      })
      return batch.end()
    })
    return failed.values().next().value
  }
}

/** One entry per link that has prefixes, by ifindex. */
function merge(rules: readonly QuietRule[]): LinkRanges[] {
  return [...new Map(rules.map(({ ifindex, mac }) => [ifindex, mac]))].sort(([a], [b]) => a - b)
    .map(([ifindex, mac]) => ({
      ifindex, mac, ranges: ranges(rules.filter((rule) => rule.ifindex === ifindex).flatMap((rule) => [...rule.prefixes])),
    }))
    .filter((link) => link.ranges.length > 0)
}

function same(a: readonly LinkRanges[], b: readonly LinkRanges[]): boolean {
  return a.length === b.length && a.every((x, i) => x.ifindex === b[i].ifindex && x.mac === b[i].mac
    && x.ranges.length === b[i].ranges.length && x.ranges.every((r, k) => sameRange(r, b[i].ranges[k])))
}

function sameRange(a: Range, b: Range): boolean {
  return a.first.equals(b.first) && (a.end === undefined ? b.end === undefined : b.end !== undefined && a.end.equals(b.end))
}
