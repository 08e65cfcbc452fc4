/**
 * Reports changes of the kernel's IPv6 neighbor table (RFC 4861 5.1) and of the forwarding tables of bridges. A station is a link-layer
 * address in such a forwarding table, perhaps in several VLANs.
 */
import type { Mac } from '../address.ts'
import type { KernelNeighbor } from '../engine-types.ts'
import type { Limit } from '../events.ts'
import type { Message } from '../wire/netlink.ts'
import {
  decodeNeighbor, decodeStation, neighborFilter, NUD_DELAY, NUD_FAILED, NUD_PERMANENT, NUD_PROBE, NUD_REACHABLE, NUD_STALE, RTM_DELNEIGH,
  RTNLGRP_NEIGH, type NeighborMessage, type StationMessage,
} from '../wire/rtneighbor.ts'
import { TableWatcher } from './table-watcher.ts'

/** The most neighbor entries that the watcher keeps. The same limit holds for entries of bridges' forwarding tables. */
export const KERNEL_LIMIT = 65536
const KNOWN = NUD_STALE | NUD_DELAY | NUD_PERMANENT

export interface NeighborListener {
  /**
   * A new, changed or deleted entry. `deleted` also stands for NUD_FAILED if a dump shows it, or if another program set it (`ip neigh del`).
   * The kernel deletes idle entries, so `deleted` is a reason to probe, not a proof that the host is gone. Link-local addresses are reported
   * for routers only.
   */
  neighbor(neighbor: KernelNeighbor): void
  /**
   * A bridge learned the port of `mac`, learned that `mac` moved to another port, or forgot `mac`.
   * @param bridge the ifindex of the bridge
   * @param port the ifindex of the port; undefined: the bridge forgot `mac`, because the port went down or was removed, or because
   *   `mac` was silent for a long time
   */
  station(bridge: number, mac: Mac, port: number | undefined): void
  full(): void
}

interface Tables { readonly neighbors: NeighborMessage[]; readonly stations: StationMessage[] }

export class NeighborWatcher extends TableWatcher<Tables, NeighborListener> {
  /** Applies to dumps after lost messages too: a dump of a full table takes 0.3 s, and an attacker may cause losses on purpose. */
  protected readonly pause = 1000
  #isFull = false
  /** Reported entries, until they fail or are deleted. Entries beyond KERNEL_LIMIT are reported, but their deletion is not. */
  readonly #neighbors = new Map<string, KernelNeighbor>()
  /** Entries of the bridges' forwarding tables. A host has one entry per VLAN. Entries beyond KERNEL_LIMIT are ignored. */
  readonly #entries = new Map<string, StationMessage>()
  /** For each station that was reported as present: the number of its entries. */
  readonly #stations = new Map<string, number>()

  /** Reports all entries, then every change until {@link close}. @throws OsError */
  start(): void {
    this.listen([RTNLGRP_NEIGH], neighborFilter())
    this.resync()
  }

  override overrun(): void { this.resyncLater() }
  protected dump(): Tables { return { neighbors: this.kernel.neighbors(), stations: this.kernel.stations() } }

  protected compare({ neighbors, stations }: Tables): void {
    this.#isFull = false
    const alive = new Set(neighbors.filter((neighbor) => stateOf(neighbor) !== undefined).map(neighborKey))
    for (const key of this.#neighbors.keys()) if (!alive.has(key)) this.#forget(key)
    const entries = new Set(stations.filter(({ own }) => !own).map(entryKey))
    for (const [key, entry] of this.#entries) if (!entries.has(key)) this.#lose(entry)
    for (const neighbor of neighbors) this.#neighbor(neighbor, false)
    for (const station of stations) if (!station.own) this.#learn(station)
  }

  get limits(): Limit[] {
    return [{ name: 'entries of the kernel\'s neighbor table', used: this.#neighbors.size, size: KERNEL_LIMIT },
      { name: 'entries of bridges\' forwarding tables', used: this.#entries.size, size: KERNEL_LIMIT }]
  }

  override message(message: Message): void {
    const deleted = message.type === RTM_DELNEIGH
    const neighbor = decodeNeighbor(message)
    // The state of a deleted entry means nothing: the kernel changes the state when the link goes away.
    if (neighbor !== undefined) return deleted ? this.#forget(neighborKey(neighbor)) : this.#neighbor(neighbor, message.port === 0)
    const station = decodeStation(message)
    if (station === undefined) return
    if (deleted || station.own) this.#lose(station)
    else this.#learn(station)
  }

  /** @param isCurrent whether the kernel itself made the change just now; false for entries of a dump and changes by other programs */
  #neighbor(message: NeighborMessage, isCurrent: boolean): void {
    const { ifindex, address: target, lladdr: mac, router, proxy } = message
    const shown = stateOf(message)
    const state = shown === 'failed' && !isCurrent ? 'deleted' : shown
    if (state === undefined || proxy || target.isMulticast) return
    const key = neighborKey(message)
    const reported = this.#neighbors.get(key)
    // An entry that was reported as a router's is also reported when its host is no longer a router.
    if (target.isLinkLocal && !router && reported === undefined) return
    const permanent = message.state === NUD_PERMANENT
    const isSame = reported?.state === state && reported.mac === mac && reported.router === router
    if (isSame && (reported.permanent ?? false) === permanent) return
    this.#report(key, { target, ifindex, mac, state, router, ...permanent && { permanent } })
  }

  #forget(key: string): void {
    const reported = this.#neighbors.get(key)
    if (reported !== undefined) this.#report(key, { ...reported, state: 'deleted' })
  }

  #report(key: string, neighbor: KernelNeighbor): void {
    if (neighbor.state === 'failed' || neighbor.state === 'deleted') this.#neighbors.delete(key)
    else if (this.#neighbors.has(key) || this.#neighbors.size < KERNEL_LIMIT) this.#neighbors.set(key, neighbor)
    else this.#full()
    this.listener.neighbor(neighbor)
  }

  #learn(entry: StationMessage): void {
    const key = entryKey(entry)
    const known = this.#entries.get(key)
    if (known?.port === entry.port) return
    if (known === undefined && this.#entries.size >= KERNEL_LIMIT) return this.#full()
    this.#entries.set(key, entry)
    const station = stationKey(entry)
    const count = this.#stations.get(station) ?? 0
    if (known === undefined) this.#stations.set(station, count + 1)
    if (known !== undefined || count === 0) this.listener.station(entry.bridge, entry.mac, entry.port)
  }

  #full(): void {
    if (!this.#isFull) this.listener.full()
    this.#isFull = true
  }

  #lose(entry: StationMessage): void {
    if (!this.#entries.delete(entryKey(entry))) return
    const station = stationKey(entry)
    const count = this.#stations.get(station)! - 1
    if (count > 0) {
      this.#stations.set(station, count)
      return
    }
    this.#stations.delete(station)
    this.listener.station(entry.bridge, entry.mac, undefined)
  }
}

const neighborKey = ({ ifindex, address }: NeighborMessage): string => `${ifindex} ${address}`
const stationKey = ({ bridge, mac }: StationMessage): string => `${bridge} ${mac}`
// The key has no port: when a station moves to another port, the kernel sends only a message with the new port.
const entryKey = ({ bridge, mac, vlan }: StationMessage): string => `${bridge} ${mac} ${vlan}`

/** @returns undefined for a state that says nothing about the host: no reply yet, or a link without address resolution */
function stateOf({ state }: NeighborMessage): KernelNeighbor['state'] | undefined {
  if (state === NUD_REACHABLE) return 'reachable'
  if (state === NUD_FAILED) return 'failed'
  if (state === NUD_PROBE) return 'probing'
  return (state & KNOWN) !== 0 ? 'known' : undefined
}
