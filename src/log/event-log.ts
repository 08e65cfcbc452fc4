/** Turns engine events and outcomes into log records. Makes text only at an enabled level: a scan causes thousands of debug records. */
import { Address, formatMac, Prefix } from '../address.ts'
import type { Instant } from '../engine-types.ts'
import type { Event, Outcome } from '../events.ts'
import { limitSentence, scanSentence } from './limit-sentences.ts'
import { LinkNews } from './link-news.ts'
import type { RateLimitedLog } from './rate-limited-log.ts'
import {
  bareSentence, conflictSentence, filteredSentence, foreignSentence, type LinkNames, neighborSentence, nextHopSentence, overrunSentence,
  proxySentence, routerSentence, silentSentence, snoopedSentence,
} from './sentences.ts'

type EventOf<K extends Event['kind']> = Extract<Event, { kind: K }>

/** Facts about links, for the records. */
export interface LinkFacts {
  readonly nameOf: LinkNames
  /** Number of owners on a link. */
  readonly hostsOn: (ifindex: number) => number
}

/** @returns the prefix of the rule or `subnet` that contains the target */
function subnetOf(target: Address, length: number | undefined): string | undefined {
  return length === undefined ? undefined : new Prefix(target, length).toString()
}

export class EventLog {
  readonly #log: RateLimitedLog
  readonly #names: LinkNames
  readonly #links: LinkNews

  constructor(log: RateLimitedLog, { nameOf, hostsOn }: LinkFacts) {
    this.#log = log
    this.#names = nameOf
    this.#links = new LinkNews(log, hostsOn)
  }

  /** Logs an event at info (links; owners and next hops that are found, moved or lost), at warn (problems), or at debug (all others). */
  event(event: Event, now: Instant): void {
    this.tick(now)
    switch (event.kind) {
      case 'neighbor': return this.#neighbor(event, now)
      case 'next-hop': return this.#nextHop(event)
      case 'link': return this.#links.event(event, now)
      default: if (this.#log.isLevelEnabled('warn')) this.#problem(event)
    }
  }

  /** Logs a received packet at debug. `t0` to `t3` are the words of its target, all zero if it has none. */
  outcome(outcome: Outcome, ifindex: number, t0: number, t1: number, t2: number, t3: number): void {
    if (!this.#log.isLevelEnabled('debug')) return
    const address = new Address(t0, t1, t2, t3)
    const target = address.isUnspecified ? undefined : address.toString()
    const iface = this.#names(ifindex)
    const packet = target === undefined ? 'packet' : `packet for ${target}`
    this.#log.debug({ event: 'packet', reason: outcome, target, iface }, `${packet} on ${iface}: ${outcome}`)
  }

  /** Writes the records that are due. {@link event} calls this; the caller must call it every few seconds as well. */
  tick(now: Instant): void {
    this.#links.tick(now)
    this.#log.tick()
  }

  #neighbor(event: EventOf<'neighbor'>, now: Instant): void {
    const { target, state, mac, reason, length, news } = event
    const ifindex = event.ifindex ?? event.former
    const isLost = state === 'FAILED' || state === 'GONE'
    const isFolded = news && ifindex !== undefined && (isLost ? this.#links.lost(ifindex) : this.#links.isReturn(ifindex, now))
    const isNews = news && !isFolded
    if (!this.#log.isLevelEnabled(isNews ? 'info' : 'debug')) return
    const fields = { event: 'neighbor', target: target.toString(), state, subnet: subnetOf(target, length), reason, source: event.source?.toString(),
      iface: ifindex === undefined ? undefined : this.#names(ifindex), lladdr: mac === undefined ? undefined : formatMac(mac) }
    const sentence = neighborSentence(event, this.#names)
    const kind = event.ifindex !== undefined && event.former !== undefined ? 'moved' : state
    if (isNews) this.#log.news(kind, fields, sentence)
    else this.#log.debug(fields, sentence)
  }

  #nextHop(event: EventOf<'next-hop'>): void {
    const { ifindex, address, mac, state, news } = event
    const fields = { event: 'next-hop', target: address.toString(), state, iface: this.#names(ifindex),
      lladdr: mac === undefined ? undefined : formatMac(mac) }
    const sentence = nextHopSentence(event, this.#names)
    if (news) this.#log.news(`next hop ${state}`, fields, sentence)
    else this.#log.debug(fields, sentence)
  }

  #problem(event: Exclude<Event, { kind: 'neighbor' | 'next-hop' | 'link' }>): void {
    const names = this.#names
    const log = this.#log
    const iface = 'iface' in event ? event.iface : event.ifindex === undefined ? undefined : names(event.ifindex)
    const lladdr = 'mac' in event && event.mac !== undefined ? formatMac(event.mac) : undefined
    const target = 'target' in event ? event.target.toString() : undefined
    const fields = { iface: iface!, lladdr: lladdr!, target: target!, subnet: 'length' in event ? subnetOf(event.target, event.length) : undefined }
    switch (event.kind) {
      case 'conflict': return log.warn({ event: 'conflict', ...fields, reason: event.basis }, conflictSentence(event, names))
      case 'foreign': return log.warn({ event: 'foreign', ...fields }, foreignSentence(event, names))
      case 'proxy': return log.warn({ event: 'proxy', ...fields }, proxySentence(event, names))
      case 'overrun': return log.warn({ event: 'overrun', ...fields, count: event.count },
        (sum) => overrunSentence({ ...event, ...sum }, names))
      case 'silent': return log.warn({ event: 'silent', ...fields }, silentSentence(event, names))
      case 'bare': return log.warn({ event: 'bare', ...fields, source: event.source.toString() }, bareSentence(event, names))
      case 'filtered': return log.warn({ event: 'filtered', ...fields }, filteredSentence(event, names))
      case 'router': return log.warn({ event: 'router', ...fields, reason: event.isForged ? 'forged' : 'other' }, routerSentence(event, names))
      case 'snooped': return log.warn({ event: 'snooped', ...fields, minutes: event.minutes }, snoopedSentence(event))
      case 'limit':
        if (event.limit !== 'probes') return log.warn({ event: 'limit', ...fields, reason: event.limit, size: event.size }, limitSentence(event, names))
        return log.warn({ event: 'scan', ...fields, count: event.refused ?? 1, size: event.size }, (sum) => scanSentence(event, names, sum))
    }
  }
}
