/**
 * Evidence that a host exists, wherever it comes from, starts a probe and nothing more (RFC 4861 7.2.5, RFC 9131, RFC 6957
 * 4.1): a solicitation's source, an advertisement nobody asked for, a finished DAD, the kernel's neighbor table, a bridge's
 * forwarding table, and the answers of hosts that are asked to show themselves.
 */
import { Address } from '../address.ts'
import type { Mac } from '../address.ts'
import type { NdiscView } from '../wire/ndisc.ts'
import { NEIGHBOR_ADVERTISEMENT, NEIGHBOR_SOLICITATION } from '../wire/constants.ts'
import { Advertiser } from './advertiser.ts'
import { Deadlines, earliest } from './deadlines.ts'
import type { Timed } from './deadlines.ts'
import type { Links } from './links.ts'
import type { Question } from './neighbor.ts'
import type { Neighbors } from './neighbors.ts'
import { isAnycast, isUpstream } from './rules.ts'
import type { Rules } from './rules.ts'
import { Tally } from './tally.ts'
import type { Instant, KernelNeighbor, Limit, Sink } from './types.ts'

/**
 * A host whose DAD met no objection has its address after this time: RetransTimer (RFC 4862 5.4, RFC 4861 10), and what
 * Linux' timers take longer, up to 90 ms. Until then it answers nobody (RFC 4862 5.4.3).
 */
const DAD_WINDOW = 1100
/** Addresses in DAD that are remembered at a time; those of one link as many as there is room left, so half of these. */
export const TENTATIVE_LIMIT = 2048
/**
 * All hosts of a link are asked to show themselves after these times. Milliseconds. The last one is for a bridge with STP,
 * whose new ports pass nothing for 30 s.
 */
const DISCOVERY_ROUNDS = [0, 700, 2500, 10_000, 40_000]

interface Tentative extends Timed {
  readonly target: Address
  readonly ifindex: number
  readonly mac: Mac | undefined
}

interface Discovery extends Timed {
  readonly ifindex: number
  readonly began: Instant
  round: number
}

export class Learner {
  rules: Rules
  readonly #links: Links
  readonly #neighbors: Neighbors
  readonly #sink: Sink
  readonly #advertiser: Advertiser
  readonly #tentative = new Deadlines<Tentative>()
  readonly #tentativeOf = new Tally<Mac | undefined>()
  readonly #tentativeOn = new Tally<number>()
  /** One link, as a list. */
  readonly #here: [number] = [0]
  readonly #discoveries = new Map<number, Discovery>()
  readonly #rounds = new Deadlines<Discovery>()

  constructor(rules: Rules, links: Links, neighbors: Neighbors, sink: Sink) {
    this.rules = rules
    this.#links = links
    this.#neighbors = neighbors
    this.#sink = sink
    this.#advertiser = new Advertiser(links, sink)
  }

  get deadline(): Instant | undefined { return earliest(this.#tentative.next, this.#rounds.next) }

  get limits(): Limit[] { return [{ name: 'addresses in DAD', used: this.#tentative.size, size: TENTATIVE_LIMIT }] }

  /** A valid packet that proves nothing. @returns whether it claims the address of another owner */
  hear(ifindex: number, view: NdiscView, now: Instant): boolean {
    // Routers ask from link-local addresses: these cost nothing here, not even the number that a Mac takes.
    if (view.type === NEIGHBOR_SOLICITATION && isLinkLocal(view.s0)) return false
    // Absent on links without such addresses.
    const mac = view.sourceMac < 0 ? undefined : view.sourceMac
    if (view.type === NEIGHBOR_ADVERTISEMENT) {
      return this.#evidence(view.t0, view.t1, view.t2, view.t3, ifindex, view.tlla < 0 ? mac : view.tlla, now, mac)
    }
    if ((view.s0 | view.s1 | view.s2 | view.s3) !== 0) {
      return this.#evidence(view.s0, view.s1, view.s2, view.s3, ifindex, mac, now)
    }
    this.#tentatively(ifindex, view, mac, now)
    return false
  }

  /** An entry of the kernel's neighbor table. Its word on an owner is ours; on a stranger it is evidence. */
  kernel({ target: { w0, w1, w2, w3 }, ifindex, mac, state, router }: KernelNeighbor, now: Instant): void {
    const neighbor = this.#neighbors.get(w0, w1, w2, w3)
    const isHome = neighbor?.isOwned === true && neighbor.ifindex === ifindex
    if (state === 'failed') {
      if (isHome) this.#neighbors.verify(neighbor, now, 'kernel')
      return
    }
    if (mac === undefined) return
    if (isHome && neighbor.mac === mac) {
      if (state === 'reachable') this.#neighbors.refresh(neighbor, now)
      return
    }
    // STALE says what was: no reason to ask again for whom nobody found since then.
    if (state !== 'reachable' && neighbor?.state === 'FAILED') return
    // Beside another proxy the kernel has the hosts downstream at that proxy's lladdr, upstream.
    const rule = this.rules.owning(ifindex, w0, w1, w2, w3)
    if (rule === undefined || (isUpstream(rule, this.#links.get(ifindex)) && !router)) return
    this.#evidence(w0, w1, w2, w3, ifindex, mac, now)
  }

  /** A bridge learned where a host is, or lost it. */
  station(ifindex: number, mac: Mac, present: boolean, now: Instant): void {
    for (const neighbor of [...this.#neighbors.of(mac)]) {
      const { target: { w0, w1, w2, w3 } } = neighbor
      if (!present && neighbor.ifindex === ifindex) {
        this.#neighbors.left(neighbor, now)
      } else if (present && neighbor.ifindex !== ifindex && this.rules.owning(ifindex, w0, w1, w2, w3) !== undefined) {
        this.#neighbors.contest(neighbor, ifindex, undefined, now)
      }
    }
  }

  /** Somebody answered a discovery. */
  echo(ifindex: number, { w0, w1, w2, w3 }: Address, mac: Mac | undefined, now: Instant): void {
    this.#evidence(w0, w1, w2, w3, ifindex, mac, now)
  }

  /** Asks all hosts of a link to show themselves, if that link is one for it. */
  discover(ifindex: number, now: Instant): void {
    if (this.rules.inside(ifindex).length === 0) return
    this.#stop(ifindex)
    const discovery = { ifindex, began: now, round: 0, deadline: now, place: -1 }
    this.#discoveries.set(ifindex, discovery)
    this.#rounds.set(discovery, now)
  }

  wake(now: Instant): void {
    for (let due = this.#tentative.due(now); due !== undefined; due = this.#tentative.due(now)) {
      const { target: { w0, w1, w2, w3 }, ifindex, mac } = due
      this.#tentativeOf.remove(mac)
      this.#tentativeOn.remove(ifindex)
      this.#evidence(w0, w1, w2, w3, ifindex, mac, now)
    }
    for (let due = this.#rounds.due(now); due !== undefined; due = this.#rounds.due(now)) this.#round(due, now)
  }

  #round(discovery: Discovery, now: Instant): void {
    const { ifindex, began } = discovery
    const link = this.#links.get(ifindex)
    discovery.round++
    const next = DISCOVERY_ROUNDS[discovery.round]
    if (next === undefined) this.#discoveries.delete(ifindex)
    else this.#rounds.set(discovery, Math.max(now, began + next) as Instant)
    const inside = this.rules.inside(ifindex)
    if (link === undefined || !link.up || inside.length === 0) return
    const sources = this.#links.sources(link, (address) => this.rules.isInside(ifindex, address))
    if (sources.length > 0) this.#sink.discover(ifindex, sources)
    // Before they answer all of them ask where that is, by multicast: too much at once for a bridge with many ports. A host
    // that has asked takes this for an answer (RFC 4861 7.2.5), others drop it.
    for (const source of sources) {
      const { w0, w1, w2, w3 } = source
      if (this.rules.excluded(w0, w1, w2, w3) || this.rules.match(ifindex, w0, w1, w2, w3).length === 0) continue
      this.#advertiser.announce(link, inside[0].settings, source, Address.allNodes, false)
    }
  }

  #stop(ifindex: number): void {
    const discovery = this.#discoveries.get(ifindex)
    if (discovery !== undefined) this.#rounds.remove(discovery)
  }

  #tentatively(ifindex: number, view: NdiscView, mac: Mac | undefined, now: Instant): void {
    const { t0, t1, t2, t3 } = view
    const rule = this.rules.owning(ifindex, t0, t1, t2, t3)
    if (rule === undefined) return
    const { hostLimit } = rule.settings
    if (mac !== undefined && this.#tentativeOf.count(mac) >= hostLimit) {
      return this.#sink.event({ kind: 'limit', limit: 'host', size: hostLimit, mac })
    }
    if (this.#tentativeOn.count(ifindex) >= TENTATIVE_LIMIT - this.#tentative.size) {
      return this.#sink.event({ kind: 'limit', limit: 'tentative', size: this.#tentativeOn.count(ifindex), ifindex })
    }
    this.#tentativeOf.add(mac)
    this.#tentativeOn.add(ifindex)
    this.#tentative.set({ target: view.target(), ifindex, mac, deadline: now, place: -1 }, (now + DAD_WINDOW) as Instant)
  }

  /**
   * Somebody on this link says that it has the address.
   * @param mac undefined where links have none. @param account who says so, if it names another's
   * @returns whether the address is another's
   */
  #evidence(w0: number, w1: number, w2: number, w3: number, ifindex: number, mac: Mac | undefined, now: Instant, account = mac): boolean {
    if (isLinkLocal(w0)) return false
    const neighbor = this.#neighbors.get(w0, w1, w2, w3)
    const rule = this.rules.owning(ifindex, w0, w1, w2, w3)
    if (rule === undefined) return false
    if (neighbor?.isOwned) {
      const moved = neighbor.ifindex !== ifindex || (mac !== undefined && neighbor.mac !== undefined && mac !== neighbor.mac)
      if (moved) this.#neighbors.contest(neighbor, ifindex, mac, now)
      return moved && mac !== neighbor.mac
    }
    if (neighbor !== undefined && this.#neighbors.guards(neighbor, ifindex, mac)) return true
    if (!rule.settings.learn || !this.#links.up(ifindex)) return false
    // A plain proxy rule asks when it is asked; there a sign of life only ends the negative cache.
    if (neighbor === undefined && rule.subnet === undefined && !rule.settings.routes) return false
    if (this.rules.excluded(w0, w1, w2, w3) || this.#links.own(w0, w1, w2, w3) !== undefined) return false
    if (isAnycast([rule], w0, w1, w2, w3)) return false
    this.#here[0] = ifindex
    const isNews = neighbor === undefined || neighbor.state === 'FAILED'
    if (isNews && !this.#neighbors.budget.allows('alive', rule.settings, this.#here, ifindex, account ?? -1, now)) return false
    const fromUpstream = isUpstream(rule, this.#links.get(ifindex))
    // Upstream, too: there may be other people's machines.
    if (account !== undefined && this.#neighbors.isSated(account, rule)) return false
    // What is somebody's upstream does not become a host's here.
    const upstreams = rule.subnet === undefined || fromUpstream ? [] : this.rules.upstreamsOf(rule).filter((link) => this.#links.up(link))
    if (isNews && !this.#neighbors.budget.allows('alive', rule.settings, upstreams, ifindex, account ?? -1, now)) return false
    this.#ask({ target: new Address(w0, w1, w2, w3), rule, links: [ifindex, ...upstreams], lane: 'alive', paid: isNews, from: ifindex,
      account, reason: 'evidence' }, now)
    return false
  }

  /** Asks whether somebody is there: for a stranger, whom the budget allows, now or later. */
  #ask(question: Question, now: Instant): void {
    const { target: { w0, w1, w2, w3 }, rule, links, from, account, paid } = question
    const { budget, budget: { pace: { alive: pace } } } = this.#neighbors
    if (paid) budget.charge('alive', rule.settings, links, from, account ?? -1, now)
    if (!paid || pace.isFree(now)) this.#neighbors.ask(question, now)
    else {
      pace.defer((later) => {
        if (this.rules.owning(from, w0, w1, w2, w3) === rule && this.#links.up(from)) this.#neighbors.ask(question, later)
      })
    }
  }
}

/** By the first word of an address: fe80::/10. */
function isLinkLocal(w0: number): boolean { return w0 >>> 22 === 0x3fa }
