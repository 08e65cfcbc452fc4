/** Handles changes of links, rules and prefixes. The order of their consequences is in {@link Reconfiguration.#apply}. */
import type { Address, Prefix } from '../../address.ts'
import type { Config } from '../../config/config.ts'
import type { BareLinks } from '../cache/bare-links.ts'
import type { ClaimParts } from '../cache/claims.ts'
import type { FirewallDetector } from '../cache/firewall-detector.ts'
import type { HostsOfGoneLinks } from '../cache/hosts-of-gone-links.ts'
import type { Neighbor } from '../cache/neighbor.ts'
import type { NextHops } from '../cache/next-hops.ts'
import type { PinnedHosts } from '../cache/pinned-hosts.ts'
import type { MulticastRouterDiscovery } from '../listening/multicast-router-discovery.ts'
import type { SnoopingDetector } from '../listening/snooping-detector.ts'
import type { Snooping } from '../listening/snooping.ts'
import type { LinkPreview, Subscriptions } from '../listening/subscriptions.ts'
import { sourceAddress } from '../links/source-address.ts'
import { Part } from '../rules/context.ts'
import type { ActiveRule } from '../rules/rule.ts'
import { Rules } from '../rules/rules.ts'
import { UpstreamPrefixes } from '../rules/upstream-prefixes.ts'
import type { Filter, Gateway, Instant, Link } from '../../engine-types.ts'
import type { Limit } from '../../events.ts'
import type { Reconciler, ReconcilerParts } from './reconciler.ts'

/** What another configuration would do to the hosts and to the sockets of the links. */
export interface Preview {
  /** Number of hosts that stay. */
  readonly kept: number
  /** Hosts that are removed. `groups`: number of links where the solicited-node group is joined for this host. */
  readonly dropped: readonly { readonly target: Address; readonly hasRoute: boolean; readonly groups: number }[]
  readonly links: readonly LinkPreview[]
}

export interface ReconfigurationParts extends ClaimParts, ReconcilerParts {
  readonly pinnedHosts: PinnedHosts
  readonly firewall: FirewallDetector
  readonly goneHosts: HostsOfGoneLinks
  readonly bareLinks: BareLinks
  readonly nextHops: NextHops
  readonly subscriptions: Subscriptions
  readonly snooping: Snooping
  readonly routerDiscovery: MulticastRouterDiscovery
  readonly detector: SnoopingDetector
  readonly reconciler: Reconciler
  readonly learner: { seek(target: Address, rule: ActiveRule, ifindex: number, now: Instant): void }
  readonly echoDiscovery: { start(ifindex: number, now: Instant): void }
  readonly routerAdvertiser: { update(now: Instant): void; usable(ifindex: number, now: Instant): void; gone(ifindex: number): void }
}

export class Reconfiguration extends Part<ReconfigurationParts> {
  readonly #upstreamPrefixes = new UpstreamPrefixes()
  #filters: readonly Filter[] = []

  get limits(): Limit[] { return this.#upstreamPrefixes.limits }

  configure(config: Config, now: Instant): void {
    const { links, budget, silentLinks, random } = this.parts
    const rules = this.parts.rules = new Rules(config, random, this.#upstreamPrefixes.byName)
    budget.reconfigure()
    silentLinks.reconfigure()
    for (const link of links.values()) rules.link(link)
    this.#apply([...links.values()], 'rules', now)
  }

  /** @returns what {@link configure} would do, without any effect */
  preview(config: Config): Preview {
    const { links, cache, random, subscriptions } = this.parts
    const rules = new Rules(config, random, this.#upstreamPrefixes.byName)
    for (const link of links.values()) rules.link(link)
    const hosts = [...cache.values()].filter(({ isOwned }) => isOwned)
    const after = new Map(hosts.map((host) => [host, this.#ruleUnder(host, rules)]))
    const dropped = hosts.filter((host) => after.get(host) === undefined)
      .map(({ target, routed, joined }) => ({ target, hasRoute: routed !== 0, groups: joined.length }))
    return { kept: hosts.length - dropped.length, dropped, links: subscriptions.preview(rules, usedLinks(after)) }
  }

  /** Replaces the on-link prefixes of a link, for `subnet auto`. */
  prefixes(ifindex: number, prefixes: readonly Prefix[], now: Instant): void {
    const { links, effects: { events } } = this.parts
    const link = links.get(ifindex)
    if (link !== undefined && this.#upstreamPrefixes.replace(link, prefixes, events)) this.#follow(now)
  }

  /** Replaces the default gateways of this machine. Removes learned owners that have the address of a gateway but are not on its link. */
  gateways(gateways: readonly Gateway[]): void {
    const { links, cache, owners } = this.parts
    links.gateways = gateways
    for (const { address, address: { w0, w1, w2, w3 } } of gateways) {
      const neighbor = cache.find(address)
      if (neighbor?.isOwned !== true || neighbor.isPinned) continue
      if (links.isGatewayElsewhere(w0, w1, w2, w3, neighbor.ifindex)) owners.remove(neighbor, 'gateway')
    }
  }

  link(link: Link, now: Instant): void {
    const { rules, links, cache, reconciler, echoDiscovery, bareLinks } = this.parts
    const { ifindex, name } = link
    const before = links.get(ifindex)
    const isRenamed = before !== undefined && before.name !== name
    const wasUsable = before !== undefined && !isRenamed && this.#isUsable(before)
    links.set(link)
    bareLinks.link(link, now)
    if (isRenamed) {
      reconciler.leave(before)
      this.#forget(before)
    }
    if (before?.name !== name) rules.link(link)
    const isNamed = before?.name !== name
      && [before?.name, name].some((one) => one !== undefined && rules.config.options.subscription(one) !== undefined)
    if (before?.up !== link.up) for (const neighbor of cache.on(ifindex)) cache.mark(neighbor)
    this.#apply([link], isNamed ? 'wants' : 'links', now)
    if (this.#isUsable(link)) reconciler.use(link, now)
    if (!wasUsable && this.#isUsable(link)) this.usable(link, now)
    // An echo request from the new address may discover further hosts: those with addresses in the same prefix.
    else if (addsGlobal(before, link)) for (const other of links.values()) echoDiscovery.start(other.ifindex, now)
    if (isRenamed) this.#unfollow(before, now)
  }

  gone(ifindex: number, now: Instant): void {
    const { rules, links, announcer, snooping, routerDiscovery, detector, budget, silentLinks, bareLinks, firewall, nextHops } = this.parts
    const { subscriptions, reconciler, effects, downstreamProxies } = this.parts
    const link = links.get(ifindex)
    if (link === undefined) return
    links.delete(ifindex)
    reconciler.leave(link)
    const parts = [rules, announcer, routerDiscovery, snooping, detector, budget, silentLinks, bareLinks, firewall, nextHops, downstreamProxies]
    for (const part of [...parts, this.parts.routerAdvertiser]) part.gone(ifindex)
    if (subscriptions.gone(ifindex)) effects.events.push({ kind: 'link', iface: link.name, ifindex, state: 'gone' })
    this.#forget(link)
    this.#apply([], 'wants', now)
    this.#unfollow(link, now)
  }

  /**
   * @param isHost true: a `host` line names the address
   * @returns the rule by which the address may be learned on the link; undefined: none
   */
  ruleOf({ w0, w1, w2, w3 }: Address, ifindex: number, isHost = false, { rules }: { rules: Rules } = this.parts): ActiveRule | undefined {
    const { links } = this.parts
    const rule = rules.owning(ifindex, w0, w1, w2, w3)
    if (rule === undefined || rules.excluded(w0, w1, w2, w3) || links.isGatewayElsewhere(w0, w1, w2, w3, ifindex)) return undefined
    return rule.settings.learn || isHost ? rule : undefined
  }

  /**
   * Applies the consequences of a change. The order matters: `snooping` ends before subscriptions are cancelled, and entries are updated
   * before permanent groups are joined. The reconciler checks the marked entries after the step.
   * @param links the changed links, or all after a change of rules
   * @param change `links`: nothing but these links changed; `wants`: the wanted state of any entry may have changed; `rules`: the rules
   *   may have changed as well
   */
  #apply(links: readonly Link[], change: 'links' | 'wants' | 'rules', now: Instant): void {
    const { rules, snooping, routerDiscovery, subscriptions, groups, pinnedHosts, cache, echoDiscovery, ownerRoutes } = this.parts
    const { mirrors, routers } = rules.config.options.snooping
    routerDiscovery.configure(routers, now)
    snooping.configure(mirrors, now)
    for (const link of links) {
      subscriptions.update(link)
      groups.link(link.ifindex)
    }
    this.#filter()
    if (change === 'rules') this.#refit()
    if (change !== 'links') {
      pinnedHosts.update(change === 'rules', now)
      cache.markAll()
      ownerRoutes.linksChanged(now)
    }
    subscriptions.join(links)
    this.parts.routerAdvertiser.update(now)
    if (change === 'rules') for (const { ifindex } of this.parts.links.values()) echoDiscovery.start(ifindex, now)
  }

  /**
   * Removes owners that the rules do not allow or no longer pin. Removes entries without owner, because solicitations add them again. Prunes
   * subscriptions.
   */
  #refit(): void {
    const { rules, cache, owners, subscriptions } = this.parts
    const after = new Map([...cache.values()].map((neighbor) => [neighbor, this.#ruleUnder(neighbor, rules)]))
    for (const [neighbor, rule] of after) {
      if (rule === undefined) owners.remove(neighbor, 'configuration')
      else if (rule !== 'pinned') neighbor.rule = rule
    }
    subscriptions.prune(usedLinks(after))
  }

  /** @returns the rule of an entry under these rules; `pinned`: a `host` line pins the target; undefined: the entry is to be removed */
  #ruleUnder({ target, target: { w0, w1, w2, w3 }, isOwned, isPinned, ifindex }: Neighbor, rules: Rules): ActiveRule | 'pinned' | undefined {
    const { hosts } = rules.config
    if (hosts.isPinned(w0, w1, w2, w3)) return 'pinned'
    return isOwned && !isPinned ? this.ruleOf(target, ifindex, hosts.has(w0, w1, w2, w3), { rules }) : undefined
  }

  #filter(): void {
    const { rules, links, effects } = this.parts
    const filters = rules.filters(links)
    const before = this.#filters
    const isSame = filters.length === before.length && filters.every(({ ifindex, mac, noarp, prefixes, excluded }, i) =>
      ifindex === before[i].ifindex && mac === before[i].mac && noarp === before[i].noarp && prefixes === before[i].prefixes
        && excluded.length === before[i].excluded.length && excluded.every((prefix, n) => prefix.equals(before[i].excluded[n])))
    if (!isSame) effects.filters = this.#filters = filters
  }

  /** Handles a link that became usable: verifies its owners and discovers its hosts. */
  usable({ ifindex, name }: Link, now: Instant): void {
    const { goneHosts, learner, cache, resolution, reachability, owners, nextHops, echoDiscovery, routerAdvertiser } = this.parts
    nextHops.gone(ifindex)
    for (const target of goneHosts.take(name)) {
      const rule = this.ruleOf(target, ifindex)
      if (rule !== undefined) learner.seek(target, rule, ifindex, now)
    }
    for (const neighbor of cache.on(ifindex)) reachability.verify(neighbor, now, 'link up')
    resolution.catchUp(ifindex, now)
    // No host on this link could answer until now, so negative entries are removed: their hosts may be here.
    for (const neighbor of cache.capacity.failed) owners.remove(neighbor, 'link up')
    echoDiscovery.start(ifindex, now)
    routerAdvertiser.usable(ifindex, now)
  }

  /** @returns whether the link is up and has a usable address. When a link comes up, its addresses are tentative for the time of DAD */
  #isUsable(link: Link): boolean { return link.up && sourceAddress(link, 'link-local') !== undefined }

  #forget({ ifindex, name }: Link): void {
    const { cache, goneHosts, owners } = this.parts
    for (const neighbor of cache.on(ifindex)) {
      if (neighbor.isPinned) {
        neighbor.ifindex = 0
        neighbor.mac = undefined
        cache.mark(neighbor)
        continue
      }
      if (neighbor.work.nextHop === undefined) goneHosts.add(name, neighbor.target)
      owners.remove(neighbor, 'link gone')
    }
  }

  #unfollow({ name }: Link, now: Instant): void { if (this.#upstreamPrefixes.delete(name)) this.#follow(now) }

  #follow(now: Instant): void {
    const { rules, links } = this.parts
    rules.follow(this.#upstreamPrefixes.byName)
    this.#apply([...links.values()], 'rules', now)
  }
}

/** @returns the links where hosts of `auto` rules are: the rules need not name these links */
function usedLinks(hosts: ReadonlyMap<Neighbor, ActiveRule | 'pinned' | undefined>): ReadonlySet<number> {
  return new Set([...hosts].flatMap(([{ ifindex }, rule]) => rule !== undefined && rule !== 'pinned' && rule.kind === 'auto' ? [ifindex] : []))
}

function addsGlobal(before: Link | undefined, { addresses, name }: Link): boolean {
  const usable = ({ address, tentative }: Link['addresses'][number]): boolean => !address.isLinkLocal && !tentative
  return before !== undefined && name !== 'lo' && addresses.some((own) => usable(own)
    && !before.addresses.some((old) => usable(old) && old.address.equals(own.address)))
}
