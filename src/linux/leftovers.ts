/** Removes what a daemon left when it ended: host routes, the nftables table, changed settings, and what hosts took from its RAs. */
import type { SavedAdvertising } from '../engine-types.ts'
import { ChangedSettings } from './changed-settings.ts'
import { KernelFilter } from './kernel-filter.ts'
import { HostRoutes } from './host-routes.ts'
import { type RouteFailure, Rtnetlink } from './rtnetlink.ts'
import { claim } from './single-instance.ts'
import type { SettingChange } from './sysctl.ts'
import { withdraw } from './withdrawal.ts'

export interface Removed {
  readonly routes: number
  /** Routes that the kernel did not remove. */
  readonly failures: readonly RouteFailure[]
  readonly settings: readonly SettingChange[]
  /** Names of the links on which Router Advertisements were withdrawn. */
  readonly withdrawn: readonly string[]
}

/**
 * @param state path of the daemon's state directory
 * @param advertised returns what the daemon advertised; called when it is certain that no daemon runs
 * @throws AlreadyRunning while a daemon runs in this network namespace; OsError
 */
export async function removeLeftovers(state: string, advertised: () => SavedAdvertising): Promise<Removed> {
  const lock = claim()
  const kernel = new Rtnetlink()
  const filter = new KernelFilter()
  try {
    const failures: RouteFailure[] = []
    const routes = new HostRoutes(kernel, { done: () => {}, failed: (failure) => failures.push(failure), overrun: () => {} })
    const count = kernel.hostRoutes().length
    await routes.leave(0)
    filter.apply([])
    const settings = new ChangedSettings(state).restore()
    // Withdraws last, so that an error on one link leaves nothing in the kernel.
    return { routes: count - failures.length, failures, settings, withdrawn: withdraw(advertised(), kernel) }
  } finally {
    filter.close()
    kernel.close()
    lock.close()
  }
}
