/**
 * Joins the engine with the clock, the sockets and the kernel. Each input runs one step of the engine. The effects of a step are carried
 * out in the order in which `Effects` lists them. Inputs that come during a step are queued. Events are logged after the answers are sent.
 */
import type { Config } from './config/config.ts'
import { Machine } from './doctor/machine.ts'
import { FindingWatch } from './doctor/watch.ts'
import { Engine, type Preview } from './engine.ts'
import type { Effects, Input, Instant, Listening, PathLookup } from './engine-types.ts'
import type { Event } from './events.ts'
import { Introspection } from './introspection.ts'
import { linkReader } from './link-reader.ts'
import { claim } from './linux/single-instance.ts'
import { hasNetAdmin } from './linux/capabilities.ts'
import { holdDescriptors } from './linux/descriptors.ts'
import { unlessBusy, verdict } from './linux/errors.ts'
import { Forwarding } from './linux/forwarding.ts'
import { KernelWatch } from './linux/kernel-watch.ts'
import type { NativeSocket } from './linux/native.ts'
import { KERNEL_LIMIT } from './linux/neighbors.ts'
import { Netfilter } from './linux/netfilter.ts'
import { HostRoutes, QUEUE_LIMIT } from './linux/host-routes.ts'
import { RouteComparison } from './linux/route-comparison.ts'
import { NO_ROUTE, Rtnetlink } from './linux/rtnetlink.ts'
import { Sockets } from './linux/sockets.ts'
import { readNeighborLimit } from './linux/sysctl.ts'
import { EventLog } from './log/event-log.ts'
import { LinkErrorLog } from './log/link-errors.ts'
import type { RateLimitedLog } from './log/rate-limited-log.ts'
import { logMissingLinks, logRefusedRoute } from './log/machine-log.ts'
import { ANSWERS_ONLY, enslavedSentence } from './log/sentences.ts'
import { Counters } from './metrics.ts'
import { Observers } from './observers.ts'
import { SavedState } from './saved-state.ts'
import { Totals } from './totals.ts'
import { WakeTimer } from './wake-timer.ts'

/** Interval of summaries in the log, of reading drop counters, and of saving the state. Milliseconds. */
const TICK = 5000
/** File descriptors that the start keeps free while it opens the sockets of links: for netlink sockets, the control socket, and files. */
const NOT_FOR_LINKS = 8

export class Daemon {
  readonly #log: RateLimitedLog
  readonly #claim: NativeSocket
  readonly #events: EventLog
  readonly #linkErrors: LinkErrorLog
  readonly #counters = new Counters()
  readonly #observers = new Observers()
  readonly #totals: Totals
  readonly #engine: Engine
  readonly #kernel = new Rtnetlink()
  readonly #routes: HostRoutes
  readonly #netfilter: Netfilter
  readonly #forwarding: Forwarding
  readonly #watch: KernelWatch
  readonly #comparison: RouteComparison
  readonly #findings: FindingWatch
  readonly introspection: Introspection
  readonly #savedState: SavedState
  readonly #sockets = new Sockets((link) => linkReader(link, { step: this.#step, errors: this.#linkErrors,
    dropped: (ifindex, count) => this.#report({ kind: 'overrun', ifindex, count }), invalid: (frame) => this.#counters.keep(frame) }))
  readonly #inputs: Input[] = []
  readonly #unlogged: Event[] = []
  #isStepping = false
  #config: Config
  readonly #mayChange = hasNetAdmin()
  #ticker: NodeJS.Timeout | undefined
  readonly #timer = new WakeTimer(() => this.#run((now) => this.#engine.wake(now)))

  /** Opens no sockets of links yet. @param state the state directory; undefined: nothing is saved. @throws OsError, AlreadyRunning */
  constructor(config: Config, log: RateLimitedLog, { state }: { state?: string | undefined } = {}) {
    this.#claim = claim()
    this.#config = config
    this.#log = log
    this.#events = new EventLog(log, { nameOf: (ifindex) => this.introspection.nameOf(ifindex), hostsOn: (ifindex) => this.#engine.hostsOn(ifindex) })
    this.#linkErrors = new LinkErrorLog(log, readNeighborLimit)
    this.#engine = new Engine(config, Math.random)
    this.#totals = new Totals(this.#engine.interfaces.names, (ifindex) => this.#sockets.figuresOf(ifindex))
    const step = this.#step
    this.#routes = new HostRoutes(this.#kernel, {
      done: (changes) => step({ kind: 'routes-done', changes }),
      failed: ({ change: { op, route }, error }) => {
        if (error.code !== 'EEXIST') this.#comparison.refused()
        if (verdict(error) === 'wait') return
        this.#totals.routeErrors++
        logRefusedRoute(log, op, String(route.target), error)
      },
      overrun: () => {
        this.#report({ kind: 'limit', limit: 'routes', size: QUEUE_LIMIT })
        this.#comparison.run()
      },
    })
    this.#comparison = new RouteComparison(this.#kernel, this.#routes, (present) => step({ kind: 'routes', present }))
    this.#netfilter = new Netfilter(log, (ifindex, target) => step({ kind: 'local-solicitation', ifindex, target }))
    this.#forwarding = new Forwarding(log, () => ({
      isEnabled: this.#config.forwarding && this.#mayChange,
      upstreams: this.#engine.interfaces.upstreams,
      links: this.#sockets.usage.map(({ iface }) => iface),
    }), { state, changed: (isEnabled) => step({ kind: 'forwarding', isEnabled }) })
    this.#watch = new KernelWatch(this.#kernel, {
      input: (input) => {
        step(input)
        if (input.kind === 'link') this.#comparison.linkChanged()
        if (input.kind === 'neighbor') this.#netfilter.neighbor(input.neighbor)
      },
      enslaved: (iface, master) => this.#enslaved(iface, master),
      failed: (iface, error) => this.#linkErrors.failed(iface, error, verdict(error) !== 'fatal'),
      full: () => this.#report({ kind: 'limit', limit: 'kernel', size: KERNEL_LIMIT }),
    })
    this.#findings = new FindingWatch(() => ({ machine: new Machine(this.#kernel, () => this.#watch.defaultRoutes), config: this.#config,
      daemon: this.introspection.facts }), log)
    this.#savedState = new SavedState(this.#engine, state, log)
    this.introspection = new Introspection({ engine: this.#engine, kernel: this.#kernel, watch: this.#watch, sockets: this.#sockets,
      forwarding: this.#forwarding, counters: this.#counters, totals: this.#totals, observers: this.#observers,
      findings: this.#findings, limited: [this.#routes, log, this.#linkErrors, this.#savedState], mayChange: this.#mayChange,
      config: () => this.#config, step, clock })
  }

  /** Resolves when every existing link is served, and the routes of the previous run are adopted. Rejects with an OsError. */
  async start(): Promise<void> {
    const giveBack = holdDescriptors(NOT_FOR_LINKS)
    this.#watch.startLinks()
    giveBack()
    if (!this.#mayChange) this.#log.warn({ event: 'answers-only' }, ANSWERS_ONLY)
    this.#watch.startGateways()
    this.#forwarding.start()
    this.#prepare()
    this.#savedState.restore(this.#step)
    const present = this.#comparison.start()
    // Routes may have appeared while no daemon ran. So each route of another program or of the kernel inside a watched prefix counts as
    // changed.
    if (present.length > 0) this.#watch.reportRoutes()
    this.#watch.startNeighbors()
    this.#ticker = setInterval(() => this.#tick(clock()), TICK)
    this.#findings.start()
    await this.#routes.adopt(present)
    // A route may have moved or expired before it was adopted.
    if (present.length > 0) this.#comparison.run()
  }

  /**
   * Stops the daemon, and removes its routes and groups.
   * @param isRestart whether the next start takes over: groups stay joined, and routes stay in the kernel for the time `grace`
   */
  async stop(isRestart = false): Promise<void> {
    this.#timer.close()
    clearInterval(this.#ticker)
    for (const watcher of [this.#findings, this.#comparison, this.#watch, this.#forwarding]) watcher.close()
    this.#savedState.save(clock())
    if (!isRestart) this.#carryOut(this.#engine.stop(), clock())
    this.#sockets.close()
    this.#netfilter.close()
    await this.#routes.leave(isRestart ? this.#config.grace : 0)
    this.#kernel.close()
    this.#claim.close()
  }

  /** Applies another configuration. Learned hosts that its rules still cover are kept. */
  reload(config: Config): void {
    this.#config = config
    this.#step({ kind: 'config', config })
    this.#totals.configure(this.#engine.interfaces.names)
    this.#prepare()
  }

  /** @returns what `reload` would do to hosts and links */
  preview(config: Config): Preview { return this.#engine.preview(config) }

  readonly #step = (input: Input): void => {
    this.#inputs.push(input)
    if (!this.#isStepping) this.#run(undefined)
  }

  /** Runs `first`, and a step for each waiting input until none is left. Then sends the messages, logs the events, and sets the timer. */
  #run(first: ((now: Instant) => Effects) | undefined): void {
    this.#isStepping = true
    const now = clock()
    if (first !== undefined) this.#carryOut(first(now), now)
    for (let input = this.#inputs.shift(); input !== undefined; input = this.#inputs.shift()) this.#carryOut(this.#engine.step(input, now), now)
    this.#isStepping = false
    this.#sockets.flush()
    for (const event of this.#unlogged.splice(0)) this.#report(event, now)
    this.#timer.set(this.#engine.deadline)
  }

  #carryOut(effects: Effects, now: Instant): void {
    const { listening, filters, routes, repairs, answers, probes, multicasts, routerAdvertisements, discoveries, lookups, paths, events, outcomes } = effects
    for (const entry of listening.values()) if (entry !== undefined) this.#listen(entry)
    if (filters !== undefined) {
      this.#netfilter.filter(filters)
      this.#watch.followRoutes(filters.map(({ prefixes }) => prefixes))
    }
    if (routes.length > 0 && this.#comparison.isReady) this.#routes.apply([...routes])
    for (const repair of repairs) if (unlessBusy(() => this.#kernel.repairNeighbor(repair))) this.#counters.count('repaired')
    for (const discovery of discoveries) this.#sockets.discover(discovery)
    for (let i = 0; i < answers.size; i++) this.#sockets.advertise(answers.at(i))
    for (const probe of probes) this.#sockets.probe(probe)
    for (const multicast of multicasts) this.#sockets.multicast(multicast)
    for (const advertisement of routerAdvertisements) this.#sockets.advertiseRouter(advertisement)
    for (const [ifindex, entry] of listening) if (entry === undefined) this.#ignore(ifindex)
    if (listening.size > 0) this.#watch.follow()
    for (const lookup of lookups) {
      this.#inputs.push({ kind: 'lookup', target: lookup.target, decision: unlessBusy(() => this.#kernel.lookup(lookup)) ?? NO_ROUTE })
    }
    if (paths.length > 0) this.#lookUpPaths([...paths])
    this.#unlogged.push(...events)
    for (const event of events) this.#observers.event(event, now)
    for (let i = 0; i < outcomes.size; i++) {
      const packet = outcomes.at(i)
      const { outcome, ifindex, t0, t1, t2, t3 } = packet
      this.#counters.count(outcome)
      if (outcome !== 'answered') this.#counters.remember(packet, now)
      this.#totals.received(outcome, ifindex)
      this.#observers.packet(packet, now)
      this.#events.outcome(outcome, ifindex, t0, t1, t2, t3)
    }
  }

  #report(event: Event, now = clock()): void {
    this.#events.event(event, now)
    this.#totals.event(event)
  }

  #lookUpPaths(lookups: readonly PathLookup[]): void {
    const replies = unlessBusy(() => this.#kernel.paths(lookups, () => this.#watch.discarding))
    lookups.forEach(({ target, ifindex }, i) => this.#inputs.push({ kind: 'path', target, ifindex, decisions: replies?.[i] ?? [NO_ROUTE] }))
  }

  #listen(entry: Listening): void {
    const { link, link: { ifindex, name }, subscription } = entry
    this.#watch.select(link, subscription)
    this.#netfilter.watch(ifindex, subscription.ownSolicitations)
    const isNew = this.#sockets.listen(entry)
    this.#totals.listen(ifindex, name)
    // An upstream that appears, or gets its name, after the start needs the forwarding settings as well.
    if (isNew && this.#config.forwarding && this.#mayChange && this.#engine.interfaces.upstreams.includes(name)) this.#forwarding.prepare()
  }

  #ignore(ifindex: number): void {
    this.#watch.select({ ifindex, name: '' }, { prefixes: false, grants: false })
    this.#netfilter.watch(ifindex, false)
    this.#linkErrors.gone(this.introspection.nameOf(ifindex))
    this.#totals.ignore(ifindex)
    this.#sockets.ignore(ifindex)
  }

  #tick(now: Instant): void {
    this.#events.tick(now)
    this.#sockets.checkDrops(now)
    this.#savedState.tick(now)
  }

  /** Applies the filter table and the forwarding settings of the configuration, and warns about missing links. */
  #prepare(): void {
    this.#netfilter.apply()
    const { links, ports } = this.#watch
    logMissingLinks(this.#log, this.#engine.interfaces.names, links.map(({ name }) => name), ports)
    this.#forwarding.prepare()
  }

  #enslaved(iface: string, master: string): void {
    if (!this.#engine.isNamed(iface)) return
    this.#log.warn({ event: 'link-enslaved', iface, master }, enslavedSentence(iface, master))
  }
}

function clock(): Instant { return performance.now() as Instant }
