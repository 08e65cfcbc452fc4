/** Takes over the routes of the previous run, which are in the kernel, and the hosts that the previous run saved. */
import type { Neighbor } from '../cache/neighbor.ts'
import { Part } from '../rules/context.ts'
import { isUpstream } from '../rules/rule.ts'
import type { HostRoute, Instant, SavedHost } from '../../engine-types.ts'
import type { Reconfiguration, ReconfigurationParts } from './reconfiguration.ts'

export type PreviousRunParts = ReconfigurationParts & { readonly reconfiguration: Reconfiguration }

export class PreviousRun extends Part<PreviousRunParts> {
  #isAdopted = false
  /** Owners whose routes are looked up, once it is known which of them have a route of the previous run. */
  readonly #toLookUp = new Set<Neighbor>()

  /**
   * Takes over the routes of the previous run. Only the first call has an effect. The targets of the routes are answered for at once, and
   * verified soon. No lookup is made for a host whose route is in the kernel, because a lookup would remove the route for a moment.
   */
  adopt(present: readonly HostRoute[], now: Instant): void {
    if (this.#isAdopted) return
    this.#isAdopted = true
    const { cache, owners, reconciler, reconfiguration } = this.parts
    for (const { target, ifindex, via } of present) {
      const known = cache.find(target)
      if (known?.isOwned === true) {
        // The owner is pinned or saved. The reply to an earlier lookup does not count: it may name this route of the previous run.
        const isRouted = known.ifindex === ifindex
        if (isRouted) this.#toLookUp.delete(known)
        else this.#toLookUp.add(known)
        reconciler.adopt(known, isRouted, now)
        continue
      }
      const rule = reconfiguration.ruleOf(target, ifindex)
      const isOurs = rule?.settings.routes && rule.kind === 'iface'
      const neighbor = isOurs ? owners.restore(target, ifindex, undefined, rule, now) : undefined
      if (neighbor === undefined) continue
      neighbor.set({ via })
      reconciler.adopt(neighbor, true, now)
    }
    this.#lookUp(now)
  }

  /** Takes over the saved hosts, which are answered for at once and verified soon. */
  restore(hosts: readonly SavedHost[], now: Instant): void {
    const { links, owners, reconciler, subscriptions, goneHosts, reconfiguration } = this.parts
    const byName = new Map([...links.values()].map((link) => [link.name, link]))
    for (const { target, iface, mac, router } of hosts) {
      const link = byName.get(iface)
      if (link === undefined) {
        goneHosts.add(iface, target)
        continue
      }
      const rule = reconfiguration.ruleOf(target, link.ifindex)
      if (rule === undefined) continue
      // A host of an `auto` rule may be on a link that no rule names.
      subscriptions.update(link, true)
      const neighbor = owners.restore(target, link.ifindex, mac, rule, now)
      if (neighbor === undefined) continue
      neighbor.router = router && isUpstream(rule, link)
      reconciler.adopt(neighbor, false, now)
      this.#toLookUp.add(neighbor)
    }
    this.#lookUp(now)
  }

  /** Looks up the routes to the owners of `#toLookUp`. Has no effect before `adopt`. */
  #lookUp(now: Instant): void {
    if (!this.#isAdopted) return
    this.parts.ownerRoutes.stale(this.#toLookUp, now)
    this.#toLookUp.clear()
  }
}
