/**
 * What follows from an owner: its host route, its solicited-node group on the links where others ask for it (RFC 4861
 * 7.2.8), and the announcement that it is reached through us (RFC 4861 7.2.6).
 */
import type { Announcer } from './announcer.ts'
import type { Groups } from './groups.ts'
import type { Links } from './links.ts'
import { NOWHERE } from './neighbor.ts'
import type { Neighbor } from './neighbor.ts'
import { desiredRoute, isSettled } from './routes.ts'
import { isUpstream } from './rules.ts'
import type { Rules } from './rules.ts'
import type { Instant, Sink } from './types.ts'

/** Lists of links that are remembered, in order to share them. */
const LIST_LIMIT = 256

export class Owners {
  rules: Rules
  readonly #links: Links
  readonly #groups: Groups
  readonly #announcer: Announcer
  readonly #sink: Sink
  /** Lists of links, by their text. */
  readonly #lists = new Map<string, readonly number[]>()

  constructor(rules: Rules, links: Links, groups: Groups, announcer: Announcer, sink: Sink) {
    this.rules = rules
    this.#links = links
    this.#groups = groups
    this.#announcer = announcer
    this.#sink = sink
  }

  /** Brings what follows from an owner, or from there being none, to what it should be. */
  update(neighbor: Neighbor, now: Instant): void {
    this.#route(neighbor)
    const before = neighbor.joined
    const isChanged = this.#join(neighbor)
    const { target, joined, isOwned } = neighbor
    // What is under way about it does not hold any more.
    if (!isOwned || (isChanged && before.some((link) => !joined.includes(link)))) this.#announcer.withdraw(target)
    if (!isChanged || joined.length === 0) return
    const { rule, rule: { settings }, ifindex, home, router, isPinned } = neighbor
    const fresh = before.length === 0 ? joined : joined.filter((link) => !before.includes(link))
    if (isUpstream(rule, this.#links.get(ifindex))) {
      // Nobody downstream waits for it, but routers may be told of others.
      this.#announcer.router(ifindex, target, router || isPinned)
    } else {
      // A host that was there itself until now has entries to be replaced.
      if (fresh.includes(home)) this.#announcer.changed(target, settings, fresh, now)
      else if (fresh.length > 0) this.#announcer.owner(target, settings, fresh, now)
    }
  }

  /** The same for an owner that the others know already. */
  adopt(neighbor: Neighbor): void {
    this.#route(neighbor)
    this.#join(neighbor)
  }

  /** The link-layer address of `ifindex` changed: who asked there has the old one. */
  renumber(neighbor: Neighbor, ifindex: number, now: Instant): void {
    const { target, rule: { settings } } = neighbor
    if (neighbor.isOwned && neighbor.joined.includes(ifindex)) this.#announcer.changed(target, settings, [ifindex], now)
  }

  #route(neighbor: Neighbor): void {
    if (isSettled(neighbor, this.#links)) return
    const before = neighbor.route
    const route = desiredRoute(neighbor, this.#links)
    neighbor.route = route
    // An added route takes the place of one elsewhere at once, so a move loses no packet.
    if (route !== undefined) this.#sink.route({ op: 'add', route })
    // On a link that lost its carrier it is still there.
    else if (before !== undefined && this.#links.get(before.ifindex) !== undefined) this.#sink.route({ op: 'delete', route: before })
  }

  /** @returns whether anything changed */
  #join(neighbor: Neighbor): boolean {
    const { joined: before, isOwned, ifindex, rule, target } = neighbor
    const joined = isOwned && ifindex !== 0 ? this.rules.askedOn(rule, target, ifindex) : NOWHERE
    const stay = (link: number): boolean => joined.includes(link)
    if (before.length === joined.length && before.every(stay)) return false
    for (const link of joined) if (!before.includes(link)) this.#groups.add(link, target)
    for (const link of before) if (!stay(link)) this.#groups.remove(link, target)
    neighbor.joined = this.#shared(joined)
    return true
  }

  /** A list of these links that does not change, the same for all neighbors. */
  #shared(links: readonly number[]): readonly number[] {
    const key = links.join()
    let list = this.#lists.get(key)
    if (list !== undefined) return list
    // Those of links that went are not worth keeping.
    if (this.#lists.size >= LIST_LIMIT) this.#lists.clear()
    this.#lists.set(key, list = [...links])
    return list
  }
}
