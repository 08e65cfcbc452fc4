/** Reads tables of the kernel by ip(8), so that commands need neither native code nor a running daemon. */
import { spawnSync } from 'node:child_process'

/** A link, as `ip -j link` shows it. */
export interface IpLink {
  readonly ifname: string
  readonly flags: readonly string[]
  /** Name of the bridge, bond, team or VRF that the link belongs to. */
  readonly master?: string
  readonly linkinfo?: { readonly info_kind?: string; readonly info_slave_kind?: string }
}

/**
 * Runs `ip -j` with these arguments.
 * @returns the rows of the table
 * @throws Error that says why there is no table, and what to do
 */
export function askIp(...args: readonly string[]): readonly unknown[] {
  const PATH = `${process.env.PATH ?? '/usr/bin:/bin'}:/usr/sbin:/sbin`
  const { error, status, stdout, stderr } = spawnSync('ip', ['-j', ...args], { encoding: 'utf8', maxBuffer: 2 ** 28, env: { ...process.env, PATH } })
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') throw new Error('without ip(8): `apt install iproute2`')
  const line = `\`ip -j ${args.join(' ')}\``
  if (status !== 0) throw new Error(`because ${line} fails (${error?.message ?? (stderr.trim().split('\n')[0] || `status ${status}`)}): mend that, and run this again`)
  try {
    const rows = JSON.parse(stdout.trim() === '' ? '[]' : stdout) as unknown[]
    // Some versions of ip(8) print an empty object for a row that a filter excludes.
    return rows.filter((row) => Object.keys(row as object).length > 0)
  } catch {
    throw new Error(`because ${line} prints no table in JSON: install the ip(8) of iproute2 (\`apt install iproute2\`)`)
  }
}

/** @returns as {@link askIp}; undefined if there is no table */
export function readIp(...args: readonly string[]): readonly unknown[] | undefined {
  try {
    return askIp(...args)
  } catch {
    return undefined
  }
}

/** The arguments that show all links of this network namespace. */
export const LINKS = ['-d', 'link', 'show'] as const

/** @returns all links; undefined if ip(8) does not show them */
export function readLinks(): readonly IpLink[] | undefined { return readIp(...LINKS) as readonly IpLink[] | undefined }

/** @returns whether the kernel sends no solicitations on a link */
export function isWithoutDiscovery({ flags }: IpLink): boolean { return flags.includes('NOARP') }
