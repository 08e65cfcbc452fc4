/** Emits an event for each claim of a host on another host's address. Claims of another ND proxy cause one event an hour at most. */
import type { Address, Mac } from '../../address.ts'
import type { ConflictBasis } from '../../events.ts'
import { type Context, Part } from '../rules/context.ts'
import type { Instant } from '../../engine-types.ts'
import type { NeighborCache } from './neighbor-cache.ts'
import type { OtherProxies } from './other-proxies.ts'

export class Conflicts extends Part<Context & { readonly cache: NeighborCache; readonly otherProxies: OtherProxies }> {
  /** Reports a claim. @param mac link-layer address of the host or proxy that claims `target` */
  report(target: Address, ifindex: number, mac: Mac, basis: ConflictBasis, now: Instant): void {
    const { cache, otherProxies, effects: { events } } = this.parts
    if (!otherProxies.has(mac)) {
      const length = cache.find(target)?.rule.length
      events.push({ kind: 'conflict', target, length, ifindex, mac, basis, absent: this.#absent(target) })
    } else if (otherProxies.report(mac, now)) {
      events.push({ kind: 'proxy', target, ifindex, mac })
    }
  }

  /** @returns the name of the link of a pinned owner, if that link is down or does not exist */
  #absent(target: Address): string | undefined {
    const { rules: { config: { hosts } }, links, cache } = this.parts
    return links.up(cache.find(target)?.ifindex ?? 0) ? undefined : hosts.linkOf(target)
  }
}
