/**
 * Owners that have not answered a verification yet, by link and by port of the link's bridge. A host may forge another link-layer address
 * for each address that it claims. But the bridge receives all frames of the host at one port.
 */
import type { Mac } from '../../address.ts'
import type { Neighbor } from './neighbor.ts'

export class UnconfirmedOwners {
  /** The owners by link and by {@link Neighbor.port}, the oldest first. */
  readonly #places = new Map<number, Map<number, Set<Neighbor>>>()
  /** The bridge and port of each link-layer address in a forwarding table. src/linux/neighbors.ts limits the number of addresses. */
  readonly #ports = new Map<Mac, { readonly bridge: number; readonly port: number }>()

  get isEmpty(): boolean { return this.#places.size === 0 }

  add(neighbor: Neighbor): void {
    const { ifindex, mac, work: { account } } = neighbor
    // The bridge learns the source of a frame, whichever link-layer address the message names.
    const sender = account ?? mac
    neighbor.port = sender === undefined ? 0 : this.#ports.get(sender)?.port ?? 0
    const ports = this.#places.get(ifindex) ?? new Map<number, Set<Neighbor>>()
    const place = ports.get(neighbor.port) ?? new Set()
    this.#places.set(ifindex, ports.set(neighbor.port, place.add(neighbor)))
  }

  delete(neighbor: Neighbor): void {
    const { ifindex, port } = neighbor
    const ports = this.#places.get(ifindex)
    const place = ports?.get(port)
    if (ports === undefined || place?.delete(neighbor) !== true || place.size > 0) return
    ports.delete(port)
    if (ports.size === 0) this.#places.delete(ifindex)
  }

  /**
   * @param ifindex the only link to search; undefined: all links
   * @returns the oldest owner at the port with the most owners; undefined: no owner
   */
  oldest(ifindex?: number): Neighbor | undefined {
    const links = ifindex === undefined ? this.#places.values() : [this.#places.get(ifindex) ?? new Map<number, Set<Neighbor>>()]
    let largest: Set<Neighbor> | undefined
    for (const ports of links) for (const place of ports.values()) if (place.size > (largest?.size ?? 0)) largest = place
    return largest?.values().next().value
  }

  /** Registers the port that a bridge learned for a link-layer address. @param entries the owners with this link-layer address */
  learned(bridge: number, mac: Mac, port: number, entries: readonly Neighbor[]): void {
    const moved = entries.filter((entry) => !entry.isConfirmed && entry.work.account === undefined && entry.port !== port)
    for (const entry of moved) this.delete(entry)
    this.#ports.set(mac, { bridge, port })
    for (const entry of moved) this.add(entry)
  }

  /** Removes a link-layer address that a bridge forgot. Owners with this address still count for its former port. */
  forgot(bridge: number, mac: Mac): void { if (this.#ports.get(mac)?.bridge === bridge) this.#ports.delete(mac) }
}
