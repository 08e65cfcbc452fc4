/** Waiting announcements, each for one target on one link: in a map by target, and in two queues sorted by deadline. */
import type { Address } from '../../address.ts'
import type { Settings } from '../../config/config.ts'
import { NONE } from '../cache/neighbor.ts'
import { AddressMap } from '../tables/address-map.ts'
import { earliest } from '../tables/deadlines.ts'
import { Fifo } from '../tables/fifo.ts'
import type { Instant, Random } from '../../engine-types.ts'

export interface Announcement {
  readonly target: Address
  readonly ifindex: number
  readonly settings: Settings
  /** Hosts on the link may have another link-layer address for the target in their caches. */
  readonly isChange: boolean
  sent: number
  postponed: number
  deadline: Instant
  isDropped: boolean
}

/** Dropped announcements leave a queue at its head, or all at once if the queue has more than `size` + DROPPED_LIMIT items. */
const DROPPED_LIMIT = 16_384

export class AnnouncementQueue {
  readonly #byTarget: AddressMap<readonly Announcement[]>
  /** Announcements that were neither sent nor postponed yet: they have priority over those in `#later`. */
  readonly #first = new Fifo<Announcement>()
  readonly #later = new Fifo<Announcement>()
  #size = 0

  constructor(random: Random) { this.#byTarget = new AddressMap(random) }
  get size(): number { return this.#size }
  get next(): Instant | undefined { return earliest(head(this.#first)?.deadline, head(this.#later)?.deadline) }

  due(now: Instant): Announcement | undefined {
    return [head(this.#first), head(this.#later)].find((announcement) => announcement !== undefined && announcement.deadline <= now)
  }

  /** The announcement that is due first among those that were sent or postponed before. */
  get oldest(): Announcement | undefined { return head(this.#later) }

  add(target: Address, ifindex: number, settings: Settings, isChange: boolean, now: Instant): void {
    const announcement = { target, ifindex, settings, isChange, sent: 0, postponed: 0, deadline: now, isDropped: false }
    this.#byTarget.set(target.w0, target.w1, target.w2, target.w3, [...this.of(target), announcement])
    this.#size++
    this.#push(this.#first, announcement)
  }

  /**
   * Schedules a due announcement once more.
   * @param isSent false: the announcement was postponed
   * @param at the new deadline. All other announcements have this deadline or an earlier one
   */
  again(announcement: Announcement, isSent: boolean, at: Instant): void {
    for (const queue of [this.#first, this.#later]) if (head(queue) === announcement) queue.shift()
    if (isSent) announcement.sent++
    else announcement.postponed++
    announcement.deadline = at
    this.#push(this.#later, announcement)
  }

  drop(announcement: Announcement): void {
    if (announcement.isDropped) return
    announcement.isDropped = true
    this.#size--
    const { target, target: { w0, w1, w2, w3 } } = announcement
    const others = this.of(target).filter((other) => other !== announcement)
    if (others.length === 0) this.#byTarget.delete(w0, w1, w2, w3)
    else this.#byTarget.set(w0, w1, w2, w3, others)
  }

  of({ w0, w1, w2, w3 }: Address): readonly Announcement[] { return this.#byTarget.get(w0, w1, w2, w3) ?? NONE }

  on(ifindex: number): readonly Announcement[] {
    return [...this.#byTarget.values()].flatMap((list) => list.filter((announcement) => announcement.ifindex === ifindex))
  }

  #push(queue: Fifo<Announcement>, announcement: Announcement): void {
    queue.push(announcement)
    if (queue.size > this.#size + DROPPED_LIMIT) queue.filter(({ isDropped }) => !isDropped)
  }
}

/** Removes dropped announcements from the head of a queue. @returns the first announcement that is left */
function head(queue: Fifo<Announcement>): Announcement | undefined {
  while (queue.first?.isDropped === true) queue.shift()
  return queue.first
}
