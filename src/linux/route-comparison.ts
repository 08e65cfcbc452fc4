/** Compares the kernel's host routes with the engine's, whenever the kernel or another program changed one of our host routes. */
import type { HostRoute } from '../engine-types.ts'
import { unlessBusy } from './errors.ts'
import { type HostRoutes, RouteWatcher } from './host-routes.ts'
import type { Rtnetlink } from './rtnetlink.ts'

/** Milliseconds until another attempt, if routes cannot be compared at once. */
const RETRY = 100

export class RouteComparison {
  readonly #kernel: Rtnetlink
  readonly #routes: HostRoutes
  readonly #compare: (present: readonly HostRoute[]) => void
  #watcher: RouteWatcher | undefined
  #timer: NodeJS.Timeout | undefined
  #isReady = false
  #isRefused = false

  /** @param compare called with the routes that the kernel has */
  constructor(kernel: Rtnetlink, routes: HostRoutes, compare: (present: readonly HostRoute[]) => void) {
    this.#kernel = kernel
    this.#routes = routes
    this.#compare = compare
  }

  /** Whether the engine knows the kernel's routes. Before that, the engine's route changes must not be carried out. */
  get isReady(): boolean { return this.#isReady }

  /** Watches the routes until {@link close}, and compares them once. @returns the routes of the previous run. @throws OsError */
  start(): readonly HostRoute[] {
    this.#watcher = new RouteWatcher(this.#kernel, () => this.run())
    const present = this.#routes.present()
    this.#isReady = true
    this.#compare(present)
    return present
  }

  /** Compares now, or later if changes are under way or the kernel is too busy. */
  run(): void {
    clearTimeout(this.#timer)
    const present = this.#isReady && this.#routes.pending === 0 ? unlessBusy(() => this.#routes.present()) : undefined
    if (present !== undefined) this.#compare(present)
    else this.#timer = setTimeout(() => this.run(), RETRY)
  }

  /** Registers that the kernel refused a route: it does so while IPv6 is disabled on the link, or the MTU of the link is too small for IPv6. */
  refused(): void { this.#isRefused = true }

  /** Handles a change of a link or of its addresses. Compares if the kernel refused a route before: it may accept the route now. */
  linkChanged(): void {
    if (!this.#isRefused) return
    this.#isRefused = false
    this.run()
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#watcher?.close()
  }
}
