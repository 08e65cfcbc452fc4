/** What commands ask of the running daemon. Only `probe` changes the daemon. */
import type { Address } from './address.ts'
import type { Config } from './config/config.ts'
import type { DaemonFacts } from './doctor/check.ts'
import type { FindingWatch, Found } from './doctor/watch.ts'
import type { Engine, NeighborSnapshot } from './engine.ts'
import type { Input, Instant } from './engine-types.ts'
import type { Limit, Outcome } from './events.ts'
import type { Forwarding } from './linux/forwarding.ts'
import { viewOf } from './linux/kernel-view.ts'
import type { KernelWatch } from './linux/kernel-watch.ts'
import type { Rtnetlink } from './linux/rtnetlink.ts'
import type { Sockets } from './linux/sockets.ts'
import type { Counters, LastPackets } from './metrics.ts'
import type { Observers } from './observers.ts'
import type { Totals } from './totals.ts'

export interface Parts {
  readonly engine: Engine
  readonly kernel: Rtnetlink
  readonly watch: KernelWatch
  readonly sockets: Sockets
  readonly forwarding: Forwarding
  readonly counters: Counters
  readonly totals: Totals
  readonly observers: Observers
  readonly findings: FindingWatch
  /** Further parts; only their limits are needed. */
  readonly limited: readonly ({ readonly limits: readonly Limit[] } | undefined)[]
  /** Whether the process may change routes and settings (CAP_NET_ADMIN). */
  readonly mayChange: boolean
  readonly config: () => Config
  readonly step: (input: Input) => void
  readonly clock: () => Instant
}

export class Introspection {
  readonly #parts: Parts

  constructor(parts: Parts) { this.#parts = parts }

  get config(): Config { return this.#parts.config() }
  get observers(): Observers { return this.#parts.observers }
  get counters(): Readonly<Record<Outcome, number>> { return this.#parts.counters.values }
  get findings(): readonly Found[] { return this.#parts.findings.findings }
  get lastPackets(): LastPackets { return this.#parts.counters.lastPackets(this.#parts.clock()) }
  /** Entries may come and go while they are read. */
  get neighbors(): Iterable<NeighborSnapshot> { return this.#parts.engine.neighbors(this.#parts.clock()) }

  /** The configuration, with the present links, prefixes and forwarding of this machine. */
  get setting() {
    const { engine, forwarding, watch: { links, ports } } = this.#parts
    return { config: this.config, prefixes: engine.subnetPrefixes, links, ports, isForwarding: forwarding.isOn }
  }

  get serving() {
    const { engine, mayChange, sockets } = this.#parts
    const links = sockets.open
    const waiting = engine.interfaces.names.filter((name) => !name.includes('*') && !links.includes(name))
    return { links: links.length, waiting, ...engine.totals, answersOnly: !mayChange, findings: this.findings.length }
  }

  /** Facts for `ndp6d doctor` that only this process has. */
  get facts(): DaemonFacts {
    const { engine, sockets } = this.#parts
    const received = Object.fromEntries(sockets.usage.map(({ iface, received }) => [iface, received]))
    const silent = [...engine.silentLinks].map(([ifindex, target]) => ({ link: this.nameOf(ifindex), target: target.toString() }))
    return { pid: process.pid, received, silent }
  }

  /** What the Router Advertisements on each link offer to hosts. */
  get advertising() { return [...this.#parts.engine.advertising.snapshot(this.#parts.clock())] }

  get usage() { return { links: this.#parts.sockets.usage, limits: this.#limits } }

  get #limits(): Limit[] {
    const { clock, engine, limited, sockets, watch } = this.#parts
    return [...engine.limits(clock()), ...[sockets, watch, ...limited].flatMap((part) => part?.limits ?? [])]
  }

  /** What metrics are made from. */
  get figures() {
    const { engine, findings, totals } = this.#parts
    return { totals, engine, counters: this.counters, limits: this.#limits, findings: findings.counts }
  }

  /** All neighbors with the usage of links and limits, in one object. With many neighbors this takes a while. */
  snapshot() { return { ...this.#parts.engine.snapshot(this.#parts.clock()), ...this.usage } }

  /**
   * Explains `target`: the outcome of a solicitation on each link whose rules cover it, its cache entry, and what the kernel knows of it.
   */
  explain(target: Address) {
    const { clock, kernel, watch } = this.#parts
    const engine = this.#parts.engine.explain(target, clock())
    const from = engine.links.find(({ outcome }) => outcome === 'answered')?.ifindex ?? 0
    return { ...engine, kernel: viewOf(kernel, target, from, watch.links) }
  }

  /** Solicits an address once on each of these links. */
  probe(target: Address, links: readonly number[]): void { this.#parts.step({ kind: 'probe', target, links }) }

  nameOf(ifindex: number): string {
    const { sockets, watch } = this.#parts
    return sockets.nameOf(ifindex) ?? watch.links.find((link) => link.ifindex === ifindex)?.name ?? `link ${ifindex}`
  }
}
