/**
 * Log records about links that go down or are removed, and come back. An outage of a few seconds has one record, at its end. Hosts that are
 * lost or found again because of the outage have no records of their own: the record of the link has their number.
 */
import type { Instant } from '../engine-types.ts'
import type { Event } from '../events.ts'
import { grouped, type RateLimitedLog } from './rate-limited-log.ts'

type LinkEvent = Extract<Event, { kind: 'link' }>
type State = LinkEvent['state']

/** Milliseconds until an outage is logged. A shorter outage is logged when the link is back. */
const PATIENCE = 5000
/** Milliseconds after the return of a link during which hosts that are found there have no records of their own. */
const RETURN = 10_000

/** The most outages that are remembered: links with ever new names may come and go. A further outage replaces the oldest. */
const MAX_OUTAGES = 4096

/** A link that is down or gone. */
interface Outage {
  state: State
  ifindex: number
  readonly since: Instant
  readonly wasUp: boolean
  isLogged: boolean
  /** Owners on the link before the outage. */
  hosts: number
  /** Owners that were lost because the link is gone. */
  lost: number
}

function hostsOf(hosts: number): string { return hosts === 1 ? 'its host' : `its ${grouped(hosts)} hosts` }

export class LinkNews {
  readonly #log: RateLimitedLog
  readonly #hostsOn: (ifindex: number) => number
  readonly #outages = new Map<string, Outage>()
  /** The links that are up. */
  readonly #up = new Set<string>()
  /** When the time RETURN ends for each link that came back, by ifindex. */
  readonly #returns = new Map<number, Instant>()

  /** @param hostsOn returns the number of owners on a link */
  constructor(log: RateLimitedLog, hostsOn: (ifindex: number) => number) {
    this.#log = log
    this.#hostsOn = hostsOn
  }

  event({ iface, ifindex, state }: LinkEvent, now: Instant): void {
    const outage = this.#outages.get(iface)
    if (state === 'up') return this.#isUp(iface, ifindex, outage, now)
    const isUp = this.#up.delete(iface)
    if (outage === undefined && this.#outages.size >= MAX_OUTAGES) this.#outages.delete(this.#outages.keys().next().value!)
    if (outage !== undefined) Object.assign(outage, { state, ifindex })
    else this.#outages.set(iface, { state, ifindex, since: now, wasUp: isUp, isLogged: false, hosts: isUp ? this.#hostsOn(ifindex) : 0,
      lost: 0 })
  }

  /** Counts a lost host if its link has an outage. @returns whether the host was counted; if not, it gets a record of its own */
  lost(ifindex: number): boolean {
    for (const outage of this.#outages.values()) {
      if (outage.ifindex !== ifindex) continue
      outage.lost++
      return true
    }
    return false
  }

  /** @returns whether the link came back less than RETURN ago. A host that is found on such a link has no record of its own */
  isReturn(ifindex: number, now: Instant): boolean { return now < (this.#returns.get(ifindex) ?? 0) }

  /** Logs outages that have lasted for PATIENCE. */
  tick(now: Instant): void {
    for (const [iface, outage] of this.#outages) {
      const { since, state, isLogged } = outage
      const hosts = Math.max(outage.hosts, outage.lost)
      if (isLogged || now < since + PATIENCE) continue
      outage.isLogged = true
      const cut = hosts === 0 ? '' : `: ${hostsOf(hosts)} cannot be reached until it is back`
      this.#log.news('link down', { event: 'link', iface, state, count: hosts || undefined }, `${iface} is ${state}${cut}`)
    }
    for (const [ifindex, end] of this.#returns) if (now >= end) this.#returns.delete(ifindex)
  }

  #isUp(iface: string, ifindex: number, outage: Outage | undefined, now: Instant): void {
    this.#up.add(iface)
    this.#outages.delete(iface)
    if (outage === undefined || !(outage.wasUp || outage.isLogged)) {
      return this.#log.news('link up', { event: 'link', iface, state: 'up' }, `${iface} is up`)
    }
    const { since, isLogged, state } = outage
    const hosts = Math.max(outage.hosts, outage.lost)
    this.#returns.set(ifindex, now + RETURN as Instant)
    const seconds = Math.max(1, Math.round((now - since) / 1000))
    const verified = hosts === 0 ? '' : `; ${hostsOf(hosts)} ${hosts === 1 ? 'is' : 'are'} verified again`
    const fields = { event: 'link', iface, state: 'up', count: hosts || undefined }
    if (isLogged) this.#log.news('link up', fields, `${iface} is up again after ${grouped(seconds)} s${verified}`)
    else this.#log.news('link flap', fields, `${iface} was ${state} for ${seconds} s and is up again${verified}`, iface)
  }
}
