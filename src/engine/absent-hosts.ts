/** Hosts of links that are not there, by the name of the link: asked for when it is. */
import type { Address } from '../address.ts'

/** Links that are remembered, and hosts of each, at most. */
const LINK_LIMIT = 64
const HOST_LIMIT = 4096

export class AbsentHosts {
  readonly #hosts = new Map<string, Address[]>()

  add(iface: string, target: Address): void {
    const hosts = this.#hosts.get(iface)
    if (hosts === undefined) this.#hosts.set(iface, [target])
    else if (hosts.length < HOST_LIMIT) hosts.push(target)
    if (this.#hosts.size > LINK_LIMIT) this.#hosts.delete(this.#hosts.keys().next().value!)
  }

  /** The hosts of a link that is back. */
  take(iface: string): readonly Address[] {
    const hosts = this.#hosts.get(iface) ?? []
    this.#hosts.delete(iface)
    return hosts
  }
}
