/**
 * Announcements after an owner moved to another link: hosts on its former link have its former link-layer address in their caches, and the
 * owner itself has the former addresses of its routers.
 */
import type { Address } from '../../address.ts'
import type { Neighbor } from '../cache/neighbor.ts'
import { type Context, Part } from '../rules/context.ts'
import { isUpstream } from '../rules/rule.ts'
import type { Instant } from '../../engine-types.ts'
import type { Announcer } from './announcer.ts'

/** The most addresses that are announced on the new link of a host that moved. */
const MOVE_LIMIT = 64

export type MoveParts = Context & { readonly announcer: Announcer }

export class MoveAnnouncer extends Part<MoveParts> {
  /** Owners that any downstream host may have in its cache: routers, and pinned owners on an upstream. */
  readonly #routers = new Set<Neighbor>()

  /**
   * Registers routers. After a move, announces the owner on its former link. On the new link, announces the addresses that the owner may
   * have in its cache.
   */
  update(neighbor: Neighbor, now: Instant): void {
    const { links, announcer } = this.parts
    const { isOwned, isForeign, ifindex, router, isPinned, home, rule, target } = neighbor
    const isOnUpstream = isUpstream(rule, links.get(ifindex))
    if (isOwned && (router || (isPinned && isOnUpstream))) this.#routers.add(neighbor)
    else this.#routers.delete(neighbor)
    if (!isOwned || isForeign || ifindex === 0) return
    // `announce solicit` solicits the routers that are registered here.
    if (isOnUpstream) announcer.router(ifindex, target, router || isPinned)
    neighbor.home = ifindex
    if (home === 0 || home === ifindex || rule.settings.announce === 'no') return
    const settings = { ...rule.settings, announce: 'yes' } as const
    const isHomeServed = !isUpstream(rule, links.get(home)) && (!isOnUpstream || rule.links.ifindexes.includes(home))
    if (isHomeServed) announcer.announce(target, settings, [home], true, now)
    if (isOnUpstream) return
    for (const known of [...this.#knownOn(ifindex)].slice(0, MOVE_LIMIT)) announcer.announceAlso(known, settings, ifindex, now)
  }

  /** Iterates over the addresses that any host on a link may use: routers that are answered for there, and addresses of this machine. */
  * #knownOn(ifindex: number): Generator<Address> {
    const { rules, links } = this.parts
    for (const { target, joined } of this.#routers) if (joined.includes(ifindex)) yield target
    for (const link of links.values()) {
      if (link.name === 'lo') continue
      for (const { address, address: { w0, w1, w2, w3 }, tentative } of link.addresses) {
        const isHere = link.ifindex === ifindex || rules.match(ifindex, w0, w1, w2, w3).length > 0
        if (isHere && !tentative && !rules.excluded(w0, w1, w2, w3)) yield address
      }
    }
  }
}
