/** The hosts of links that are gone, by the name of the link. They are probed when the link is back. */
import type { Address } from '../../address.ts'
import { type Context, Part } from '../rules/context.ts'
import type { Limit } from '../../events.ts'

/** The most gone links whose hosts are kept. Above this limit, the link that has been gone longest is forgotten. */
export const LINK_LIMIT = 64
/** The most hosts of all gone links together. `add` decides what is forgotten above this limit. */
export const HOST_LIMIT = 8192

export class HostsOfGoneLinks extends Part<Pick<Context, 'effects'>> {
  readonly #hosts = new Map<string, Address[]>()
  #size = 0

  get limits(): Limit[] {
    return [{ name: 'hosts of links that are gone', used: this.#size, size: HOST_LIMIT },
      { name: 'links that are gone', used: this.#hosts.size, size: LINK_LIMIT }]
  }

  /**
   * Adds a host. Above a limit, the link that has been gone longest is forgotten with all its hosts. If the new host belongs to this very
   * link, only the new host is forgotten.
   */
  add(iface: string, target: Address): void {
    const hosts = this.#hosts.get(iface)
    if (hosts === undefined) this.#hosts.set(iface, [target])
    else hosts.push(target)
    this.#size++
    const isLinkLimit = this.#hosts.size > LINK_LIMIT
    if (!isLinkLimit && this.#size <= HOST_LIMIT) return
    const [limit, size] = isLinkLimit ? ['gone-links', LINK_LIMIT] as const : ['gone-hosts', HOST_LIMIT] as const
    this.parts.effects.events.push({ kind: 'limit', limit, size })
    const [[first, others]] = this.#hosts
    if (first !== iface) {
      this.take(first)
    } else {
      others.pop()
      this.#size--
    }
  }

  take(iface: string): readonly Address[] {
    const hosts = this.#hosts.get(iface) ?? []
    this.#hosts.delete(iface)
    this.#size -= hosts.length
    return hosts
  }
}
