/**
 * Multicast listener of one link: reports solicited-node groups, so that switches with MLD snooping forward solicitations. The reports
 * are MLDv2 (RFC 3810 5.2, 6), or MLDv1 (RFC 2710 4) while the querier uses MLDv1 (RFC 3810 8.2). There are no source lists: a group is
 * listened to from any source or not at all.
 *
 * Memberships of the kernel (ipv6(7)) would be slower. The kernel walks the list of a link's groups for each received multicast packet,
 * 6 ns per group, and for each join: 10 000 joins take half a second.
 */
import type { Address } from '../../address.ts'
import { LAST_LISTENER_QUERY_INTERVAL, MAX_REPORTED, OLDER_VERSION_QUERIER_PRESENT_TIMEOUT, QUERY_RESPONSE_INTERVAL,
  UNSOLICITED_REPORT_INTERVAL } from '../../wire/constants.ts'
import type { ListenerQuery, MulticastMessage } from '../../wire/mld-decode.ts'
import { Counts } from '../tables/counts.ts'
import type { Instant, Random } from '../../engine-types.ts'

/** The most reports in one batch. An MLDv2 report has up to MAX_REPORTED groups. */
const BURST = 8
/** Milliseconds of pause after a full batch. While more groups wait, at most 800 reports leave per second. */
const GAP = 10
/**
 * The pause after an answer to queries, milliseconds: PAUSE for each group of the answer, but at least MIN_PAUSE and at most MAX_PAUSE.
 * MIN_PAUSE is the default time to answer a query for one group, MAX_PAUSE for all groups. One answer after the pause covers all queries
 * that came during the pause.
 */
const PAUSE = 2.5, MIN_PAUSE = LAST_LISTENER_QUERY_INTERVAL, MAX_PAUSE = QUERY_RESPONSE_INTERVAL
/** The most reports that `leaveAll` sends. Switches forget the remaining groups by timeout. */
const LAST_BURST = 64

const AT_ONCE = Number.NEGATIVE_INFINITY as Instant
const NEVER = Number.POSITIVE_INFINITY as Instant

class Pending {
  readonly #isPaced: boolean
  /** Earliest time at which waiting groups become due. */
  #earliest = AT_ONCE
  #waiting = new Set<number>()
  #at = NEVER
  /** Time at which all groups of the link are due. Set by `addAll`. */
  #allAt = NEVER
  /** Due groups that `take` has not returned yet. */
  #due: number[] = []

  /** @param isPaced true: after groups became due, further groups become due only after a pause */
  constructor(isPaced = false) { this.#isPaced = isPaced }

  get at(): Instant { return this.#due.length > 0 ? AT_ONCE : this.#at }

  /** Adds a group, which becomes due at `at` or earlier. If `at` is during a pause, the end of the pause counts instead. */
  add(group: number, at: Instant): void {
    this.#waiting.add(group)
    this.#at = Math.min(this.#at, Math.max(this.#earliest, at)) as Instant
  }

  /** @returns whether all groups of the link are due at `at` or earlier */
  hasAll(at: Instant): boolean { return this.#allAt <= at }

  /** Adds all groups of the link, unless all are due by `at` anyway. @param at as for `add` */
  addAll(groups: Iterable<number>, at: Instant): void {
    const latest = Math.max(this.#earliest, at) as Instant
    if (this.hasAll(latest)) return
    for (const group of groups) this.add(group, latest)
    if (this.#waiting.size > 0) this.#allAt = latest
  }

  /** Removes at most `most` groups whose time has come. @returns these groups */
  take(most: number, now: Instant): number[] {
    if (this.#due.length === 0 && this.#at <= now) {
      const pause = Math.min(MAX_PAUSE, Math.max(MIN_PAUSE, PAUSE * this.#waiting.size))
      if (this.#isPaced) this.#earliest = now + pause as Instant
      this.clear([...this.#waiting])
    }
    return this.#due.splice(0, most)
  }

  /** Removes all waiting groups. @param due the groups that `take` returns next */
  clear(due: number[] = []): void {
    this.#due = due
    this.#waiting.clear()
    this.#at = this.#allAt = NEVER
  }
}

/** MLD listener of one link. A group is given by the last 24 bits of the solicited-node group. */
export class MldListener {
  readonly #random: Random
  readonly #send: (message: MulticastMessage) => void
  readonly #added = new Counts<number>()
  /** Groups that were joined or left, for a State Change Report. */
  readonly #changed = new Pending()
  /** Groups whose State Change Report is repeated once, since the first one may be lost. */
  readonly #repeated = new Pending()
  /** Groups for Current State Reports that answer a General Query. */
  readonly #queriedAll = new Pending(true)
  /** Groups for Current State Reports that answer queries for single groups. */
  readonly #queried = new Pending(true)
  #restingUntil = AT_ONCE
  /** Older Version Querier Present timer (RFC 3810 8.2.1): end of the time with MLDv1. NEVER: MLDv2 is used. */
  #version1Until = NEVER

  isReporting = false

  constructor(random: Random, send: (message: MulticastMessage) => void) {
    this.#random = random
    this.#send = send
  }

  get size(): number { return this.#added.size }

  /** Time of the next `wake`; infinite: none is needed. */
  get next(): Instant {
    const due = Math.min(this.#changed.at, this.#repeated.at, this.#queriedAll.at, this.#queried.at, this.#version1Until)
    return Math.max(this.#restingUntil, due) as Instant
  }

  add(group: number): void { if (this.#added.add(group) === 1 && this.isReporting) this.#changed.add(group, AT_ONCE) }

  /** Undoes one `add`. @returns false if no `add` of this group is left to undo */
  remove(group: number): boolean {
    if (!this.#has(group)) return false
    if (this.#added.add(group, -1) === 0 && this.isReporting) this.#changed.add(group, AT_ONCE)
    return true
  }

  /** Reports all groups as newly joined, for a switch that may not know them. */
  reportAll(): void { this.#changed.addAll(this.#added.kinds(), AT_ONCE) }
  cancel(): void { for (const pending of [this.#changed, this.#repeated, this.#queriedAll, this.#queried]) pending.clear() }

  /**
   * Schedules the answer to a query. A query that concerns no group of this link is not answered. A pending report that answers the query
   * is not duplicated (RFC 3810 6.2, RFC 2710 4).
   */
  query({ version, groups, delay }: Pick<ListenerQuery, 'version' | 'groups' | 'delay'>, now: Instant): void {
    if (version === 1) this.#version1Until = now + OLDER_VERSION_QUERIER_PRESENT_TIMEOUT as Instant
    const at = now + this.#random() * delay as Instant
    if (groups === undefined) return this.#queriedAll.addAll(this.#added.kinds(), at)
    if (this.#queriedAll.hasAll(at)) return
    for (const group of groups.map(suffixOf)) if (this.#has(group)) this.#queried.add(group, at)
  }

  /** Sends the reports that are due, at most BURST of them. @param source link-local, or `::` (RFC 3810 5.2.13) */
  wake(now: Instant, source: Address): void {
    if (this.#version1Until <= now) this.#version1Until = NEVER
    let left = BURST
    const flush = (pending: Pending, report: (groups: number[]) => void): void => {
      for (; left > 0 && pending.at <= now; left--) report(pending.take(this.#capacity, now))
    }
    const again = now + this.#random() * UNSOLICITED_REPORT_INTERVAL as Instant
    flush(this.#changed, (groups) => {
      this.#reportChange(groups, source)
      for (const group of groups) this.#repeated.add(group, again)
    })
    flush(this.#repeated, (groups) => this.#reportChange(groups, source))
    for (const queried of [this.#queried, this.#queriedAll]) {
      flush(queried, (groups) => this.#reportState(groups.filter((group) => this.#has(group)), source))
    }
    if (left === 0) this.#restingUntil = now + GAP as Instant
  }

  leaveAll(source: Address): void {
    this.reportAll()
    for (let left = LAST_BURST; left > 0 && this.#changed.at === AT_ONCE; left--) {
      this.#report([], this.#changed.take(this.#capacity, AT_ONCE), source)
    }
    this.cancel()
  }

  get #isVersion1(): boolean { return this.#version1Until < NEVER }
  #has(group: number): boolean { return this.#added.count(group) > 0 }
  get #capacity(): number { return this.#isVersion1 ? 1 : MAX_REPORTED }

  #reportChange(groups: number[], source: Address): void {
    this.#report(groups.filter((group) => this.#has(group)), groups.filter((group) => !this.#has(group)), source)
  }

  #report(joined: number[], left: number[], source: Address): void {
    if (!this.#isVersion1) return this.#send({ kind: 'change', source, joined: Int32Array.from(joined), left: Int32Array.from(left) })
    for (const group of joined) this.#send({ kind: 'report', source, group })
    for (const group of left) this.#send({ kind: 'done', source, group })
  }

  #reportState(groups: number[], source: Address): void {
    if (groups.length === 0) return
    if (this.#isVersion1) this.#report(groups, [], source)
    else this.#send({ kind: 'state', source, groups: Int32Array.from(groups) })
  }
}

/** @returns the last 24 bits, which an address and its solicited-node group have in common (RFC 4291 2.7.1) */
export function suffixOf({ w3 }: Address): number { return w3 & 0xffffff }
