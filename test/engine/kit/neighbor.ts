/** Links, rules, and entries of the neighbor cache for tests of the engine's parts. */
import { Address } from '../../../src/address.ts'
import { Neighbor, type Work } from '../../../src/engine/cache/neighbor.ts'
import type { NeighborCache } from '../../../src/engine/cache/neighbor-cache.ts'
import { Links } from '../../../src/engine/links/links.ts'
import type { ActiveRule } from '../../../src/engine/rules/rule.ts'
import { Rules } from '../../../src/engine/rules/rules.ts'
import type { Link } from '../../../src/engine-types.ts'
import { chance, configOf, ETH0 } from './basics.ts'
import { ip } from './frames.ts'
import { twoLinks } from './stage.ts'

export * from './stage.ts'

export interface World {
  readonly links: Links
  readonly rules: Rules
  /** The first rule that covers 2001:db8::2 on eth0. */
  readonly rule: ActiveRule
}

export function worldOf(config: string, present: readonly Link[] = twoLinks()): World {
  const links = new Links(chance(1))
  const rules = new Rules(configOf(config), chance(1))
  for (const link of present) {
    links.set(link)
    rules.link(link)
  }
  const { w0, w1, w2, w3 } = ip('2001:db8::2')
  return { links, rules, rule: rules.match(ETH0, w0, w1, w2, w3)[0] }
}

/** Properties of an entry, those of its `work` included. */
export type Properties = Partial<Omit<Neighbor, 'work'> & Work>

/** Makes an entry, in `cache` if there is one. */
export function neighborOf(target: Address, rule: ActiveRule, more: Properties = {}, cache?: NeighborCache): Neighbor {
  const neighbor = cache === undefined ? new Neighbor(target, rule) : cache.create(target, rule)
  const properties = Object.entries(more)
  neighbor.set(Object.fromEntries(properties.filter(([key]) => key in neighbor.work)))
  return Object.assign(neighbor, Object.fromEntries(properties.filter(([key]) => !(key in neighbor.work))))
}

/** The address 2001:db8::N, N being the last word. */
export function nth(n: number): Address { return new Address(0x20010db8, 0, 0, n) }
