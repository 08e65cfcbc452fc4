/**
 * One entry of the neighbor cache (RFC 4861 5.1), as a view of its row in {@link NeighborRows}: two views with the same `id`
 * are the same entry. {@link Neighbors} alone changes it, but for what says otherwise. A view of an entry that is gone throws,
 * also when its row serves another.
 */
import { Address } from '../address.ts'
import type { Mac } from '../address.ts'
import { MAX_UNICAST_SOLICIT, RETRANS_TIMER } from '../wire/constants.ts'
import { FLAGS, HOME, IFINDEX, MAC, NO_DETAILS, NOWHERE, ROUTED, TARGET, VERIFIED } from './neighbor-rows.ts'
import type { Asker, NeighborRows } from './neighbor-rows.ts'
import type { ActiveRule } from './rules.ts'
import type { HostRoute, Instant, Lane, NeighborReason, NeighborState } from './types.ts'

export { NOWHERE } from './neighbor-rows.ts'
export type { Asker } from './neighbor-rows.ts'

/** Who owns `target`? */
export interface Question {
  readonly target: Address
  readonly rule: ActiveRule
  readonly links: readonly number[]
  /** Ask where the kernel's route leads, too. */
  readonly byRoute?: boolean
  /** What it may cost. `alive`: it just showed itself; what it did not answer until now it may answer at once. */
  readonly lane: Lane
  /** The budget allowed it, and was charged. */
  readonly paid?: boolean
  /** The link that the question comes from, or where there is a sign of life. */
  readonly from: number
  /** Who waits for the answer. */
  readonly asker?: Asker
  /** The downstream host that caused it: each has only so many questions under way. */
  readonly account?: Mac | undefined
  readonly reason: NeighborReason
}

/** What follows from a change of owner. */
export interface NeighborFollower {
  /** An owner came, moved or went. Comes before `answer`. */
  owner(neighbor: Neighbor, now: Instant): void
  /** The neighbor has an owner now, and this asker waits. */
  answer(neighbor: Neighbor, asker: Asker): void
}

/** Askers that wait for one target. */
export const ASKER_LIMIT = 16

/** However short `ttl` is, an owner is not asked more often than twice in this time. Milliseconds. */
const MIN_TTL = 1000

/** By number, in the low bits of FLAGS. Those of owners have the second one. */
const STATES: readonly NeighborState[] = ['INCOMPLETE', 'FAILED', 'REACHABLE', 'PROBE']
const STATE = 0x3
const OWNED = 0x2
/** Other bits of it. */
const HAS_MAC = 0x4
const ROUTER = 0x8
const PROXIED = 0x10
const USED = 0x20
const ABSENT = 0x40
const TOLD = 0x80
const PINNED = 0x100

export class Neighbor {
  readonly id: number
  readonly generation: number
  readonly #rows: NeighborRows

  constructor(rows: NeighborRows, id: number) {
    this.id = id
    this.generation = rows.generation(id)
    this.#rows = rows
  }

  get target(): Address {
    return new Address(this.#rows.read(this, TARGET), this.#rows.read(this, TARGET + 1), this.#rows.read(this, TARGET + 2), this.#rows.read(this, TARGET + 3))
  }

  get rule(): ActiveRule { return this.#rows.rule(this) }
  set rule(rule: ActiveRule) { this.#rows.setRule(this, rule) }

  get state(): NeighborState { return STATES[this.#rows.read(this, FLAGS) & STATE] }
  set state(state: NeighborState) { this.#rows.write(this, FLAGS, (this.#rows.read(this, FLAGS) & ~STATE) | STATES.indexOf(state)) }
  get isOwned(): boolean { return this.#rows.is(this, OWNED) }

  /** Of the owner; 0 while there is none. A pinned owner's link may be absent: 0 too. */
  get ifindex(): number { return this.#rows.read(this, IFINDEX) }
  set ifindex(ifindex: number) { this.#rows.write(this, IFINDEX, ifindex) }

  /** The owner's; undefined while it is not known. */
  get mac(): Mac | undefined {
    if (!this.#rows.is(this, HAS_MAC)) return undefined
    return (this.#rows.read(this, FLAGS) >>> 16) * 2 ** 32 + (this.#rows.read(this, MAC) >>> 0) as Mac
  }
  set mac(mac: Mac | undefined) {
    const high = mac === undefined ? 0 : Math.floor(mac / 2 ** 32)
    this.#rows.write(this, MAC, mac === undefined ? 0 : mac | 0)
    this.#rows.write(this, FLAGS, (high << 16) | (this.#rows.read(this, FLAGS) & 0xffff))
    this.#rows.turn(this, HAS_MAC, mac !== undefined)
  }

  /** An owner on an upstream that said that it is a router: nobody downstream may have its address. */
  get router(): boolean { return this.#rows.is(this, ROUTER) }
  set router(router: boolean) { this.#rows.turn(this, ROUTER, router) }

  /** All that says so is an advertisement with O=0, another proxy's perhaps (RFC 4861 7.2.8): a real owner displaces it. */
  get proxied(): boolean { return this.#rows.is(this, PROXIED) }
  set proxied(proxied: boolean) { this.#rows.turn(this, PROXIED, proxied) }

  /** Somebody asked since it was verified. Written by `Proxy`. */
  get used(): boolean { return this.#rows.is(this, USED) }
  set used(used: boolean) { this.#rows.turn(this, USED, used) }

  /** The bridge does not know the owner any more. */
  get absent(): boolean { return this.#rows.is(this, ABSENT) }
  set absent(absent: boolean) { this.#rows.turn(this, ABSENT, absent) }

  /** An event said who the owner is. */
  get told(): boolean { return this.#rows.is(this, TOLD) }
  set told(told: boolean) { this.#rows.turn(this, TOLD, told) }

  /** When it was proved last. */
  get verified(): Instant { return this.#rows.readFloat(this, VERIFIED) as Instant }
  set verified(verified: Instant) { this.#rows.writeFloat(this, VERIFIED, verified) }

  /** The link that it was on last. Written by `Moves`. */
  get home(): number { return this.#rows.read(this, HOME) }
  set home(home: number) { this.#rows.write(this, HOME, home) }

  /** The link of its route; 0: it has none. */
  get routed(): number { return this.#rows.read(this, ROUTED) }
  get routeVia(): Address | undefined { return this.#rows.detail(this, 'routeVia') }
  /** The route that should be there for it. Written by `Owners`. */
  get route(): HostRoute | undefined {
    const { target, routed: ifindex, routeVia: via } = this
    if (ifindex === 0) return undefined
    return via === undefined ? { target, ifindex } : { target, ifindex, via }
  }
  set route(route: HostRoute | undefined) {
    this.#rows.write(this, ROUTED, route?.ifindex ?? 0)
    this.#rows.setDetail(this, 'routeVia', route?.via)
  }

  /** The links where its group is joined: a list that others have, too. Written by `Owners`. */
  get joined(): readonly number[] { return this.#rows.joined(this) }
  set joined(joined: readonly number[]) { this.#rows.setJoined(this, joined) }

  /** The file says who the owner is. */
  get isPinned(): boolean { return this.#rows.is(this, PINNED) }
  set isPinned(isPinned: boolean) { this.#rows.turn(this, PINNED, isPinned) }

  /** `autovia`: who answered for it. */
  get via(): Address | undefined { return this.#rows.detail(this, 'via') }
  set via(via: Address | undefined) { this.#rows.setDetail(this, 'via', via) }

  /** Links that are asked, or were in the last round, besides the owner's. */
  get asking(): readonly number[] { return this.#rows.detail(this, 'asking') }
  set asking(asking: readonly number[]) { this.#rows.setDetail(this, 'asking', asking.length === 0 ? NOWHERE : asking) }

  /** The kernel's route says where to ask. */
  get byRoute(): boolean { return this.#rows.detail(this, 'byRoute') }
  set byRoute(byRoute: boolean) { this.#rows.setDetail(this, 'byRoute', byRoute) }

  /** INCOMPLETE: the host on whose account it is asked for. Of an owner that names another lladdr than its frames come from: that one. */
  get account(): Mac | undefined { return this.#rows.detail(this, 'account') }
  set account(account: Mac | undefined) { this.#rows.setDetail(this, 'account', account) }

  /** Of those that wait for an answer, how many were sent. */
  get probes(): number { return this.#rows.detail(this, 'probes') }
  set probes(probes: number) { this.#rows.setDetail(this, 'probes', probes) }

  get askers(): readonly Asker[] { return this.#rows.detail(this, 'askers') }
  set askers(askers: readonly Asker[]) { this.#rows.setDetail(this, 'askers', askers.length === 0 ? NO_DETAILS.askers : askers) }

  /** Where somebody else claims the address; asked when the owner is silent. */
  get rival(): number { return this.#rows.detail(this, 'rival') }
  set rival(rival: number) { this.#rows.setDetail(this, 'rival', rival) }
  /** Undefined when only a bridge says so. */
  get rivalMac(): Mac | undefined { return this.#rows.detail(this, 'rivalMac') }
  set rivalMac(mac: Mac | undefined) { this.#rows.setDetail(this, 'rivalMac', mac) }
  forgetRival(): void {
    this.rival = 0
    this.rivalMac = undefined
  }

  /** When something is to be done about it. */
  get deadline(): Instant { return this.#rows.deadline(this) }

  /** Remembers who waits, once; false: there are too many. */
  wait(asker: Asker): boolean {
    const { ifindex, source, mac } = asker
    const { askers } = this
    if (askers.some((other) => ifindex === other.ifindex && mac === other.mac && source.equals(other.source))) return true
    if (askers.length >= ASKER_LIMIT) return false
    this.askers = askers.concat(asker)
    return true
  }

  /** When a probe sent now counts as unanswered; never at once, or a timeout of 0 could prove nothing. */
  afterTimeout(now: Instant): Instant {
    return now + Math.max(1, this.rule.settings.timeout) as Instant
  }

  /** INCOMPLETE: when it was asked last. */
  get askedAt(): Instant { return this.deadline - Math.max(1, this.rule.settings.timeout) as Instant }

  /** Probes to the owner's own lladdr, before its group is asked. */
  get unicastProbes(): number {
    return Math.min(MAX_UNICAST_SOLICIT, this.rule.settings.retries)
  }

  /** When to verify again, so that it is over by the end of `ttl`: what is known is then never older. */
  get staleAt(): Instant {
    const { timeout, retries } = this.rule.settings
    const ttl = Math.max(MIN_TTL, this.rule.settings.ttl)
    return this.verified + ttl - Math.min(ttl / 2, (retries + 1) * timeout) as Instant
  }

  /** When to look at it next: where it was asked for, a second answer counts for a while; then it takes up room in vain. */
  get restAt(): Instant {
    return this.asking.length === 0 ? this.staleAt : Math.min(this.staleAt, this.verified + RETRANS_TIMER) as Instant
  }
}
