/** Settings of the kernel: net.ipv6.conf.*.forwarding, accept_ra and others (Linux Documentation/networking/ip-sysctl.rst). */
import { readFileSync, writeFileSync } from 'node:fs'

const CONF = '/proc/sys/net/ipv6/conf'

export type Setting = 'forwarding' | 'accept_ra' | 'force_forwarding' | 'proxy_ndp' | 'mtu'

/** A change of a setting. `iface`: `all` or a link's name. */
export interface SettingChange { readonly iface: string; readonly setting: Setting; readonly from: number; readonly to: number }

function path(iface: string, setting: Setting): string {
  if (iface === '' || iface === '.' || iface === '..' || /[/\0]/.test(iface)) {
    throw new RangeError(`not an interface name: ${JSON.stringify(iface)}`)
  }
  return `${CONF}/${iface}/${setting}`
}

/** @returns undefined when there is no such link or setting. @throws OsError; RangeError for an impossible name */
export function readSetting(iface: string, setting: Setting): number | undefined {
  const file = path(iface, setting)
  try {
    return Number(readFileSync(file, 'latin1'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** @throws OsError: ENOENT without the link, EROFS or EACCES without permission */
export function writeSetting(iface: string, setting: Setting, value: number): void {
  writeFileSync(path(iface, setting), String(value), { flag: 'r+' })
}

/** @returns the largest number of entries in the kernel's neighbor table; undefined except in the initial network namespace */
export function readNeighborLimit(): number | undefined {
  try {
    return Number(readFileSync('/proc/sys/net/ipv6/neigh/default/gc_thresh3', 'latin1'))
  } catch {
    return undefined
  }
}
