/** Decides which links to listen on and which groups to join permanently: for /128 rules, `host` lines and own addresses on other links. */
import { Address } from '../../address.ts'
import { type Context, Part } from '../rules/context.ts'
import { PLAIN } from '../rules/link-options.ts'
import type { Rules } from '../rules/rules.ts'
import type { Link, Listening, Subscription } from '../../engine-types.ts'
import type { Limit } from '../../events.ts'
import type { Groups } from './groups.ts'
import { suffixOf } from './mld-listener.ts'

/** The most links with a packet ring. A ring takes 4 MiB. */
const RING_LIMIT = 8
/** The most links to receive from. Each has sockets and buffers of its own. */
export const LINK_LIMIT = 4096
const NO_GROUPS: ReadonlySet<number> = new Set()

/** What happens to the sockets of a link when the configuration changes. */
export interface LinkPreview {
  readonly iface: string
  readonly sockets: 'kept' | 'replaced' | 'opened' | 'closed'
}

/** Properties of a subscription that its sockets depend on. */
const OF_SOCKETS = ['promiscuous', 'ring', 'reports', 'routerSolicitations', 'routerMessages'] as const satisfies readonly (keyof Subscription)[]

export type GroupParts = Context & { readonly groups: Groups }

export class Subscriptions extends Part<GroupParts> {
  readonly #listening = new Map<number, Listening>()
  /** Links with a packet ring. */
  readonly #rings = new Set<number>()
  /** Permanent groups of each link, by their last 24 bits. */
  readonly #joined = new Map<number, ReadonlySet<number>>()
  /** Addresses of this machine at the last `join`. */
  #own: readonly { readonly address: Address; readonly home: number }[] = []

  get limits(): Limit[] { return [{ name: 'links to receive from', used: this.#listening.size, size: LINK_LIMIT }] }
  has(ifindex: number): boolean { return this.#listening.has(ifindex) }

  /**
   * Subscribes to a link, changes its subscription or cancels it.
   * @param byRoute true: a route leads to the link, so no rule has to name it
   */
  update(link: Link, byRoute = false): void {
    const { rules, groups, effects } = this.parts
    const { ifindex, name, up } = link
    const before = this.#listening.get(ifindex)
    // While rules with `auto` exist, a subscription is kept even if no route leads to the link now: a later route may lead there.
    const subscription = this.#wanted(link, rules, byRoute || (before !== undefined && rules.hasAuto))
    if (subscription === undefined) {
      if (before !== undefined) this.#stop(ifindex)
      return
    }
    if (before?.link === link && isSame(before.subscription, subscription)) return
    if (before === undefined && this.#listening.size >= LINK_LIMIT) {
      effects.events.push({ kind: 'limit', limit: 'links', size: LINK_LIMIT, ifindex })
      return
    }
    const listening = { link, subscription }
    this.#listening.set(ifindex, listening)
    if (subscription.ring) this.#rings.add(ifindex)
    else this.#rings.delete(ifindex)
    effects.listening.set(ifindex, listening)
    if (before === undefined) groups.listening(ifindex)
    if (before?.link.up !== up) effects.events.push({ kind: 'link', iface: name, ifindex, state: up ? 'up' : 'down' })
  }

  /**
   * Cancels the subscriptions to links that no rule names, except links in `used`.
   * @param used the links that hosts of `auto` rules are on
   */
  prune(used: ReadonlySet<number>): void {
    const { rules } = this.parts
    for (const [ifindex, { link }] of this.#listening) if (this.#wanted(link, rules, used.has(ifindex)) === undefined) this.#stop(ifindex)
  }

  /**
   * @param used as for {@link prune}
   * @returns what these rules would do to the sockets of each link that has or gets a subscription
   */
  preview(rules: Rules, used: ReadonlySet<number>): LinkPreview[] {
    return [...this.parts.links.values()].flatMap((link) => {
      const [before, after] = [this.#listening.get(link.ifindex)?.subscription, this.#wanted(link, rules, used.has(link.ifindex))]
      if (before === undefined && after === undefined) return []
      const sockets = before === undefined ? 'opened' : after === undefined ? 'closed'
        : OF_SOCKETS.every((key) => before[key] === after[key]) ? 'kept' : 'replaced'
      return [{ iface: link.name, sockets }]
    })
  }

  /**
   * @param isNeeded true: subscribe even if the rules do not name the link
   * @returns the subscription under these rules; undefined: none
   */
  #wanted({ ifindex, name }: Link, rules: Rules, isNeeded: boolean): Subscription | undefined {
    const wanted = rules.config.options.subscription(name) ?? (isNeeded ? PLAIN : undefined)
    return wanted && { ...wanted, ring: wanted.ring && (this.#rings.has(ifindex) || this.#rings.size < RING_LIMIT) }
  }

  /** Cancels the subscription to a link that was removed. @returns whether there was one */
  gone(ifindex: number): boolean {
    const isSubscribed = this.has(ifindex)
    if (isSubscribed) this.#stop(ifindex)
    return isSubscribed
  }

  /**
   * Updates the permanent groups after a change of the rules, the links or their addresses.
   * @param changed the changed links, by default all. Groups of other links change only if addresses of this machine changed
   */
  join(changed: readonly Link[] = [...this.parts.links.values()]): void {
    const { rules, links } = this.parts
    const own = [...links.values()].flatMap(({ ifindex, name, addresses }) => name === 'lo' ? []
      : addresses.filter(({ address }) => !address.isLinkLocal).map(({ address }) => ({ address, home: ifindex })))
    const before = this.#own
    const isSame = own.length === before.length
      && own.every(({ address, home }, i) => address === before[i].address && home === before[i].home)
    this.#own = own
    for (const [ifindex, { link, link: { name } }] of this.#listening) {
      if (isSame && this.#joined.has(ifindex) && !changed.includes(link)) continue
      const suffixes = new Set<number>()
      for (const address of rules.fixedGroups(name)) suffixes.add(suffixOf(address))
      for (const { address, address: { w0, w1, w2, w3 }, home } of own) {
        if (home !== ifindex && rules.match(ifindex, w0, w1, w2, w3).length > 0) suffixes.add(suffixOf(address))
      }
      this.#replace(ifindex, suffixes)
    }
  }

  #replace(ifindex: number, after: ReadonlySet<number>): void {
    const before = this.#joined.get(ifindex) ?? NO_GROUPS
    this.#joined.set(ifindex, after)
    for (const suffix of after) if (!before.has(suffix)) this.parts.groups.add(ifindex, withSuffix(suffix))
    for (const suffix of before) if (!after.has(suffix)) this.parts.groups.remove(ifindex, withSuffix(suffix))
  }

  #stop(ifindex: number): void {
    this.#listening.delete(ifindex)
    this.#rings.delete(ifindex)
    this.parts.groups.gone(ifindex)
    this.#replace(ifindex, NO_GROUPS)
    this.#joined.delete(ifindex)
    this.parts.effects.listening.set(ifindex, undefined)
  }
}

function isSame(a: Subscription, b: Subscription): boolean {
  return (Object.keys(a) as (keyof Subscription)[]).every((key) => a[key] === b[key])
}

function withSuffix(suffix: number): Address { return new Address(0, 0, 0, suffix) }
