/**
 * What one link is told of the solicited-node groups that we listen to there: the listener's part of MLD (RFC 3810 5.2, 6;
 * RFC 2710 4 with a querier of that version, RFC 3810 8.2), which opens snooping switches. There are no lists of sources:
 * a group is listened to, whoever sends to it, or it is not.
 *
 * Memberships of the kernel (ipv6(7)) would have it speak, but it walks the list of a link's groups for each multicast packet
 * that comes in, 6 ns for each, and for each group that is joined: half a second for 10 000.
 */
import type { Address } from '../address.ts'
import { MAX_REPORTED, OLDER_VERSION_QUERIER_PRESENT_TIMEOUT, UNSOLICITED_REPORT_INTERVAL } from '../wire/constants.ts'
import type { ListenerQuery, MulticastMessage } from '../wire/mld.ts'
import { IntMap } from './int-map.ts'
import type { Instant, Random } from './types.ts'

/** Reports that leave at once, and the time until the next ones: 48 000 groups in a second. */
const BURST = 8
const GAP = 10
/** Reports at the end, when there is no time for more: a switch forgets the other groups by itself. */
const FAREWELL = 64

const AT_ONCE = Number.NEGATIVE_INFINITY as Instant
const NEVER = Number.POSITIVE_INFINITY as Instant
const NONE = new Int32Array(0)

type Send = (message: MulticastMessage) => void

/** Groups to be told of together. */
class Due {
  readonly #factor: number
  #waiting: IntMap
  #at = NEVER
  /** When all that are wanted are among them. */
  #allAt = NEVER
  /** Those whose time has come, as far as they were not taken. */
  #leaving = NONE

  constructor(factor: number) {
    this.#factor = factor
    this.#waiting = new IntMap(factor)
  }

  get at(): Instant { return this.#leaving.length > 0 ? AT_ONCE : this.#at }

  /** At `at`, or earlier with others. */
  add(group: number, at: Instant): void {
    this.#waiting.set(group, 1)
    if (at < this.#at) this.#at = at
  }

  /** As `add`, for all of them. */
  addAll(groups: Iterable<number>, at: Instant): void {
    if (this.#allAt <= at) return
    for (const group of groups) this.add(group, at)
    if (this.#waiting.size > 0) this.#allAt = at
  }

  /** At most so many of those whose time has come. */
  take(most: number, now: Instant): Int32Array {
    if (this.#leaving.length === 0 && this.#at <= now) {
      this.#leaving = Int32Array.from(this.#waiting.keys())
      this.#reset()
    }
    const taken = this.#leaving.subarray(0, most)
    this.#leaving = this.#leaving.length > most ? this.#leaving.subarray(most) : NONE
    return taken
  }

  clear(): void {
    this.#leaving = NONE
    this.#reset()
  }

  #reset(): void {
    this.#waiting = new IntMap(this.#factor)
    this.#at = this.#allAt = NEVER
  }
}

/** Groups are the low 24 bits of solicited-node groups. */
export class Listener {
  readonly #random: Random
  /** By how many. */
  readonly #wanted: IntMap
  /** Joined or left, to be told of at once and, since reports get lost, once more. */
  readonly #changed: Due
  readonly #repeated: Due
  readonly #asked: Due
  #restingUntil = AT_ONCE
  /** The querier speaks version 1. */
  #isOld = false
  #oldUntil = AT_ONCE

  /** Reports reach somebody: changes are told. */
  isHeard = false

  constructor(random: Random) {
    this.#random = random
    // Hosts choose their addresses, and so the groups.
    const factor = 2 * Math.floor(random() * 2 ** 31) + 1
    this.#wanted = new IntMap(factor)
    this.#changed = new Due(factor)
    this.#repeated = new Due(factor)
    this.#asked = new Due(factor)
  }

  /** Groups that are wanted. */
  get size(): number { return this.#wanted.size }

  /** When `wake` has something to do. */
  get next(): Instant {
    const due = Math.min(this.#changed.at, this.#repeated.at, this.#asked.at, this.#isOld ? this.#oldUntil : NEVER)
    return Math.max(this.#restingUntil, due) as Instant
  }

  /** One more wants it. */
  add(group: number): void {
    const count = this.#wanted.get(group)
    this.#wanted.set(group, count + 1)
    if (count === 0 && this.isHeard) this.#changed.add(group, AT_ONCE)
  }

  /** One less wants it. @returns false when nobody did */
  remove(group: number): boolean {
    const count = this.#wanted.get(group)
    if (count === 0) return false
    this.#wanted.set(group, count - 1)
    if (count === 1 && this.isHeard) this.#changed.add(group, AT_ONCE)
    return true
  }

  /** Tells of all groups as if they were new, since whoever hears of them may be. */
  begin(): void { this.#changed.addAll(this.#wanted.keys(), AT_ONCE) }

  /** Nobody would hear what is due. */
  mute(): void { for (const due of [this.#changed, this.#repeated, this.#asked]) due.clear() }

  /** Answered in time, where there is something to say. */
  query({ version, groups, delay }: Pick<ListenerQuery, 'version' | 'groups' | 'delay'>, now: Instant): void {
    if (version === 1) {
      this.#isOld = true
      this.#oldUntil = now + OLDER_VERSION_QUERIER_PRESENT_TIMEOUT as Instant
    }
    const at = now + this.#random() * delay as Instant
    if (groups === undefined) this.#asked.addAll(this.#wanted.keys(), at)
    else for (const group of groups.map(suffixOf)) if (this.#wanted.get(group) > 0) this.#asked.add(group, at)
  }

  /** Sends what is due, as much as may leave at once. @param source link-local, or `::` (RFC 3810 5.2.13) */
  wake(now: Instant, source: Address, send: Send): void {
    this.#isOld &&= now < this.#oldUntil
    let room = BURST
    const flush = (due: Due, tell: (groups: Int32Array) => void): void => {
      for (; room > 0 && due.at <= now; room--) tell(due.take(this.#most, now))
    }
    const again = now + this.#random() * UNSOLICITED_REPORT_INTERVAL as Instant
    flush(this.#changed, (groups) => {
      this.#change(groups, source, send)
      for (const group of groups) this.#repeated.add(group, again)
    })
    flush(this.#repeated, (groups) => this.#change(groups, source, send))
    flush(this.#asked, (groups) => this.#state(groups.filter((group) => this.#wanted.get(group) > 0), source, send))
    if (room === 0) this.#restingUntil = now + GAP as Instant
  }

  /** Leaves what was joined, as far as can be told at once. */
  end(source: Address, send: Send): void {
    this.begin()
    for (let room = FAREWELL; room > 0 && this.#changed.at === AT_ONCE; room--) {
      this.#tell(NONE, this.#changed.take(this.#most, AT_ONCE), source, send)
    }
    this.mute()
  }

  /** Groups of one message. */
  get #most(): number { return this.#isOld ? 1 : MAX_REPORTED }

  #change(groups: Int32Array, source: Address, send: Send): void {
    this.#tell(groups.filter((group) => this.#wanted.get(group) > 0), groups.filter((group) => this.#wanted.get(group) === 0), source, send)
  }

  #tell(joined: Int32Array, left: Int32Array, source: Address, send: Send): void {
    if (!this.#isOld) return send({ kind: 'change', source, joined, left })
    for (const group of joined) send({ kind: 'report', source, group })
    for (const group of left) send({ kind: 'done', source, group })
  }

  #state(groups: Int32Array, source: Address, send: Send): void {
    if (groups.length === 0) return
    if (this.#isOld) this.#tell(groups, NONE, source, send)
    else send({ kind: 'state', source, groups })
  }
}

/** The low 24 bits, by which an address and its solicited-node group agree (RFC 4291 2.7.1). */
export function suffixOf({ w3 }: Address): number { return w3 & 0xffffff }
