/**
 * Carries out what the engine wants of the routing table: host routes of protocol 136, metric 16 (rtnetlink(7)).
 * Nothing here touches a route that does not carry that mark.
 *
 * Few changes go out at once, before the call returns, since the route has to be there before the NA leaves. Many are
 * paced (route-pace.ts), and the event loop has its turn in between.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { HostRoute, Limit, RouteChange } from '../engine/types.ts'
import { hostRouteFilter, RTNLGRP_IPV6_ROUTE } from '../wire/rtroute.ts'
import { verdict } from './errors.ts'
import type { OsError } from './errors.ts'
import { native } from './native.ts'
import { EventSocket } from './netlink.ts'
import type { OpenNetlink } from './netlink.ts'
import { ROUTE_MARK } from './route-mark.ts'
import { RoutePace } from './route-pace.ts'
import { NETLINK_ROUTE } from './rtnetlink.ts'
import type { RouteFailure, Rtnetlink } from './rtnetlink.ts'

/** Milliseconds: when others have no room for more, and when the kernel has none. */
const WAIT = 1
const RETRY = 20
/** Changes that wait. Beyond that they are dropped, and the routes compared with what they should be. */
export const QUEUE_LIMIT = 2 ** 18

/**
 * A change that could not be made: judge the error by `verdict` (`wait`: the link is down or gone).
 * EEXIST: a route of another program has this destination and metric; it stays.
 */
export type RouteFailed = (failure: RouteFailure) => void

export class Routes {
  readonly #kernel: Rtnetlink
  readonly #failed: RouteFailed
  readonly #drained: () => void
  readonly #overrun: () => void
  readonly #made: (changes: readonly RouteChange[]) => void
  #queue: RouteChange[] = []
  /** Targets of our routes, once somebody was in the way, until the queue is empty: a dump for each part would be many. */
  #ours: Set<string> | undefined
  #isBusy = false
  readonly #pace = new RoutePace()

  /**
   * @param made called for each part of the changes, once it is done with
   * @param drained called whenever nothing is pending any more
   * @param overrun there were too many: all that waited is dropped, so compare with {@link present} and begin anew
   */
  constructor(kernel: Rtnetlink, failed: RouteFailed, drained: () => void = () => {}, overrun: () => void = () => {},
    made: (changes: readonly RouteChange[]) => void = () => {}) {
    this.#kernel = kernel
    this.#failed = failed
    this.#drained = drained
    this.#overrun = overrun
    this.#made = made
  }

  /** Changes not yet carried out. */
  get pending(): number { return this.#queue.length }

  get limits(): Limit[] { return [{ name: 'route changes that wait', used: this.pending, size: QUEUE_LIMIT }] }

  /** Carries out `changes` in order: up to 50 before it returns, unless others wait; the rest as others can take it in. */
  apply(changes: readonly RouteChange[]): void {
    if (this.#queue.length > 0 && this.#queue.length + changes.length > QUEUE_LIMIT) {
      this.close()
      return this.#overrun()
    }
    for (const change of changes) this.#queue.push(change)
    if (!this.#isBusy) void this.#drain()
  }

  /** Our routes that carry traffic now. Throws an OsError. */
  present(): HostRoute[] { return this.#kernel.hostRoutes(false) }

  /**
   * Takes over what a predecessor left: those of `routes` that are there still stay from now on, also what was about to
   * expire. Paced. Rejects with an OsError.
   */
  async adopt(routes: readonly HostRoute[]): Promise<void> {
    // All of them: which ones expire cannot be seen for sure (within 10 ms of its end a route looks like any other).
    await this.#paced(routes, (part) => this.#kernel.replaceRoutes(part))
  }

  /**
   * Leaves all of our routes to expire in the kernel after `graceMs` milliseconds (rounded up to seconds), or deletes
   * them when that is 0. Changes that still wait are dropped. Paced; ends when all is done. Rejects with an OsError.
   */
  async leave(graceMs: number): Promise<void> {
    this.close()
    const seconds = Math.ceil(graceMs / 1000)
    await this.#paced(this.#kernel.hostRoutes(), (part) => seconds === 0
      ? this.#kernel.changeRoutes(part.map((route) => ({ op: 'delete', route })))
      : this.#kernel.replaceRoutes(part, seconds))
  }

  /** Forgets the changes that wait. */
  close(): void {
    this.#queue = []
  }

  async #paced(routes: readonly HostRoute[], change: (part: readonly HostRoute[]) => RouteFailure[]): Promise<void> {
    for (let i = 0; i < routes.length;) {
      const part = routes.slice(i, i + this.#pace.take(routes.length - i))
      i += part.length
      // What has gone meanwhile needs nothing.
      change(part).filter(({ error }) => error.code !== 'ENOENT').forEach(this.#failed)
      await pause(part.length)
    }
  }

  async #drain(): Promise<void> {
    this.#isBusy = true
    for (;;) {
      const part = this.#queue.splice(0, this.#pace.take(this.#queue.length))
      const isMade = this.#attempt(part)
      // Some may have been made: to make them again does no harm.
      if (!isMade) this.#queue = part.concat(this.#queue)
      if (this.#queue.length === 0) break
      if (isMade) this.#made(part)
      await (isMade ? pause(part.length) : sleep(RETRY))
    }
    this.#isBusy = false
    this.#ours = undefined
    this.#drained()
  }

  /** @returns whether these changes are done with; else they are to be made again */
  #attempt(changes: readonly RouteChange[]): boolean {
    try {
      this.#execute(changes)
    } catch (error) {
      this.#ours = undefined
      if (verdict(error) === 'retry') return false
      for (const change of changes) this.#failed({ change, error: error as OsError })
    }
    return true
  }

  #execute(changes: readonly RouteChange[]): void {
    const failures = this.#kernel.changeRoutes(changes)
    const taken = failures.filter(({ error }) => error.code === 'EEXIST')
    for (const failure of failures) if (failure.error.code !== 'EEXIST') this.#failed(failure)
    if (taken.length > 0) this.#settle(taken)
    if (this.#ours === undefined) return
    // What was changed after the dump.
    const failed = new Set(failures.map(({ change }) => change))
    for (const change of changes) {
      if (failed.has(change)) continue
      if (change.op === 'add') this.#ours.add(change.route.target.toString())
      else this.#ours.delete(change.route.target.toString())
    }
  }

  /** What is in the way: a route of ours (elsewhere, about to expire, or just right), or another's. */
  #settle(taken: readonly RouteFailure[]): void {
    const ours = this.#ours ??= new Set(this.#kernel.hostRoutes().map((route) => route.target.toString()))
    const isOurs = ({ change }: RouteFailure): boolean => ours.has(change.route.target.toString())
    this.#kernel.replaceRoutes(taken.filter(isOurs).map(({ change }) => change.route)).forEach(this.#failed)
    taken.filter((failure) => !isOurs(failure)).forEach(this.#failed)
  }
}

/** Between two parts of many changes, of which `made` were made just now. */
function pause(made: number): Promise<unknown> {
  return made > 0 ? nextTurn() : sleep(WAIT)
}

/** Notices when the kernel or another program adds, changes or deletes a host route of ours (a link went down ...). */
export class RouteWatcher {
  readonly #events: EventSocket

  /**
   * Listens at once.
   * @param kernel where our own changes are made; it has been asked something already, so its port is known
   * @param changed called once for each heap of such changes, and when notice of some may have been lost (P11): compare
   *   with {@link Routes.present}. Throws an OsError.
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
    }, hostRouteFilter(ROUTE_MARK.protocol, kernel.port))
  }

  close(): void { this.#events.close() }
}
