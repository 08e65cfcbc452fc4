/** Reads tables of the kernel by ip(8), for commands: they need no native code, and the daemon need not run. */
import { spawnSync } from 'node:child_process'

/** A link, as `ip -j link` shows it. */
export interface IpLink {
  readonly ifname: string
  readonly flags: readonly string[]
  /** `ether`, `none` (tunnels), `ppp`, ... */
  readonly link_type: string
  readonly operstate?: string
  /** Name of the bridge, bond, team or VRF that the link belongs to. */
  readonly master?: string
  readonly linkinfo?: { readonly info_kind?: string; readonly info_slave_kind?: string }
}

/**
 * Runs `ip -j` with these arguments.
 * @returns the rows of the table; undefined if ip(8) is not installed or fails
 */
export function readIp(...args: readonly string[]): readonly unknown[] | undefined {
  const PATH = `${process.env.PATH ?? '/usr/bin:/bin'}:/usr/sbin:/sbin`
  const { status, stdout } = spawnSync('ip', ['-j', ...args], { encoding: 'utf8', maxBuffer: 2 ** 28, env: { ...process.env, PATH } })
  if (status !== 0) return undefined
  try {
    const rows: unknown = JSON.parse(stdout.trim() === '' ? '[]' : stdout)
    // Some versions of ip(8) print an empty object for a row that a filter excludes.
    return Array.isArray(rows) ? rows.filter((row) => Object.keys(row as object).length > 0) : undefined
  } catch {
    return undefined
  }
}

/** @returns all links of this network namespace */
export function readLinks(): readonly IpLink[] | undefined { return readIp('-d', 'link', 'show') as readonly IpLink[] | undefined }

/** @returns whether the kernel sends no solicitations on a link */
export function isWithoutDiscovery({ flags }: IpLink): boolean { return flags.includes('NOARP') }
