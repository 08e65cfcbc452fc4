/** `ndp6d status`: links, neighbors, counters and limits of the running daemon. */
import { Address } from '../address.ts'
import { requestStatus } from '../control/client.ts'
import { controlPath, type Status } from '../control/protocol.ts'
import type { NeighborSnapshot } from '../engine.ts'
import { EXIT } from './exit.ts'
import { runtimeDirectory } from './service-directories.ts'
import { table } from './table.ts'

export const command = 'status'
export const describe = 'show links, neighbors and their routes, counters and limits of the running daemon'
export const builder = { json: { type: 'boolean', default: false, describe: 'as one JSON document' } } as const

export async function handler({ json }: { json: boolean }): Promise<void> {
  const path = controlPath(runtimeDirectory())
  // Ignores the error of a pipe that its reader closes early (`| head`).
  process.stdout.on('error', () => {})
  try {
    const { neighbors, ...summary } = await requestStatus(path)
    const status = { ...summary, neighbors: sorted(neighbors) }
    process.stdout.write(json ? `${JSON.stringify(status, undefined, 2)}\n` : print(status))
  } catch (error) {
    process.exitCode = explain(error as NodeJS.ErrnoException, path)
  }
}

function sorted(neighbors: readonly NeighborSnapshot[]): NeighborSnapshot[] {
  return neighbors.map((neighbor) => ({ neighbor, address: Address.parse(neighbor.target)! }))
    .sort((a, b) => a.address.compare(b.address)).map(({ neighbor }) => neighbor)
}

function print({ version, pid, uptime, links, neighbors, counters, limits }: Status): string {
  const packets = Object.entries(counters).filter(([, count]) => count > 0)
  const parts = [
    `ndp6d ${version}, process ${pid}, running for ${duration(uptime)}\n`,
    section(['LINK', 'RECEIVED', 'DROPPED', 'SENT', 'UNSENT', 'QUEUED'], 1,
      links.map(({ iface, received, drops, sent, unsent, queued }) => [iface, received, drops, sent, unsent, queued])),
    section(['NEIGHBOR', 'STATE', 'LINK', 'LINK-LAYER ADDRESS', 'ROUTE', 'PINNED'], 6,
      neighbors.map(({ target, state, iface = '-', via, lladdr = '-', routed, pinned }) =>
        [target, state, via === undefined ? iface : `${iface} via ${via}`, lladdr, routed ? 'yes' : '-', pinned ? 'yes' : '-'])),
    section(['OUTCOME', 'PACKETS'], 1, packets),
    section(['LIMIT', 'USED', 'MAX'], 1, limits.map(({ name, used, size }) => [name, used, size])),
  ]
  // Interface names may contain control characters.
  return parts.filter((part) => part !== '').join('\n').replace(/(?!\n)\p{Cc}/gu, '?')
}

/** @param left how many leading columns are text, aligned to the left. @returns a table, or '' if there are no rows */
function section(head: readonly string[], left: number, rows: readonly (readonly (string | number)[])[]): string {
  return rows.length === 0 ? '' : table([head, ...rows.map((row) => row.map(String))], { left })
}

/** Formats seconds by the two largest units: `3d 4h`. */
export function duration(seconds: number): string {
  const [days, hours, minutes] = [86_400, 3600, 60].map((unit) => Math.floor(seconds / unit))
  if (days > 0) return `${days}d ${hours % 24}h`
  if (hours > 0) return `${hours}h ${minutes % 60}min`
  return minutes > 0 ? `${minutes}min ${Math.floor(seconds % 60)}s` : `${Math.floor(seconds)}s`
}

/** Prints the reason of an error, and what to do. @returns the exit status */
function explain({ code, message }: NodeJS.ErrnoException, path: string): number {
  switch (code) {
    case 'ENOENT': case 'ECONNREFUSED':
      process.stderr.write(`ndp6d: no ndp6d runs in this network namespace (no process listens at ${path}): `
        + '`systemctl start ndp6d` starts it, `journalctl -u ndp6d` shows why it ended\n')
      return EXIT.notRunning
    case 'EACCES': case 'EPERM':
      process.stderr.write('ndp6d: not permitted to connect to the daemon: run this command as root (`sudo ndp6d status`)\n')
      return EXIT.notPermitted
    default:
      process.stderr.write(`ndp6d: ${message}\n`)
      return EXIT.failed
  }
}
