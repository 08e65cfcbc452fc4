/** `ndp6d status`: links, neighbors, counters and limits of the running daemon. */
import { Address } from '../address.ts'
import { request } from '../control/client.ts'
import type { NeighborSnapshot } from '../engine.ts'
import { type Status, statusOf } from '../replies/status.ts'
import { control, explainFailure } from './connection.ts'
import { table } from './table.ts'

export const command = 'status'
export const describe = 'show links, neighbors and their routes, counters and limits of the running daemon'
export const builder = { control, json: { type: 'boolean', default: false, describe: 'as one JSON document' } } as const

export async function handler({ control: path, json }: { control: string; json: boolean }): Promise<void> {
  // Ignores the error of a pipe that its reader closes early (`| head`).
  process.stdout.on('error', () => {})
  try {
    const { neighbors, ...summary } = await statusOf(request(path, 'status'))
    const status = { ...summary, neighbors: sorted(neighbors) }
    process.stdout.write(json ? `${JSON.stringify(status, undefined, 2)}\n` : print(status))
  } catch (error) {
    process.exitCode = explainFailure(error as NodeJS.ErrnoException, path)
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
