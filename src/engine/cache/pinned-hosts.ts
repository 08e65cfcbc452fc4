/** Assigns the pinned hosts to their links, whenever a link appears, goes or changes its name, or the rules change. */
import { Part } from '../rules/context.ts'
import type { Pin } from '../rules/host-lines.ts'
import type { Instant } from '../../engine-types.ts'
import type { ResolutionParts } from './resolution.ts'

export class PinnedHosts extends Part<ResolutionParts> {
  /** The ifindex of each pin's link; 0: the link does not exist. A pin stands for all `host` lines with the same subnet and interface. */
  #places: ReadonlyMap<Pin, number> = new Map()

  /** Moves the pinned hosts whose links changed. @param isAll whether to check all pinned hosts, because the rules changed */
  update(isAll: boolean, now: Instant): void {
    const { rules: { config: { hosts } }, cache, owners } = this.parts
    const before = isAll ? new Map<Pin, number>() : this.#places
    this.#places = new Map(hosts.pins.map((pin) => [pin, this.#placeOf(pin)]))
    const moved = new Set([...this.#places.keys()].filter((pin) => before.get(pin) !== this.#places.get(pin)))
    if (moved.size === 0) return
    for (const host of hosts.pinned(moved)) {
      const { address, pin, rule } = host
      const ifindex = this.#places.get(pin)!
      const known = cache.find(address)
      if (known?.isPinned !== true || known.ifindex !== ifindex) {
        owners.pin(host, ifindex, now)
      } else if (known.rule !== rule) {
        known.rule = rule
        cache.mark(known)
      }
    }
  }

  /** @returns the link that the `host` lines name, or the first downstream link if they name none; 0 while the link does not exist */
  #placeOf({ iface, subnet: { links, upstream } }: Pin): number {
    return links.ifindexes.find((ifindex) => {
      const name = this.parts.links.get(ifindex)?.name
      return iface === undefined ? name !== upstream : name === iface
    }) ?? 0
  }
}
