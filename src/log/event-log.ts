/** Turns engine events and outcomes into log records. Makes text only at an enabled level: a scan causes thousands of debug records. */
import type { Logger } from 'pino'
import { Address, formatMac } from '../address.ts'
import type { Instant } from '../engine/types.ts'
import type { Event, Limit, Outcome } from '../events.ts'
import { limitSentence } from './limits.ts'
import { type NeighborEvent, NeighborNews, type Sum } from './neighbor-news.ts'
import {
  bareSentence, conflictSentence, filteredSentence, foreignSentence, grouped, type LinkNames, neighborSentence, nextHopSentence, overrunSentence,
  proxySentence, silentSentence, snoopedSentence,
} from './sentences.ts'

/** Window in milliseconds: repetitions of a problem are counted, and the count is logged at the end of the window. */
const WINDOW = 10_000
/** The most problems that are counted separately. All further ones of one kind share a count. */
const MAX_PROBLEMS = 256

type Problem = Extract<Event, { kind: 'conflict' | 'foreign' | 'limit' | 'proxy' }>

/** A problem that was logged, and its repetitions since then. */
interface Repeat {
  readonly since: Instant
  readonly end: Instant
  /** The window before had no repetition. The entry is kept for `since`: a report of refusals contains the time since the last one. */
  readonly isQuiet: boolean
  count: number
  refused: number
  last: Problem
}

/** @returns the refusals since the last such event; undefined for events that do not count refusals */
function refusedBy(event: Problem): number | undefined { return event.kind === 'limit' ? event.refused : undefined }

/** @param time in milliseconds */
function more(count: number, time: number): string {
  return count === 0 ? '' : ` (${grouped(count)} more like this in ${Math.max(1, Math.round(time / 1000))} s)`
}

export class EventLog {
  readonly #log: Logger
  readonly #names: LinkNames
  #isDebug: boolean
  /** By problem, in the order of `end`. */
  readonly #repeats = new Map<string, Repeat>()
  readonly #news = new NeighborNews()

  constructor(log: Logger, names: LinkNames) {
    this.#log = log
    this.#names = names
    this.#isDebug = log.isLevelEnabled('debug')
    // Asked for each packet otherwise.
    log.on('level-change', () => { this.#isDebug = log.isLevelEnabled('debug') })
  }

  /** Logs links, and owners and next hops that are found, moved or lost, at info; problems as warnings; the rest at debug. */
  event(event: Event, now: Instant): void {
    this.tick(now)
    const log = this.#log
    const names = this.#names
    switch (event.kind) {
      case 'neighbor': return this.#neighbor(event, event.news && this.#news.add(event, now) ? 'info' : 'debug')
      case 'next-hop': return this.#nextHop(event)
      case 'link': return log.info({ event: 'link', iface: event.iface, state: event.state }, `${event.iface} is ${event.state}`)
      case 'conflict': case 'foreign': return this.#problem(`${event.kind} ${event.target}`, event, now)
      case 'proxy': return this.#problem(`proxy ${event.ifindex}`, event, now)
      case 'limit': return this.#problem(`limit ${event.limit} ${event.ifindex ?? event.mac ?? ''}`, event, now)
      case 'overrun': return log.warn({ event: 'overrun', iface: names(event.ifindex), count: event.count }, overrunSentence(event, names))
      case 'silent': return log.warn({ event: 'silent', iface: names(event.ifindex), target: event.target.toString() },
        silentSentence(event, names))
      case 'bare': return log.warn({ event: 'bare', iface: names(event.ifindex), source: event.source.toString() }, bareSentence(event, names))
      case 'filtered': return log.warn({ event: 'filtered', iface: names(event.ifindex), target: event.target.toString(),
        lladdr: formatMac(event.mac) }, filteredSentence(event, names))
      case 'snooped': return log.warn({ event: 'snooped', iface: event.iface }, snoopedSentence(event))
    }
  }

  /** Logs a received packet at debug. `t0` to `t3` are the words of its target, all zero if it has none. */
  outcome(outcome: Outcome, ifindex: number, t0: number, t1: number, t2: number, t3: number): void {
    if (!this.#isDebug) return
    const address = new Address(t0, t1, t2, t3)
    const target = address.isUnspecified ? undefined : address.toString()
    const iface = this.#names(ifindex)
    const packet = target === undefined ? 'packet' : `packet for ${target}`
    this.#log.debug({ event: 'packet', reason: outcome, target, iface }, `${packet} on ${iface}: ${outcome}`)
  }

  get limits(): Limit[] { return [{ name: 'problems counted by the log', used: this.#repeats.size, size: MAX_PROBLEMS + 2 }] }

  /** Logs the counts of windows that have ended. {@link event} calls this; the caller must do so every few seconds as well. */
  tick(now: Instant): void {
    for (const sum of this.#news.sums(now)) this.#neighbor(sum.last, 'info', sum)
    for (const [key, repeat] of this.#repeats) {
      if (repeat.end > now) return
      this.#repeats.delete(key)
      const { count, since, last, isQuiet } = repeat
      if (count > 0) this.#write(last, repeat, now)
      if (count > 0) this.#open(key, last, now)
      else if (refusedBy(last) !== undefined && !isQuiet) this.#open(key, last, now, since)
    }
  }

  #neighbor(event: NeighborEvent, level: 'info' | 'debug', sum?: Sum): void {
    const { state, mac, reason } = event
    if (!this.#log.isLevelEnabled(level)) return
    const ifindex = event.ifindex ?? event.former
    this.#log[level]({
      event: 'neighbor', target: event.target.toString(), state, iface: ifindex === undefined ? undefined : this.#names(ifindex),
      lladdr: mac === undefined ? undefined : formatMac(mac), reason, count: sum?.count,
    }, neighborSentence(event, this.#names) + (sum === undefined ? '' : more(sum.count - 1, sum.time)))
  }

  #nextHop(event: Extract<Event, { kind: 'next-hop' }>): void {
    const { ifindex, address, mac, state, news } = event
    this.#log[news ? 'info' : 'debug']({ event: 'next-hop', target: address.toString(), state, iface: this.#names(ifindex),
      lladdr: mac === undefined ? undefined : formatMac(mac) }, nextHopSentence(event, this.#names))
  }

  #problem(problem: string, event: Problem, now: Instant): void {
    const key = this.#repeats.has(problem) || this.#repeats.size < MAX_PROBLEMS ? problem : event.kind
    const repeat = this.#repeats.get(key)
    const refused = refusedBy(event) ?? 0
    if (repeat === undefined || repeat.isQuiet) {
      this.#repeats.delete(key)
      this.#write(event, { since: repeat?.since, count: 0, refused }, now)
      this.#open(key, event, now)
    } else {
      repeat.count++
      repeat.refused += refused
      repeat.last = event
    }
  }

  #describe(event: Problem, refused: number | undefined, seconds: number | undefined): [details: object, sentence: string] {
    const names = this.#names
    switch (event.kind) {
      case 'conflict': return [{ target: event.target.toString(), reason: event.basis }, conflictSentence(event, names)]
      case 'foreign': return [{ target: event.target.toString() }, foreignSentence(event, names)]
      case 'proxy': return [{ target: event.target.toString() }, proxySentence(event, names)]
      case 'limit': return [{ reason: event.limit, size: event.size }, limitSentence(event, names, refused, seconds)]
    }
  }

  /** Begins a window. @param quietSince time of the last record if the window before had no repetition, else undefined */
  #open(key: string, last: Problem, now: Instant, quietSince?: Instant): void {
    const end = now + WINDOW as Instant
    this.#repeats.set(key, { since: quietSince ?? now, end, isQuiet: quietSince !== undefined, count: 0, refused: 0, last })
  }

  /** @param repeat `since`: time of the last record; `count` and `refused`: repetitions and refusals since then */
  #write(event: Problem, repeat: { since: Instant | undefined; count: number; refused: number }, now: Instant): void {
    if (!this.#log.isLevelEnabled('warn')) return
    const { since, count } = repeat
    const refused = refusedBy(event) === undefined ? undefined : repeat.refused
    const seconds = since === undefined ? undefined : Math.round((now - since) / 1000)
    const repeated = since === undefined || refused !== undefined ? '' : more(count, now - since)
    const [details, sentence] = this.#describe(event, refused, seconds)
    this.#log.warn({
      event: event.kind, ...details, iface: event.ifindex === undefined ? undefined : this.#names(event.ifindex),
      lladdr: event.mac === undefined ? undefined : formatMac(event.mac), count: refused ?? (count === 0 ? undefined : count),
    }, sentence + repeated)
  }
}
