/** Where the hosts that the file pins are: on a link that may come, go and get another name. */
import type { Pin } from './hosts.ts'
import type { Links } from './links.ts'
import type { Neighbors } from './neighbors.ts'
import type { Owners } from './owners.ts'
import type { Rules } from './rules.ts'
import type { Instant } from './types.ts'

export class Placement {
  #rules: Rules
  readonly #links: Links
  readonly #neighbors: Neighbors
  readonly #owners: Owners
  /** By what is said of them: where the hosts were told to be last. */
  #places: ReadonlyMap<Pin, number> = new Map()

  constructor(rules: Rules, links: Links, neighbors: Neighbors, owners: Owners) {
    this.#rules = rules
    this.#links = links
    this.#neighbors = neighbors
    this.#owners = owners
  }

  /** The rules are others, or follow other prefixes. */
  set rules(rules: Rules) {
    this.#rules = rules
    this.#places = new Map()
  }

  /** Tells pinned hosts where their links are, as far as that changed. */
  update(now: Instant): void {
    const before = this.#places
    this.#places = new Map(this.#rules.pins.map((pin) => [pin, this.#placeOf(pin)]))
    const moved = new Set([...this.#places.keys()].filter((pin) => before.get(pin) !== this.#places.get(pin)))
    if (moved.size === 0) return
    for (const host of this.#rules.pinned(moved)) {
      const { address, pin, rule } = host
      const ifindex = this.#places.get(pin)!
      const known = this.#neighbors.find(address)
      if (known?.isPinned !== true || known.ifindex !== ifindex) this.#neighbors.pin(host, ifindex, now)
      else if (known.rule !== rule) {
        known.rule = rule
        this.#owners.update(known, now)
      }
    }
  }

  /** The one that a host names, else the first downstream. 0: there is none. */
  #placeOf({ iface, subnet: { links, upstream } }: Pin): number {
    return links.ifindexes.find((ifindex) => {
      const name = this.#links.get(ifindex)?.name
      return iface === undefined ? name !== upstream : name === iface
    }) ?? 0
  }
}
