/** One entry of the neighbor cache (RFC 4861 5.1). {@link Neighbors} alone changes it, but for what says otherwise. */
import type { Address, Mac } from '../address.ts'
import type { PinnedHost } from '../config/config.ts'
import { MAX_UNICAST_SOLICIT } from '../wire/constants.ts'
import type { Timed } from './deadlines.ts'
import type { ActiveRule } from './rules.ts'
import type { HostRoute, Instant, NeighborState } from './types.ts'

/** Who waits for an answer. */
export interface Asker {
  readonly ifindex: number
  readonly source: Address
  readonly mac: Mac
}

/** Who owns `target`? */
export interface Question {
  readonly target: Address
  readonly rule: ActiveRule
  readonly links: readonly number[]
  /** Ask where the kernel's route leads, too. */
  readonly byRoute?: boolean
  /** Who waits for the answer. */
  readonly asker?: Asker
  /** The downstream host that caused it: each has only so many questions under way. */
  readonly account?: Mac | undefined
  /** It just showed that it lives: what it did not answer until now it may answer at once. */
  readonly alive?: boolean
  readonly reason: string
}

/** Askers that wait for one target. */
export const ASKER_LIMIT = 16

/** However short `ttl` is, an owner is not asked more often than twice in this time. Milliseconds. */
const MIN_TTL = 1000

/** No links. */
export const NOWHERE: readonly number[] = []

export class Neighbor implements Timed {
  readonly target: Address
  rule: ActiveRule
  state: NeighborState = 'INCOMPLETE'
  /** Of the owner; 0 while there is none. A pinned owner's link may be absent: 0 too. */
  ifindex = 0
  /** The owner's; undefined while it is not known. */
  mac: Mac | undefined
  /** `autovia`: who answered for it. */
  via: Address | undefined
  pinned: PinnedHost | undefined
  /** An owner on an upstream that said that it is a router: nobody downstream may have its address. */
  router = false
  /** All that says so is an advertisement with O=0, another proxy's perhaps (RFC 4861 7.2.8): a real owner displaces it. */
  proxied = false
  /** Links that are asked, or were in the last round, besides the owner's. */
  asking: readonly number[] = NOWHERE
  /** The kernel's route says where to ask. */
  byRoute = false
  /** INCOMPLETE: the host on whose account it is asked for. */
  account: Mac | undefined
  probes = 0
  askers: Asker[] = []
  /** Somebody asked since it was verified. Written by `Proxy`. */
  used = false
  /** When it was proved last. */
  verified = Number.NEGATIVE_INFINITY as Instant
  /** The bridge does not know the owner any more. */
  absent = false
  /** Where somebody else claims the address; asked when the owner is silent. */
  rival = 0
  /** Undefined when only a bridge says so. */
  rivalMac: Mac | undefined
  /** The route that should be there for it, and the links where its group is joined. Written by `Owners`. */
  route: HostRoute | undefined
  joined: readonly number[] = NOWHERE
  /** The link that it was on last. Written by `Moves`. */
  home = 0
  deadline = 0 as Instant
  place = -1

  constructor(target: Address, rule: ActiveRule) {
    this.target = target
    this.rule = rule
  }

  /** Remembers who waits, once; false: there are too many. */
  wait(asker: Asker): boolean {
    const { ifindex, source, mac } = asker
    const { askers } = this
    if (askers.some((other) => ifindex === other.ifindex && mac === other.mac && source.equals(other.source))) return true
    if (askers.length >= ASKER_LIMIT) return false
    askers.push(asker)
    return true
  }

  get isOwned(): boolean { return this.state === 'REACHABLE' || this.state === 'PROBE' }

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
}
