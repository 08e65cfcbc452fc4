/**
 * A host that moved from one link to another (RFC 4861 7.2.6) still knows its router by the lladdr of the former one, and
 * its former neighbors know it by its own: for half a minute, until their reachability checks fail. Both are told.
 */
import type { Announcer } from './announcer.ts'
import type { Links } from './links.ts'
import type { Neighbor } from './neighbor.ts'
import { isUpstream } from './rules.ts'
import type { Rules } from './rules.ts'
import type { Instant } from './types.ts'

/** Addresses of which one move tells, at most. */
const TOLD_LIMIT = 64

export class Moves {
  rules: Rules
  readonly #links: Links
  readonly #announcer: Announcer
  /** Whom hosts downstream send to above all: routers, and what is pinned upstream. By id. */
  readonly #routers = new Map<number, Neighbor>()

  constructor(rules: Rules, links: Links, announcer: Announcer) {
    this.rules = rules
    this.#links = links
    this.#announcer = announcer
  }

  /** An owner came, moved or went. */
  update(neighbor: Neighbor, now: Instant): void {
    const { isOwned, ifindex, router, isPinned, rule, home } = neighbor
    if (isOwned && (router || (isPinned && this.#isUpstream(neighbor, ifindex)))) this.#routers.set(neighbor.id, neighbor)
    else this.#routers.delete(neighbor.id)
    if (!isOwned || ifindex === 0) return
    neighbor.home = ifindex
    if (home !== 0 && home !== ifindex && rule.settings.announce !== 'no') this.#moved(neighbor, home, now)
  }

  #moved(neighbor: Neighbor, former: number, now: Instant): void {
    const { target, home, rule } = neighbor
    // There its neighbors have been told already, and its router is its own.
    if (this.#isUpstream(neighbor, home)) return
    const settings = { ...rule.settings, announce: 'yes' } as const
    if (!this.#isUpstream(neighbor, former)) this.#announcer.changed(target, settings, [former], now)
    for (const known of [...this.#toldOf(home)].slice(0, TOLD_LIMIT)) this.#announcer.changedAlso(known, settings, home, now)
  }

  /** What hosts on a link have us answer for, whoever they are, and our own addresses there. */
  * #toldOf(ifindex: number): Generator<Neighbor['target']> {
    for (const { target, joined } of this.#routers.values()) if (joined.includes(ifindex)) yield target
    for (const link of this.#links.values()) {
      if (link.name === 'lo') continue
      for (const { address, address: { w0, w1, w2, w3 }, tentative } of link.addresses) {
        const isHere = link.ifindex === ifindex || this.rules.match(ifindex, w0, w1, w2, w3).length > 0
        if (isHere && !tentative) yield address
      }
    }
  }

  #isUpstream({ rule }: Neighbor, ifindex: number): boolean { return isUpstream(rule, this.#links.get(ifindex)) }
}
