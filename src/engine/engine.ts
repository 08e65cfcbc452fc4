/**
 * The engine: inputs in, calls of the sink out, time as an argument. It joins the rules, the links, the neighbor cache,
 * the proxy, the learner and what follows from them: heard links, groups, quiet rules, routes, announcements.
 */
import type { Address, Prefix } from '../address.ts'
import type { Config } from '../config/config.ts'
import { NEIGHBOR_SOLICITATION } from '../wire/constants.ts'
import type { DropReason, NdiscView } from '../wire/ndisc.ts'
import { AbsentHosts } from './absent-hosts.ts'
import { Announcer } from './announcer.ts'
import { earliest } from './deadlines.ts'
import { Deafness } from './deafness.ts'
import { Groups } from './groups.ts'
import { Hearings } from './hearings.ts'
import { describe } from './known.ts'
import type { KnownNeighbor } from './known.ts'
import { Learner } from './learner.ts'
import { Links } from './links.ts'
import { Moves } from './moves.ts'
import { Neighbors } from './neighbors.ts'
import { Owners } from './owners.ts'
import { Placement } from './placement.ts'
import { Proxy } from './proxy.ts'
import { Recall } from './recall.ts'
import { remembered } from './remembered.ts'
import { plan } from './routes.ts'
import { isUpstream, Rules } from './rules.ts'
import type { ActiveRule } from './rules.ts'
import { Snooping } from './snooping.ts'
import type {
  HostRoute, Input, Instant, KernelNeighbor, Limit, Link, Random, SavedHost, Sink,
} from './types.ts'

/** Prefixes of one upstream that `subnet auto` follows: anybody there can advertise more (RFC 4861 6.3.4). */
const PREFIX_LIMIT = 64

/** What the engine knows, for status, explain and tests. */
export interface Snapshot {
  readonly neighbors: readonly KnownNeighbor[]
  /** Everything that has room for so many. */
  readonly limits: readonly Limit[]
}

export class Engine {
  readonly #random: Random
  readonly #sink: Sink
  readonly #links: Links
  readonly #groups: Groups
  readonly #neighbors: Neighbors
  readonly #proxy: Proxy
  readonly #learner: Learner
  readonly #placement: Placement
  readonly #owners: Owners
  readonly #moves: Moves
  readonly #announcer: Announcer
  readonly #hearings: Hearings
  readonly #snooping: Snooping
  readonly #deafness: Deafness
  readonly #recall: Recall
  /** All that have something to do at some time. */
  readonly #timed: readonly { readonly deadline: Instant | undefined; wake(now: Instant): void }[]
  #rules: Rules
  /** On-link prefixes of the upstreams that `subnet auto` follows, by the name of the link. */
  readonly #onLink = new Map<string, readonly Prefix[]>()
  readonly #absent: AbsentHosts

  constructor(config: Config, random: Random, sink: Sink) {
    this.#random = random
    this.#sink = sink
    this.#links = new Links(random)
    this.#absent = new AbsentHosts(sink)
    this.#rules = new Rules(config, random, this.#onLink)
    this.#groups = new Groups(this.#links, sink, random)
    this.#announcer = new Announcer(this.#links, sink, random)
    this.#owners = new Owners(this.#rules, this.#links, this.#groups, this.#announcer, sink)
    this.#moves = new Moves(this.#rules, this.#links, this.#announcer)
    this.#neighbors = new Neighbors(this.#links, sink, {
      owner: (neighbor, now) => {
        this.#owners.update(neighbor, now)
        this.#moves.update(neighbor, now)
      },
      answer: (neighbor, asker) => this.#proxy.answer(neighbor, asker),
    }, random)
    this.#proxy = new Proxy(this.#rules, this.#links, this.#neighbors, sink)
    this.#learner = new Learner(this.#rules, this.#links, this.#neighbors, sink)
    this.#placement = new Placement(this.#rules, this.#links, this.#neighbors, this.#owners)
    this.#hearings = new Hearings(this.#rules, this.#links, this.#groups, sink)
    this.#snooping = new Snooping(this.#links, this.#groups, sink, random)
    this.#deafness = new Deafness(this.#links, sink)
    this.#recall = new Recall({ links: this.#links, neighbors: this.#neighbors, owners: this.#owners, hearings: this.#hearings,
      absent: this.#absent, ruleOf: (target, ifindex) => this.#adoptingRule(target, ifindex) })
    const { alive, unknown } = this.#neighbors.budget.pace
    this.#timed = [this.#neighbors, alive, unknown, this.#learner, this.#announcer, this.#snooping, this.#groups, this.#deafness]
  }

  /** When `wake` has something to do next. */
  get deadline(): Instant | undefined {
    let first: Instant | undefined
    for (const { deadline } of this.#timed) first = earliest(first, deadline)
    return first
  }

  wake(now: Instant): void {
    for (const timed of this.#timed) timed.wake(now)
  }

  /** A frame that came in on a link, with the verdict of its decoder. */
  packet(ifindex: number, view: NdiscView, drop: DropReason | undefined, now: Instant): void {
    const link = this.#links.get(ifindex)
    if (link === undefined) return
    if (drop !== undefined) {
      this.#sink.outcome(drop, ifindex, view)
    } else if (view.type === NEIGHBOR_SOLICITATION) {
      if (!view.unicastToTarget) this.#deafness.heard(ifindex, now)
      this.#sink.outcome(this.#proxy.solicitation(link, view, now), ifindex, view)
      this.#learner.hear(ifindex, view, now)
    } else {
      const outcome = this.#neighbors.advertisement(ifindex, view, now)
      const isConflict = outcome === 'unsolicited' && this.#learner.hear(ifindex, view, now)
      this.#sink.outcome(isConflict ? 'conflict' : outcome, ifindex, view)
    }
  }

  handle(input: Input, now: Instant): void {
    switch (input.kind) {
      case 'config': return this.#configure(input.config, now)
      case 'link': return this.#link(input.link, now)
      case 'link-gone': return this.#gone(input.ifindex, now)
      case 'link-replugged': return this.#groups.replugged(input.ifindex)
      case 'route': return this.#lookedUp(input, now)
      case 'routes': return this.#present(input.present, now)
      case 'neighbor': return this.#kernel(input.neighbor, now)
      case 'station': return this.#learner.station(input.ifindex, input.mac, input.present, now)
      case 'echo': return this.#learner.echo(input.ifindex, input.source, input.mac, now)
      case 'local-solicitation': {
        const link = this.#links.get(input.ifindex)
        return link && this.#proxy.local(link, input.target, now)
      }
      case 'prefixes': return this.#renumber(input.ifindex, input.prefixes, now)
      case 'report': return this.#snooping.report(input.ifindex, input.joined, input.left, now)
      case 'query': return this.#asked(input, now)
      case 'router-solicitation': return this.#snooping.solicited(input.ifindex, now)
      case 'memory': return this.#recall.remember(input.hosts, now)
    }
  }

  /** Takes leave of those who rely on us, before the end. */
  stop(): void {
    this.#snooping.stop()
    this.#groups.stop()
  }

  /** Every name and pattern that the configuration mentions, and the upstreams among them. */
  get interfaces(): { names: readonly string[]; upstreams: readonly string[] } {
    return { names: this.#rules.names, upstreams: this.#rules.upstreams }
  }

  /** Grows whenever `memory` would say something else. */
  get revision(): number { return this.#neighbors.revision }

  /** What is worth knowing after a restart: the learned owners. May be read bit by bit while things change. */
  get memory(): Iterable<SavedHost> { return remembered(this.#neighbors, this.#links) }

  /** @param now without it budgets are shown as if nothing of them were in use */
  snapshot(now = Number.POSITIVE_INFINITY as Instant): Snapshot {
    const neighbors = [...this.#neighbors.values()].sort((a, b) => a.target.compare(b.target))
    return { neighbors: neighbors.map((neighbor) => describe(neighbor, this.#links)), limits: this.limits(now) }
  }

  /** In no order. May be read bit by bit while things change. */
  * known(): Generator<KnownNeighbor> { for (const neighbor of this.#neighbors.values()) yield describe(neighbor, this.#links) }

  /** Everything that has room for so many. */
  limits(now: Instant): Limit[] {
    return [
      ...this.#neighbors.limits(this.#rules.limit),
      ...this.#neighbors.budget.limits(now, (ifindex) => this.#links.get(ifindex)?.name ?? `link ${ifindex}`),
      ...[this.#proxy, this.#learner, this.#announcer, this.#snooping, this.#absent, this.#hearings, this.#groups].flatMap(({ limits }) => limits),
      { name: 'prefixes of one upstream, at most', used: [...this.#onLink.values()].reduce((most, { length }) => Math.max(most, length), 0),
        size: PREFIX_LIMIT },
    ]
  }

  #configure(config: Config, now: Instant): void {
    this.#rules = new Rules(config, this.#random, this.#onLink)
    this.#neighbors.budget.reconfigure()
    for (const part of [this.#proxy, this.#learner, this.#owners, this.#moves, this.#hearings]) part.rules = this.#rules
    for (const link of this.#links.values()) this.#rules.link(link)
    this.#apply(now)
  }

  /** After a change of the rules. */
  #apply(now: Instant): void {
    // Before links are heard otherwise, or not at all: the others on it are told.
    this.#snoop(now)
    for (const link of this.#links.values()) this.#hearings.update(link)
    this.#sink.quiet(this.#rules.quiet(this.#links))
    // What was learned stays where it still fits; questions under way are asked again by those who ask.
    for (const neighbor of this.#neighbors.values()) {
      const { target, target: { w0, w1, w2, w3 }, isOwned, router, home, ifindex } = neighbor
      if (this.#rules.isPinned(w0, w1, w2, w3)) continue
      const stays = !neighbor.isPinned && (isOwned || router)
      const rule = stays ? this.#adoptingRule(target, isOwned ? ifindex : home, this.#rules.isHost(w0, w1, w2, w3)) : undefined
      if (rule === undefined) {
        this.#neighbors.remove(neighbor, 'configuration', now)
      } else {
        neighbor.rule = rule
        this.#owners.update(neighbor, now)
      }
    }
    this.#placement.rules = this.#rules
    this.#placement.update(now)
    this.#hearings.join()
    for (const { ifindex } of this.#links.values()) this.#learner.discover(ifindex, now)
  }

  /** The rule by which an address may be learned on a link. @param isHost it stands in the file */
  #adoptingRule(target: Address, ifindex: number, isHost = false): ActiveRule | undefined {
    const { w0, w1, w2, w3 } = target
    const rule = this.#rules.owning(ifindex, w0, w1, w2, w3)
    if (rule === undefined || this.#rules.excluded(w0, w1, w2, w3)) return undefined
    return rule.settings.learn || isHost ? rule : undefined
  }

  /** The on-link prefixes of a link, which `subnet auto` follows. */
  #renumber(ifindex: number, prefixes: readonly Prefix[], now: Instant): void {
    const name = this.#links.get(ifindex)?.name
    if (name === undefined) return
    const before = this.#onLink.get(name) ?? []
    if (prefixes.length > PREFIX_LIMIT) {
      this.#sink.event({ kind: 'limit', limit: 'prefixes', size: PREFIX_LIMIT, ifindex })
      // First come, first served.
      const isOld = (prefix: Prefix): boolean => before.some((old) => old.equals(prefix))
      prefixes = [...prefixes.filter(isOld), ...prefixes.filter((prefix) => !isOld(prefix))].slice(0, PREFIX_LIMIT)
    }
    if (String(prefixes) === String(before)) return
    this.#onLink.set(name, prefixes)
    this.#follow(now)
  }

  #link(link: Link, now: Instant): void {
    const { ifindex, name, mac } = link
    const before = this.#links.get(ifindex)
    const isCoverageChanged = this.#links.set(link)
    if (before !== undefined && before.name !== name) this.#forget(before, now)
    if (before?.name !== name) this.#rules.link(link)
    if (before?.name !== name || before.mac !== mac) this.#sink.quiet(this.#rules.quiet(this.#links))
    this.#snoop(now)
    this.#hearings.update(link)
    this.#groups.link(ifindex)
    // What follows from an owner depends on its own link, on the names of all links, and on their prefixes.
    const isNews = before?.name !== name && [before?.name, name].some((one) => one !== undefined && this.#rules.wants(one) !== undefined)
    const all = isNews || isCoverageChanged
    const some = all ? this.#neighbors.values() : before?.up !== link.up ? this.#neighbors.on(ifindex) : []
    for (const neighbor of some) this.#owners.update(neighbor, now)
    if (isNews) this.#placement.update(now)
    // Under another name it is another link.
    const isUpAgain = this.#isUsable(link) && (!this.#isUsable(before) || before?.name !== name)
    if (isUpAgain) this.#seek(link, now)
    const isOther = before?.mac !== undefined && mac !== undefined && before.mac !== mac
    if (isOther) for (const neighbor of this.#neighbors.values()) this.#owners.renumber(neighbor, ifindex, now)
    if (isUpAgain) {
      for (const neighbor of this.#neighbors.on(ifindex)) this.#neighbors.verify(neighbor, now, 'link up')
      // Nobody could have answered, so that failure says nothing.
      for (const neighbor of this.#neighbors.failed) this.#neighbors.remove(neighbor, 'link up', now)
    }
    this.#hearings.join()
    if (isUpAgain) this.#learner.discover(ifindex, now)
    // Hosts show themselves to an address of ours that is like theirs: perhaps to the one that is new.
    else if (addsGlobal(before, link)) for (const other of this.#links.values()) this.#learner.discover(other.ifindex, now)
    if (before !== undefined && before.name !== name) this.#unfollow(before, now)
  }

  /** Up, and with an address to ask from: after a while down that takes as long as its DAD. */
  #isUsable(link: Link | undefined): boolean {
    return link !== undefined && link.up && this.#links.source(link, 'link-local', undefined) !== undefined
  }

  #snoop(now: Instant): void {
    const { mirrors, routers } = this.#rules.snooping
    this.#snooping.configure(mirrors, routers, now)
  }

  #asked({ ifindex, query }: Extract<Input, { kind: 'query' }>, now: Instant): void {
    this.#groups.query(ifindex, query, now)
    // Who asks us alone does not do a querier's work.
    if (query.toAll && query.groups === undefined) this.#snooping.query(ifindex, query.source, now)
  }

  /** A link is back, perhaps as another: its hosts may be, too. */
  #seek({ name, ifindex }: Link, now: Instant): void {
    for (const target of this.#absent.take(name)) {
      const rule = this.#adoptingRule(target, ifindex)
      if (rule === undefined || this.#neighbors.find(target)?.isOwned) continue
      this.#neighbors.ask({ target, rule, links: [ifindex], lane: 'alive', from: ifindex, reason: 'link back' }, now)
    }
  }

  #gone(ifindex: number, now: Instant): void {
    const link = this.#links.get(ifindex)
    if (link === undefined) return
    this.#links.delete(ifindex)
    this.#rules.gone(ifindex)
    this.#announcer.gone(ifindex)
    this.#snooping.gone(ifindex)
    this.#deafness.gone(ifindex)
    this.#neighbors.budget.gone(ifindex)
    if (this.#hearings.gone(ifindex)) {
      this.#sink.event({ kind: 'link', iface: link.name, state: 'gone' })
      this.#sink.quiet(this.#rules.quiet(this.#links))
    }
    this.#forget(link, now)
    this.#placement.update(now)
    for (const neighbor of this.#neighbors.values()) this.#owners.update(neighbor, now)
    this.#hearings.join()
    this.#snoop(now)
    this.#unfollow(link, now)
  }

  /** No link has this name any more: its prefixes went with it. */
  #unfollow({ name }: Link, now: Instant): void {
    if (this.#onLink.delete(name)) this.#follow(now)
  }

  #follow(now: Instant): void {
    this.#rules.follow(this.#onLink)
    this.#apply(now)
  }

  /** What is known about the hosts of a link does not hold any more. */
  #forget({ ifindex, name }: Link, now: Instant): void {
    for (const neighbor of this.#neighbors.on(ifindex)) {
      if (!neighbor.isPinned) {
        this.#absent.add(name, neighbor.target)
        // A router's address stays its own.
        if (neighbor.router) this.#neighbors.fail(neighbor, 'link gone', now)
        else this.#neighbors.remove(neighbor, 'link gone', now)
      } else {
        neighbor.ifindex = 0
        neighbor.mac = undefined
        this.#owners.update(neighbor, now)
      }
    }
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
    if (!this.#hearings.has(link.ifindex)) this.#hearings.update(link, true)
    const isAsked = this.#neighbors.widen(neighbor, link.ifindex, now)
    if (!isAsked && neighbor.asking.length === 0) this.#neighbors.remove(neighbor, 'limit', now)
  }

  #present(present: readonly HostRoute[], now: Instant): void {
    this.#recall.adopt(present, now)
    const changes = plan(this.#neighbors.values(), (target) => this.#neighbors.find(target), present)
    for (const change of changes) this.#sink.route(change)
  }

  #kernel(known: KernelNeighbor, now: Instant): void {
    const { target, ifindex, mac, state, router } = known
    if (target.isLinkLocal) {
      this.#announcer.router(ifindex, target, router && state !== 'failed')
      return
    }
    this.#learner.kernel(known, now)
    const neighbor = this.#neighbors.find(target)
    if (state === 'failed' || mac === undefined || neighbor?.isOwned !== true || neighbor.ifindex !== ifindex) return
    if (isUpstream(neighbor.rule, this.#links.get(ifindex))) this.#announcer.router(ifindex, target, router)
    else if (state === 'probing') for (const link of neighbor.joined) this.#deafness.traffic(link, now)
  }
}

function addsGlobal(before: Link | undefined, { addresses, name }: Link): boolean {
  const usable = ({ address, tentative }: Link['addresses'][number]): boolean => !address.isLinkLocal && !tentative
  return before !== undefined && name !== 'lo' && addresses.some((own) => usable(own)
    && !before.addresses.some((old) => usable(old) && old.address.equals(own.address)))
}
