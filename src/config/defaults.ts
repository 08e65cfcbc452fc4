/** The defaults of all options, for each kind of block. Times are milliseconds. */
import type { Settings } from './config.ts'

/** Defaults of the options outside of all blocks. */
export const TOP_DEFAULTS = { forwarding: false, grace: 10_000 }

export const DEFAULTS: Settings = {
  router: true, timeout: 500, ttl: 30_000, deadtime: 30_000, retries: 3, keepalive: true, routes: false, learn: true,
  promiscuous: false, limit: 4096, hostLimit: 64, probeLimit: 500, override: 'auto',
  source: 'link-local', neighborRepair: true, announce: 'no', snooping: 'no', routerAdvertisements: false, defaultRoute: 'auto',
}

export const SUBNET_DEFAULTS: Settings = { ...DEFAULTS, routes: true, announce: 'yes' }

/** Completes the settings of one block. The default of `deadtime` is the block's `ttl`, as in ndppd 0.2.6. */
export function withDefaults(defaults: Settings, values: Partial<Settings>): Settings {
  const settings = { ...defaults, ...values }
  return values.deadtime === undefined ? { ...settings, deadtime: settings.ttl } : settings
}
