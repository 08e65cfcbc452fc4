/**
 * Router Advertisements on the downstream links of subnets with `router-advertisements yes` (RFC 4861 6.2). Nothing is withdrawn at a stop,
 * because a restart must not cost the hosts their route.
 */
import { Address, type Mac } from '../../address.ts'
import {
  MAX_INITIAL_RTR_ADVERT_INTERVAL, MAX_INITIAL_RTR_ADVERTISEMENTS, MAX_RA_DELAY_TIME, MAX_RTR_ADV_INTERVAL, MIN_DELAY_BETWEEN_RAS,
  MIN_RTR_ADV_INTERVAL,
} from '../../wire/constants.ts'
import { multicastMac } from '../../wire/frame.ts'
import type { PrefixInformation, RouterAdvertisement, RouterMessage } from '../../wire/router-messages.ts'
import type { NeighborCache } from '../cache/neighbor-cache.ts'
import type { HostDiscovery } from '../learning/host-discovery.ts'
import { linkLocal } from '../links/source-address.ts'
import { type Context, TimedPart } from '../rules/context.ts'
import type { ActiveSubnet } from '../rules/rule.ts'
import { Batches } from '../tables/batches.ts'
import { earliest, type Timed } from '../tables/deadlines.ts'
import type { Input, Instant, SavedAdvertising } from '../types.ts'
import { AdvertisedPrefixes } from './advertised-prefixes.ts'
import { type OtherRouter, OtherRouters } from './other-routers.ts'

/** AdvDefaultLifetime: three times MaxRtrAdvInterval (RFC 4861 6.2.1), seconds. */
const ROUTER_LIFETIME = 1800
/** Least time between two multicasts, with a margin: a message may leave a little later than its step. Milliseconds. */
const MULTICAST_INTERVAL = MIN_DELAY_BETWEEN_RAS + 50
/** Milliseconds between two checks of a link without a usable address. */
const RETRY = 1000
/** A lifetime that grows or shrinks by this part of itself is advertised at once. */
const REFRESH = 0.1
/** The most unicast advertisements that wait. */
const UNICAST_LIMIT = 1024

/** A link to advertise on. Its deadline is the time of the next multicast advertisement. */
interface Advertiser extends Timed {
  readonly ifindex: number
  /** Number of multicast advertisements since the link became usable. */
  sent: number
  lastSent: Instant
  /** What was advertised last, also by unicast to known hosts, without lifetimes that count down; undefined: nothing. */
  said: string | undefined
  /** The prefixes that were advertised last, at `lastSent`. */
  prefixes: readonly PrefixInformation[]
  /** The link is no longer configured: one more advertisement ends the default route. */
  isEnding: boolean
}

/** What is advertised on a link at present. Lifetimes in seconds. */
export interface AdvertisedLink extends Pick<RouterAdvertisement, 'lifetime' | 'mtu' | 'prefixes' | 'servers' | 'domains'> {
  readonly ifindex: number
  /** Milliseconds since the last advertisement to all nodes; infinite before the first one. */
  readonly age: number
  readonly others: readonly OtherRouter[]
}

interface Unicast {
  readonly ifindex: number
  readonly destination: Address
  readonly to: Mac
}

/** What concerns Router Advertisements only. */
type RouterInput = Extract<Input, { kind: 'router-message' | 'saved-prefixes' | 'grants' | 'dns' | 'forwarding' }>

type AdvertiserParts = Context & { readonly cache: NeighborCache; readonly hostDiscovery: HostDiscovery }

export class RouterAdvertiser extends TimedPart<AdvertiserParts, Advertiser> {
  readonly #prefixes = new AdvertisedPrefixes()
  readonly #unicasts = new Batches<Unicast>()
  readonly #others = new OtherRouters(this.parts.effects)
  readonly #mtus = new Map<number, number>()
  /** Options for name resolution that upstreams advertise: by ifindex and kind. */
  readonly #dns = new Map<string, { readonly ifindex: number; readonly values: readonly string[]; readonly until: Instant }>()
  #forwards = false
  #hasDefaultRoute = false

  override get deadline(): Instant | undefined { return earliest(super.deadline, this.#unicasts.deadline) }
  get revision(): number { return this.#prefixes.revision }
  saved(now: Instant): SavedAdvertising { return this.#prefixes.saved(now) }

  * snapshot(now: Instant): Generator<AdvertisedLink> {
    for (const advertiser of this.records.values()) {
      const { ifindex, lastSent } = advertiser
      const { lifetime, mtu, prefixes, servers, domains } = this.#content(advertiser, now)
      yield { ifindex, lifetime, mtu, prefixes, servers, domains, age: now - lastSent, others: this.#others.on(ifindex, now) }
    }
  }

  /** Advertises on the links of the present configuration, and ends on the others. Advertises what has changed. */
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
      } else if (advertiser.said !== undefined) this.#compare(advertiser, now)
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
      case 'dns': {
        const { ifindex, option: { kind, values, lifetime } } = input
        this.#dns.set(`${kind} ${ifindex}`, { ifindex, values, until: now + 1000 * lifetime as Instant })
        break
      }
      case 'forwarding': this.#forwards = input.isEnabled
    }
    this.update(now)
  }

  defaultRoute(isPresent: boolean, now: Instant): void {
    this.#hasDefaultRoute = isPresent
    this.update(now)
  }

  /** Handles a link that became usable: hosts there may have no route, or may be others. */
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
    if (advertiser.isEnding && advertiser.said === undefined) return this.gone(advertiser.ifindex)
    if (!this.#send(advertiser, Address.allNodes, multicastMac(Address.allNodes.w3) as Mac, now)) {
      advertiser.sent = 0
      return this.deadlines.set(advertiser, now + RETRY as Instant)
    }
    if (advertiser.isEnding) {
      this.#prefixes.forget(this.parts.links.get(advertiser.ifindex)?.name ?? '')
      return super.gone(advertiser.ifindex)
    }
    this.deadlines.set(advertiser, Math.max(now + MULTICAST_INTERVAL, now + this.#interval(advertiser)) as Instant)
  }

  #received(ifindex: number, message: RouterMessage, now: Instant): void {
    const advertiser = this.records.get(ifindex)
    if (advertiser === undefined || advertiser.isEnding) return
    const { source, mac } = message
    if (message.kind === 'solicitation') {
      this.parts.hostDiscovery.expect(ifindex, now)
      if (source.isUnspecified) this.#soon(advertiser, now + MAX_RA_DELAY_TIME * this.parts.random() as Instant)
      else this.#unicast([{ ifindex, destination: source, to: mac ?? -1 as Mac }], now)
      return
    }
    const isForged = source.equals(linkLocal(this.parts.links, ifindex) ?? Address.unspecified)
    this.#others.heard(ifindex, { address: source, mac, lifetime: message.lifetime, isForged, at: now })
    if (isForged) this.#news(advertiser, now)
  }

  #start(ifindex: number, now: Instant): void {
    const advertiser: Advertiser = { ifindex, sent: 0, lastSent: -Infinity as Instant, said: undefined, prefixes: [], isEnding: false,
      deadline: now, place: -1 }
    this.records.set(ifindex, advertiser)
    this.deadlines.set(advertiser, now)
  }

  /** Milliseconds until the next advertisement, if nothing changes. */
  #interval({ sent, prefixes }: Advertiser): number {
    const { random } = this.parts
    const longest = sent < MAX_INITIAL_RTR_ADVERTISEMENTS ? MAX_INITIAL_RTR_ADVERT_INTERVAL : MAX_RTR_ADV_INTERVAL
    const shortest = sent < MAX_INITIAL_RTR_ADVERTISEMENTS ? longest / 2 : MIN_RTR_ADV_INTERVAL
    const lifetimes = prefixes.flatMap(({ valid, preferred }) => preferred > 0 ? [valid, preferred] : [])
    return Math.min(shortest + (longest - shortest) * random(), ...lifetimes.map((lifetime) => 1000 * lifetime / 3))
  }

  /** Advertises news by multicast at once; if a multicast was sent just before, by unicast to each known host as well. */
  #compare(advertiser: Advertiser, now: Instant): void {
    const { prefixes, text } = this.#content(advertiser, now)
    if (text !== advertiser.said) {
      advertiser.said = text
      return this.#news(advertiser, now)
    }
    const passed = (now - advertiser.lastSent) / 1000
    const isChanged = (lifetime: number, before = 0): boolean =>
      Math.abs(lifetime - before + passed) > REFRESH * Math.max(lifetime, before - passed)
    if (prefixes.some(({ prefix, valid, preferred }) => {
      const before = advertiser.prefixes.find((other) => other.prefix.equals(prefix))
      return preferred > 0 && (isChanged(valid, before?.valid) || isChanged(preferred, before?.preferred))
    })) this.#soon(advertiser, now)
  }

  #news(advertiser: Advertiser, now: Instant): void {
    this.#soon(advertiser, now)
    if (advertiser.deadline <= now) return
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
    const source = linkLocal(links, ifindex)
    if (link === undefined || source === undefined) return false
    const content = this.#content(advertiser, now)
    const { text, prefixes, ...rest } = content
    const message: RouterAdvertisement = { source, destination, to: link.mac === undefined ? -1 as Mac : to, prefixes, ...rest }
    effects.routerAdvertisements.push({ ifindex, message })
    this.#prefixes.advertised(link.name, prefixes, now)
    if (!destination.isMulticast) return true
    Object.assign(advertiser, { said: text, prefixes, lastSent: now, sent: advertiser.sent + 1 })
    return true
  }

  /** What an advertisement on the link says. `text` is the same as long as only lifetimes count down. */
  #content({ ifindex, isEnding }: Advertiser, now: Instant):
  Pick<RouterAdvertisement, 'lifetime' | 'mtu' | 'prefixes' | 'servers' | 'domains' | 'dnsLifetime'> & { text: string } {
    const { rules, links } = this.parts
    const name = links.get(ifindex)?.name ?? ''
    const subnets = isEnding ? [] : rules.config.subnets.filter(({ settings, links: all, upstreams }) =>
      settings.routerAdvertisements && all.ifindexes.includes(ifindex) && !upstreams.ifindexes.includes(ifindex))
    const prefixes = this.#prefixes.on(name, subnets, now)
    const isRouted = this.#forwards && (this.#hasDefaultRoute || subnets.some(({ settings }) => settings.defaultRoute === 'always'))
    const lifetime = isRouted && !isEnding ? ROUTER_LIFETIME : 0
    const mtus = [links.get(ifindex)?.mtu, ...subnets.flatMap(({ upstreams }) => upstreams.ifindexes.map((link) => this.#mtus.get(link)))]
      .filter((mtu) => mtu !== undefined)
    const mtu = mtus.length === 0 ? undefined : Math.min(...mtus)
    const servers = this.#resolvers(subnets, 'servers', now).flatMap((text) => Address.parse(text) ?? [])
    const domains = this.#resolvers(subnets, 'domains', now)
    const shape = prefixes.map(({ prefix, preferred }: PrefixInformation) => `${prefix}${preferred === 0 ? ' deprecated' : ''}`).sort()
    const text = [lifetime, mtu, ...shape, ...servers, ...domains].join()
    return { lifetime, mtu, prefixes, servers, domains, dnsLifetime: ROUTER_LIFETIME, text }
  }

  /** @returns the configured servers or domains, else those that the upstreams advertise */
  #resolvers(subnets: readonly ActiveSubnet[], kind: 'servers' | 'domains', now: Instant): readonly string[] {
    const found = subnets.flatMap(({ dns, search, upstreams }) => {
      const configured = kind === 'servers' ? dns?.map(String) : search
      return configured ?? upstreams.ifindexes.flatMap((link) => {
        const heard = this.#dns.get(`${kind} ${link}`)
        return heard !== undefined && heard.until > now ? heard.values : []
      })
    })
    return [...new Set(found)]
  }
}
