/** Removes what a daemon that no longer runs left in the kernel: host routes, the nftables table, and changed settings. */
import { ChangedSettings } from './changed-settings.ts'
import { KernelFilter } from './kernel-filter.ts'
import { HostRoutes } from './route-changes.ts'
import { type RouteFailure, Rtnetlink } from './rtnetlink.ts'
import { claim } from './single-instance.ts'
import type { SettingChange } from './sysctl.ts'

export interface Removed {
  readonly routes: number
  /** Routes that the kernel did not remove. */
  readonly failures: readonly RouteFailure[]
  readonly settings: readonly SettingChange[]
}

/** @param state directory of the daemon's state @throws AlreadyRunning while a daemon runs in this network namespace; OsError */
export async function removeLeftovers(state: string): Promise<Removed> {
  const lock = claim()
  const kernel = new Rtnetlink()
  const filter = new KernelFilter()
  try {
    const failures: RouteFailure[] = []
    const routes = new HostRoutes(kernel, { done: () => {}, failed: (failure) => failures.push(failure), overrun: () => {} })
    const count = kernel.hostRoutes().length
    await routes.leave(0)
    filter.apply([])
    return { routes: count - failures.length, failures, settings: new ChangedSettings(state).restore() }
  } finally {
    filter.close()
    kernel.close()
    lock.close()
  }
}
