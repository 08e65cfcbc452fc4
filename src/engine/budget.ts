/**
 * How many probes may leave (RFC 6583 7.1, 7.2; RFC 3756 4.3.2): known targets first, unknown ones last, and nobody all of it.
 *
 * Three budgets for each link, so that none can use up another:
 *
 *     known     owners that are verified again: never refused, but spread over time
 *     alive     hosts that showed themselves; four times `probe-limit` a second, saved up for two seconds
 *     unknown   targets that somebody asks for; `probe-limit` a second, saved up for four
 *
 * and the last two for each block of the configuration as well. A budget is not given away to the last: a part is kept for those who come first, in this order. Who asked for more than half of the rate lately, be
 * it a host or all hosts of a link, has the rest alone while nobody else wants it.
 *
 *     seen before | unknown, asked for by who asked little | ... on a link where others ask much | repeats | ... by who asks much
 *
 * A budget is kept as the instant until which it is in use (the generic cell rate algorithm of ITU-T I.371), and refusing costs
 * no more than to compare two numbers.
 */
import type { Address, Mac } from '../address.ts'
import type { Settings } from '../config/config.ts'
import type { Neighbor } from './neighbor.ts'
import { Pace, PACE_LIMIT } from './pace.ts'
import type { Instant, Lane, Limit, Random, Sink } from './types.ts'

/** What is saved up: the budget of this time. Milliseconds. */
export const WINDOW = 4000
/** The same for hosts that showed themselves: all that one link may ask for at a time fits into the cache (`ALIVE_RESERVE`). */
export const ALIVE_WINDOW = 2000
/** Probes for hosts that showed themselves, for each one that is allowed for unknown targets. */
const ALIVE_FACTOR = 4
/** What is saved up is spent this many times as fast as it is allowed for long. */
const HASTE = 2
/** A block whose questions go out on more links than these pays for each further one. */
const LINKS = 8
/** Verifications of owners: per second and link, and at once. */
export const VERIFY_RATE = 4000
export const VERIFY_BURST = 512
/** Who asked for more than this part of what is saved up does not join so many who wait: they would take all the time there is. */
const CROWD = 256
const HASTY = 1 / 4
/** Who asks how much, by a hash: of two that share a place one may be taken for the other. */
const ASKERS = 1024
/** Owners of before, by a hash: later ones take the places of earlier ones. */
const SEEN = 8192
/** A budget that is used up is said so this often. Milliseconds. */
const REPORT_INTERVAL = 10_000

/** Parts of a budget that are kept for others. */
const KEPT = {
  seen: { calm: 0, crowded: 0, greedy: 0, repeat: 0 },
  alive: { calm: 0, crowded: 1 / 16, repeat: 2 / 16, greedy: 3 / 16 },
  unknown: { calm: 4 / 16, crowded: 5 / 16, repeat: 6 / 16, greedy: 7 / 16 },
} as const satisfies Record<Lane, unknown>

class Bucket {
  /** Probes per second for unknown targets: of a link, the most that a block allows there. */
  rate = 0
  /** Until when each budget is in use. */
  unknown = Number.NEGATIVE_INFINITY
  alive = Number.NEGATIVE_INFINITY
  known = Number.NEGATIVE_INFINITY
  /** Questions that were refused since the last word about it. */
  refused = 0
  toldAt = Number.NEGATIVE_INFINITY

  fits(lane: Lane, probes: number, latest: number): boolean {
    return (lane === 'alive' ? this.alive + probes * this.#step / ALIVE_FACTOR : this.unknown + probes * this.#step) <= latest
  }

  spend(lane: Lane, probes: number, now: Instant): void {
    if (lane === 'alive') this.alive = Math.max(now, this.alive) + probes * this.#step / ALIVE_FACTOR
    else this.unknown = Math.max(now, this.unknown) + probes * this.#step
  }

  get #step(): number { return 1000 / this.rate }
}

export class Budget {
  /** Turns for questions about strangers, who are many, so that others need not wait. */
  readonly pace: Readonly<Record<'alive' | 'unknown', Pace>>
  readonly #sink: Pick<Sink, 'event'>
  readonly #seed: number
  readonly #links = new Map<number, Bucket>()
  readonly #blocks = new WeakMap<Settings, Bucket>()
  /** Until when half of the rate is in use by hosts, and by links: of each lane. */
  readonly #askers = { alive: new Float64Array(ASKERS), unknown: new Float64Array(ASKERS) }
  readonly #seen = new Int32Array(SEEN)

  constructor(sink: Pick<Sink, 'event'>, random: Random) {
    this.#sink = sink
    this.pace = { alive: new Pace(sink), unknown: new Pace(sink) }
    this.#seed = Math.floor(random() * 2 ** 32) | 0
  }

  /**
   * Whether a question may be asked on these links, each once; says so when not, now and then. Nothing is charged.
   * @param from the link, and `mac` the lladdr (-1: none), of who causes it
   */
  allows(lane: Lane, settings: Settings, links: readonly number[], from: number, mac: number, now: Instant): boolean {
    const kept = KEPT[lane]
    const place = this.#place(from, mac)
    const window = windowOf(lane)
    const isGreedy = mac >= 0 && this.#isBusy(lane, place, now + window)
    const part = isGreedy ? kept.greedy : this.#isBusy(lane, this.#place(from, 0), now + window) ? kept.crowded : kept.calm
    const latest = now + window * (1 - part)
    const block = this.#block(settings)
    const isHasty = lane === 'unknown' && mac >= 0 && this.pace.unknown.size >= CROWD && this.#isBusy(lane, place, now + HASTY * window)
    if (isHasty || !block.fits(lane, cost(links), latest)) return this.#refuse(block, 0, mac, now)
    for (const ifindex of links) {
      const link = this.#link(ifindex, settings)
      if (!link.fits(lane, 1, latest)) return this.#refuse(link, ifindex, mac, now)
    }
    return true
  }

  /** A question is asked on these links, each once. */
  charge(lane: Lane, settings: Settings, links: readonly number[], from: number, mac: number, now: Instant): void {
    let rate = settings.probeLimit
    this.#block(settings).spend(lane, cost(links), now)
    for (const ifindex of links) {
      const link = this.#link(ifindex, settings)
      link.spend(lane, 1, now)
      rate = Math.max(rate, link.rate)
    }
    const step = 2000 / rate / (lane === 'alive' ? ALIVE_FACTOR : 1)
    this.#use(lane, this.#place(from, 0), step, now)
    if (mac >= 0) this.#use(lane, this.#place(from, mac), step, now)
  }

  /** One more probe for a target that is asked for already. @returns those of `links` where there is room for it, charged */
  repeat(neighbor: Neighbor, links: readonly number[], now: Instant): readonly number[] {
    const { rule: { settings }, askers: [asker], account, target: { w0, w1, w2, w3 } } = neighbor
    const isAlive = account !== undefined && neighbor.askers.every((other) => other.mac !== account)
    const lane = isAlive ? 'alive' : this.lane(neighbor, w0, w1, w2, w3)
    const [from, mac] = [asker?.ifindex ?? links[0] ?? 0, asker?.mac ?? account ?? -1]
    const latest = now + windowOf(lane) * (1 - KEPT[lane].repeat)
    if (!this.#block(settings).fits(lane, cost(links), latest)) return []
    const open = links.filter((ifindex) => this.#link(ifindex, settings).fits(lane, 1, latest))
    this.charge(lane, settings, open, from, mac, now)
    return open
  }

  /** An owner is verified: charged. @returns when; later than now when there are many */
  verify(ifindex: number, now: Instant): Instant {
    let link = this.#links.get(ifindex)
    if (link === undefined) this.#links.set(ifindex, link = new Bucket())
    link.known = Math.max(now, link.known) + 1000 / VERIFY_RATE
    return Math.max(now, link.known - 1000 * VERIFY_BURST / VERIFY_RATE) as Instant
  }

  /** Somebody had this address. */
  remember({ w0, w1, w2, w3 }: Address): void {
    const hash = this.#hash(w0, w1, w2, w3)
    this.#seen[hash & (SEEN - 1)] = hash
  }

  /** Whether somebody has had this address, as far as that is remembered. @param neighbor its entry, if there is one */
  lane(neighbor: Neighbor | undefined, w0: number, w1: number, w2: number, w3: number): 'seen' | 'unknown' {
    if (neighbor !== undefined && neighbor.verified !== Number.NEGATIVE_INFINITY) return 'seen'
    const hash = this.#hash(w0, w1, w2, w3)
    return this.#seen[hash & (SEEN - 1)] === hash ? 'seen' : 'unknown'
  }

  gone(ifindex: number): void { this.#links.delete(ifindex) }

  /** Other blocks may allow less on a link than those before. */
  reconfigure(): void { for (const link of this.#links.values()) link.rate = 0 }

  limits(now: Instant, nameOf: (ifindex: number) => string): Limit[] {
    const waiting = { used: this.pace.alive.size + this.pace.unknown.size, size: 2 * PACE_LIMIT }
    const links = [...this.#links].filter(([, { rate }]) => rate > 0).map(([ifindex, { rate, unknown }]) => ({
      name: `probes for unknown targets on ${nameOf(ifindex)}, in 4 s`,
      used: Math.ceil(rate * Math.max(0, unknown - now) / 1000), size: rate * WINDOW / 1000,
    }))
    return [...links, { name: 'questions that wait for their turn', ...waiting }]
  }

  #refuse(bucket: Bucket, ifindex: number, mac: number, now: Instant): false {
    bucket.refused++
    if (now < bucket.toldAt + REPORT_INTERVAL) return false
    this.#sink.event({ kind: 'limit', limit: 'probes', size: bucket.rate, refused: bucket.refused,
      ...(ifindex === 0 ? {} : { ifindex }), ...(mac < 0 ? {} : { mac: mac as Mac }) })
    bucket.refused = 0
    bucket.toldAt = now
    return false
  }

  #block(settings: Settings): Bucket {
    let block = this.#blocks.get(settings)
    if (block === undefined) {
      this.#blocks.set(settings, block = new Bucket())
      block.rate = settings.probeLimit
      const { alive, unknown } = this.pace
      unknown.rate = Math.max(unknown.rate, HASTE * block.rate / 1000)
      alive.rate = Math.max(alive.rate, HASTE * ALIVE_FACTOR * block.rate / 1000)
    }
    return block
  }

  #link(ifindex: number, { probeLimit }: Settings): Bucket {
    let link = this.#links.get(ifindex)
    if (link === undefined) this.#links.set(ifindex, link = new Bucket())
    if (link.rate < probeLimit) link.rate = probeLimit
    return link
  }

  /** Whether more than half of the rate is in use until later than that. */
  #isBusy(lane: Lane, place: number, then: number): boolean { return this.#used(lane)[place] > then }

  #use(lane: Lane, place: number, step: number, now: Instant): void {
    const used = this.#used(lane)
    // What is taken beyond half of the rate is no debt: nobody else wanted it.
    used[place] = Math.min(Math.max(now, used[place]), now + windowOf(lane)) + step
  }

  #used(lane: Lane): Float64Array { return lane === 'alive' ? this.#askers.alive : this.#askers.unknown }

  #place(ifindex: number, mac: number): number {
    return this.#hash(ifindex, 0, Math.floor(mac / 2 ** 32), mac | 0) & (ASKERS - 1)
  }

  #hash(w0: number, w1: number, w2: number, w3: number): number {
    let h = Math.imul(w3 ^ this.#seed, 0x9e3779b1)
    h = Math.imul((h ^ (h >>> 15)) + w2, 0x85ebca6b)
    h = Math.imul((h ^ (h >>> 13)) + w1, 0xc2b2ae35)
    h = Math.imul((h ^ (h >>> 16)) + w0, 0x27d4eb2f)
    return h ^ (h >>> 15)
  }
}

function windowOf(lane: Lane): number { return lane === 'alive' ? ALIVE_WINDOW : WINDOW }

/** Probes of a question, for its block. */
function cost(links: readonly number[]): number { return Math.max(1, links.length / LINKS) }
