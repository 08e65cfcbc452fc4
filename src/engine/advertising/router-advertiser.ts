/**
 * Router Advertisements on the downstream links of subnets with `router-advertisements yes` (RFC 4861 6.2). A stop of the daemon withdraws
 * nothing, because hosts must keep their default route during a restart.
 */
import { Address, type Mac } from '../../address.ts'
import {
  MAX_INITIAL_RTR_ADVERT_INTERVAL, MAX_INITIAL_RTR_ADVERTISEMENTS, MAX_RA_DELAY_TIME, MIN_DELAY_BETWEEN_RAS,
} from '../../wire/constants.ts'
import { multicastMac } from '../../wire/frame.ts'
import { fitting, type RouterAdvertisement, type RouterMessage } from '../../wire/router-messages.ts'
import type { NeighborCache } from '../cache/neighbor-cache.ts'
import type { EchoDiscovery } from '../learning/echo-discovery.ts'
import { linkLocal } from '../links/source-address.ts'
import { type Context, TimedPart } from '../rules/context.ts'
import { Batches } from '../tables/batches.ts'
import { earliest, type Timed } from '../tables/deadlines.ts'
import type { Input, Instant, SavedAdvertising } from '../../engine-types.ts'
import { AdvertisedPrefixes } from './advertised-prefixes.ts'
import { haveChanged, lifetimesOf, ROUTER_LIFETIME } from './lifetimes.ts'
import { NameResolution } from './name-resolution.ts'
import { type OtherRouter, OtherRouters } from './other-routers.ts'

/** Minimum time between two multicasts, milliseconds, with a margin: a message may leave a little later than the step that makes it. */
const MULTICAST_INTERVAL = MIN_DELAY_BETWEEN_RAS + 50
/** RFC 4861 6.2.1: defaults of MaxRtrAdvInterval and MinRtrAdvInterval, milliseconds. The second is rounded up from 198 s. */
const MAX_RTR_ADV_INTERVAL = 600_000, MIN_RTR_ADV_INTERVAL = 200_000
/** Milliseconds until the next attempt to advertise on a link without a usable address. */
const RETRY = 1000
/** UNICAST_LIMIT: the most unicast advertisements in the queue. UNICAST_BATCH: the most that are sent in one millisecond. */
const UNICAST_LIMIT = 1024, UNICAST_BATCH = 24
/**
 * The most rounds of unicasts to all known hosts between two multicasts. Without this limit, forged upstream messages could cause any number
 * of rounds.
 */
const ROUND_LIMIT = 8

/** A link to advertise on. Its deadline is the time of the next multicast advertisement. */
interface Advertiser extends Timed {
  readonly ifindex: number
  /** Number of multicast advertisements since the link became usable or the content last changed. */
  sent: number
  lastSent: Instant
  /** `text` (see `#content`) of the last multicast, or of the next one if a change is scheduled. Undefined before the first multicast. */
  lastText: string | undefined
  /** Lifetimes of the last multicast advertisement, which was sent at `lastSent`; without DNS lifetimes that equal DNS_LIFETIME. */
  lifetimes: ReadonlyMap<string, number>
  /** Number of rounds of unicasts to all known hosts since the last multicast. */
  rounds: number
  /** The configuration no longer advertises on this link: a final advertisement withdraws the default route. */
  isEnding: boolean
}

/** What is advertised on a link. If `source` is undefined, the link has no usable address, so nothing is sent. Lifetimes in seconds. */
export interface AdvertisedLink extends Pick<RouterAdvertisement, 'lifetime' | 'mtu' | 'prefixes'> {
  readonly ifindex: number
  readonly source: Address | undefined
  readonly servers: readonly string[]
  readonly domains: readonly string[]
  /** Milliseconds since the last advertisement to all nodes; infinite before the first one. */
  readonly age: number
  readonly others: readonly OtherRouter[]
}

interface Unicast { readonly ifindex: number; readonly destination: Address; readonly to: Mac }

/** Inputs that concern Router Advertisements only. */
type RouterInput = Extract<Input, { kind: 'router-message' | 'saved-prefixes' | 'grants' | 'dns' | 'forwarding' }>

type AdvertiserParts = Context & { readonly cache: NeighborCache; readonly echoDiscovery: EchoDiscovery }

export class RouterAdvertiser extends TimedPart<AdvertiserParts, Advertiser> {
  readonly #prefixes = new AdvertisedPrefixes()
  readonly #unicasts = new Batches<Unicast>(UNICAST_BATCH)
  readonly #others = new OtherRouters(this.parts.effects)
  readonly #mtus = new Map<number, number>()
  readonly #dns = new NameResolution()
  #forwards = false
  #hasDefaultRoute = false

  override get deadline(): Instant | undefined { return earliest(super.deadline, this.#unicasts.deadline) }
  get revision(): number { return this.#prefixes.revision }
  saved(now: Instant): SavedAdvertising { return this.#prefixes.saved(now) }

  * snapshot(now: Instant): Generator<AdvertisedLink> {
    for (const advertiser of [...this.records.values()].filter(({ isEnding }) => !isEnding)) {
      const { ifindex, lastSent } = advertiser
      const { source, lifetime, mtu, prefixes, dns } = this.#content(advertiser, now)
      const [servers, domains] = ['servers', 'domains'].map((wanted) => dns.filter(({ kind }) => kind === wanted)
        .flatMap((option) => option.lifetime > 0 ? option.values : []))
      yield { ifindex, source, lifetime, mtu, prefixes, servers, domains, age: now - lastSent, others: this.#others.on(ifindex, now) }
    }
  }

  /** Starts advertising on newly configured links, ends it on links no longer configured, and advertises changes on other links. */
  update(now: Instant): void {
    const { rules } = this.parts
    const wanted = new Set(rules.config.subnets.filter(({ settings }) => settings.routerAdvertisements)
      .flatMap(({ links, upstreams }) => links.ifindexes.filter((link) => !upstreams.ifindexes.includes(link))))
    for (const ifindex of wanted) {
      const advertiser = this.records.get(ifindex)
      if (advertiser !== undefined) advertiser.isEnding = false
      else this.#start(ifindex, now)
    }
    for (const advertiser of this.records.values()) {
      if (!wanted.has(advertiser.ifindex) && !advertiser.isEnding) {
        advertiser.isEnding = true
        this.#soon(advertiser, now)
      } else if (advertiser.lastText !== undefined) this.#compare(advertiser, now)
    }
  }

  input(input: RouterInput, now: Instant): void {
    switch (input.kind) {
      case 'router-message': return this.#received(input.ifindex, input.message, now)
      case 'saved-prefixes': return this.#prefixes.restore(input.prefixes, now)
      case 'grants':
        this.#prefixes.grant(input.ifindex, input.grants, now)
        if (input.mtu === undefined) this.#mtus.delete(input.ifindex)
        else this.#mtus.set(input.ifindex, input.mtu)
        break
      case 'dns':
        this.#dns.received(input.ifindex, input.option, now)
        break
      case 'forwarding': this.#forwards = input.isEnabled
    }
    this.update(now)
  }

  defaultRoute(isPresent: boolean, now: Instant): void {
    this.#hasDefaultRoute = isPresent
    this.update(now)
  }

  /** Handles a link that became usable: the hosts there may have lost their route, or may be new ones. */
  usable(ifindex: number, now: Instant): void {
    const advertiser = this.records.get(ifindex)
    if (advertiser === undefined) return
    advertiser.sent = 0
    this.#soon(advertiser, now)
  }

  override gone(ifindex: number): void {
    super.gone(ifindex)
    this.#prefixes.gone(ifindex)
    this.#mtus.delete(ifindex)
    this.#dns.gone(ifindex)
    this.#others.gone(ifindex)
  }

  override wake(now: Instant): void {
    super.wake(now)
    for (const { ifindex, destination, to } of this.#unicasts.take(now)) {
      const advertiser = this.records.get(ifindex)
      if (advertiser !== undefined) this.#send(advertiser, destination, to, now)
    }
  }

  protected override due(advertiser: Advertiser, now: Instant): void {
    if (advertiser.isEnding && advertiser.lastText === undefined) return this.#end(advertiser)
    if (!this.#send(advertiser, Address.allNodes, multicastMac(Address.allNodes.w3) as Mac, now)) {
      advertiser.sent = 0
      return this.deadlines.set(advertiser, now + RETRY as Instant)
    }
    if (advertiser.isEnding) {
      this.#prefixes.forget(this.parts.links.get(advertiser.ifindex)?.name ?? '')
      // The record ends only after the minimum interval. So the interval is kept even if the configuration advertises here again soon.
      Object.assign(advertiser, { sent: 0, lastText: undefined })
      return this.deadlines.set(advertiser, now + MULTICAST_INTERVAL as Instant)
    }
    advertiser.rounds = 0
    this.deadlines.set(advertiser, Math.max(now + MULTICAST_INTERVAL, now + this.#interval(advertiser)) as Instant)
  }

  /** Ends advertising on a link. Keeps the lifetimes, MTU and DNS options that its routers advertise: the link may be an upstream by now. */
  #end({ ifindex }: Advertiser): void {
    super.gone(ifindex)
    this.#others.gone(ifindex)
    this.#dns.forget(ifindex)
  }

  #received(ifindex: number, message: RouterMessage, now: Instant): void {
    const advertiser = this.records.get(ifindex)
    if (advertiser === undefined || advertiser.isEnding) return
    const { source, mac } = message
    if (message.kind === 'solicitation') {
      this.parts.echoDiscovery.expect(ifindex, now)
      if (source.isUnspecified) this.#soon(advertiser, now + MAX_RA_DELAY_TIME * this.parts.random() as Instant)
      else this.#unicast([{ ifindex, destination: source, to: mac ?? -1 as Mac }], now)
      return
    }
    const isForged = source.equals(linkLocal(this.parts.links, ifindex) ?? Address.unspecified)
    this.#others.received(ifindex, { address: source, mac, lifetime: message.lifetime, isForged, at: now })
    // A forged advertisement is corrected by multicast only: unicasts to all hosts would turn a flood of forgeries into a larger one.
    if (isForged) this.#soon(advertiser, now)
  }

  #start(ifindex: number, now: Instant): void {
    const advertiser: Advertiser = { ifindex, sent: 0, lastSent: -Infinity as Instant, lastText: undefined, lifetimes: new Map(), rounds: 0,
      isEnding: false, deadline: now, place: -1 }
    this.records.set(ifindex, advertiser)
    this.deadlines.set(advertiser, now)
  }

  /** Milliseconds until the next advertisement, if nothing changes. */
  #interval({ sent, lifetimes }: Advertiser): number {
    const { random } = this.parts
    const longest = sent < MAX_INITIAL_RTR_ADVERTISEMENTS ? MAX_INITIAL_RTR_ADVERT_INTERVAL : MAX_RTR_ADV_INTERVAL
    const shortest = sent < MAX_INITIAL_RTR_ADVERTISEMENTS ? longest / 2 : MIN_RTR_ADV_INTERVAL
    return Math.min(shortest + (longest - shortest) * random(), ...[...lifetimes.values()].map((lifetime) => 1000 * lifetime / 3))
  }

  #compare(advertiser: Advertiser, now: Instant): void {
    const content = this.#content(advertiser, now)
    if (content.source === undefined) return
    if (content.text !== advertiser.lastText) {
      advertiser.lastText = content.text
      return this.#changed(advertiser, now)
    }
    if (haveChanged(lifetimesOf(content), advertiser.lifetimes, (now - advertiser.lastSent) / 1000)) this.#soon(advertiser, now)
  }

  /**
   * Advertises a change by multicast. If this multicast has to wait for the minimum interval, each known host also gets a unicast at once.
   * The multicast is repeated soon, as after a start, because hosts may miss one (RFC 4861 6.2.4).
   */
  #changed(advertiser: Advertiser, now: Instant): void {
    advertiser.sent = 0
    this.#soon(advertiser, now)
    if (advertiser.deadline <= now || advertiser.rounds++ >= ROUND_LIMIT) return
    const { ifindex } = advertiser
    const hosts = new Map<Mac, Unicast>()
    for (const { isOwned, mac, target } of this.parts.cache.on(ifindex)) {
      if (isOwned && mac !== undefined && !hosts.has(mac)) hosts.set(mac, { ifindex, destination: target, to: mac })
    }
    this.#unicast(hosts.values(), now)
  }

  #unicast(messages: Iterable<Unicast>, now: Instant): void {
    const free = UNICAST_LIMIT - this.#unicasts.size
    this.#unicasts.add([...messages].slice(0, free), now)
  }

  /** Schedules a multicast at this time, or as soon as it is allowed (RFC 4861 6.2.6). */
  #soon(advertiser: Advertiser, at: Instant): void {
    const allowed = Math.max(at, advertiser.lastSent + MULTICAST_INTERVAL) as Instant
    if (advertiser.place === -1 || allowed < advertiser.deadline) this.deadlines.set(advertiser, allowed)
  }

  /** @returns false: the link has no usable address */
  #send(advertiser: Advertiser, destination: Address, to: Mac, now: Instant): boolean {
    const { links, effects } = this.parts
    const { ifindex } = advertiser
    const link = links.get(ifindex)
    const content = this.#content(advertiser, now)
    const { text, source, prefixes, ...rest } = content
    if (link === undefined || source === undefined) return false
    const message: RouterAdvertisement = { source, destination, to: link.mac === undefined ? -1 as Mac : to, prefixes, ...rest }
    effects.routerAdvertisements.push({ ifindex, message })
    this.#prefixes.advertised(link.name, prefixes, now)
    this.#dns.advertised(ifindex, rest.dns, now)
    if (destination.isMulticast) Object.assign(advertiser, { lastText: text, lifetimes: lifetimesOf(content), lastSent: now, sent: advertiser.sent + 1 })
    return true
  }

  /**
   * @returns the content for a link. A change of `text` is advertised at once. `text` has no lifetimes and no withdrawn
   * values, but the source, which hosts use as their default router. `source` is undefined while the link has no usable address.
   */
  #content({ ifindex, isEnding }: Advertiser, now: Instant):
  Pick<RouterAdvertisement, 'lifetime' | 'mtu' | 'prefixes' | 'dns'> & { readonly text: string; readonly source: Address | undefined } {
    const { rules, links } = this.parts
    const [link, source] = [links.get(ifindex), linkLocal(links, ifindex)]
    const subnets = isEnding ? [] : rules.config.subnets.filter(({ settings, links: all, upstreams }) =>
      settings.routerAdvertisements && all.ifindexes.includes(ifindex) && !upstreams.ifindexes.includes(ifindex))
    const { prefixes, dns } = fitting({ prefixes: this.#prefixes.on(link?.name ?? '', subnets, now), dns: this.#dns.on(ifindex, subnets, now) })
    const isRouted = this.#forwards && (this.#hasDefaultRoute || subnets.some(({ settings }) => settings.defaultRoute === 'always'))
    const lifetime = isRouted && !isEnding ? ROUTER_LIFETIME : 0
    const mtus = [link?.mtu, ...subnets.flatMap(({ upstreams }) => upstreams.ifindexes.map((link) => this.#mtus.get(link)))]
      .filter((mtu) => mtu !== undefined)
    const mtu = mtus.length === 0 ? undefined : Math.min(...mtus)
    const shape = prefixes.filter(({ preferred }) => preferred > 0).map(({ prefix }) => `${prefix}`).sort()
    const names = dns.filter((option) => option.lifetime > 0).flatMap(({ values }) => values).sort()
    const text = [source, lifetime, mtu, ...shape, ...names].join()
    return { lifetime, mtu, prefixes, dns, text, source }
  }
}
