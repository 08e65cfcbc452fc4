/** One entry of the neighbor cache (RFC 4861 5.1). {@link Neighbors} alone changes it, but for what says otherwise. */
import type { Address, Mac } from '../address.ts'
import type { PinnedHost } from '../config/config.ts'
import type { Timed } from './deadlines.ts'
import type { ActiveRule } from './rules.ts'
import type { HostRoute, Instant, NeighborState } from './types.ts'

/** Who waits for an answer. */
export interface Asker {
  readonly ifindex: number
  readonly source: Address
  readonly mac: Mac
}

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
  /** Links that are asked, besides the owner's. */
  asking: number[] = []
  /** The kernel's route says where to ask. */
  byRoute = false
  probes = 0
  askers: Asker[] = []
  /** Somebody asked since it was verified. */
  used = false
  /** Where somebody else claims the address; asked when the owner is silent. */
  rival = 0
  rivalMac: Mac | undefined
  /** The route that should be there for it. */
  route: HostRoute | undefined
  deadline = 0 as Instant
  place = -1

  constructor(target: Address, rule: ActiveRule) {
    this.target = target
    this.rule = rule
  }

  /** When a probe sent now counts as unanswered; never at once, or a timeout of 0 could prove nothing. */
  afterTimeout(now: Instant): Instant {
    return now + Math.max(1, this.rule.settings.timeout) as Instant
  }

  get isOwned(): boolean { return this.state === 'REACHABLE' || this.state === 'PROBE' }
}
