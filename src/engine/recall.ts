/** What a former run knew: the routes that it left in the kernel, and the hosts that it wrote down ({@link remembered}). */
import type { Address } from '../address.ts'
import type { AbsentHosts } from './absent-hosts.ts'
import type { Hearings } from './hearings.ts'
import type { Links } from './links.ts'
import type { Neighbors } from './neighbors.ts'
import type { Owners } from './owners.ts'
import { desiredRoute } from './routes.ts'
import { isUpstream } from './rules.ts'
import type { ActiveRule } from './rules.ts'
import type { HostRoute, Instant, SavedHost } from './types.ts'

/** What takes part in it, and the rule by which an address may be learned on a link. */
interface World {
  readonly links: Links
  readonly neighbors: Neighbors
  readonly owners: Owners
  readonly hearings: Hearings
  readonly absent: AbsentHosts
  ruleOf(target: Address, ifindex: number): ActiveRule | undefined
}

export class Recall {
  readonly #world: World
  /** Routes of a former run were taken over, or given up. */
  #adopted = false

  constructor(world: World) { this.#world = world }

  /** Takes over the routes that are there, the first time: their hosts are answered for at once, and verified soon. */
  adopt(present: readonly HostRoute[], now: Instant): void {
    if (this.#adopted) return
    this.#adopted = true
    const { links, neighbors, owners } = this.#world
    for (const { target, ifindex, via } of present) {
      const rule = this.#world.ruleOf(target, ifindex)
      const isOurs = rule?.settings.routes && rule.kind === 'iface'
      const neighbor = isOurs ? neighbors.restore(target, ifindex, undefined, rule, now) : undefined
      if (neighbor === undefined) continue
      neighbor.via = via
      // Where that is none, the plan takes this one away.
      neighbor.route = desiredRoute(neighbor, links)
      owners.adopt(neighbor)
    }
  }

  /** Hosts that were written down: answered for at once, and verified soon. */
  remember(hosts: readonly SavedHost[], now: Instant): void {
    const { links, neighbors, owners, hearings, absent } = this.#world
    const byName = new Map([...links.values()].map((link) => [link.name, link]))
    for (const { target, iface, mac, router } of hosts) {
      const link = byName.get(iface)
      if (link === undefined) {
        absent.add(iface, target)
        continue
      }
      const rule = this.#world.ruleOf(target, link.ifindex)
      if (rule === undefined) continue
      // Only a route may have led there.
      hearings.update(link, true)
      const neighbor = neighbors.restore(target, link.ifindex, mac, rule, now)
      if (neighbor === undefined) continue
      neighbor.router = router && isUpstream(rule, link)
      // If it is silent now, its address stays its own all the same.
      if (neighbor.router) neighbor.verified = now
      owners.adopt(neighbor)
    }
  }
}
