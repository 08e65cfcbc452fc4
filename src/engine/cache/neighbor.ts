/** Entry of the neighbor cache (RFC 4861 5.1): the known and the wanted state of one target, and the probes that are under way. */
import type { Address, Mac } from '../../address.ts'
import { MAX_UNICAST_SOLICIT, RETRANS_TIMER } from '../../wire/constants.ts'
import type { Lane } from '../budget/probe-budget.ts'
import type { ActiveRule } from '../rules/rule.ts'
import type { HostRoute, Instant, Lookup } from '../../engine-types.ts'
import type { NeighborState } from '../../events.ts'
import { type Solicitor, withSolicitor } from './waiting-solicitors.ts'

/** The router that the kernel's route to a target leads through. */
export interface NextHop {
  readonly ifindex: number
  readonly address: Address
}

export function isSameHop(a: NextHop | undefined, b: NextHop): boolean {
  return a?.ifindex === b.ifindex && a.address.equals(b.address)
}

/** A lower `ttl` counts as this value, milliseconds. Verifications begin after half of `ttl` or later, so at most two begin in MIN_TTL. */
const MIN_TTL = 1000
/**
 * Milliseconds that a host has to answer a probe. During this time, a sign of life on the probed link causes no further probe. For this
 * time after the first probe, no new entry replaces the entry at `host-limit`.
 */
const ANSWER_TIME = 50
/** An empty list, shared. */
export const NONE: readonly never[] = []

/** The members of an entry that most entries need only while a probe is under way. */
export interface Work {
  /** Links where the present or most recent probes search for the owner. The verification of an owner on its own link does not count. */
  readonly probed: readonly number[]
  /** Of the links in `probed` and the owner's link, those where no probe could be sent yet: this machine has no usable address there. */
  readonly unsent: readonly number[]
  /** The budget refused to probe a further link, so the owner may be on a link that was not probed. */
  readonly isCurtailed: boolean
  readonly byRoute: boolean
  /**
   * Rounds of probes in the present or most recent search or verification. Skipped unicast probes count, too. `retries` + 2: unsent probes
   * wait for a usable address.
   */
  readonly probes: number
  readonly lane: Lane
  readonly isQueued: boolean
  readonly waiting: readonly Solicitor[]
  /** The bridge no longer knows the owner's port. */
  readonly isMissing: boolean
  /** The kernel's neighbor entry has another link-layer address than the owner. */
  readonly isMisdirected: boolean
  /** The link where another host claims the address. That host is probed if the owner does not answer. 0: none. */
  readonly rival: number
  /** Link-layer address of the host that claims the address; undefined when a bridge reported the claim. */
  readonly rivalMac: Mac | undefined
  /** An announcement that waits for the host route. `isChange`: caches of hosts on these links may have another link-layer address. */
  readonly unannounced: { readonly links: readonly number[]; readonly isChange: boolean } | undefined
  /** Gateway of the host route, only with `autovia`: the router that answered for the target. */
  readonly via: Address | undefined
  readonly routedVia: Address | undefined
  /** The next hop that is probed instead of the owner. */
  readonly nextHop: NextHop | undefined
  /** Incoming link and source of the packet for which the kernel's route was last looked up. */
  readonly origin: Pick<Lookup, 'from' | 'source'> | undefined
  /**
   * The host whose `host-limit` the entry counts for. This host caused the probes, or sent a proof that names another link-layer address
   * than that of the host.
   */
  readonly account: Mac | undefined
}

/** The `work` of all entries that need none of its members: sharing one object saves memory. */
const IDLE: Work = Object.freeze({ probed: NONE, unsent: NONE, isCurtailed: false, byRoute: false, probes: 0, lane: 'unknown',
  isQueued: false, waiting: NONE, isMissing: false, isMisdirected: false, rival: 0, rivalMac: undefined, unannounced: undefined,
  via: undefined, routedVia: undefined, nextHop: undefined, origin: undefined, account: undefined })

export class Neighbor {
  readonly target: Address
  rule: ActiveRule
  state: NeighborState = 'INCOMPLETE'
  #work = IDLE
  /** The owner's link; 0 without an owner, and while the link of a pinned owner does not exist. */
  ifindex = 0
  /** The owner's link-layer address; undefined while it is unknown, and on links without such addresses. */
  mac: Mac | undefined
  /** Time of the last proof; negative infinity without one. */
  verified = Number.NEGATIVE_INFINITY as Instant
  /** Time when the target got its present owner. Without an owner, the time when the entry became INCOMPLETE or FAILED. */
  since = 0 as Instant
  /** The link of the owner that was last announced, even if this owner is gone. After a move, the new place is announced there. 0: none. */
  home = 0
  isPinned = false
  /** The owner answered a verification, so no new owner takes its place in the cache. Set by `Capacity`. */
  isConfirmed = false
  /** ifindex of the bridge port at which the host is; 0: unknown. Set by `UnconfirmedOwners`. */
  port = 0
  /**
   * The owner is on an upstream and sets the router flag, so announcements go to this owner. The flag does not protect the owner's address
   * from other hosts. The address of a default gateway of this machine is protected from hosts on other links, with or without the
   * flag.
   */
  router = false
  /**
   * The proof is the reply of a next hop, or an NA with O=0 (RFC 4861 7.2.8), perhaps of another proxy. After an NA with O=0 on a downstream
   * link, `isBehindProxy` is set instead. Unless `isVouched` is true, an NA with O=1 on another link overrides this owner (RFC 4861 7.2.5).
   */
  isOverridable = false
  /** The link-layer address is that of a proxy behind this machine, which answers for the host (`DownstreamProxies`). */
  isBehindProxy = false
  used = false
  /** Time of the next transition of the state. `deadline` and `place` are written by `Deadlines` only. */
  deadline = 0 as Instant
  place = -1
  isDirty = false
  /** The link of the host route; 0: no route. */
  routed = 0
  isRoutePending = false
  /**
   * `right`: no host route is needed, because the kernel's other routes lead to the owner, or because `isForeign` is set. `detour`: without
   * a host route, packets leave by another link. `unknown`: the kernel's reply is pending.
   */
  path: 'unknown' | 'right' | 'detour' = 'right'
  /** The owner's link when `path` was last set; 0: a lookup is due. */
  pathOn = 0
  /** The incoming links of packets for the owner, as of the time when `path` was last set. */
  pathFrom: readonly number[] = NONE
  /** The kernel's route discards packets, or leads to a link that has no hosts of the rule. So the target is not answered for. */
  isForeign = false
  joined: readonly number[] = NONE
  isReported = false

  constructor(target: Address, rule: ActiveRule) {
    this.target = target
    this.rule = rule
  }

  /** The host route, as handed to the kernel; undefined: none. Allocates. */
  get route(): HostRoute | undefined {
    const { target, routed: ifindex, work: { routedVia: via } } = this
    if (ifindex === 0) return undefined
    return via === undefined ? { target, ifindex } : { target, ifindex, via }
  }

  get isOwned(): boolean { return this.state === 'REACHABLE' || this.state === 'PROBE' }
  /** Whether advertisements may direct traffic for the target to this machine: the kernel is known to route the traffic to the owner. */
  get isReady(): boolean { return !this.isRoutePending && !this.isDirty && this.path !== 'unknown' }
  get work(): Work { return this.#work }

  /** Whether the owner is on an upstream, and another proxy there may answer for it. */
  get isVouched(): boolean { return (this.isOverridable || this.router) && this.rule.subnet?.upstreams.ifindexes.includes(this.ifindex) === true }
  /** Whether `isVouched` is true, and on another link a host other than that proxy claims the address. */
  get isClaimedBehind(): boolean {
    const { rival, rivalMac } = this.#work
    return rival !== 0 && rival !== this.ifindex && rivalMac !== this.mac && this.isVouched
  }

  set(change: Partial<Work>): void {
    const keys = Object.keys(change) as (keyof Work)[]
    if (keys.some((key) => this.#work[key] !== change[key])) this.#work = { ...this.#work, ...change }
  }

  /** Goes back to the shared `work` if no probe, solicitor or announcement needs a member of it. */
  rest(): void {
    const { probed, unsent, isCurtailed, byRoute, probes, isQueued, waiting, isMissing, isMisdirected, rival, unannounced, via, routedVia,
      nextHop, account } = this.#work
    const isBusy = probed.length + unsent.length + probes + waiting.length + rival > 0 || isCurtailed || byRoute || isQueued || isMissing
      || isMisdirected || (unannounced ?? via ?? routedVia ?? nextHop ?? account) !== undefined
    if (!isBusy) this.#work = IDLE
  }

  /** Read and written by the queue of probes. */
  get isQueued(): boolean { return this.#work.isQueued }
  set isQueued(isQueued: boolean) { this.set({ isQueued }) }

  /** Adds a solicitor, unless it is in the list already. @returns false: the limit is reached */
  wait(solicitor: Solicitor): boolean {
    const waiting = withSolicitor(this.#work.waiting, solicitor)
    if (waiting !== undefined) this.set({ waiting })
    return waiting !== undefined
  }

  /** @returns when a probe that is sent now counts as unanswered: at least 1 ms later, so that an answer can count */
  timeoutAt(now: Instant): Instant { return now + Math.max(1, this.rule.settings.timeout) as Instant }
  /** Milliseconds until a host that answers no probe counts as gone. */
  get patience(): number { return (this.rule.settings.retries + 1) * Math.max(1, this.rule.settings.timeout) }
  /** Time of the last probe of an INCOMPLETE entry. */
  get probedAt(): Instant { return this.deadline - Math.max(1, this.rule.settings.timeout) as Instant }
  /** @returns whether the host of an INCOMPLETE entry had time to answer the last probe */
  hadTimeToAnswer(now: Instant): boolean { return now > this.probedAt + ANSWER_TIME }
  /** Number of unicast probes to an owner, before its solicited-node group is probed. */
  get unicastProbes(): number { return Math.min(MAX_UNICAST_SOLICIT, this.rule.settings.retries) }

  /** Time of the next verification: early enough to end before the proof is older than `ttl`. */
  get staleAt(): Instant { return this.staleAfter(this.verified) }

  /** @returns the time of the next verification after a proof at `verified` */
  staleAfter(verified: Instant): Instant {
    const { timeout, retries } = this.rule.settings
    const ttl = Math.max(MIN_TTL, this.rule.settings.ttl)
    return verified + ttl - Math.min(ttl / 2, (retries + 1) * timeout) as Instant
  }

  /** Time of the next transition of a REACHABLE entry: `staleAt`, or if earlier, the end of the time for a second answer to the last probe. */
  get restAt(): Instant {
    return this.#work.probed.length === 0 ? this.staleAt : Math.min(this.staleAt, this.verified + RETRANS_TIMER) as Instant
  }
}
