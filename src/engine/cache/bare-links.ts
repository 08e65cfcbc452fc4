/** Chooses source addresses of messages on bare links. A bare link has no address at all, such as a bridge with `addrgenmode none`. */
import type { Address } from '../../address.ts'
import { borrowedSource } from '../links/source-address.ts'
import { type Context, TimedPart } from '../rules/context.ts'
import type { Timed } from '../tables/deadlines.ts'
import type { Instant, Link } from '../../engine-types.ts'

/** Milliseconds until a link without addresses counts as bare. Linux reports an autoconfigured address only after DAD (RFC 4862 5.4.2). */
const PATIENCE = 3000

interface BareLink extends Timed {
  readonly ifindex: number
  isBare: boolean
  isReported: boolean
}

export type BareParts = Pick<Context, 'links' | 'effects'> & { readonly reconfiguration: { usable(link: Link, now: Instant): void } }

export class BareLinks extends TimedPart<BareParts, BareLink> {
  link({ ifindex, up, addresses }: Link, now: Instant): void {
    if (!up || addresses.length > 0) return this.gone(ifindex)
    if (this.records.has(ifindex)) return
    const link = { ifindex, isBare: false, isReported: false, deadline: now, place: -1 }
    this.records.set(ifindex, link)
    this.deadlines.set(link, now + PATIENCE as Instant)
  }

  isBare(ifindex: number): boolean { return this.records.get(ifindex)?.isBare === true }

  /**
   * Chooses the source of a message on a bare link: an address of another link. Reports each bare link once.
   * @param lastResort the source if no link of this machine has a usable address
   * @returns undefined when the link is not bare, or when there is no source
   */
  source({ ifindex }: Link, target: Address, lastResort?: Address): Address | undefined {
    const link = this.records.get(ifindex)
    if (link?.isBare !== true) return undefined
    const source = borrowedSource(this.parts.links, target) ?? lastResort
    if (source === undefined || link.isReported) return source
    link.isReported = true
    this.parts.effects.events.push({ kind: 'bare', ifindex, source })
    return source
  }

  protected override due(link: BareLink, now: Instant): void {
    link.isBare = true
    const present = this.parts.links.get(link.ifindex)
    if (present !== undefined) this.parts.reconfiguration.usable(present, now)
  }
}
