/** Watches the links, neighbors and routes of the kernel, and reports them as inputs of the engine. */
import type { Input, Link, Subscription } from '../engine-types.ts'
import type { Limit } from '../events.ts'
import type { Prefix } from '../address.ts'
import { ForeignRouteWatcher } from './foreign-route-watcher.ts'
import { GrantWatcher } from './grants.ts'
import { GatewayWatcher } from './gateways.ts'
import { LinkWatcher } from './links.ts'
import { NeighborWatcher } from './neighbors.ts'
import { PrefixWatcher, prefixesOf } from './prefixes.ts'
import type { Rtnetlink } from './rtnetlink.ts'

export interface KernelListener {
  input(input: Input): void
  /** A link became a port of `master`, and counts as gone. */
  enslaved(iface: string, master: string): void
  /** An error of sending on a link, to be judged by `verdict`. */
  failed(iface: string, error: Error): void
  /** The kernel has more neighbors, or more entries in the forwarding tables of bridges, than are kept. */
  full(): void
}

export class KernelWatch {
  readonly #links: LinkWatcher
  readonly #neighbors: NeighborWatcher
  readonly #prefixes: PrefixWatcher
  readonly #routes: ForeignRouteWatcher
  readonly #gateways: GatewayWatcher
  readonly #grants: GrantWatcher
  /** Links whose prefixes are reported. */
  readonly #followed = new Set<number>()
  /** On-link prefixes of the links in `#followed`. */
  readonly #onLink = new Map<number, readonly Prefix[]>()
  /** Prefixes and addresses of the links in `#followed` at the last report, as text. */
  readonly #reported = new Map<number, string>()
  /** Names of the links whose grants are reported, by ifindex. */
  readonly #granting = new Map<number, string>()

  constructor(kernel: Rtnetlink, { input: report, enslaved, failed, full }: KernelListener) {
    const reportPrefixes = (ifindex: number): void => {
      const onLink = this.#onLink.get(ifindex)
      if (onLink === undefined) return
      const addresses = this.links.find((link) => link.ifindex === ifindex)?.addresses ?? []
      const prefixes = prefixesOf(onLink, addresses)
      const text = [...prefixes, ...addresses.map(({ address }) => address)].join(' ')
      // Reads the lifetimes of a new prefix first, because the prefix must not be advertised with longer lifetimes than it has.
      if (this.#granting.has(ifindex) && this.#reported.get(ifindex) !== text) this.#grants.resync()
      this.#reported.set(ifindex, text)
      report({ kind: 'prefixes', ifindex, prefixes })
    }
    this.#links = new LinkWatcher({
      link: (link) => {
        report({ kind: 'link', link })
        reportPrefixes(link.ifindex)
      },
      gone: (ifindex) => report({ kind: 'link-gone', ifindex }),
      replugged: (ifindex) => report({ kind: 'link-replugged', ifindex }),
      enslaved,
    }, kernel)
    this.#neighbors = new NeighborWatcher({
      neighbor: (neighbor) => report({ kind: 'neighbor', neighbor }),
      station: (ifindex, mac, port) => report({ kind: 'station', ifindex, mac, port }),
      full,
    }, kernel)
    this.#prefixes = new PrefixWatcher((ifindex, onLink) => {
      this.#onLink.set(ifindex, onLink)
      reportPrefixes(ifindex)
    }, kernel)
    this.#routes = new ForeignRouteWatcher((prefix) => report({ kind: 'route-changed', prefix }), kernel)
    this.#gateways = new GatewayWatcher((gateways, hasDefaultRoute) => report({ kind: 'gateways', gateways, hasDefaultRoute }), kernel)
    this.#grants = new GrantWatcher({ input: report, failed, macOf: (ifindex) => this.links.find((link) => link.ifindex === ifindex)?.mac }, kernel)
  }

  get links(): readonly Link[] { return this.#links.links }
  /** Names of the links that are ports of another link. */
  get ports(): readonly string[] { return this.#links.ports }
  /** The next hops of all default routes. */
  get defaultRoutes() { return this.#gateways.routes }
  get limits(): Limit[] { return this.#neighbors.limits }

  /** Reports all links before it returns, then every change. @throws OsError */
  startLinks(): void { this.#links.start() }

  /** Reports all default gateways before it returns, then every change. @throws OsError */
  startGateways(): void { this.#gateways.start() }

  /** Reports all neighbors and stations before it returns, then every change. @throws OsError */
  startNeighbors(): void { this.#neighbors.start() }

  /** Selects whether the prefixes and the grants of a link are reported, from the next {@link follow} on. */
  select({ ifindex, name }: Pick<Link, 'ifindex' | 'name'>, { prefixes, grants }: Pick<Subscription, 'prefixes' | 'grants'>): void {
    if (prefixes) this.#followed.add(ifindex)
    else {
      this.#followed.delete(ifindex)
      this.#onLink.delete(ifindex)
      this.#reported.delete(ifindex)
    }
    if (grants) this.#granting.set(ifindex, name)
    else this.#granting.delete(ifindex)
  }

  /** Reports the prefixes and grants of the links that were selected since the previous call of `follow`. @throws OsError */
  follow(): void {
    this.#grants.follow(this.#granting)
    this.#prefixes.follow(this.#followed)
  }

  /** From now on, reports only changes of routes that concern these prefixes. @throws OsError */
  followRoutes(prefixes: readonly Iterable<Prefix>[]): void { this.#routes.follow(prefixes) }

  /** The routes that discard packets and whose prefix is part of a prefix of {@link followRoutes}. */
  get discarding() { return this.#routes.discarding }

  /** Reports each route of another program or of the kernel as changed, if its prefix is part of a prefix of {@link followRoutes}. */
  reportRoutes(): void { this.#routes.reportPresent() }

  close(): void { for (const watcher of [this.#links, this.#neighbors, this.#prefixes, this.#routes, this.#gateways, this.#grants]) watcher.close() }
}
