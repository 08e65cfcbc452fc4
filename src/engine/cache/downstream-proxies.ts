/**
 * Tests other proxies on downstream links. Their advertisements have O=0 (RFC 4861 7.2.8).
 *
 * - A proxy behind this machine answers for hosts that only the proxy reaches. Its answers prove owners.
 * - A proxy beside this machine is on the same links. It answers downstream for hosts upstream, perhaps for a host that is gone. If these
 *   answers counted, each of the two machines would take the answers of the other machine as proof. Both machines would then send the
 *   packets for the gone host to each other.
 *
 * The test solicits the proxy for the host that it answered for, and for an address that is certainly upstream. A proxy beside this machine
 * answers for both. All messages of a test go to the proxy alone, so other hosts cannot take part.
 */
import type { Address, Mac } from '../../address.ts'
import type { Limit } from '../../events.ts'
import type { NdiscView } from '../../wire/ndisc-decode.ts'
import { Part } from '../rules/context.ts'
import type { ActiveRule } from '../rules/rule.ts'
import { Deadlines, type Timed } from '../tables/deadlines.ts'
import type { Instant } from '../../engine-types.ts'
import type { Neighbor } from './neighbor.ts'
import type { CacheParts, Owners } from './owners.ts'
import type { Prober } from './prober.ts'

/** The most proxies that are kept. At this number, a new proxy replaces the oldest one that is not being tested. */
const PROXY_LIMIT = 64
/**
 * Solicitations for each of the two addresses in one test. On a link that loses a fifth of all frames, a solicitation or its answer is lost
 * with probability 1 - 0.8^2 = 0.36. This happens in all twelve rounds with probability 0.36^12, once in 200 000 tests.
 */
const ROUNDS = 12
/** Milliseconds between two rounds. */
const ROUND_INTERVAL = 50
/**
 * A proxy counts as behind this machine only with this many answers for the host. With fewer answers, the link loses too many frames or
 * the proxy is gone, so the silence about the address upstream proves nothing.
 */
const MIN_ANSWERS = 3
/** Answers count until this many milliseconds after the start of a test. */
const LATE = 5000
/** Milliseconds from the start of a proxy's test until its next test may start, at first and after a changed result. */
const MIN_INTERVAL = 5000
/** Each test that confirms the previous result doubles the interval of MIN_INTERVAL, up to this many milliseconds. */
const MAX_INTERVAL = 300_000
/** A result holds for this many milliseconds after the start of its test. */
const LIFETIME = 600_000

interface Proxy extends Timed {
  readonly ifindex: number
  readonly mac: Mac
  isBehind: boolean
  /** The host that the proxy answered for. */
  target: Address | undefined
  /** An address that is certainly upstream. Undefined: none is known, or the proxy answered for this address. */
  upstream: Address | undefined
  rounds: number
  answers: number
  startedAt: Instant
  interval: number
}

type DownstreamProxiesParts = CacheParts & { readonly owners: Owners; readonly prober: Prober }

export class DownstreamProxies extends Part<DownstreamProxiesParts> {
  readonly #proxies = new Map<string, Proxy>()
  readonly #tests = new Deadlines<Proxy>()

  get limits(): Limit[] { return [{ name: 'other proxies on downstream links', used: this.#proxies.size, size: PROXY_LIMIT }] }
  get deadline(): Instant | undefined { return this.#tests.next }

  /** @returns whether the answers of this proxy prove owners */
  isBehind(ifindex: number, mac: Mac, now: Instant): boolean {
    const proxy = this.#proxies.get(keyOf(ifindex, mac))
    return proxy !== undefined && proxy.isBehind && now - proxy.startedAt < LIFETIME
  }

  /**
   * Handles an answer of another proxy. Starts a test if no test is under way and the previous test was long enough ago.
   * @param neighbor the entry that the proxy answered for
   * @returns the end of the present test; undefined: no test is under way
   */
  answered(neighbor: Neighbor, ifindex: number, mac: Mac, now: Instant): Instant | undefined {
    const proxy = this.#proxies.get(keyOf(ifindex, mac)) ?? this.#add(ifindex, mac)
    if (proxy === undefined) return undefined
    if (proxy.place < 0 && now - proxy.startedAt >= proxy.interval) this.#start(proxy, neighbor, now)
    return proxy.place < 0 ? undefined : proxy.startedAt + ROUNDS * ROUND_INTERVAL as Instant
  }

  /** Counts a solicited NA as an answer to a test, unless the NA names another link-layer address than that of its sender. */
  advertisement(ifindex: number, view: NdiscView, now: Instant): void {
    if (this.#proxies.size === 0 || !view.solicited || view.lladdr !== view.sourceMac) return
    const proxy = this.#proxies.get(keyOf(ifindex, view.sourceMac))
    if (proxy === undefined || now - proxy.startedAt > LATE) return
    if (isFor(view, proxy.upstream)) {
      proxy.upstream = undefined
      this.#conclude(proxy, false, now)
    } else if (!view.override && isFor(view, proxy.target)) {
      proxy.answers++
    }
  }

  wake(now: Instant): void {
    for (let proxy = this.#tests.due(now); proxy !== undefined; proxy = this.#tests.due(now)) {
      // If the link is down, or no rule covers the target there any more, the test ends without a result.
      if (!this.#isServed(proxy)) continue
      if (proxy.rounds < ROUNDS) this.#solicit(proxy, now)
      else this.#conclude(proxy, proxy.answers >= MIN_ANSWERS, now)
    }
  }

  gone(ifindex: number): void {
    for (const [key, proxy] of this.#proxies) {
      if (proxy.ifindex !== ifindex) continue
      this.#tests.remove(proxy)
      this.#proxies.delete(key)
    }
  }

  #isServed({ ifindex, target }: Proxy): boolean {
    const { links, rules } = this.parts
    return target !== undefined && links.up(ifindex) && rules.owning(ifindex, target.w0, target.w1, target.w2, target.w3) !== undefined
  }

  #add(ifindex: number, mac: Mac): Proxy | undefined {
    if (this.#proxies.size >= PROXY_LIMIT) {
      const oldest = [...this.#proxies].find(([, { place }]) => place < 0)
      if (oldest === undefined) return undefined
      this.#proxies.delete(oldest[0])
    }
    const proxy: Proxy = { ifindex, mac, isBehind: false, target: undefined, upstream: undefined, rounds: 0, answers: 0,
      startedAt: Number.NEGATIVE_INFINITY as Instant, interval: MIN_INTERVAL, deadline: 0 as Instant, place: -1 }
    this.#proxies.set(keyOf(ifindex, mac), proxy)
    return proxy
  }

  #start(proxy: Proxy, { target, rule }: Neighbor, now: Instant): void {
    proxy.upstream = this.#upstreamAddress(rule)
    proxy.target = target
    proxy.rounds = 0
    proxy.answers = 0
    proxy.startedAt = now
    if (proxy.upstream === undefined) this.#conclude(proxy, false, now)
    else this.#solicit(proxy, now)
  }

  #solicit(proxy: Proxy, now: Instant): void {
    const { ifindex, mac, target, upstream } = proxy
    proxy.rounds++
    for (const address of [upstream!, target!]) this.parts.prober.solicitHost(ifindex, mac, address)
    this.#tests.set(proxy, now + ROUND_INTERVAL as Instant)
  }

  #conclude(proxy: Proxy, isBehind: boolean, now: Instant): void {
    const { cache, owners } = this.parts
    const { ifindex, mac, isBehind: wasBehind } = proxy
    this.#tests.remove(proxy)
    proxy.interval = isBehind === wasBehind ? Math.min(2 * proxy.interval, MAX_INTERVAL) : MIN_INTERVAL
    proxy.isBehind = isBehind
    if (isBehind || !wasBehind) return
    for (const neighbor of cache.capacity.of(mac)) {
      if (neighbor.isBehindProxy && neighbor.ifindex === ifindex) owners.fail(neighbor, 'no answer', now)
    }
  }

  /**
   * @returns an address that is on the upstream; undefined: none is known. Learned owners are the last choice: the proxy may not know them,
   * or may have lost them to a downstream host
   */
  #upstreamAddress(rule: ActiveRule): Address | undefined {
    const { rules, links, cache } = this.parts
    const prefix = rule.subnet?.active.find((active) => active.rule === rule)?.prefix
    const upstreams = rules.upstreamsOf(rule)
    const isUsable = (address: Address): boolean => {
      const { w0, w1, w2, w3 } = address
      return prefix?.contains(address) === true && !rules.excluded(w0, w1, w2, w3)
    }
    const owners = upstreams.flatMap((ifindex) => [...cache.on(ifindex)])
      .filter((owner) => owner.rule === rule && owner.isOwned && !owner.isOverridable)
    const gateways = links.gateways.filter(({ ifindex }) => upstreams.includes(ifindex)).map(({ address }) => address)
    const own = upstreams.flatMap((ifindex) => links.get(ifindex)?.addresses ?? []).filter(({ tentative }) => !tentative)
    const pinned = owners.filter(({ isPinned }) => isPinned)
    return [...pinned.map(({ target }) => target), ...gateways, ...own.map(({ address }) => address), ...owners.map(({ target }) => target)]
      .find(isUsable)
  }
}

function keyOf(ifindex: number, mac: Mac): string { return `${ifindex} ${mac}` }

function isFor({ t0, t1, t2, t3 }: NdiscView, address: Address | undefined): boolean {
  return address !== undefined && t3 === address.w3 && t2 === address.w2 && t1 === address.w1 && t0 === address.w0
}
