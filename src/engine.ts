/** The engine: takes an input and returns the effects. Each step also applies changes of cache entries and answers waiting solicitors. */
import type { Address, Prefix } from './address.ts'
import type { Config } from './config/config.ts'
import { Explainer, type Explanation } from './engine/answers/explainer.ts'
import { Responder } from './engine/answers/responder.ts'
import { TargetRoutes } from './engine/answers/target-routes.ts'
import { ProbeBudget } from './engine/budget/probe-budget.ts'
import { BareLinks } from './engine/cache/bare-links.ts'
import { Claims } from './engine/cache/claims.ts'
import { Conflicts } from './engine/cache/conflicts.ts'
import { DownstreamProxies } from './engine/cache/downstream-proxies.ts'
import { FirewallDetector } from './engine/cache/firewall-detector.ts'
import { HostsOfGoneLinks } from './engine/cache/hosts-of-gone-links.ts'
import { NeighborCache } from './engine/cache/neighbor-cache.ts'
import type { Neighbor } from './engine/cache/neighbor.ts'
import { NextHops } from './engine/cache/next-hops.ts'
import { OtherProxies } from './engine/cache/other-proxies.ts'
import { Owners } from './engine/cache/owners.ts'
import { PinnedHosts } from './engine/cache/pinned-hosts.ts'
import { Prober } from './engine/cache/prober.ts'
import { Reachability } from './engine/cache/reachability.ts'
import { Resolution } from './engine/cache/resolution.ts'
import { SilentLinks } from './engine/cache/silent-links.ts'
import { type NeighborSnapshot, savedHosts, snapshotOf } from './engine/cache/snapshot.ts'
import { AdvertisementBuilder } from './engine/effects/advertisement-builder.ts'
import { Announcer } from './engine/effects/announcer.ts'
import { RouterAdvertiser } from './engine/advertising/router-advertiser.ts'
import { clearEffects, createEffects } from './engine/effects/effects.ts'
import { OwnerRoutes } from './engine/effects/owner-routes.ts'
import { Reconciler } from './engine/effects/reconciler.ts'
import { PreviousRun } from './engine/effects/previous-run.ts'
import { type Preview, Reconfiguration } from './engine/effects/reconfiguration.ts'
import { EchoDiscovery } from './engine/learning/echo-discovery.ts'
import { Learner } from './engine/learning/learner.ts'
import { Groups } from './engine/listening/groups.ts'
import { MulticastRouterDiscovery } from './engine/listening/multicast-router-discovery.ts'
import { SnoopingDetector } from './engine/listening/snooping-detector.ts'
import { Snooping } from './engine/listening/snooping.ts'
import { Subscriptions } from './engine/listening/subscriptions.ts'
import { Context } from './engine/rules/context.ts'
import { isUpstream } from './engine/rules/rule.ts'
import { earliest } from './engine/tables/deadlines.ts'
import type { Effects, Input, Instant, KernelNeighbor, Link, PacketBatch, Random, SavedHost } from './engine-types.ts'
import type { Limit, NeighborState } from './events.ts'
import { NEIGHBOR_SOLICITATION } from './wire/constants.ts'
import type { NdiscView } from './wire/ndisc-decode.ts'

export type { Explanation } from './engine/answers/explainer.ts'
export type { NeighborSnapshot } from './engine/cache/snapshot.ts'
export type { Preview } from './engine/effects/reconfiguration.ts'
export type { LinkPreview } from './engine/listening/subscriptions.ts'

export interface Snapshot {
  readonly neighbors: readonly NeighborSnapshot[]
  readonly limits: readonly Limit[]
}

/** All parts of the engine. Each constructor gets this object. Parts that are declared after the constructed part do not exist yet. */
class Parts extends Context {
  readonly budget = new ProbeBudget<Neighbor>(this.effects, this.random, (neighbor, now) => this.reachability.probe(neighbor, now))
  readonly cache = new NeighborCache(this)
  readonly otherProxies = new OtherProxies()
  readonly conflicts = new Conflicts(this)
  readonly firewall = new FirewallDetector(this)
  readonly owners = new Owners(this)
  readonly bareLinks: BareLinks = new BareLinks(this)
  readonly prober = new Prober(this)
  readonly silentLinks = new SilentLinks(this)
  readonly resolution = new Resolution(this)
  readonly reachability = new Reachability(this)
  readonly nextHops = new NextHops(this)
  readonly downstreamProxies = new DownstreamProxies(this)
  readonly claims = new Claims(this)
  readonly pinnedHosts = new PinnedHosts(this)
  readonly goneHosts = new HostsOfGoneLinks(this)
  readonly groups = new Groups(this)
  readonly subscriptions = new Subscriptions(this)
  readonly snooping = new Snooping(this)
  readonly routerDiscovery = new MulticastRouterDiscovery(this)
  readonly detector = new SnoopingDetector(this)
  readonly advertiser = new AdvertisementBuilder(this)
  readonly announcer = new Announcer(this)
  readonly ownerRoutes = new OwnerRoutes(this)
  readonly reconciler = new Reconciler(this)
  readonly learner = new Learner(this)
  readonly echoDiscovery = new EchoDiscovery(this)
  readonly routerAdvertiser = new RouterAdvertiser(this)
  readonly reconfiguration = new Reconfiguration(this)
  readonly previousRun = new PreviousRun(this)
  readonly responder = new Responder(this)
  readonly targetRoutes = new TargetRoutes(this)
  readonly explainer = new Explainer(this)
}

export class Engine {
  readonly #parts: Parts
  /** Parts with deadlines, in the order in which they are woken. */
  readonly #timed: readonly { readonly deadline: Instant | undefined; wake(now: Instant): void }[]

  constructor(config: Config, random: Random) {
    this.#parts = new Parts(config, random, createEffects())
    const { downstreamProxies, reachability, nextHops, budget, bareLinks, learner, echoDiscovery, ...others } = this.#parts
    const { ownerRoutes, announcer, routerAdvertiser, routerDiscovery, snooping, groups, detector } = others
    this.#timed = [downstreamProxies, reachability, nextHops, budget, bareLinks, learner, echoDiscovery, ownerRoutes, announcer, routerAdvertiser,
      routerDiscovery, snooping, groups, detector]
  }

  /** Handles an input. @returns the effects, valid until the next call */
  step(input: Input, now: Instant): Effects {
    const { effects } = this.#parts
    clearEffects(effects)
    this.#handle(input, now)
    this.#settle(now)
    return effects
  }

  /** Handles deadlines that have come. @returns the effects, valid until the next call */
  wake(now: Instant): Effects {
    const { effects } = this.#parts
    clearEffects(effects)
    for (const timed of this.#timed) {
      timed.wake(now)
      // `#settle` withdraws the announcements of lost owners. This has to happen before the announcer is woken.
      this.#settle(now)
    }
    return effects
  }

  /** Leaves all multicast groups and sends Multicast Router Terminations (RFC 4286 5.3). @returns the effects, valid until the next call */
  stop(): Effects {
    const { effects, routerDiscovery, groups } = this.#parts
    clearEffects(effects)
    routerDiscovery.stop()
    groups.stop()
    return effects
  }

  /** Time of the next `wake`; undefined: none is needed. */
  get deadline(): Instant | undefined {
    let first: Instant | undefined
    for (const { deadline } of this.#timed) first = earliest(first, deadline)
    return first
  }

  /** `names`: all configured interface names and patterns. `solicited`: the upstreams, and the interfaces of `proxy` blocks. */
  get interfaces(): { names: readonly string[]; upstreams: readonly string[]; solicited: readonly string[] } {
    const { rules: { config, upstreams } } = this.#parts
    return { names: config.options.names, upstreams, solicited: [...upstreams, ...config.blocks.map(({ iface }) => iface)] }
  }

  /** @returns the number of owners on a link */
  hostsOn(ifindex: number): number { return [...this.#parts.cache.on(ifindex)].length }
  /** Links without neighbor resolution on which no probe has been answered. Value: the first target whose probes got no answer. */
  get silentLinks(): ReadonlyMap<number, Address> { return this.#parts.silentLinks.silent }

  /** @returns whether the configuration names this interface, or has a pattern that matches its name */
  isNamed(iface: string): boolean { return this.#parts.rules.config.options.subscription(iface) !== undefined }

  /** @returns what a change to this configuration would do to hosts and links */
  preview(config: Config): Preview { return this.#parts.reconfiguration.preview(config) }

  /** Increases with every change of `savedHosts`. */
  get revision(): number { return this.#parts.cache.capacity.revision }
  /** The part that sends Router Advertisements, read-only. */
  get advertising(): Pick<RouterAdvertiser, 'revision' | 'saved' | 'snapshot'> { return this.#parts.routerAdvertiser }
  /** Learned owners, to be saved for the next run. Cache entries may change during the iteration. */
  get savedHosts(): Iterable<SavedHost> { return savedHosts(this.#parts.cache, this.#parts.links) }

  get totals(): { hosts: number; routes: number } { return this.#parts.cache.totals }
  /** Numbers of cache entries by state, and of host routes. `installed`: the routes that the kernel has, as far as known. */
  get counts(): { neighbors: Readonly<Record<NeighborState, number>>; routes: { wanted: number; installed: number } } { return this.#parts.cache.counts }
  /** @returns the number of solicited-node groups that are joined on a link */
  groups(ifindex: number): number { return this.#parts.groups.size(ifindex) }

  /** Iterates over all neighbors, in no particular order. Entries may change during the iteration. */
  * neighbors(now: Instant): Generator<NeighborSnapshot> {
    for (const each of this.#parts.cache.values()) yield snapshotOf(each, this.#parts.links, now)
  }

  /** The present prefixes of each `subnet` block, in file order. `subnet auto` has the on-link prefixes of its upstream. */
  get subnetPrefixes(): readonly (readonly Prefix[])[] {
    return this.#parts.rules.config.subnets.map(({ active }) => active.map(({ prefix }) => prefix))
  }

  /** @param now the time for ages and for the usage of budgets. By default infinite: then ages are infinite, and no budget is in use */
  snapshot(now = Number.POSITIVE_INFINITY as Instant): Snapshot {
    const neighbors = [...this.#parts.cache.values()].sort((a, b) => a.target.compare(b.target))
    return { neighbors: neighbors.map((neighbor) => snapshotOf(neighbor, this.#parts.links, now)), limits: this.limits(now) }
  }

  explain(target: Address, now: Instant): Explanation { return this.#parts.explainer.explain(target, now) }

  limits(now: Instant): Limit[] {
    const { rules, links, cache, budget, downstreamProxies, ...others } = this.#parts
    const { otherProxies, nextHops, responder, learner, announcer, snooping, goneHosts, subscriptions, groups, reconfiguration } = others
    const parts = [otherProxies, downstreamProxies, nextHops, responder, learner, announcer, snooping, goneHosts, subscriptions, groups,
      reconfiguration]
    return [...cache.capacity.limits(rules.config.limit),
      ...budget.limits(now, (ifindex) => links.get(ifindex)?.name ?? `link ${ifindex}`), ...parts.flatMap(({ limits }) => limits)]
  }

  #handle(input: Input, now: Instant): void {
    const { reconfiguration, groups, previousRun, reconciler, ownerRoutes, nextHops, learner, responder, snooping, routerDiscovery, explainer, routerAdvertiser } = this.#parts
    switch (input.kind) {
      case 'packets': return this.#packets(input.ifindex, input.batch, now)
      case 'config': return reconfiguration.configure(input.config, now)
      case 'link': return reconfiguration.link(input.link, now)
      case 'link-gone': return reconfiguration.gone(input.ifindex, now)
      case 'link-replugged': return groups.replugged(input.ifindex)
      case 'probe': return explainer.probe(input.target, input.links)
      case 'lookup': return this.#parts.targetRoutes.replied(input, now)
      case 'path': return ownerRoutes.replied(input)
      case 'route-changed':
        nextHops.rerouted(input.prefix, now)
        return ownerRoutes.changed(input.prefix, now)
      case 'routes':
        previousRun.adopt(input.present, now)
        return reconciler.compare(input.present)
      case 'routes-done': return reconciler.done(input.changes)
      case 'neighbor': return this.#kernel(input.neighbor, now)
      case 'station': return learner.station(input, now)
      case 'echo': return learner.echo(input.ifindex, input.source, input.mac, now)
      case 'local-solicitation': return responder.local(input.ifindex, input.target, now)
      case 'prefixes': return reconfiguration.prefixes(input.ifindex, input.prefixes, now)
      case 'gateways':
        reconfiguration.gateways(input.gateways)
        return routerAdvertiser.defaultRoute(input.hasDefaultRoute ?? input.gateways.length > 0, now)
      case 'forwarding': case 'grants': case 'dns': case 'router-message': case 'saved-prefixes': return routerAdvertiser.input(input, now)
      case 'report': return snooping.report(input.ifindex, input.joined, input.left, now)
      case 'query':
        groups.query(input.ifindex, input.query, now)
        return snooping.query(input.ifindex, input.query, now)
      case 'router-solicitation': return routerDiscovery.solicited(input.ifindex, now)
      case 'saved-hosts': return previousRun.restore(input.hosts, now)
    }
  }

  #packets(ifindex: number, batch: PacketBatch, now: Instant): void {
    const { links, effects: { outcomes } } = this.#parts
    const link = links.get(ifindex)
    if (link === undefined) return
    for (let i = 0; i < batch.size; i++) {
      const view = batch.read(i)
      if (view === undefined) continue
      const outcome = outcomes.add()
      outcome.outcome = view.drop ?? this.#packet(link, view, now)
      outcome.ifindex = ifindex
      outcome.type = view.type
      outcome.t0 = view.t0
      outcome.t1 = view.t1
      outcome.t2 = view.t2
      outcome.t3 = view.t3
      outcome.s0 = view.s0
      outcome.s1 = view.s1
      outcome.s2 = view.s2
      outcome.s3 = view.s3
      outcome.mac = view.sourceMac
      outcome.isUnicast = view.unicastToTarget
    }
  }

  #packet(link: Link, view: NdiscView, now: Instant): ReturnType<Responder['solicitation']> {
    const { detector, responder, learner, claims, nextHops } = this.#parts
    const { ifindex } = link
    const isNextHop = nextHops.packet(ifindex, view, now)
    if (view.type === NEIGHBOR_SOLICITATION) {
      if (!view.unicastToTarget) detector.solicited(ifindex, now)
      const outcome = responder.solicitation(link, view, now)
      learner.packet(ifindex, view, now)
      return outcome
    }
    const outcome = claims.advertisement(ifindex, view, now)
    if (outcome === 'unsolicited' && learner.packet(ifindex, view, now)) return 'conflict'
    return isNextHop ? 'proof' : outcome
  }

  #kernel(entry: KernelNeighbor, now: Instant): void {
    const { links, cache, firewall, learner, announcer, detector, nextHops } = this.#parts
    const { target, ifindex, mac, state, router } = entry
    const isGone = state === 'failed' || state === 'deleted'
    firewall.kernel(entry, now)
    nextHops.kernel(entry, now)
    if (target.isLinkLocal) return announcer.router(ifindex, target, router && !isGone)
    learner.kernel(entry, now)
    const neighbor = cache.find(target)
    if (isGone || mac === undefined || neighbor?.isOwned !== true || neighbor.ifindex !== ifindex) return
    if (isUpstream(neighbor.rule, links.get(ifindex))) announcer.router(ifindex, target, router)
    else if (state === 'probing') for (const link of neighbor.joined) detector.traffic(link, now)
  }

  /** Applies the wanted state of changed cache entries, then answers the solicitors that waited for these entries. */
  #settle(now: Instant): void {
    const { cache, reconciler, responder } = this.#parts
    for (const neighbor of cache.takeDirty()) {
      reconciler.reconcile(neighbor, now)
      responder.release(neighbor, now)
      neighbor.rest()
    }
  }
}
