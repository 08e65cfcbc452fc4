/**
 * Carries out the engine's changes of host routes (protocol 136, metric 16; rtnetlink(7)). Routes without this mark are never touched.
 *
 * Up to 50 changes take effect before {@link HostRoutes.apply} returns, since a route must be in the kernel before its advertisement
 * leaves. Further changes are carried out in parts: 25 for each millisecond of pause between two parts. The event loop runs in the pauses.
 * Each change costs routing daemons 1280 bytes of their receive buffer (212 992 by default). At this pace the daemons lose no
 * notification, even if they do not run for 4 ms.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { HostRoute, RouteChange } from '../engine-types.ts'
import type { Limit } from '../events.ts'
import { hostRouteFilter, RTNLGRP_IPV6_ROUTE } from '../wire/rtroute.ts'
import { hasNetAdmin } from './capabilities.ts'
import { verdict, type OsError } from './errors.ts'
import { native } from './native.ts'
import { EventSocket, type OpenNetlink } from './netlink.ts'
import { NETLINK_ROUTE, type RouteFailure, type Rtnetlink } from './rtnetlink.ts'

/** Changes that each millisecond of a pause allows. */
const RATE = 25
/** The most changes that are sent together, however long the pause before them was. */
const MAX_CREDIT = 50
/** Milliseconds between two parts of a long list of changes. */
const INTERVAL = 1
/** Milliseconds until changes that failed for lack of memory are tried again. */
const RETRY = 20
/** Largest number of waiting changes. A longer list of changes is accepted only if no change waits. */
export const QUEUE_LIMIT = 2 ** 18

export interface RouteReader {
  /** Called with each part of the changes, in order, once the kernel has carried out or refused each change of the part. */
  done(changes: readonly RouteChange[]): void
  /**
   * Called for each change that the kernel refused. Judge the error by `verdict` (`wait`: the link is down or gone). EEXIST: another
   * program has a route of this destination and metric. That route stays.
   */
  failed(failure: RouteFailure): void
  /**
   * Called when more than QUEUE_LIMIT changes would wait. All waiting and new changes are dropped: compare the wanted routes with
   * {@link HostRoutes.present}, and apply the differences.
   */
  overrun(): void
}

export class HostRoutes {
  readonly #kernel: Rtnetlink
  readonly #reader: RouteReader
  readonly #mayChange: boolean
  #queue: RouteChange[] = []
  /** Destinations of our routes, dumped at the first EEXIST and kept until the queue is empty: a dump for each EEXIST would cost too much. */
  #ours: Set<string> | undefined
  #isBusy = false
  /** Number of changes that could be sent at the time `#since`. */
  #credit = MAX_CREDIT
  /** When the last attempt to make changes ended (performance.now()). */
  #since = performance.now()

  /** @param mayChange whether routes are changed; else all changes count as carried out */
  constructor(kernel: Rtnetlink, reader: RouteReader, mayChange = hasNetAdmin()) {
    this.#kernel = kernel
    this.#reader = reader
    this.#mayChange = mayChange
  }

  get pending(): number { return this.#queue.length }
  get limits(): Limit[] { return [{ name: 'route changes that wait', used: this.pending, size: QUEUE_LIMIT }] }

  /** Carries out `changes` in order: up to MAX_CREDIT before it returns (none while earlier changes wait), then the others at RATE. */
  apply(changes: readonly RouteChange[]): void {
    if (!this.#mayChange) return this.#reader.done(changes)
    if (this.#queue.length > 0 && this.#queue.length + changes.length > QUEUE_LIMIT) {
      this.close()
      return this.#reader.overrun()
    }
    for (const change of changes) this.#queue.push(change)
    if (!this.#isBusy) void this.#drain()
  }

  /** @returns our routes that carry traffic now. @throws OsError */
  present(): HostRoute[] { return this.#kernel.hostRoutes(false) }

  /** Adopts routes of the previous run, at RATE: makes each route permanent if the kernel still has it. @throws OsError */
  async adopt(routes: readonly HostRoute[]): Promise<void> {
    // Replaces all routes, not only expiring ones: in its last 10 ms an expiring route looks permanent.
    await this.#paced(routes, (part) => this.#kernel.replaceRoutes(part))
  }

  /**
   * Lets the kernel expire all of our routes in `graceMs` milliseconds (rounded up to seconds), or deletes the routes if `graceMs` is 0.
   * Changes the routes at RATE. Drops waiting changes.
   * @throws OsError
   */
  async leave(graceMs: number): Promise<void> {
    this.close()
    const seconds = Math.ceil(graceMs / 1000)
    await this.#paced(this.#kernel.hostRoutes(), (part) => seconds === 0
      ? this.#kernel.changeRoutes(part.map((route) => ({ op: 'delete', route })))
      : this.#kernel.replaceRoutes(part, seconds))
  }

  close(): void {
    this.#queue = []
  }

  /** @returns how many of `wanted` changes may be made now */
  #take(wanted: number): number {
    // The credit grows with the time that has passed, so a timer that is a millisecond late does not slow the changes down.
    this.#credit = Math.min(MAX_CREDIT, this.#credit + (performance.now() - this.#since) * RATE)
    const count = Math.min(wanted, Math.floor(this.#credit))
    this.#credit -= count
    return count
  }

  /** Calls `change`. The duration of the call adds nothing to `#credit`: on a busy machine, routing daemons cannot read changes meanwhile. */
  #timed<T>(change: () => T): T {
    try {
      return change()
    } finally {
      this.#since = performance.now()
    }
  }

  async #paced(routes: readonly HostRoute[], change: (part: readonly HostRoute[]) => RouteFailure[]): Promise<void> {
    if (!this.#mayChange) return
    for (let i = 0; i < routes.length; await sleep(INTERVAL)) {
      // Waiting changes come first, because advertisements wait for them.
      if (this.#queue.length > 0) continue
      const part = routes.slice(i, i + this.#take(routes.length - i))
      i += part.length
      // ENOENT: the route is gone, so there is nothing to do.
      for (const failure of this.#timed(() => change(part))) if (failure.error.code !== 'ENOENT') this.#reader.failed(failure)
    }
  }

  async #drain(): Promise<void> {
    this.#isBusy = true
    while (this.#queue.length > 0) {
      const part = this.#queue.splice(0, this.#take(this.#queue.length))
      const isDone = this.#timed(() => this.#attempt(part))
      // Some changes of this part may have been made; making them again does no harm.
      if (!isDone) this.#queue = part.concat(this.#queue)
      else if (part.length > 0) this.#reader.done(part)
      if (this.#queue.length > 0) await sleep(isDone ? INTERVAL : RETRY)
    }
    this.#isBusy = false
    this.#ours = undefined
  }

  /** @returns false when the changes have to be tried again */
  #attempt(changes: readonly RouteChange[]): boolean {
    try {
      this.#execute(changes)
    } catch (error) {
      this.#ours = undefined
      if (verdict(error) === 'retry') return false
      for (const change of changes) this.#reader.failed({ change, error: error as OsError })
    }
    return true
  }

  #execute(changes: readonly RouteChange[]): void {
    const failures = this.#kernel.changeRoutes(changes)
    const taken = failures.filter(({ error }) => error.code === 'EEXIST')
    for (const failure of failures) if (failure.error.code !== 'EEXIST') this.#reader.failed(failure)
    const failed = new Set(failures.map(({ change }) => change))
    const made = changes.filter((change) => !failed.has(change))
    // An `add` of this part may have failed with EEXIST because an earlier `add` of this part made the route.
    for (const { op, route } of made) if (op === 'add') this.#ours?.add(route.target.toString())
    if (taken.length > 0) this.#replace(taken)
    // Brings `#ours` up to date with the changes made.
    for (const { op, route } of made) this.#ours?.[op](route.target.toString())
  }

  /**
   * Replaces the existing route of each refused change if the existing route is one of ours. Such a route may be on another link, expire,
   * or equal the wanted route. If the existing route is not ours, reports the change as failed.
   */
  #replace(taken: readonly RouteFailure[]): void {
    const ours = this.#ours ??= new Set(this.#kernel.hostRoutes().map((route) => route.target.toString()))
    const isOurs = ({ change }: RouteFailure): boolean => ours.has(change.route.target.toString())
    const failures = this.#kernel.replaceRoutes(taken.filter(isOurs).map(({ change }) => change.route))
    for (const failure of [...failures, ...taken.filter((each) => !isOurs(each))]) this.#reader.failed(failure)
  }
}

/** Detects that the kernel or another program added, changed or deleted one of our host routes (a link went down ...). */
export class RouteWatcher {
  readonly #events: EventSocket

  /**
   * Listens immediately.
   * @param kernel the socket that makes our own changes, so its changes are ignored. It must have made a request: then its port is known
   * @param changed is called once per batch of other changes, and when notifications were lost: compare with {@link HostRoutes.present}
   * @throws OsError
   */
  constructor(kernel: Rtnetlink, changed: () => void, open: OpenNetlink = native.openNetlink) {
    let foreign = false
    this.#events = new EventSocket(open, NETLINK_ROUTE, [RTNLGRP_IPV6_ROUTE], {
      message: () => { foreign = true },
      settled: () => {
        if (foreign) changed()
        foreign = false
      },
      overrun: changed,
    }, hostRouteFilter(kernel.port))
  }

  close(): void { this.#events.close() }
}
