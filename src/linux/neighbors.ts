/**
 * The neighbor watcher: what the kernel itself knows of neighbors (its IPv6 neighbor table, RFC 4861 5.1) and of stations
 * (the forwarding tables of bridges), by rtnetlink(7). It tells only what changed. Lost messages (checklist P11) cost a
 * new dump, of which again only the differences are told.
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

/** After a loss, before all is asked for again: a full table takes 0.3 s to read, and may be flooded on purpose. */
const PAUSE_MS = 1000
/** Of each kind. */
export const KERNEL_LIMIT = 65536
const KNOWN = NUD_STALE | NUD_DELAY | NUD_PERMANENT

export interface NeighborListener {
  /**
   * An entry that is new, or different now. `failed` also when one that was told as something else is deleted, which
   * happens to idle ones too: it is a reason to ask, not a proof. Link-local addresses are told of routers only.
   */
  neighbor(neighbor: KernelNeighbor): void
  /** A bridge (its ifindex) learned where `mac` is, or lost it: the port went down or away, or `mac` was silent for long. */
  station(bridge: number, mac: Mac, present: boolean): void
  /** There are more than KERNEL_LIMIT; told once until all is asked for anew. */
  full(): void
}

export class NeighborWatcher {
  readonly #listener: NeighborListener
  readonly #kernel: Rtnetlink
  readonly #open: OpenNetlink
  #events: EventSocket | undefined
  #timer: NodeJS.Timeout | undefined
  #isFull = false
  /** Told as reachable or known. Beyond KERNEL_LIMIT neighbors are told of, but not missed. */
  readonly #neighbors = new Map<string, KernelNeighbor>()
  /** Entries of forwarding tables: one for each VLAN of a station. What is beyond KERNEL_LIMIT does not count. */
  readonly #entries = new Map<string, StationMessage>()
  /** How many entries a station has; told as present. */
  readonly #stations = new Map<string, number>()

  constructor(listener: NeighborListener, kernel: Rtnetlink, open: OpenNetlink = native.openNetlink) {
    this.#listener = listener
    this.#kernel = kernel
    this.#open = open
  }

  /** Tells all that is known, then every change, until {@link close}. Throws an OsError. */
  start(): void {
    // Listen first: what changes during the dump waits in the socket.
    this.#events = new EventSocket(this.#open, NETLINK_ROUTE, [RTNLGRP_NEIGH], {
      message: (message) => this.#take(message),
      settled: () => {},
      overrun: () => this.#resyncLater(),
    }, neighborFilter())
    this.resync()
  }

  /** Asks the kernel for everything and tells the differences. Throws an OsError. */
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
    // A deleted one may show any state: the kernel changes that of an entry in use when its link goes.
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
    const told = this.#neighbors.get(key)
    // One that was told as a router's is told also when it is none any more.
    if (target.isLinkLocal && !router && told === undefined) return
    if (told?.state === state && told.mac === mac && told.router === router) return
    this.#tell(key, { target, ifindex, mac, state, router })
  }

  #forget(key: string): void {
    const told = this.#neighbors.get(key)
    if (told !== undefined) this.#tell(key, { ...told, state: 'failed' })
  }

  #tell(key: string, neighbor: KernelNeighbor): void {
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
// Not the port: a station that moves to another one is told of by a message of the new port alone.
const entryKey = ({ bridge, mac, vlan }: StationMessage): string => `${bridge} ${mac} ${vlan}`

/** Undefined: it says nothing of the neighbor (no answer yet, or a link that needs no resolution). */
function stateOf({ state }: NeighborMessage): KernelNeighbor['state'] | undefined {
  if (state === NUD_REACHABLE) return 'reachable'
  if (state === NUD_FAILED) return 'failed'
  if (state === NUD_PROBE) return 'probing'
  return (state & KNOWN) !== 0 ? 'known' : undefined
}
