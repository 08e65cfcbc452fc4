/**
 * The composition root: joins the engine with the clock, chance, the sockets and the kernel. All of its work happens in
 * turns: inputs go to the engine, then what it asked for is carried out: routes, advertisements, each after its own route, timer.
 */
import type { Logger } from 'pino'
import type { Address } from './address.ts'
import type { Config } from './config/config.ts'
import { Engine } from './engine/engine.ts'
import type { Snapshot } from './engine/engine.ts'
import type { KnownNeighbor } from './engine/known.ts'
import type {
  Advertisement, Event, Hearing, Input, Instant, Limit, Link, LinkUsage, Outcome, PacketBatch, QuietRule, RouteChange, Sink, UnicastProbe,
} from './engine/types.ts'
import { Withheld } from './engine/withheld.ts'
import { claim } from './linux/claim.ts'
import { verdict } from './linux/errors.ts'
import type { OsError } from './linux/errors.ts'
import { forward, warnWithoutForwarding } from './linux/forwarding.ts'
import { linkLimits, LinkSockets } from './linux/link-sockets.ts'
import { LinkWatcher } from './linux/links.ts'
import type { NativeSocket } from './linux/native.ts'
import { KERNEL_LIMIT, NeighborWatcher } from './linux/neighbors.ts'
import { Netfilter } from './linux/netfilter.ts'
import { PrefixWatcher } from './linux/prefixes.ts'
import { HostRoutes, QUEUE_LIMIT, RouteWatcher } from './linux/routes.ts'
import { Rtnetlink } from './linux/rtnetlink.ts'
import type { Lookup } from './linux/rtnetlink.ts'
import { EventLog } from './log.ts'
import { Memory } from './memory.ts'
import { Counters } from './metrics.ts'
import type { MulticastMessage } from './wire/mld.ts'
import type { NdiscView } from './wire/ndisc.ts'

/** Milliseconds: between summaries in the log, between writes of the state file, and until routes are compared again after an error. */
const LOG_INTERVAL = 5000
const MEMORY_INTERVAL = 30_000
const COMPARE_RETRY = 100
/** Kinds of trouble with links that were said; when there are more, they are said again. */
const TROUBLE_LIMIT = 256
/** What a lookup finds when there is nothing. */
const NO_WAY: Lookup = { ifindex: undefined, local: false }
/** The longest wait of a timer. */
const TIMER_MAX = 2 ** 31 - 1

export interface Usage {
  readonly links: readonly LinkUsage[]
  readonly limits: readonly Limit[]
}

export class Daemon implements Sink {
  readonly #log: Logger
  readonly #claim: NativeSocket
  readonly #events: EventLog
  readonly #counters = new Counters()
  readonly #kernel: Rtnetlink
  readonly #routes: HostRoutes
  readonly #netfilter: Netfilter
  readonly #watcher: LinkWatcher
  readonly #neighborWatcher: NeighborWatcher
  readonly #prefixWatcher: PrefixWatcher
  readonly #memory: Memory | undefined
  readonly #engine: Engine
  readonly #heard = new Map<number, LinkSockets>()
  /** Links with queued messages. */
  readonly #unflushed = new Set<LinkSockets>()
  /** Links whose on-link prefixes are to be told; undefined when the watcher knows them. */
  readonly #followed = new Set<number>()
  #isFollowing = true
  /** What the memory holds, by the engine's revision, and since when. */
  #remembered = 0
  #rememberedAt = Number.NEGATIVE_INFINITY
  /** What is needed of the configuration after the engine took it in: the rest may be large. */
  #machine: Pick<Config, 'forwarding' | 'grace'>
  #routeWatcher: RouteWatcher | undefined
  /** The engine knows the kernel's routes: from then on it says what is to be changed. */
  #isCompared = false
  #now: Instant
  #lookups: Address[] = []
  readonly #routeChanges: RouteChange[] = []
  readonly #withheld = new Withheld(Math.random)
  #ticker: NodeJS.Timeout | undefined
  #timer: NodeJS.Timeout | undefined
  #timerAt = Number.POSITIVE_INFINITY
  /** What was said of each link, by its name and error code. */
  readonly #linkTrouble = new Set<string>()
  #compareTimer: NodeJS.Timeout | undefined

  /** Opens no link yet. Throws an OsError or AlreadyRunning. @param state where to keep what is known across restarts */
  constructor(config: Config, log: Logger, { state }: { state?: string | undefined } = {}) {
    this.#claim = claim()
    this.#machine = { forwarding: config.forwarding, grace: config.grace }
    this.#log = log
    this.#now = clock()
    this.#events = new EventLog(log, (ifindex) => this.#nameOf(ifindex))
    this.#kernel = new Rtnetlink()
    this.#routes = new HostRoutes(this.#kernel, {
      done: (changes) => this.#release(this.#withheld.made(changes)),
      failed: ({ change: { op, route }, error }) => this.#routeFailed(op, route.target, error),
      overrun: () => {
        this.#release(this.#withheld.release())
        this.event({ kind: 'limit', limit: 'routes', size: QUEUE_LIMIT })
        this.#compareRoutes()
      },
    })
    this.#netfilter = new Netfilter(log, (ifindex, target) => this.#input({ kind: 'local-solicitation', ifindex, target }))
    this.#engine = new Engine(config, Math.random, this)
    this.#watcher = new LinkWatcher({
      link: (link) => this.#input({ kind: 'link', link }),
      gone: (ifindex) => this.#input({ kind: 'link-gone', ifindex }),
      replugged: (ifindex) => this.#input({ kind: 'link-replugged', ifindex }),
    }, this.#kernel)
    this.#neighborWatcher = new NeighborWatcher({
      neighbor: (neighbor) => {
        this.#input({ kind: 'neighbor', neighbor })
        this.#netfilter.neighbor(neighbor)
      },
      station: (ifindex, mac, present) => this.#input({ kind: 'station', ifindex, mac, present }),
      full: () => this.event({ kind: 'limit', limit: 'known', size: KERNEL_LIMIT }),
    }, this.#kernel)
    this.#prefixWatcher = new PrefixWatcher((ifindex, prefixes) => this.#input({ kind: 'prefixes', ifindex, prefixes }), this.#kernel)
    this.#memory = state === undefined ? undefined : new Memory(state, (message, err) => log.warn({ event: 'memory', err }, message))
  }

  /** Serves soon, and at the latest when it resolves. Rejects with an OsError. */
  async start(): Promise<void> {
    this.#watcher.start()
    this.#prepare()
    if (this.#memory !== undefined) this.#input({ kind: 'memory', hosts: this.#memory.read() })
    this.#routeWatcher = new RouteWatcher(this.#kernel, () => this.#compareRoutes())
    const present = this.#routes.present()
    this.#isCompared = true
    this.#input({ kind: 'routes', present })
    this.#neighborWatcher.start()
    this.#ticker = setInterval(() => this.#tick(clock()), LOG_INTERVAL)
    await this.#routes.adopt(present)
    if (present.length > 0) this.#compareRoutes() // some may have moved, or expired, before it was their turn
  }

  /** Leaves nothing behind but routes that expire after `grace`. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer)
    clearTimeout(this.#compareTimer)
    clearInterval(this.#ticker)
    this.#routeWatcher?.close()
    this.#watcher.close()
    this.#neighborWatcher.close()
    this.#prefixWatcher.close()
    this.#memory?.write(this.#engine.memory)
    this.#engine.stop()
    for (const link of this.#heard.values()) link.close()
    this.#heard.clear()
    this.#netfilter.close()
    await this.#routes.leave(this.#machine.grace)
    this.#kernel.close()
    this.#claim.close()
  }

  /** Applies another configuration; keeps what was learned and still fits. */
  reload(config: Config): void {
    this.#machine = { forwarding: config.forwarding, grace: config.grace }
    this.#input({ kind: 'config', config })
    this.#prepare()
  }

  get counters(): Readonly<Record<Outcome, number>> { return this.#counters.values }

  /** May be read bit by bit while things change. */
  get neighbors(): Iterable<KnownNeighbor> { return this.#engine.known() }

  /** All neighbors at once, which may take a while, and what is in use. */
  snapshot(): Snapshot & Usage { return { ...this.#engine.snapshot(clock()), ...this.usage } }

  get usage(): Usage {
    const links = [...this.#heard.values()].map(({ usage }) => usage)
    const parts = [this.#routes, this.#withheld, this.#neighborWatcher, this.#events, this.#memory].flatMap((part) => part?.limits ?? [])
    return { links, limits: [...this.#engine.limits(clock()), ...linkLimits(links), ...parts,
      { name: 'kinds of trouble with links', used: this.#linkTrouble.size, size: TROUBLE_LIMIT }] }
  }

  // --- Sink ---

  listen(link: Link, hearing: Hearing): void {
    const { ifindex, name } = link
    const heard = this.#heard.get(ifindex)
    if (hearing.prefixes !== this.#followed.has(ifindex)) {
      if (hearing.prefixes) this.#followed.add(ifindex)
      else this.#followed.delete(ifindex)
      this.#isFollowing = false
    }
    this.#netfilter.watch(ifindex, hearing.ownSolicitations)
    if (heard === undefined) this.#open(link, hearing)
    else heard.update(link, hearing)
    // An upstream that is late, or new by its name, needs its settings, too.
    if (heard === undefined && this.#engine.interfaces.upstreams.includes(name)) this.#forward()
  }

  ignore(ifindex: number): void {
    this.#close(ifindex)
    this.#netfilter.watch(ifindex, false)
    if (this.#followed.delete(ifindex)) this.#isFollowing = false
  }

  solicit(ifindex: number, target: Address): void { this.#heard.get(ifindex)?.solicit(target) }

  confirm(probe: UnicastProbe): void {
    const heard = this.#heard.get(probe.ifindex)
    if (heard === undefined) return
    heard.sendUnicast(probe)
    this.#unflushed.add(heard)
  }

  advertise(advertisement: Advertisement): void {
    if (this.#withheld.keep(advertisement)) return
    const heard = this.#heard.get(advertisement.ifindex)
    if (heard === undefined) return
    heard.advertise(advertisement)
    this.#unflushed.add(heard)
  }

  discover(ifindex: number, sources: readonly Address[]): void { this.#heard.get(ifindex)?.discover(sources) }
  multicast(ifindex: number, message: MulticastMessage): void { this.#heard.get(ifindex)?.multicast(message) }
  lookup(target: Address): void { this.#lookups.push(target) }
  route(change: RouteChange): void {
    if (!this.#isCompared) return
    this.#routeChanges.push(change)
    if (change.op === 'add') this.#withheld.await(change.route.target)
  }

  quiet(rules: readonly QuietRule[]): void { this.#netfilter.filter(rules) }
  event(event: Event): void { this.#events.event(event, this.#now) }

  outcome(outcome: Outcome, ifindex: number, view: NdiscView): void {
    this.#counters.count(outcome)
    this.#events.outcome(outcome, ifindex, view.t0, view.t1, view.t2, view.t3)
  }

  // --- turns ---

  #input(input: Input): void {
    this.#turn(() => this.#engine.handle(input, this.#now))
  }

  #turn(work: () => void): void {
    this.#now = clock()
    work()
    this.#carryOut()
  }

  #packets(ifindex: number, batch: PacketBatch): void {
    this.#now = clock()
    for (let i = 0; i < batch.size; i++) {
      const view = batch.read(i)
      if (view !== undefined) this.#engine.packet(ifindex, view, view.drop, this.#now)
    }
    this.#carryOut()
  }

  #carryOut(): void {
    if (!this.#isFollowing) {
      this.#isFollowing = true
      this.#prefixWatcher.follow(this.#followed)
    }
    for (let target = this.#lookups.shift(); target !== undefined; target = this.#lookups.shift()) {
      const way = this.#ask(() => this.#kernel.lookup(target)) ?? NO_WAY
      this.#engine.handle({ kind: 'route', target, ...way }, this.#now)
    }
    if (this.#routeChanges.length > 0) this.#routes.apply(this.#routeChanges.splice(0))
    this.#flush()
    this.#arm()
  }

  /** What waited for routes that are there now goes out. */
  #release(advertisements: readonly Advertisement[]): void {
    for (const advertisement of advertisements) this.advertise(advertisement)
    this.#flush()
  }

  #flush(): void {
    for (const link of this.#unflushed) link.flush()
    this.#unflushed.clear()
  }

  #arm(): void {
    const { deadline } = this.#engine
    // A timer that is early does no harm: it is set again when it fires. So a later deadline costs nothing now.
    if (deadline === undefined || deadline >= this.#timerAt) return
    clearTimeout(this.#timer)
    this.#timerAt = deadline
    this.#timer = setTimeout(() => {
      this.#timerAt = Number.POSITIVE_INFINITY
      this.#turn(() => this.#engine.wake(this.#now))
    }, Math.min(TIMER_MAX, Math.max(0, Math.ceil(deadline - clock()))))
  }

  #tick(now: Instant): void {
    this.#events.tick(now)
    for (const heard of this.#heard.values()) heard.checkDrops(now)
    if (now - this.#rememberedAt >= MEMORY_INTERVAL) this.#remember()
  }

  /** Begins to write down what is known about hosts, if that changed. */
  #remember(): void {
    const { revision } = this.#engine
    if (this.#memory === undefined || revision === this.#remembered) return
    this.#memory.writeSlowly(this.#engine.memory)
    this.#remembered = revision
    this.#rememberedAt = clock()
  }

  /** Throws an OsError. */
  #open(link: Link, hearing: Hearing): void {
    const { ifindex, name } = link
    const take = (input: Input): void => this.#input(input)
    this.#heard.set(ifindex, new LinkSockets(link, hearing, {
      packets: (batch) => this.#packets(ifindex, batch),
      echo: (source, mac) => take({ kind: 'echo', ifindex, source, mac }),
      report: (joined, left) => take({ kind: 'report', ifindex, joined, left }),
      query: (query) => take({ kind: 'query', ifindex, query }),
      routerSolicitation: () => take({ kind: 'router-solicitation', ifindex }),
      // To those at the other end, we are as new as they would be.
      opened: () => take({ kind: 'link-replugged', ifindex }),
      dropped: (count) => this.event({ kind: 'overrun', ifindex, count }),
      failed: (error) => this.#linkFailed(name, error),
    }))
  }

  #close(ifindex: number): void {
    const heard = this.#heard.get(ifindex)
    if (heard === undefined) return
    this.#heard.delete(ifindex)
    this.#unflushed.delete(heard)
    heard.close()
  }

  // --- the kernel ---

  /** Later, while changes of ours are under way or the kernel is too busy to say. */
  #compareRoutes(): void {
    clearTimeout(this.#compareTimer)
    const present = !this.#isCompared || this.#routes.pending > 0 ? undefined : this.#ask(() => this.#routes.present())
    if (present !== undefined) this.#input({ kind: 'routes', present })
    else this.#compareTimer = setTimeout(() => this.#compareRoutes(), COMPARE_RETRY)
  }

  /** Undefined when the kernel is too busy to say. */
  #ask<T>(question: () => T): T | undefined {
    try {
      return question()
    } catch (error) {
      if (verdict(error) === 'retry') return undefined
      throw error
    }
  }

  #routeFailed(op: string, target: Address, error: OsError): void {
    if (verdict(error) === 'wait') return
    const reason = error.code === 'EEXIST' ? 'somebody else has a route for it, which stays' : error.message
    this.#log.warn({ event: 'route', target: target.toString(), reason: error.code }, `cannot ${op} the route of ${target}: ${reason}`)
  }

  #linkFailed(iface: string, error: Error): void {
    // The link watcher tells when the link is back; until then there is nothing to do. Other trouble is said once.
    const { code } = error as OsError
    const key = `${iface} ${code}`
    const isNews = verdict(error) === 'fatal' && !this.#linkTrouble.has(key)
    if (isNews && this.#linkTrouble.size >= TROUBLE_LIMIT) this.#linkTrouble.clear()
    if (isNews) this.#linkTrouble.add(key)
    const hint = code === 'EPERM' ? ': a firewall drops outgoing Neighbor Solicitations; let ICMPv6 pass its output chain' : ''
    this.#log[isNews ? 'error' : 'debug']({ iface, reason: code, err: error }, `${iface}: ${error.message}${hint}`)
  }

  #nameOf(ifindex: number): string { return this.#heard.get(ifindex)?.name ?? `link ${ifindex}` }

  /** What a configuration asks of the machine before it can work. */
  #prepare(): void {
    this.#netfilter.apply()
    this.#missing()
    this.#forward()
    if (!this.#machine.forwarding) warnWithoutForwarding(this.#log)
  }

  #forward(): void {
    if (this.#machine.forwarding) forward(this.#engine.interfaces.upstreams, this.#log)
  }

  /** Says once which links are not there; that is no fault. */
  #missing(): void {
    const present = new Set([...this.#watcher.links].map(({ name }) => name))
    for (const name of this.#engine.interfaces.names) {
      if (!name.includes('*') && !present.has(name)) this.#log.info({ iface: name }, `${name} is not there yet: waiting for it`)
    }
  }
}

function clock(): Instant {
  return performance.now() as Instant
}
