/**
 * The neighbor watcher: reports changes of the kernel's IPv6 neighbor table (RFC 4861 5.1) and of the forwarding tables of bridges, by
 * rtnetlink(7). After lost messages it dumps both tables again and reports the differences.
 */
import type { Mac } from '../address.ts'
import type { KernelNeighbor, Limit } from '../engine/types.ts'
import type { Message } from '../wire/netlink.ts'
import {
  decodeNeighbor, decodeStation, neighborFilter, NUD_DELAY, NUD_FAILED, NUD_PERMANENT, NUD_PROBE, NUD_REACHABLE, NUD_STALE,
  RTM_DELNEIGH, RTNLGRP_NEIGH,
} from '../wire/rtneighbor.ts'
import type { NeighborMessage, StationMessage } from '../wire/rtneighbor.ts'
import { verdict } from './errors.ts'
import { native } from './native.ts'
import { EventSocket } from './netlink.ts'
import type { OpenNetlink } from './netlink.ts'
import { NETLINK_ROUTE } from './rtnetlink.ts'
import type { Rtnetlink } from './rtnetlink.ts'

/** Milliseconds between a loss and the next dump: a full table takes 0.3 s to read, and may be flooded on purpose. */
const PAUSE_MS = 1000
/** Largest number of neighbor entries, and of bridge entries. */
export const KERNEL_LIMIT = 65536
const KNOWN = NUD_STALE | NUD_DELAY | NUD_PERMANENT

export interface NeighborListener {
  /**
   * A new or changed entry. `failed` also stands for a deleted entry: the kernel deletes idle ones, so this is a reason to probe and no
   * proof. Link-local addresses are reported for routers only.
   */
  neighbor(neighbor: KernelNeighbor): void
  /** A bridge (its ifindex) learned the port of `mac`, or lost it: the port went down or away, or `mac` was silent for long. */
  station(bridge: number, mac: Mac, present: boolean): void
  /** A table has more than KERNEL_LIMIT entries. Called once per dump. */
  full(): void
}

export class NeighborWatcher {
  readonly #listener: NeighborListener
  readonly #kernel: Rtnetlink
  readonly #open: OpenNetlink
  #events: EventSocket | undefined
  #timer: NodeJS.Timeout | undefined
  #isFull = false
  /** Entries that were reported and did not fail. Those beyond KERNEL_LIMIT are reported, but their end is not. */
  readonly #neighbors = new Map<string, KernelNeighbor>()
  /** Entries of forwarding tables: one for each VLAN of a station. Those beyond KERNEL_LIMIT are ignored. */
  readonly #entries = new Map<string, StationMessage>()
  /** Number of entries per station that was reported as present. */
  readonly #stations = new Map<string, number>()

  constructor(listener: NeighborListener, kernel: Rtnetlink, open: OpenNetlink = native.openNetlink) {
    this.#listener = listener
    this.#kernel = kernel
    this.#open = open
  }

  /** Reports all entries, then every change until {@link close}. @throws OsError */
  start(): void {
    // Listen first: changes during the dump wait in the socket.
    this.#events = new EventSocket(this.#open, NETLINK_ROUTE, [RTNLGRP_NEIGH], {
      message: (message) => this.#take(message),
      settled: () => {},
      overrun: () => this.#resyncLater(),
    }, neighborFilter())
    this.resync()
  }

  /** Dumps everything and reports the differences. @throws OsError */
  resync(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#isFull = false
    let neighbors, stations
    try {
      neighbors = this.#kernel.neighbors()
      stations = this.#kernel.stations()
    } catch (error) {
      if (verdict(error) !== 'retry') throw error
      this.#resyncLater()
      return
    }
    const alive = new Set(neighbors.filter((neighbor) => stateOf(neighbor) !== undefined).map(neighborKey))
    for (const key of this.#neighbors.keys()) if (!alive.has(key)) this.#forget(key)
    const entries = new Set(stations.filter(({ own }) => !own).map(entryKey))
    for (const [key, entry] of this.#entries) if (!entries.has(key)) this.#lose(entry)
    for (const neighbor of neighbors) this.#neighbor(neighbor)
    for (const station of stations) if (!station.own) this.#learn(station)
  }

  get limits(): Limit[] {
    return [{ name: 'entries of the kernel\'s neighbor table', used: this.#neighbors.size, size: KERNEL_LIMIT },
      { name: 'entries of bridges\' forwarding tables', used: this.#entries.size, size: KERNEL_LIMIT }]
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#events?.close()
  }

  #resyncLater(): void { this.#timer ??= setTimeout(() => this.resync(), PAUSE_MS) }

  #take(message: Message): void {
    const deleted = message.type === RTM_DELNEIGH
    const neighbor = decodeNeighbor(message)
    // A deleted entry may show any state: the kernel changes it when the link goes.
    if (neighbor !== undefined) return deleted ? this.#forget(neighborKey(neighbor)) : this.#neighbor(neighbor)
    const station = decodeStation(message)
    if (station === undefined) return
    if (deleted || station.own) this.#lose(station)
    else this.#learn(station)
  }

  #neighbor(message: NeighborMessage): void {
    const { ifindex, address: target, lladdr: mac, router, proxy } = message
    const state = stateOf(message)
    if (state === undefined || proxy || target.isMulticast) return
    const key = neighborKey(message)
    const reported = this.#neighbors.get(key)
    // An entry that was reported as a router's is also reported when it is none any more.
    if (target.isLinkLocal && !router && reported === undefined) return
    if (reported?.state === state && reported.mac === mac && reported.router === router) return
    this.#report(key, { target, ifindex, mac, state, router })
  }

  #forget(key: string): void {
    const reported = this.#neighbors.get(key)
    if (reported !== undefined) this.#report(key, { ...reported, state: 'failed' })
  }

  #report(key: string, neighbor: KernelNeighbor): void {
    if (neighbor.state === 'failed') this.#neighbors.delete(key)
    else if (this.#neighbors.has(key) || this.#neighbors.size < KERNEL_LIMIT) this.#neighbors.set(key, neighbor)
    else this.#full()
    this.#listener.neighbor(neighbor)
  }

  #learn(entry: StationMessage): void {
    const key = entryKey(entry)
    if (this.#entries.has(key)) return
    if (this.#entries.size >= KERNEL_LIMIT) return this.#full()
    this.#entries.set(key, entry)
    const station = stationKey(entry)
    const count = this.#stations.get(station) ?? 0
    this.#stations.set(station, count + 1)
    if (count === 0) this.#listener.station(entry.bridge, entry.mac, true)
  }

  #full(): void {
    if (!this.#isFull) this.#listener.full()
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
    this.#listener.station(entry.bridge, entry.mac, false)
  }
}

const neighborKey = ({ ifindex, address }: NeighborMessage): string => `${ifindex} ${address}`
const stationKey = ({ bridge, mac }: StationMessage): string => `${bridge} ${mac}`
// Without the port: for a station that moves to another port the kernel sends only the message of the new port.
const entryKey = ({ bridge, mac, vlan }: StationMessage): string => `${bridge} ${mac} ${vlan}`

/** @returns undefined for a state without meaning: no reply yet, or a link without address resolution */
function stateOf({ state }: NeighborMessage): KernelNeighbor['state'] | undefined {
  if (state === NUD_REACHABLE) return 'reachable'
  if (state === NUD_FAILED) return 'failed'
  if (state === NUD_PROBE) return 'probing'
  return (state & KNOWN) !== 0 ? 'known' : undefined
}
