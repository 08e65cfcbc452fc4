/**
 * The engine: inputs in, calls of the sink out, time as an argument. It joins the rules, the links, the neighbor cache,
 * the proxy and the learner, and keeps what follows from them as desired state: heard links, quiet rules, routes.
 */
import type { Address } from '../address.ts'
import type { Config } from '../config/config.ts'
import { NEIGHBOR_SOLICITATION } from '../wire/constants.ts'
import type { DropReason, NdiscView } from '../wire/ndisc.ts'
import { Learner } from './learner.ts'
import { Links } from './links.ts'
import { Neighbors } from './neighbors.ts'
import type { Neighbor } from './neighbor.ts'
import { Proxy } from './proxy.ts'
import { desiredRoute, plan, sameRoute } from './routes.ts'
import { isUpstream, Rules } from './rules.ts'
import type { ActiveRule } from './rules.ts'
import type { HostRoute, Input, Instant, Link, NeighborState, Random, Sink } from './types.ts'

/** What the engine knows, for status, explain and tests. */
export interface Snapshot {
  readonly neighbors: readonly {
    readonly target: string; readonly state: NeighborState; readonly iface: string | undefined
    readonly pinned: boolean; readonly routed: boolean
  }[]
}

/** Links that are gone and remembered for their hosts, at most. */
const LOST_LINKS = 64

export class Engine {
  readonly #random: Random
  readonly #sink: Sink
  readonly #links: Links
  readonly #neighbors: Neighbors
  readonly #proxy: Proxy
  readonly #learner: Learner
  #rules: Rules
  /** Links that the sink hears for us: the link as told, and whether promiscuous. */
  readonly #heard = new Map<number, { link: Link; promiscuous: boolean }>()
  /** Hosts of links that are gone, by the name of the link: asked again when it is back. */
  readonly #lost = new Map<string, readonly Address[]>()
  /** Routes of a former run were taken over, or given up. */
  #adopted = false

  constructor(config: Config, random: Random, sink: Sink) {
    this.#random = random
    this.#sink = sink
    this.#links = new Links(random)
    this.#rules = new Rules(config, random)
    this.#neighbors = new Neighbors(this.#links, sink, {
      owner: (neighbor) => this.#route(neighbor),
      answer: (neighbor, asker) => this.#proxy.answer(neighbor, asker),
    }, random)
    this.#proxy = new Proxy(this.#rules, this.#links, this.#neighbors, sink)
    this.#learner = new Learner(this.#rules, this.#links, this.#neighbors)
  }

  /** When `wake` has something to do next. */
  get deadline(): Instant | undefined {
    const a = this.#neighbors.deadline
    const b = this.#learner.deadline
    return a === undefined ? b : b === undefined || a < b ? a : b
  }

  wake(now: Instant): void {
    this.#neighbors.wake(now)
    this.#learner.wake(now)
  }

  /** A frame that came in on a link, with the verdict of its decoder. */
  packet(ifindex: number, view: NdiscView, drop: DropReason | undefined, now: Instant): void {
    const link = this.#links.get(ifindex)
    if (link === undefined) return
    if (drop !== undefined) {
      this.#sink.outcome(drop, ifindex, view)
    } else if (view.type === NEIGHBOR_SOLICITATION) {
      this.#sink.outcome(this.#proxy.solicitation(link, view, now), ifindex, view)
      this.#learner.hear(ifindex, view, now)
    } else {
      const outcome = this.#neighbors.advertisement(ifindex, view, now)
      this.#sink.outcome(outcome, ifindex, view)
      if (outcome === 'unsolicited') this.#learner.hear(ifindex, view, now)
    }
  }

  handle(input: Input, now: Instant): void {
    switch (input.kind) {
      case 'config': return this.#configure(input.config, now)
      case 'link': return this.#link(input.link, now)
      case 'link-gone': return this.#gone(input.ifindex)
      case 'route': return this.#lookedUp(input, now)
      case 'routes': return this.#present(input.present, now)
    }
  }

  /** Every name and pattern that the configuration mentions, and the upstreams among them. */
  get interfaces(): { names: readonly string[]; upstreams: readonly string[] } {
    return { names: this.#rules.names, upstreams: this.#rules.upstreams }
  }

  snapshot(): Snapshot {
    const neighbors = [...this.#neighbors.values()].sort((a, b) => a.target.compare(b.target))
    return {
      neighbors: neighbors.map(({ target, state, ifindex, pinned, route }) => ({
        target: target.toString(), state, iface: this.#links.get(ifindex)?.name,
        pinned: pinned !== undefined, routed: route !== undefined,
      })),
    }
  }

  #configure(config: Config, now: Instant): void {
    this.#rules = new Rules(config, this.#random)
    this.#proxy.rules = this.#rules
    this.#learner.rules = this.#rules
    for (const link of this.#links.values()) this.#rules.link(link)
    for (const link of this.#links.values()) this.#listen(link)
    this.#sink.quiet(this.#rules.quiet)
    // What was learned stays where it still fits; questions under way are asked again by those who ask.
    const pinned = new Set(this.#rules.pinned.map(({ host }) => host.address.toString()))
    for (const neighbor of [...this.#neighbors.values()]) {
      if (pinned.has(neighbor.target.toString())) continue
      const { target: { w0, w1, w2, w3 }, ifindex, isOwned } = neighbor
      const rule = this.#rules.owning(ifindex, w0, w1, w2, w3)
      const isWanted = rule !== undefined && (rule.settings.learn || this.#rules.isHost(w0, w1, w2, w3))
      if (neighbor.pinned !== undefined || !isOwned || !isWanted || this.#rules.excluded(w0, w1, w2, w3)) {
        this.#neighbors.remove(neighbor, 'configuration')
      } else {
        neighbor.rule = rule
        this.#route(neighbor)
      }
    }
    this.#pin(now)
  }

  #link(link: Link, now: Instant): void {
    const { ifindex, name } = link
    const before = this.#links.get(ifindex)
    this.#links.set(link)
    if (before !== undefined && before.name !== name) this.#forget(before)
    if (before?.name !== name) {
      this.#rules.link(link)
      this.#sink.quiet(this.#rules.quiet)
    }
    this.#listen(link)
    if (before?.name !== name) this.#pin(now)
    const isUpAgain = !this.#isUsable(before) && this.#isUsable(link)
    if (isUpAgain) this.#seek(link, now)
    for (const neighbor of [...this.#neighbors.values()]) {
      this.#route(neighbor)
      if (isUpAgain && neighbor.ifindex === ifindex) this.#neighbors.verify(neighbor, now, 'link up')
      // Nobody could have answered, so that failure says nothing.
      else if (isUpAgain && neighbor.state === 'FAILED') this.#neighbors.remove(neighbor, 'link up')
    }
  }

  /** Up, and with an address to ask from: after a while down that takes as long as its DAD. */
  #isUsable(link: Link | undefined): boolean {
    return link !== undefined && link.up && this.#links.source(link, 'link-local', undefined) !== undefined
  }

  /** A link is back, perhaps as another: its hosts may be, too. */
  #seek({ name, ifindex }: Link, now: Instant): void {
    const hosts = this.#lost.get(name) ?? []
    this.#lost.delete(name)
    for (const target of hosts) {
      const rule = this.#rules.owning(ifindex, target.w0, target.w1, target.w2, target.w3)
      if (!rule?.settings.learn || this.#neighbors.find(target)?.isOwned) continue
      this.#neighbors.ask(target, rule, [ifindex], false, undefined, now, 'link back')
    }
  }

  #gone(ifindex: number): void {
    const link = this.#links.get(ifindex)
    if (link === undefined) return
    this.#links.delete(ifindex)
    this.#rules.gone(ifindex)
    if (this.#heard.delete(ifindex)) {
      this.#sink.ignore(ifindex)
      this.#sink.event({ kind: 'link', iface: link.name, state: 'gone' })
      this.#sink.quiet(this.#rules.quiet)
    }
    this.#forget(link)
  }

  /** What is known about the hosts of a link does not hold any more. */
  #forget({ ifindex, name }: Link): void {
    const hosts: Address[] = []
    for (const neighbor of [...this.#neighbors.values()]) {
      if (neighbor.ifindex !== ifindex) continue
      if (neighbor.pinned === undefined) {
        hosts.push(neighbor.target)
        this.#neighbors.remove(neighbor, 'link gone')
      } else {
        neighbor.ifindex = 0
        neighbor.mac = undefined
        this.#route(neighbor)
      }
    }
    if (hosts.length === 0) return
    this.#lost.set(name, hosts)
    if (this.#lost.size > LOST_LINKS) this.#lost.delete(this.#lost.keys().next().value!)
  }

  #listen(link: Link): void {
    const { ifindex, name, up } = link
    const heard = this.#heard.get(ifindex)
    // Where a route led, it may lead again.
    const byRoute = heard !== undefined && this.#rules.hasAuto ? { promiscuous: false } : undefined
    const wanted = this.#rules.wants(name) ?? byRoute
    if (wanted === undefined) {
      if (heard !== undefined && this.#heard.delete(ifindex)) this.#sink.ignore(ifindex)
      return
    }
    if (heard?.link === link && heard.promiscuous === wanted.promiscuous) return
    this.#heard.set(ifindex, { link, promiscuous: wanted.promiscuous })
    this.#sink.listen(link, wanted.promiscuous)
    if (heard?.link.up !== up) this.#sink.event({ kind: 'link', iface: name, state: up ? 'up' : 'down' })
  }

  /** Tells pinned hosts where their links are. */
  #pin(now: Instant): void {
    const places = new Map<string, number[]>()
    for (const { host, rule } of this.#rules.pinned) {
      const key = `${rule.order} ${host.iface ?? ''}`
      let found = places.get(key)
      if (found === undefined) places.set(key, found = this.#places(host.iface, rule))
      const ifindex = found[0] ?? 0
      const known = this.#neighbors.find(host.address)
      if (known?.pinned === host && known.ifindex === ifindex) continue
      this.#neighbors.pin(host, rule, ifindex, now)
    }
  }

  /** The present links of a pinned host: the one it names, else all downstreams. */
  #places(iface: string | undefined, rule: ActiveRule): number[] {
    return rule.links.ifindexes.filter((ifindex) => {
      const link = this.#links.get(ifindex)
      return iface === undefined ? !isUpstream(rule, link) : link?.name === iface
    })
  }

  #lookedUp({ target, ifindex, local }: Extract<Input, { kind: 'route' }>, now: Instant): void {
    this.#proxy.route(target, local)
    const neighbor = this.#neighbors.find(target)
    if (neighbor === undefined || neighbor.state !== 'INCOMPLETE' || !neighbor.byRoute) return
    const link = ifindex === undefined ? undefined : this.#links.get(ifindex)
    // The way leads back to whoever asks there: that is no link to ask on.
    neighbor.askers = neighbor.askers.filter((asker) => asker.ifindex !== ifindex)
    if (link === undefined || link.name === 'lo' || neighbor.askers.length === 0) {
      if (neighbor.asking.length > 0) return
      // A lookup is cheap and routes come and go: the negative entry need not last.
      this.#neighbors.fail(neighbor, 'no route', now, neighbor.rule.settings.timeout)
      return
    }
    if (!this.#heard.has(link.ifindex)) {
      this.#heard.set(link.ifindex, { link, promiscuous: false })
      this.#sink.listen(link, false)
    }
    if (!neighbor.asking.includes(link.ifindex)) {
      neighbor.asking.push(link.ifindex)
      this.#sink.solicit(link.ifindex, target)
    }
  }

  #present(present: readonly HostRoute[], now: Instant): void {
    if (!this.#adopted) {
      this.#adopted = true
      for (const route of present) {
        const { target: { w0, w1, w2, w3 }, ifindex } = route
        const rule = this.#rules.owning(ifindex, w0, w1, w2, w3)
        if (!rule?.settings.routes || !rule.settings.learn || this.#rules.excluded(w0, w1, w2, w3)) continue
        this.#neighbors.restore(route, rule, now)
      }
    }
    const desired: HostRoute[] = []
    for (const neighbor of this.#neighbors.values()) {
      neighbor.route = desiredRoute(neighbor, this.#links)
      if (neighbor.route !== undefined) desired.push(neighbor.route)
    }
    for (const change of plan(desired, present)) this.#sink.route(change)
  }

  /** Brings the route of one neighbor to what it should be. */
  #route(neighbor: Neighbor): void {
    const before = neighbor.route
    const route = desiredRoute(neighbor, this.#links)
    if (sameRoute(before, route)) return
    neighbor.route = route
    // An added route takes the place of one elsewhere at once, so a move loses no packet.
    if (route !== undefined) this.#sink.route({ op: 'add', route })
    // On a link that lost its carrier it is still there.
    else if (before !== undefined && this.#links.get(before.ifindex) !== undefined) this.#sink.route({ op: 'delete', route: before })
  }
}
