/**
 * What concerns routers in the simulated machine: default route, forwarding, the prefixes of upstreams and what these grant, and Router
 * Advertisements. Inputs come in the order of the daemon's start.
 */
import type { Mac } from '../../../src/address.ts'
import type { Engine } from '../../../src/engine.ts'
import type { Grant, Input, Instant, Link, SavedPrefix } from '../../../src/engine-types.ts'
import { decodeRouterMessage, encodeRouterAdvertisement, MAX_ADVERTISEMENT, type RouterAdvertisement } from '../../../src/wire/router-messages.ts'
import { prefix } from '../../kit/frames.ts'
import { Frame } from './frame.ts'
import type { World } from './world.ts'

const LINK_HEADER = 14

/** Ends of the lifetimes of a prefix, in virtual time. */
export interface Ends { readonly valid: number; readonly preferred: number }

interface Proxy {
  readonly world: World
  readonly engine: Engine
  tell(input: Input): void
}

export class Routing {
  /** Called for each Router Solicitation that arrives, before the engine gets it. */
  onSolicitation: ((source: string) => void) | undefined
  readonly #proxy: Proxy
  #state = { hasDefaultRoute: true, isForwarding: true }
  /** By ifindex, then by prefix (`2001:db8::`). */
  readonly #grants = new Map<number, ReadonlyMap<string, Ends>>()
  /** The file of saved prefixes: `left` at `at`. */
  #file: { readonly revision: number; readonly at: number; readonly prefixes: readonly SavedPrefix[] } = { revision: 0, at: 0, prefixes: [] }

  constructor(proxy: Proxy) { this.#proxy = proxy }

  get isRouted(): boolean { return this.#state.hasDefaultRoute && this.#state.isForwarding }

  /** Changes the default route or forwarding of this machine. */
  change(change: { readonly hasDefaultRoute?: boolean; readonly isForwarding?: boolean }): void {
    this.#state = { ...this.#state, ...change }
    this.#tellState()
  }

  /** Gives the upstream these prefixes. */
  grant(ifindex: number, ends: ReadonlyMap<string, Ends>): void {
    this.#grants.set(ifindex, ends)
    this.upstream(ifindex)
  }

  /** Tells the engine the prefixes of one upstream, without those whose lifetime has ended. */
  upstream(ifindex: number): void {
    const { world: { now } } = this.#proxy
    const ends = this.#grants.get(ifindex)
    if (ends === undefined) return
    const grants: Grant[] = [...ends].filter(([, { valid }]) => valid > now)
      .map(([text, { valid, preferred }]) => ({ prefix: prefix(`${text}/64`), valid: valid - now, preferred: Math.max(0, preferred - now) }))
    this.#proxy.tell({ kind: 'prefixes', ifindex, prefixes: grants.map((grant) => grant.prefix) })
    this.#proxy.tell({ kind: 'grants', ifindex, grants, mtu: undefined })
  }

  /** The daemon saves prefixes at once when they change. @param isStopped at a stop, their lifetimes as well */
  save(isStopped = false): void {
    const { engine: { advertising }, world: { now } } = this.#proxy
    const { revision } = advertising
    if (isStopped || revision !== this.#file.revision) this.#file = { revision, at: now, prefixes: advertising.saved(now as Instant).prefixes }
  }

  /** Tells a new engine all links, what is known of upstreams, and what is saved. */
  start(links: Iterable<Link>): void {
    const { at, prefixes } = this.#file
    this.#file = { ...this.#file, revision: 0 }
    for (const link of links) {
      this.#proxy.tell({ kind: 'link', link })
      this.upstream(link.ifindex)
    }
    this.#tellState()
    const left = prefixes.map((each) => ({ ...each, left: each.left + at - this.#proxy.world.now }))
    this.#proxy.tell({ kind: 'saved-prefixes', prefixes: left.filter((each) => each.left > 0) })
  }

  solicited(ifindex: number, frame: Frame): void {
    const { bytes } = frame
    const message = decodeRouterMessage(bytes, 0, bytes.length, LINK_HEADER, false)
    this.onSolicitation?.(frame.content.source)
    if (typeof message === 'object') this.#proxy.tell({ kind: 'router-message', ifindex, message })
  }

  /** @returns the frame of a Router Advertisement */
  encode(message: RouterAdvertisement, mac: Mac): Frame {
    const slab = new Uint8Array(LINK_HEADER + MAX_ADVERTISEMENT)
    return new Frame(slab.slice(0, encodeRouterAdvertisement(slab, 0, message, mac, LINK_HEADER)))
  }

  #tellState(): void {
    const { hasDefaultRoute, isForwarding } = this.#state
    this.#proxy.tell({ kind: 'gateways', gateways: [], hasDefaultRoute })
    this.#proxy.tell({ kind: 'forwarding', isEnabled: isForwarding })
  }
}
