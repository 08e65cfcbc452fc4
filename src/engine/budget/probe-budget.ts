/**
 * Rate limits of probes (RFC 6583 7.1, 7.2; RFC 3756 4.3.2). Each link has two budgets, and so has each block of the configuration:
 *
 *     alive     for hosts that sent a packet themselves: four times `probe-limit` per second, and the unused budget of the last two seconds
 *     unknown   for solicited targets: `probe-limit` per second, and the unused budget of the last four seconds
 *
 * A probe must leave a part of its budget (`KEPT`) to probes of higher priority. The priorities, from the highest to the lowest:
 *
 *     seen       targets that had an owner before
 *     calm       first probes that are not `crowded` or `greedy`
 *     crowded    first probes caused by hosts of one link that together used more than half of the budget's rate
 *     repeat     retransmissions
 *     greedy     first probes caused by a host that used more than half of the budget's rate
 *
 * A budget is stored as the instant until which it is in use (generic cell rate algorithm, ITU-T I.371), so a refusal is cheap.
 */
import type { Address, Mac } from '../../address.ts'
import type { Settings } from '../../config/config.ts'
import { Deadlines, earliest, type Timed } from '../tables/deadlines.ts'
import { hashAddress } from '../tables/hash.ts'
import type { Effects, Instant, Random } from '../../engine-types.ts'
import type { Limit } from '../../events.ts'
import { ProbeQueue, QUEUE_LIMIT, type Queued } from './probe-queue.ts'

/**
 * Reason for a probe. `seen`: the target had an owner before, or a `host` line names it. `alive`: a host sent a packet itself.
 * `unknown`: any other target that is solicited.
 */
export type Lane = 'seen' | 'alive' | 'unknown'

/** Unused rate of the budget `unknown` is saved up for at most this many milliseconds. */
export const WINDOW = 4000
/**
 * Unused rate of the budget `alive` is saved up for at most this many milliseconds. By default one link saves up
 * 4 x 500/s x 2 s = 4000 probes: less than `ALIVE_RESERVE`.
 */
export const ALIVE_WINDOW = 2000
/** Rate of the budget `alive`, in units of `probe-limit`. */
const ALIVE_FACTOR = 4
/** Probes from a saved-up budget leave at this multiple of the budget's rate. */
const HASTE = 2
/**
 * A block is charged one probe for a target on up to this many links, and proportionally more for more links. If each link were charged, a
 * target of a block with 300 links would cost 300 probes. The drawback: a scan can cause LINKS times `probe-limit` probes.
 */
const LINKS = 32
/** While at least this many unknown targets wait in the queue, HASTY applies. */
const CROWD = 256
/**
 * A host is `greedy` at a certain usage. While HASTY applies, a host above this part of that usage may cause no first probes for unknown
 * targets.
 */
const HASTY = 1 / 4
/** Number of hash slots for senders. A collision costs precision only. */
const SENDERS = 1024
/** Number of hash slots for targets that had an owner. After a collision, only the most recent target is remembered. */
const SEEN = 8192
/** A refusal is reported at once if the previous report is at least this old, milliseconds. */
const REPORT_INTERVAL = 10_000
/**
 * Refusals that are not reported at once are reported together: after this many milliseconds without a refusal, or with the next refusal
 * that is reported at once.
 */
const CALM = 3000

/** Parts of a budget that are reserved for probes of higher priority. */
const KEPT = {
  seen: { calm: 0, crowded: 0, repeat: 0, greedy: 0 },
  alive: { calm: 0, crowded: 1 / 16, repeat: 2 / 16, greedy: 3 / 16 },
  unknown: { calm: 4 / 16, crowded: 5 / 16, repeat: 6 / 16, greedy: 7 / 16 },
} as const satisfies Record<Lane, unknown>

/** The budgets of a link or of a block. Refusals since the last event are reported at the deadline, if the last refusal was CALM ago. */
class Bucket implements Timed {
  /** The link of the budgets; undefined in the bucket of a block. */
  readonly ifindex: number | undefined
  /** Probes per second for unknown targets. The rate of a link is the highest one of all blocks that probe there. */
  rate = 0
  /** Instants until which the budgets are in use. */
  unknown = Number.NEGATIVE_INFINITY
  alive = Number.NEGATIVE_INFINITY
  /** Number of refusals since the last event. */
  refused = 0
  /** The host that caused all refusals since the last event; -1: no host, or several. */
  mac = -1
  /** Time of the last refusal. */
  refusedAt = Number.NEGATIVE_INFINITY as Instant
  reportedAt = Number.NEGATIVE_INFINITY as Instant
  deadline = Number.NEGATIVE_INFINITY as Instant
  place = -1

  constructor(ifindex?: number) { this.ifindex = ifindex }

  /** @returns whether the budget, after these probes, would be in use until `latest` at most */
  fits(lane: Lane, probes: number, latest: number): boolean {
    return (lane === 'alive' ? this.alive + probes * this.#step / ALIVE_FACTOR : this.unknown + probes * this.#step) <= latest
  }

  spend(lane: Lane, probes: number, now: Instant): void {
    if (lane === 'alive') this.alive = Math.max(now, this.alive) + probes * this.#step / ALIVE_FACTOR
    else this.unknown = Math.max(now, this.unknown) + probes * this.#step
  }

  get #step(): number { return 1000 / this.rate }
}

export class ProbeBudget<T extends Queued> {
  readonly queue: ProbeQueue<T>
  readonly #effects: Pick<Effects, 'events'>
  readonly #seed: number
  readonly #links = new Map<number, Bucket>()
  readonly #blocks = new WeakMap<Settings, Bucket>()
  /** Buckets with refusals that no event has reported. */
  readonly #unreported = new Deadlines<Bucket>()
  /** Instants until which a sender uses half of a budget's rate. A sender is a host, or all hosts of a link. */
  readonly #senders = { alive: new Float64Array(SENDERS), unknown: new Float64Array(SENDERS) }
  readonly #seen = new Int32Array(SEEN)

  /** @param probe the function that sends the first probe for an item of the queue */
  constructor(effects: Pick<Effects, 'events'>, random: Random, probe: (item: T, now: Instant) => void) {
    this.#effects = effects
    this.queue = new ProbeQueue(probe)
    this.#seed = Math.floor(random() * 2 ** 32) | 0
  }

  /** Reserves first probes on `links`, caused by host `mac` (-1: none) on link `from`. @returns false: refused, nothing is reserved */
  reserve(lane: Lane, settings: Settings, links: readonly number[], from: number, mac: number, now: Instant): boolean {
    const kept = KEPT[lane]
    const slot = this.#slot(from, mac)
    const window = windowOf(lane)
    const isGreedy = mac >= 0 && this.#isBusy(lane, slot, now + window)
    const part = isGreedy ? kept.greedy : this.#isBusy(lane, this.#slot(from, 0), now + window) ? kept.crowded : kept.calm
    const latest = now + window * (1 - part)
    const block = this.#block(settings)
    const isHasty = lane === 'unknown' && mac >= 0 && this.queue.size('unknown') >= CROWD && this.#isBusy(lane, slot, now + HASTY * window)
    if (isHasty || !block.fits(lane, cost(links), latest)) return this.#refuse(block, mac, now)
    for (const ifindex of links) {
      const link = this.#link(ifindex, settings)
      if (!link.fits(lane, 1, latest)) return this.#refuse(link, mac, now)
    }
    if (lane !== 'seen' && this.queue.isFull(lane)) {
      this.#effects.events.push({ kind: 'limit', limit: 'queue', size: QUEUE_LIMIT })
      return false
    }
    this.#spend(lane, settings, links, from, mac, now)
    return true
  }

  /** Reserves budget for a retransmission. @returns the members of `links` that have budget for the retransmission */
  repeat(lane: Lane, settings: Settings, links: readonly number[], from: number, mac: number, now: Instant): readonly number[] {
    const latest = now + windowOf(lane) * (1 - KEPT[lane].repeat)
    if (!this.#block(settings).fits(lane, cost(links), latest)) return []
    const open = links.filter((ifindex) => this.#link(ifindex, settings).fits(lane, 1, latest))
    this.#spend(lane, settings, open, from, mac, now)
    return open
  }

  remember({ w0, w1, w2, w3 }: Address): void {
    const hash = hashAddress(this.#seed, w0, w1, w2, w3)
    this.#seen[hash & (SEEN - 1)] = hash
  }

  /** @returns whether the address had an owner. Each hash slot holds only the address that was remembered most recently */
  hadOwner(w0: number, w1: number, w2: number, w3: number): boolean {
    const hash = hashAddress(this.#seed, w0, w1, w2, w3)
    return this.#seen[hash & (SEEN - 1)] === hash
  }

  get deadline(): Instant | undefined { return earliest(this.queue.deadline, this.#unreported.next) }

  wake(now: Instant): void {
    this.queue.wake(now)
    for (let due = this.#unreported.due(now); due !== undefined; due = this.#unreported.due(now)) {
      const calmAt = due.refusedAt + CALM as Instant
      if (calmAt > now) this.#unreported.set(due, calmAt)
      else this.#report(due, now)
    }
  }

  gone(ifindex: number): void { this.#links.delete(ifindex) }
  /** Forgets the rates of links, because the blocks of a new configuration may allow less. */
  reconfigure(): void { for (const link of this.#links.values()) link.rate = 0 }

  limits(now: Instant, nameOf: (ifindex: number) => string): Limit[] {
    const links = [...this.#links].filter(([, { rate }]) => rate > 0).map(([ifindex, { rate, unknown }]) => ({
      name: `probes for unknown targets on ${nameOf(ifindex)}, in 4 s`, iface: nameOf(ifindex),
      used: Math.ceil(rate * Math.max(0, unknown - now) / 1000), size: rate * WINDOW / 1000,
    }))
    return [...links, { name: 'targets that wait for their first probe', used: this.queue.size('alive') + this.queue.size('unknown'),
      size: 2 * QUEUE_LIMIT }]
  }

  #spend(lane: Lane, settings: Settings, links: readonly number[], from: number, mac: number, now: Instant): void {
    let rate = settings.probeLimit
    this.#block(settings).spend(lane, cost(links), now)
    for (const ifindex of links) {
      const link = this.#link(ifindex, settings)
      link.spend(lane, 1, now)
      rate = Math.max(rate, link.rate)
    }
    const step = 2000 / rate / (lane === 'alive' ? ALIVE_FACTOR : 1)
    const usage = this.#usage(lane)
    for (const slot of [this.#slot(from, 0), ...mac >= 0 ? [this.#slot(from, mac)] : []]) {
      // The instant is at most a window and a step ahead. Usage beyond that is not counted, because no other sender wanted the budget.
      usage[slot] = Math.min(Math.max(now, usage[slot]), now + windowOf(lane)) + step
    }
  }

  /** Counts a refusal. Reports the refusal at once or, soon after another report, together with others. @returns false */
  #refuse(bucket: Bucket, mac: number, now: Instant): false {
    bucket.mac = bucket.refused === 0 || bucket.mac === mac ? mac : -1
    bucket.refused++
    bucket.refusedAt = now
    if (now >= bucket.reportedAt + REPORT_INTERVAL) this.#report(bucket, now)
    else if (bucket.place < 0) this.#unreported.set(bucket, now + CALM as Instant)
    return false
  }

  #report(bucket: Bucket, now: Instant): void {
    const { ifindex, mac, rate, refused } = bucket
    this.#effects.events.push({ kind: 'limit', limit: 'probes', size: rate, refused,
      ...(ifindex === undefined ? {} : { ifindex }), ...(mac < 0 ? {} : { mac: mac as Mac }) })
    bucket.refused = 0
    bucket.reportedAt = now
    this.#unreported.remove(bucket)
  }

  #block(settings: Settings): Bucket {
    let block = this.#blocks.get(settings)
    if (block === undefined) {
      this.#blocks.set(settings, block = new Bucket())
      block.rate = settings.probeLimit
      this.queue.raise('unknown', HASTE * block.rate / 1000)
      this.queue.raise('alive', HASTE * ALIVE_FACTOR * block.rate / 1000)
    }
    return block
  }

  #link(ifindex: number, { probeLimit }: Settings): Bucket {
    let link = this.#links.get(ifindex)
    if (link === undefined) this.#links.set(ifindex, link = new Bucket(ifindex))
    if (link.rate < probeLimit) link.rate = probeLimit
    return link
  }

  /** @returns whether the sender uses half of the rate until after the instant `then` */
  #isBusy(lane: Lane, slot: number, then: number): boolean { return this.#usage(lane)[slot] > then }
  #usage(lane: Lane): Float64Array { return lane === 'alive' ? this.#senders.alive : this.#senders.unknown }

  /** @returns the slot of a host; with `mac` 0, the slot of all hosts of the link */
  #slot(ifindex: number, mac: number): number {
    return hashAddress(this.#seed, ifindex, 0, Math.floor(mac / 2 ** 32), mac | 0) & (SENDERS - 1)
  }
}

function windowOf(lane: Lane): number { return lane === 'alive' ? ALIVE_WINDOW : WINDOW }

/** @returns the number of probes that a block is charged */
function cost(links: readonly number[]): number { return Math.max(1, links.length / LINKS) }
