/**
 * The kernel settings that make this machine a router: net.ipv6.conf.*.forwarding and accept_ra
 * (Linux Documentation/networking/ip-sysctl). Files are read and written at once, while starting and reloading only.
 */
import { readFileSync, writeFileSync } from 'node:fs'

const CONF = '/proc/sys/net/ipv6/conf'

export type Setting = 'forwarding' | 'accept_ra'

/** A setting that was changed. */
export interface SettingChange {
  /** `all` or a link's name. */
  readonly iface: string
  readonly setting: Setting
  readonly from: number
  readonly to: number
}

function path(iface: string, setting: Setting): string {
  if (iface === '' || iface === '.' || iface === '..' || /[/\0]/.test(iface)) {
    throw new RangeError(`not an interface name: ${JSON.stringify(iface)}`)
  }
  return `${CONF}/${iface}/${setting}`
}

/**
 * @param iface a link's name, `all` or `default`
 * @returns undefined when there is no such link. Throws an OsError otherwise, RangeError for what cannot be a name.
 */
export function readSetting(iface: string, setting: Setting): number | undefined {
  const file = path(iface, setting)
  try {
    return Number(readFileSync(file, 'latin1'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Throws an OsError: ENOENT without the link, EROFS or EACCES without the right. */
export function writeSetting(iface: string, setting: Setting, value: number): void {
  writeFileSync(path(iface, setting), String(value), { flag: 'r+' })
}

/** @returns the largest number of entries in the kernel's neighbor table; undefined where it is not shown: in other network namespaces */
export function readNeighborLimit(): number | undefined {
  try {
    return Number(readFileSync('/proc/sys/net/ipv6/neigh/default/gc_thresh3', 'latin1'))
  } catch {
    return undefined
  }
}

/**
 * `forwarding yes`: forwards on all links, and keeps the routers' advertisements alive on the upstreams, since a machine
 * that forwards takes accept_ra 1 for 0. That comes first: the kernel throws away its learned default routes,
 * except where accept_ra is 2, in the moment in which forwarding begins.
 * @returns what was changed; nothing when all was right already. Throws an OsError.
 */
export function enableForwarding(upstreams: readonly string[]): SettingChange[] {
  const changes: SettingChange[] = []
  const set = (iface: string, setting: Setting, from: number, to: number): void => {
    if (readSetting(iface, setting) !== from) return
    writeSetting(iface, setting, to)
    changes.push({ iface, setting, from, to })
  }
  for (const iface of upstreams) set(iface, 'accept_ra', 1, 2)
  set('all', 'forwarding', 0, 1)
  return changes
}
