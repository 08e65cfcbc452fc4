/**
 * Evidence that a host exists, wherever it comes from, starts a probe and nothing more (RFC 4861 7.2.5, RFC 9131, RFC 6957
 * 4.1): a solicitation's source, an advertisement nobody asked for, a finished DAD.
 */
import { Address } from '../address.ts'
import type { Mac } from '../address.ts'
import type { NdiscView } from '../wire/ndisc.ts'
import { NEIGHBOR_ADVERTISEMENT } from '../wire/constants.ts'
import { Deadlines } from './deadlines.ts'
import type { Timed } from './deadlines.ts'
import type { Links } from './links.ts'
import type { Neighbors } from './neighbors.ts'
import { isAnycast } from './rules.ts'
import type { Rules } from './rules.ts'
import type { Instant } from './types.ts'

/** RetransTimer (RFC 4861 10): a host whose DAD met no objection has its address after this time (RFC 4862 5.4). */
const DAD_WINDOW = 1000
/** Addresses in DAD that are remembered at a time. */
const TENTATIVE_LIMIT = 1024

interface Tentative extends Timed {
  readonly target: Address
  readonly ifindex: number
}

export class Learner {
  rules: Rules
  readonly #links: Links
  readonly #neighbors: Neighbors
  readonly #tentative = new Deadlines<Tentative>()

  constructor(rules: Rules, links: Links, neighbors: Neighbors) {
    this.rules = rules
    this.#links = links
    this.#neighbors = neighbors
  }

  get deadline(): Instant | undefined { return this.#tentative.next }

  /** A valid packet that proves nothing. */
  hear(ifindex: number, view: NdiscView, now: Instant): void {
    const mac = view.sourceMac
    if (view.type === NEIGHBOR_ADVERTISEMENT) {
      this.#evidence(view.t0, view.t1, view.t2, view.t3, ifindex, view.tlla >= 0 ? view.tlla : mac, now)
    } else if ((view.s0 | view.s1 | view.s2 | view.s3) === 0) {
      if (this.#tentative.size < TENTATIVE_LIMIT && this.rules.owning(ifindex, view.t0, view.t1, view.t2, view.t3)) {
        const tentative = { target: view.target(), ifindex, deadline: now, place: -1 }
        this.#tentative.set(tentative, (now + DAD_WINDOW) as Instant)
      }
    } else {
      this.#evidence(view.s0, view.s1, view.s2, view.s3, ifindex, mac, now)
    }
  }

  wake(now: Instant): void {
    for (let due = this.#tentative.due(now); due !== undefined; due = this.#tentative.due(now)) {
      const { target: { w0, w1, w2, w3 }, ifindex } = due
      this.#evidence(w0, w1, w2, w3, ifindex, undefined, now)
    }
  }

  /** Somebody on this link says that it has the address. @param mac undefined when that is not known any more */
  #evidence(w0: number, w1: number, w2: number, w3: number, ifindex: number, mac: Mac | undefined, now: Instant): void {
    if (w0 >>> 22 === 0x3fa) return
    const neighbor = this.#neighbors.get(w0, w1, w2, w3)
    if (neighbor?.isOwned) {
      const moved = neighbor.ifindex !== ifindex || (mac !== undefined && neighbor.mac !== undefined && mac !== neighbor.mac)
      if (!moved || this.rules.owning(ifindex, w0, w1, w2, w3) === undefined) return
      this.#neighbors.contest(neighbor, ifindex, mac, now)
      return
    }
    const rule = this.rules.owning(ifindex, w0, w1, w2, w3)
    if (rule === undefined || !rule.settings.learn || !this.#links.up(ifindex)) return
    // A plain proxy rule asks when it is asked; there a sign of life only ends the negative cache.
    if (neighbor === undefined && rule.subnet === undefined && !rule.settings.routes) return
    if (this.rules.excluded(w0, w1, w2, w3) || this.#links.own(w0, w1, w2, w3) !== undefined) return
    if (isAnycast([rule], w0, w1, w2, w3)) return
    this.#neighbors.ask(new Address(w0, w1, w2, w3), rule, [ifindex], false, undefined, now, 'evidence')
  }
}
