/** Compares the wanted and the applied state of entries. Corrects host routes and solicited-node groups, and announces owners. */
import type { Neighbor } from '../cache/neighbor.ts'
import type { NeighborCache } from '../cache/neighbor-cache.ts'
import { MacChanges } from '../links/mac-changes.ts'
import type { GroupParts } from '../listening/subscriptions.ts'
import { Part } from '../rules/context.ts'
import { isUpstream } from '../rules/rule.ts'
import type { HostRoute, Instant, Link, RouteChange } from '../../engine-types.ts'
import { MoveAnnouncer, type MoveParts } from './move-announcer.ts'
import type { OwnerRoutes } from './owner-routes.ts'
import { isRoutedBy, wants } from './wanted-routes-and-groups.ts'

export type ReconcilerParts = MoveParts & GroupParts & { readonly cache: NeighborCache; readonly ownerRoutes: OwnerRoutes }

export class Reconciler extends Part<ReconcilerParts> {
  readonly #macChanges = new MacChanges()
  readonly #moves = new MoveAnnouncer(this.parts)

  reconcile(neighbor: Neighbor, now: Instant): void {
    neighbor.isDirty = false
    if (this.parts.ownerRoutes.isAwaited(neighbor)) return
    const { route, groups } = wants(neighbor, this.parts)
    this.#route(neighbor, route)
    this.#group(neighbor, groups, now)
    const { unannounced } = neighbor.work
    if (unannounced !== undefined && neighbor.isReady) {
      neighbor.set({ unannounced: undefined })
      this.parts.announcer.announce(neighbor.target, neighbor.rule.settings, unannounced.links, unannounced.isChange, now)
    }
    this.#moves.update(neighbor, now)
  }

  /** Applies the wanted state of an owner of the previous run, without announcements. @param isRouted the kernel has the host route */
  adopt(neighbor: Neighbor, isRouted: boolean, now: Instant): void {
    const { ifindex, rule } = neighbor
    // No lookup is made: the kernel may still have the host route of the previous run, and would reply with this route.
    this.parts.ownerRoutes.assume(neighbor, isRouted || !isUpstream(rule, this.parts.links.get(ifindex)) ? 'detour' : 'right')
    neighbor.isForeign = false
    const { route, groups } = wants(neighbor, this.parts)
    if (isRouted) setRoute(neighbor, route)
    else this.#route(neighbor, route)
    this.#group(neighbor, groups, now)
    neighbor.set({ unannounced: undefined })
  }

  /** Compares the kernel's routes that have our mark with the wanted routes, and corrects the difference. */
  compare(present: readonly HostRoute[]): void {
    const found = new Set<Neighbor>()
    for (const route of present) {
      const neighbor = this.parts.cache.find(route.target)
      if (neighbor === undefined || neighbor.routed === 0) this.#change('delete', route)
      else if (isRoutedBy(neighbor, route)) found.add(neighbor)
    }
    for (const neighbor of this.parts.cache.values()) {
      const { route } = neighbor
      if (route === undefined) continue
      neighbor.isRoutePending ||= !found.has(neighbor)
      if (found.has(neighbor)) this.#applied(neighbor)
      else this.#change('add', route)
    }
  }

  done(changes: readonly RouteChange[]): void {
    for (const { op, route } of changes) {
      const neighbor = op === 'add' ? this.parts.cache.find(route.target) : undefined
      if (neighbor !== undefined && isRoutedBy(neighbor, route)) this.#applied(neighbor)
    }
  }

  /**
   * Registers a usable link. If its link-layer address changed, announces the owners that are solicited there: hosts on the link have the
   * former address in their caches.
   */
  use(link: Link, now: Instant): void {
    if (!this.#macChanges.use(link, now)) return
    const { ifindex } = link
    for (const { isOwned, joined, target, rule: { settings } } of this.parts.cache.values()) {
      if (isOwned && joined.includes(ifindex)) this.parts.announcer.announce(target, settings, [ifindex], true, now)
    }
  }

  /** Handles a link that was deleted or renamed. */
  leave({ ifindex, name }: Link): void {
    const { rules, links } = this.parts
    if (rules.config.options.subscription(name) !== undefined) this.#macChanges.leave(name, ifindex)
    if (links.get(ifindex) === undefined) this.#macChanges.gone(ifindex)
  }

  #applied(neighbor: Neighbor): void {
    if (!neighbor.isRoutePending) return
    neighbor.isRoutePending = false
    this.parts.cache.mark(neighbor)
  }

  #route(neighbor: Neighbor, wanted: HostRoute | undefined): void {
    if (wanted === undefined ? neighbor.routed === 0 : isRoutedBy(neighbor, wanted)) return
    const before = neighbor.route
    setRoute(neighbor, wanted)
    // An added route replaces the kernel's route to the same target on another link, so a move loses no packet.
    if (wanted !== undefined) this.#change('add', wanted)
    // The kernel deletes the routes of a link that is gone, but not those of a link without carrier.
    else if (before !== undefined && this.parts.links.get(before.ifindex) !== undefined) this.#change('delete', before)
  }

  #change(op: RouteChange['op'], route: HostRoute): void { this.parts.effects.routes.push({ op, route }) }

  #group(neighbor: Neighbor, groups: readonly number[], now: Instant): void {
    const { links, groups: memberships, announcer } = this.parts
    const { joined: before, isOwned, target, home, rule, ifindex } = neighbor
    const fresh = groups.filter((link) => !before.includes(link))
    const left = before.filter((link) => !groups.includes(link))
    // The waiting announcements are outdated: the owner is gone, or is no longer solicited on one of the links.
    if (!isOwned || left.length > 0) {
      announcer.withdraw(target)
      neighbor.set({ unannounced: undefined })
    }
    if (fresh.length + left.length === 0) return
    for (const link of fresh) memberships.add(link, target)
    for (const link of left) memberships.remove(link, target)
    neighbor.joined = [...groups]
    // `isChange`: caches may have another link-layer address for the owner, on its former link and on a link whose own address changed.
    const isReaddressed = (link: number): boolean => this.#macChanges.isRecent(link, now)
    const announced = isUpstream(rule, links.get(ifindex)) ? fresh.filter(isReaddressed) : fresh
    if (announced.length === 0) return
    neighbor.set({ unannounced: { links: announced, isChange: announced.some((link) => link === home || isReaddressed(link)) } })
  }
}

function setRoute(neighbor: Neighbor, route: HostRoute | undefined): void {
  neighbor.isRoutePending = route !== undefined
  neighbor.routed = route?.ifindex ?? 0
  neighbor.set({ routedVia: route?.via })
}
