/**
 * Reports that the kernel or another program changed a route or a routing rule that may concern the configured prefixes (rtnetlink(7)).
 * A socket filter drops changes of other routes: routing daemons make thousands.
 */
import { Address, Prefix } from '../address.ts'
import type { Message } from '../wire/netlink.ts'
import { decodeRoute, type ForeignRoute, foreignRouteFilter, RTM_NEWRULE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV6_RULE, WORD_LIMIT } from '../wire/rtroute.ts'
import { unlessBusy } from './errors.ts'
import { native } from './native.ts'
import { EventSocket, type EventListener, type OpenNetlink } from './netlink.ts'
import { NETLINK_ROUTE, type Rtnetlink } from './rtnetlink.ts'

/** Milliseconds for which changes are collected. */
const DELAY = 100
/** The most changes that are reported separately. */
const CHANGE_LIMIT = 64

/** Called with the prefix of a changed route; undefined: any route may have changed. */
export type RouteChanged = (prefix: Prefix | undefined) => void

export class ForeignRouteWatcher implements EventListener {
  readonly #changed: RouteChanged
  readonly #kernel: Rtnetlink
  readonly #open: OpenNetlink
  #events: EventSocket | undefined
  #words = ''
  #prefixes: readonly Prefix[] = []
  /** Prefixes to be reported, by their text. The value undefined stands for any prefix. */
  readonly #changes = new Map<string, Prefix | undefined>()
  #timer: NodeJS.Timeout | undefined
  /** Routes that discard packets; undefined until they are needed, and after a report or a change of the watched prefixes. */
  #discarding: readonly ForeignRoute[] | undefined

  constructor(changed: RouteChanged, kernel: Rtnetlink, open: OpenNetlink = native.openNetlink) {
    this.#changed = changed
    this.#kernel = kernel
    this.#open = open
  }

  /** Watches these prefixes and no others. @param lists the lists of prefixes, which may repeat prefixes. @throws OsError */
  follow(lists: readonly Iterable<Prefix>[]): void {
    // Hundreds of links may share the same prefix objects. Repeated objects are removed first, so fewer prefixes are formatted.
    const distinct = new Set<Prefix>()
    for (const list of lists) for (const prefix of list) distinct.add(prefix)
    this.#prefixes = [...new Map([...distinct].map((prefix) => [prefix.toString(), prefix])).values()]
    const [words, halves] = [wordsOf(this.#prefixes), halvesOf(this.#prefixes)]
    const text = `${words} ${halves}`
    if (text === this.#words && this.#events !== undefined) return
    this.#words = text
    this.#discarding = undefined
    const former = this.#events
    this.#events = new EventSocket(this.#open, NETLINK_ROUTE, [RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV6_RULE], this, foreignRouteFilter(words, halves))
    former?.drain()
    former?.close()
  }

  /**
   * The routes that discard packets and whose prefix is part of a watched prefix. Dumps the routes when they are needed, and keeps them
   * until the next report or change of the watched prefixes.
   */
  get discarding(): readonly ForeignRoute[] {
    return this.#discarding ??= this.#present()?.filter(({ isDiscarding }) => isDiscarding) ?? []
  }

  /** Reports each route of another program or of the kernel as changed, if its prefix is part of a watched prefix. */
  reportPresent(): void { for (const { prefix } of this.#present() ?? []) this.#add(prefix) }

  message(message: Message): void {
    if (message.type >= RTM_NEWRULE) return this.#add(undefined)
    if (this.#isFull) return
    const route = decodeRoute(message)
    if (route === undefined) return
    const prefix = new Prefix(route.destination ?? Address.unspecified, route.length)
    if (this.#prefixes.some((other) => other.contains(prefix.address) || prefix.contains(other.address))) this.#add(prefix)
  }

  settled(): void {}
  overrun(): void { this.#add(undefined) }

  close(): void {
    clearTimeout(this.#timer)
    this.#events?.close()
  }

  /** Whether there are so many changes that all routes will be reported as changed. Further changes need not be decoded then. */
  get #isFull(): boolean { return this.#changes.size > CHANGE_LIMIT }

  /** @returns the foreign routes in the watched prefixes; undefined if the kernel is too busy: all routes are then reported as changed */
  #present(): ForeignRoute[] | undefined {
    const routes = unlessBusy(() => this.#kernel.routesWithin(this.#prefixes))
    if (routes === undefined) this.#add(undefined)
    return routes
  }

  #add(prefix: Prefix | undefined): void {
    if (prefix !== undefined && this.#isFull) return
    this.#changes.set(String(prefix), prefix)
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#discarding = undefined
      const prefixes = [...this.#changes.values()]
      this.#changes.clear()
      for (const each of prefixes.length > CHANGE_LIMIT || prefixes.includes(undefined) ? [undefined] : prefixes) this.#changed(each)
    }, DELAY)
  }
}

/**
 * @returns the first 32 bits of each prefix. A prefix shorter than 32 bits may need too many words. With such a prefix, returns more
 * than WORD_LIMIT arbitrary words, so that the filter passes all routes
 */
function wordsOf(prefixes: readonly Prefix[]): number[] {
  const isShort = prefixes.some(({ length }) => length < 32)
  return isShort ? Array.from({ length: WORD_LIMIT + 1 }, (_, i) => i) : [...new Set(prefixes.map(({ address }) => address.w0 >>> 0))].sort()
}

/** @returns bits 33 to 48 of each prefix; no bits if a prefix is shorter than 48 bits, so that the filter ignores bits 33 to 48 */
function halvesOf(prefixes: readonly Prefix[]): number[] {
  return prefixes.some(({ length }) => length < 48) ? [] : [...new Set(prefixes.map(({ address }) => address.w1 >>> 16))].sort()
}
