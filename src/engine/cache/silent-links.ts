/**
 * Notices links without neighbor resolution on which no host answers probes. The other end of a tunnel may answer no solicitations at all
 * (RFC 4861 leaves that to the link type), so only the administrator can say which addresses are there.
 */
import type { Address } from '../../address.ts'
import { isResolved } from '../links/links.ts'
import { type Context, Part } from '../rules/context.ts'
import { isUpstream } from '../rules/rule.ts'
import type { Neighbor } from './neighbor.ts'

export class SilentLinks extends Part<Pick<Context, 'links' | 'effects'>> {
  /** Links that are not to be reported: a host answered there, or the link has been reported already. */
  readonly #settled = new Set<number>()
  /** The reported links on which still no host has answered, each with the target whose probes led to the report. */
  readonly #silent = new Map<number, Address>()

  get silent(): ReadonlyMap<number, Address> { return this.#silent }

  /** Registers that a host on this link answered a probe. */
  answered(ifindex: number): void {
    this.#settled.add(ifindex)
    this.#silent.delete(ifindex)
  }

  /**
   * Handles a target whose probes got no answer. Reports the probed downstream links without neighbor resolution, except links
   * in `#settled`.
   */
  unanswered({ target, rule, work: { probed } }: Pick<Neighbor, 'target' | 'rule'> & { work: Pick<Neighbor['work'], 'probed'> }): void {
    const { links, effects } = this.parts
    for (const ifindex of probed) {
      const link = links.get(ifindex)
      if (link === undefined || isResolved(link) || isUpstream(rule, link) || this.#settled.has(ifindex)) continue
      this.#settled.add(ifindex)
      this.#silent.set(ifindex, target)
      effects.events.push({ kind: 'silent', ifindex, target })
    }
  }

  /** Forgets the silent links: a new configuration may have other rules for them. */
  reconfigure(): void { for (const ifindex of this.#silent.keys()) this.gone(ifindex) }

  gone(ifindex: number): void {
    this.#settled.delete(ifindex)
    this.#silent.delete(ifindex)
  }
}
