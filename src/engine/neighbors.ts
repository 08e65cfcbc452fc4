/**
 * The neighbor cache: who owns an address, on which link, and how that is verified (RFC 4861 5.1, 7.2.2, 7.3.2).
 *
 *     (none) --asked, evidence--> INCOMPLETE --proof--> REACHABLE --ttl--> PROBE --proof--> REACHABLE
 *                                  | retries                                | retries
 *                                  +------------> FAILED <-----------------+     FAILED --deadtime--> (none)
 *
 * Only a solicited advertisement on a link that is being asked makes an owner; an owner that still answers is not
 * displaced (RFC 6620 in spirit, RFC 3756 4.1.1), with two exceptions: another proxy's word (O=0) gives way to a real
 * owner, and of two that answer the same question the one upstream is right, where the router is.
 */
import type { Address, Mac } from '../address.ts'
import type { NdiscView } from '../wire/ndisc.ts'
import { RETRANS_TIMER } from '../wire/constants.ts'
import { Budget } from './budget.ts'
import { Census } from './census.ts'
import type { Pinned } from './hosts.ts'
import { judge } from './judge.ts'
import type { Links } from './links.ts'
import { Neighbor, NOWHERE } from './neighbor.ts'
import type { Asker, NeighborFollower, Question } from './neighbor.ts'
import { NeighborTable } from './neighbor-table.ts'
import { Prober } from './prober.ts'
import { isUpstream } from './rules.ts'
import type { ActiveRule } from './rules.ts'
import type { Instant, Limit, NeighborReason, NeighborState, Outcome, Random, Sink } from './types.ts'

/** Claims on an owner's address make it be asked no more often than this. Milliseconds. */
export const CONTEST_INTERVAL = 250
/** A sign of life of who was asked in vain makes it be asked again, no more often than this. Milliseconds. */
const REPEAT_INTERVAL = 50
/** For how long a router that is gone keeps its address from the hosts downstream. Milliseconds. */
const ROUTER_MEMORY = 3_600_000
/** What is restored is verified one after the other, this far apart. Milliseconds. */
const RESTORE_INTERVAL = 0.5
/** Entries that one wake looks at. */
const WAKE_LIMIT = 64
/** What proves an owner tells of it, in the plain case. */
const PLAIN = { via: undefined, proxied: false, router: false, account: undefined }

export class Neighbors {
  readonly budget: Budget
  readonly #table: NeighborTable
  readonly #census: Census
  readonly #prober: Prober
  readonly #links: Links
  readonly #sink: Sink
  readonly #follower: NeighborFollower
  #restoreAt = Number.NEGATIVE_INFINITY

  constructor(links: Links, sink: Sink, follower: NeighborFollower, random: Random) {
    this.#table = new NeighborTable(random)
    this.#census = new Census(this.#table.hosts, sink)
    this.budget = new Budget(sink, random)
    this.#prober = new Prober(links, sink, this.budget)
    this.#links = links
    this.#sink = sink
    this.#follower = follower
  }

  get size(): number { return this.#table.size }
  limits(size: number): Limit[] { return this.#census.limits(size) }
  /** Grows with every change of a learned owner. */
  get revision(): number { return this.#census.revision }
  get deadline(): Instant | undefined { return this.#table.deadline }
  /** Entries may come and go meanwhile. */
  values(): Generator<Neighbor> { return this.#table.values() }
  /** The same, of the owners on a link. */
  on(ifindex: number): Generator<Neighbor> { return this.#table.on(ifindex) }
  /** Those of addresses that nobody had, but for routers'. */
  get failed(): Iterable<Neighbor> { return this.#census.failed }
  get(w0: number, w1: number, w2: number, w3: number): Neighbor | undefined { return this.#table.get(w0, w1, w2, w3) }
  find({ w0, w1, w2, w3 }: Address): Neighbor | undefined { return this.#table.get(w0, w1, w2, w3) }

  /** The learned addresses of a host. */
  of(mac: Mac): Iterable<Neighbor> { return this.#census.of(mac) }
  /** Whether a host has as many addresses as it may; says so. */
  isSated(mac: Mac, rule: ActiveRule): boolean { return this.#census.isSated(mac, rule) }

  /** Asks for the owner. What is being asked already is not asked twice (I3). */
  ask({ target, rule, links, byRoute = false, lane, paid = false, from, asker, account, reason }: Question, now: Instant): Outcome {
    let neighbor = this.find(target)
    if (neighbor?.router === true) links = links.filter((ifindex) => this.#isUpstream(rule, ifindex))
    const [alive, mac] = [lane === 'alive', asker?.mac ?? account ?? -1]
    const allows = (links: readonly number[]): boolean => this.budget.allows(lane, rule.settings, links, from, mac, now)
    const isNew = neighbor === undefined || neighbor.state === 'FAILED'
    if (neighbor === undefined || neighbor.state === 'FAILED') {
      if (links.length === 0 && !byRoute) return 'failed'
      if ((!paid && !allows(links)) || (account !== undefined && this.#census.isBusy(account, rule))) return 'limit'
      if (!paid) this.budget.charge(lane, rule.settings, links, from, mac, now)
      if (neighbor === undefined) {
        if (this.#isFull(rule, alive)) return 'limit'
        neighbor = this.#table.create(target, rule)
      } else {
        this.#census.remove(neighbor)
      }
      neighbor.asking = NOWHERE
      neighbor.account = account
      neighbor.state = 'INCOMPLETE'
      this.#census.add(neighbor)
      this.#tell(neighbor, 'INCOMPLETE', reason)
    }
    if (asker !== undefined && !neighbor.wait(asker)) return 'limit'
    const asksRoute = byRoute && !neighbor.byRoute
    if (neighbor.state !== 'INCOMPLETE') return 'probing'
    const asked = alive && now > neighbor.askedAt + REPEAT_INTERVAL ? neighbor.asking.filter((link) => !links.includes(link)) : neighbor.asking
    const fresh = links.filter((link) => !asked.includes(link))
    if (fresh.length === 0 && !asksRoute || !isNew && !allows(fresh)) return 'probing'
    neighbor.asking = asked
    this.#prober.widen(neighbor, fresh)
    if (!isNew) this.budget.charge(lane, rule.settings, fresh, from, mac, now)
    neighbor.byRoute ||= byRoute
    neighbor.probes = 1
    if (asksRoute) this.#sink.lookup(target)
    this.#table.setDeadline(neighbor, neighbor.afterTimeout(now))
    return 'probing'
  }

  /** Asks on one more link. @returns false: there is no budget for it */
  widen(neighbor: Neighbor, ifindex: number, now: Instant): boolean {
    return neighbor.asking.includes(ifindex) || this.#prober.widen(neighbor, this.budget.repeat(neighbor, [ifindex], now))
  }

  /** An asker waits until the owner has proved that it lives. */
  confirm(neighbor: Neighbor, asker: Asker, now: Instant): Outcome {
    if (!neighbor.wait(asker)) return 'limit'
    if (neighbor.state === 'REACHABLE' && now - neighbor.verified < CONTEST_INTERVAL) this.#answer(neighbor)
    else this.verify(neighbor, now, 'DAD')
    return 'probing'
  }

  /** Verifies an owner now, unless that is under way. */
  verify(neighbor: Neighbor, now: Instant, reason: NeighborReason): void {
    if (neighbor.state !== 'REACHABLE' || neighbor.isPinned) return
    neighbor.probes = 0
    neighbor.asking = NOWHERE
    neighbor.state = 'PROBE'
    this.#tell(neighbor, 'PROBE', reason)
    const at = this.budget.verify(neighbor.ifindex, now)
    // Many at once are spread, but who waits for the answer has no time.
    if (at > now && neighbor.askers.length === 0) this.#table.setDeadline(neighbor, at)
    else this.#probe(neighbor, now)
  }

  /** The kernel got an answer of the owner (NUD_REACHABLE): as good as one to us, except at the start, when it may be old. */
  refresh(neighbor: Neighbor, now: Instant): void {
    const isRestored = neighbor.verified === Number.NEGATIVE_INFINITY
    if (!neighbor.isPinned && neighbor.rival === 0 && !neighbor.absent && !isRestored) {
      // This answers no question of ours: a second answer, for which `judge` has an ear, cannot come any more.
      if (now - neighbor.verified >= RETRANS_TIMER) neighbor.asking = NOWHERE
      this.prove(neighbor, neighbor.ifindex, neighbor.mac, now, neighbor)
    }
  }

  /** A bridge lost sight of the owner: it may have moved, without a word. */
  left(neighbor: Neighbor, now: Instant): void {
    if (neighbor.isPinned) return
    neighbor.absent = true
    if (neighbor.state === 'PROBE') this.#probe(neighbor, now)
    else this.verify(neighbor, now, 'bridge')
  }

  /**
   * Somebody else claims an owner's address. First come, first served: the owner is asked, and only its silence gives the
   * address away; a pinned one keeps it, and so does a router. @param mac undefined when only a bridge says so
   */
  contest(neighbor: Neighbor, ifindex: number, mac: Mac | undefined, now: Instant): void {
    const { target, isPinned, rule, state } = neighbor
    if (isPinned || this.#isGuarded(neighbor, ifindex)) {
      if (mac === undefined || ifindex === neighbor.ifindex) return
      return this.#sink.event({ kind: 'conflict', target, ifindex, mac, basis: isPinned ? 'pinned' : 'router' })
    }
    if (neighbor.proxied && ifindex !== neighbor.ifindex && !this.#isUpstream(rule, ifindex)) {
      this.verify(neighbor, now, 'claimed')
      this.#prober.widen(neighbor, [ifindex])
      return
    }
    // It left its bridge: when this link was asked, it was not there yet.
    if (neighbor.absent && neighbor.rival !== ifindex) this.#prober.again(neighbor, ifindex)
    neighbor.rival = ifindex
    neighbor.rivalMac = mac
    const early = neighbor.verified + CONTEST_INTERVAL as Instant
    if (state === 'REACHABLE' && now < early) this.#table.setDeadline(neighbor, Math.min(neighbor.deadline, early) as Instant)
    else this.verify(neighbor, now, 'claimed')
  }

  /** Somebody downstream claims the address of a router that is silent. @returns whether it is one's */
  guards(neighbor: Neighbor, ifindex: number, mac: Mac | undefined): boolean {
    if (!this.#isGuarded(neighbor, ifindex)) return false
    if (mac !== undefined) this.#sink.event({ kind: 'conflict', target: neighbor.target, ifindex, mac, basis: 'router' })
    return true
  }

  /** A valid NA. @returns `unsolicited` when it answers no probe: then it is evidence at most */
  advertisement(ifindex: number, view: NdiscView, now: Instant): 'proof' | 'proxied' | 'unsolicited' {
    const neighbor = this.get(view.t0, view.t1, view.t2, view.t3)
    if (neighbor === undefined || !view.solicited) return 'unsolicited'
    const lladdr = view.tlla >= 0 ? view.tlla : view.sourceMac
    // Absent on links without such addresses.
    const mac = lladdr < 0 ? undefined : lladdr
    const isUpstream = this.#isUpstream(neighbor.rule, ifindex)
    const judgement = judge(neighbor, { ifindex, mac, override: view.override, isUpstream }, now)
    if (judgement !== 'proof') return judgement
    const { rule: { autovia }, state, target, proxied, isOwned } = neighbor
    if (state === 'REACHABLE' && !proxied && neighbor.mac !== undefined) {
      this.#sink.event({ kind: 'conflict', target, ifindex: neighbor.ifindex, mac: neighbor.mac, basis: 'answered' })
    }
    const source = view.source()
    this.prove(neighbor, ifindex, mac, now, {
      via: autovia && !source.equals(target) ? source : undefined,
      proxied: !view.override && (proxied || !isOwned || mac !== neighbor.mac),
      router: view.router && isUpstream,
      // Whatever lladdr it names: it is the sender's own address that counts.
      account: view.sourceMac >= 0 && view.sourceMac !== mac ? view.sourceMac : undefined,
    })
    return 'proof'
  }

  /** Makes or keeps an owner, then answers those who wait. */
  prove(neighbor: Neighbor, ifindex: number, mac: Mac | undefined, now: Instant,
    what: Pick<Neighbor, 'via' | 'proxied' | 'router' | 'account'> = PLAIN): void {
    const changed = !neighbor.isOwned || neighbor.ifindex !== ifindex || neighbor.mac !== mac
    if (changed && !this.#admit(neighbor, ifindex, mac, what.account, now)) return
    const { rival, rivalMac, asking } = neighbor
    const isRoutine = !changed && neighbor.home === ifindex && neighbor.router === what.router && !neighbor.isPinned
      && neighbor.via === undefined && what.via === undefined
    neighbor.via = what.via
    neighbor.proxied = what.proxied
    if (neighbor.router !== what.router) this.#census.revision++
    neighbor.router = what.router
    if (!changed && rival !== 0 && rivalMac !== undefined) {
      this.#sink.event({ kind: 'conflict', target: neighbor.target, ifindex: rival, mac: rivalMac, basis: 'answered' })
    }
    neighbor.forgetRival()
    neighbor.probes = 0
    neighbor.absent = false
    neighbor.used = false
    neighbor.verified = now
    neighbor.byRoute = false
    if (asking.length === 1 && asking[0] === ifindex) neighbor.asking = NOWHERE
    neighbor.state = 'REACHABLE'
    this.#tell(neighbor, 'REACHABLE', neighbor.isPinned && mac === undefined ? 'pinned' : changed ? 'proof' : 'verified')
    if (neighbor.isPinned) this.#table.clearDeadline(neighbor)
    else this.#table.setDeadline(neighbor, neighbor.restAt)
    // Thousands of these a second change nothing.
    if (!isRoutine) this.#follower.owner(neighbor, now)
    this.#answer(neighbor)
  }

  /** An owner of a former life: answered for while it is verified, soon. @returns undefined when there is no room */
  restore(target: Address, ifindex: number, mac: Mac | undefined, rule: ActiveRule, now: Instant): Neighbor | undefined {
    if (this.find(target) !== undefined || this.#isFull(rule)) return undefined
    const neighbor = this.#table.create(target, rule)
    neighbor.ifindex = ifindex
    neighbor.mac = mac
    neighbor.state = 'PROBE'
    this.#census.add(neighbor)
    this.#restoreAt = Math.max(now, this.#restoreAt + RESTORE_INTERVAL)
    this.#table.setDeadline(neighbor, this.#restoreAt as Instant)
    this.#tell(neighbor, 'PROBE', 'restart')
    return neighbor
  }

  /** Makes an owner that is always known, or tells one where its link is. @param ifindex 0 when that link is absent */
  pin({ address, rule }: Pinned, ifindex: number, now: Instant): void {
    const known = this.find(address)
    const neighbor = known ?? this.#table.create(address, rule)
    if (known !== undefined) this.#census.remove(known)
    if (known !== undefined && known.ifindex !== ifindex) {
      known.mac = undefined
      known.told = false
    }
    neighbor.isPinned = true
    neighbor.rule = rule
    neighbor.asking = NOWHERE
    neighbor.ifindex = ifindex
    neighbor.state = 'REACHABLE'
    if (known !== undefined && ifindex !== 0) return this.prove(known, ifindex, known.mac, now)
    // Perhaps thousands at once, at the start: no more than a new one needs.
    this.#table.clearDeadline(neighbor)
    if (ifindex !== 0) neighbor.verified = now
    if (ifindex !== 0) this.#tell(neighbor, 'REACHABLE', 'pinned')
    this.#follower.owner(neighbor, now)
  }

  /** The owner is gone, or nobody answered. */
  fail(neighbor: Neighbor, reason: NeighborReason, now: Instant, deadtime = neighbor.rule.settings.deadtime): void {
    this.#census.remove(neighbor)
    neighbor.state = 'FAILED'
    neighbor.ifindex = 0
    neighbor.askers = []
    neighbor.byRoute = false
    neighbor.account = undefined
    this.#census.add(neighbor)
    this.#tell(neighbor, 'FAILED', reason)
    this.#follower.owner(neighbor, now)
    this.#table.setDeadline(neighbor, (now + deadtime) as Instant)
  }

  remove(neighbor: Neighbor, reason: NeighborReason, now: Instant): void {
    const wasOwned = neighbor.isOwned
    if (neighbor.verified !== Number.NEGATIVE_INFINITY) this.budget.remember(neighbor.target)
    this.#census.remove(neighbor)
    neighbor.ifindex = 0
    neighbor.state = 'FAILED'
    this.#follower.owner(neighbor, now)
    if (wasOwned) this.#tell(neighbor, 'GONE', reason)
    this.#table.delete(neighbor)
  }

  /** Does what is due; not all of it when that is much, so that packets need not wait long. */
  wake(now: Instant): void {
    for (let turns = 0; turns < WAKE_LIMIT; turns++) {
      const neighbor = this.#table.due(now)
      if (neighbor === undefined) return
      const { verified, rule: { settings: { keepalive, retries, ttl } } } = neighbor
      switch (neighbor.state) {
        case 'FAILED':
          // A second time without a name for it: it may be asked for again, but not downstream.
          if (neighbor.router && now < verified + ROUTER_MEMORY) {
            neighbor.asking = NOWHERE
            this.#table.setDeadline(neighbor, verified + ROUTER_MEMORY as Instant)
          } else {
            this.remove(neighbor, 'deadtime', now)
          }
          break
        case 'REACHABLE':
          neighbor.asking = NOWHERE
          if (neighbor.rival !== 0) this.verify(neighbor, now, 'claimed')
          else if (now < neighbor.staleAt) this.#table.setDeadline(neighbor, neighbor.staleAt)
          else if (keepalive || neighbor.used) this.verify(neighbor, now, 'ttl')
          else if (now < verified + ttl) this.#table.setDeadline(neighbor, verified + ttl as Instant)
          else this.remove(neighbor, 'ttl', now)
          break
        case 'INCOMPLETE': case 'PROBE':
          if (neighbor.probes <= retries) this.#probe(neighbor, now)
          else this.#giveUp(neighbor, now)
          break
      }
    }
  }

  #giveUp(neighbor: Neighbor, now: Instant): void {
    const { rival, rivalMac, rule, target } = neighbor
    this.fail(neighbor, 'no answer', now)
    neighbor.forgetRival()
    if (rival === 0 || !this.#links.up(rival) || this.#isGuarded(neighbor, rival)) return
    const account = this.#isUpstream(rule, rival) ? undefined : rivalMac
    this.ask({ target, rule, links: [rival], lane: 'seen', from: rival, account, reason: 'owner silent' }, now)
  }

  #probe(neighbor: Neighbor, now: Instant): void {
    this.#prober.next(neighbor, now)
    this.#table.setDeadline(neighbor, neighbor.afterTimeout(now))
  }

  /** Whether the address is a router's, and this link not the one for it. */
  #isGuarded({ router, rule }: Neighbor, ifindex: number): boolean { return router && !this.#isUpstream(rule, ifindex) }

  #isUpstream(rule: ActiveRule, ifindex: number): boolean { return isUpstream(rule, this.#links.get(ifindex)) }

  #answer(neighbor: Neighbor): void {
    const { askers } = neighbor
    neighbor.askers = []
    for (const asker of askers) this.#follower.answer(neighbor, asker)
  }

  /** Takes the place of an owner, within the limits; false: there is none left. */
  #admit(neighbor: Neighbor, ifindex: number, mac: Mac | undefined, account: Mac | undefined, now: Instant): boolean {
    const refusal = this.#census.refusal(neighbor, ifindex, account ?? mac, this.#isUpstream(neighbor.rule, ifindex))
    if (refusal !== undefined) {
      this.fail(neighbor, refusal, now)
      return false
    }
    this.#census.remove(neighbor)
    neighbor.ifindex = ifindex
    neighbor.mac = mac
    neighbor.told = false
    neighbor.account = account
    // It counts as an owner from here on, whatever it was.
    neighbor.state = 'REACHABLE'
    this.#census.add(neighbor)
    return true
  }

  /** Makes room for one more, if it can. */
  #isFull(rule: ActiveRule, alive = false): boolean {
    const place = this.#census.place(rule, alive)
    if (place instanceof Neighbor) this.remove(place, 'limit', place.deadline)
    return place === undefined
  }

  #tell(neighbor: Neighbor, state: NeighborState | 'GONE', reason: NeighborReason): void {
    const { target, ifindex, mac, told } = neighbor
    const news = state === 'REACHABLE' ? !told && reason !== 'pinned' : told && (state === 'FAILED' || state === 'GONE')
    if (news) neighbor.told = !told
    const link = ifindex === 0 ? undefined : ifindex
    this.#sink.event({ kind: 'neighbor', target, state, ifindex: link, mac, reason, former: undefined, news })
  }
}
