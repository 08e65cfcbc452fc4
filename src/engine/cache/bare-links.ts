/** Sources of messages on links that have no address at all, such as a bridge with `addrgenmode none`. */
import type { Address } from '../../address.ts'
import { borrowedSource } from '../links/source-address.ts'
import { type Context, Part } from '../rules/context.ts'
import type { Link } from '../types.ts'

export class BareLinks extends Part<Pick<Context, 'links' | 'effects'>> {
  readonly #reported = new Set<number>()

  /**
   * Chooses the source of a probe, and reports each bare link once.
   * @param last the source if this machine has no usable address
   * @returns undefined when there is no source, or the link has addresses: then its own ones count, and tentative ones are usable soon
   */
  source({ ifindex, addresses }: Link, target: Address, last?: Address): Address | undefined {
    if (addresses.length > 0) return undefined
    const source = borrowedSource(this.parts.links, target) ?? last
    if (source !== undefined && !this.#reported.has(ifindex)) {
      this.#reported.add(ifindex)
      this.parts.effects.events.push({ kind: 'bare', ifindex, source })
    }
    return source
  }

  gone(ifindex: number): void { this.#reported.delete(ifindex) }
}
