/** Hosts of links that are not there, by the name of the link: asked for when it is. */
import type { Address } from '../address.ts'
import type { Limit, Sink } from './types.ts'

/** Links that are remembered, and hosts of all of them. Those that went first are forgotten first. */
export const LINK_LIMIT = 64
export const HOST_LIMIT = 8192

export class AbsentHosts {
  readonly #sink: Pick<Sink, 'event'>
  readonly #hosts = new Map<string, Address[]>()
  #size = 0

  constructor(sink: Pick<Sink, 'event'>) { this.#sink = sink }

  add(iface: string, target: Address): void {
    const hosts = this.#hosts.get(iface)
    if (hosts === undefined) this.#hosts.set(iface, [target])
    else hosts.push(target)
    this.#size++
    if (this.#size <= HOST_LIMIT && this.#hosts.size <= LINK_LIMIT) return
    this.#sink.event({ kind: 'limit', limit: 'gone-hosts', size: HOST_LIMIT })
    const [[first, others]] = this.#hosts
    if (first !== iface) {
      this.take(first)
    } else {
      others.pop()
      this.#size--
    }
  }

  /** The hosts of a link that is back. */
  take(iface: string): readonly Address[] {
    const hosts = this.#hosts.get(iface) ?? []
    this.#hosts.delete(iface)
    this.#size -= hosts.length
    return hosts
  }

  get limits(): Limit[] { return [{ name: 'hosts of links that are gone', used: this.#size, size: HOST_LIMIT }] }
}
