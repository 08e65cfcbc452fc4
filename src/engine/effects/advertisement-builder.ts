/** Neighbor Advertisements, with flags and addresses according to the settings (RFC 4861 4.4, 7.2.4, 7.2.6, 7.2.8). */
import { Address, type Mac } from '../../address.ts'
import type { Settings } from '../../config/config.ts'
import { multicastMac } from '../../wire/frame.ts'
import type { BareLinks } from '../cache/bare-links.ts'
import { sourceAddress } from '../links/source-address.ts'
import { type Context, Part } from '../rules/context.ts'
import type { Link } from '../../engine-types.ts'

export class AdvertisementBuilder extends Part<Pick<Context, 'effects'> & { readonly bareLinks: BareLinks }> {
  /**
   * Answers a solicitation for target `t` from source `d`. The answer has S=1. For DAD, where `d` is `::`, the answer has S=0
   * and goes to all nodes.
   * @param to the link-layer address of the solicitor
   * @returns false: the link has no usable source
   */
  answer(link: Link, settings: Settings, t0: number, t1: number, t2: number, t3: number,
    d0: number, d1: number, d2: number, d3: number, to: Mac): boolean {
    // With O=0, an advertisement of an owner on the solicitor's own link takes precedence (RFC 4861 7.2.5).
    const override = settings.override === 'always'
    if ((d0 | d1 | d2 | d3) === 0) return this.announce(link, settings, new Address(t0, t1, t2, t3), Address.allNodes, override)
    return this.#add(link, settings, t0, t1, t2, t3, d0, d1, d2, d3, to, true, override)
  }

  /** Sends an advertisement with S=0 to a group. @returns false: the link has no usable source */
  announce(link: Link, settings: Settings, target: Address, group: Address, override: boolean): boolean {
    return this.#add(link, settings, target.w0, target.w1, target.w2, target.w3, group.w0, group.w1, group.w2, group.w3,
      multicastMac(group.w3) as Mac, false, override)
  }

  #add(link: Link, { source: choice, router }: Settings, t0: number, t1: number, t2: number, t3: number,
    d0: number, d1: number, d2: number, d3: number, to: Mac, solicited: boolean, override: boolean): boolean {
    const source = sourceAddress(link, choice, choice === 'target' ? new Address(t0, t1, t2, t3) : undefined)
      ?? this.#borrow(link, new Address(t0, t1, t2, t3))
    if (source === undefined) return false
    const message = this.parts.effects.answers.add()
    message.ifindex = link.ifindex
    message.source = source
    message.d0 = d0
    message.d1 = d1
    message.d2 = d2
    message.d3 = d3
    message.t0 = t0
    message.t1 = t1
    message.t2 = t2
    message.t3 = t3
    message.to = to
    message.router = router
    message.solicited = solicited
    message.override = override
    return true
  }

  /** @returns a source for a link without addresses: an address of another link, else the target. Hosts ignore an advertisement's source */
  #borrow(link: Link, target: Address): Address | undefined { return this.parts.bareLinks.source(link, target, target) }
}
