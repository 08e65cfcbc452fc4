/** `ndp6d status`: what the daemon knows, and how full it is. */
import { Address } from '../address.ts'
import { askStatus } from '../control/client.ts'
import { controlPath } from '../control/protocol.ts'
import type { Status } from '../control/protocol.ts'
import type { KnownNeighbor } from '../engine/known.ts'
import { EXIT } from './exit.ts'
import { table } from './table.ts'

export async function handler(json: boolean): Promise<void> {
  const path = controlPath()
  // Who reads may have seen enough (`| head`).
  process.stdout.on('error', () => {})
  try {
    const { neighbors, ...summary } = await askStatus(path)
    const status = { ...summary, neighbors: inOrder(neighbors) }
    process.stdout.write(json ? `${JSON.stringify(status, undefined, 2)}\n` : print(status))
  } catch (error) {
    process.exitCode = explain(error as NodeJS.ErrnoException, path)
  }
}

function inOrder(neighbors: readonly KnownNeighbor[]): KnownNeighbor[] {
  return neighbors.map((neighbor) => ({ neighbor, address: Address.parse(neighbor.target)! }))
    .sort((a, b) => a.address.compare(b.address)).map(({ neighbor }) => neighbor)
}

function print({ version, pid, uptime, links, neighbors, counters, limits }: Status): string {
  const packets = Object.entries(counters).filter(([, count]) => count > 0)
  const parts = [
    `ndp6d ${version}, process ${pid}, for ${duration(uptime)}\n`,
    section(['LINK', 'RECEIVED', 'DROPPED', 'SENT', 'UNSENT', 'WAITING'], 1,
      links.map(({ iface, received, drops, sent, unsent, queued }) => [iface, received, drops, sent, unsent, queued])),
    section(['NEIGHBOR', 'STATE', 'LINK', 'LINK-LAYER ADDRESS', 'ROUTE', 'PINNED'], 6, neighbors.map(
      ({ target, state, iface = '-', lladdr = '-', routed, pinned }) => [target, state, iface, lladdr, routed ? 'yes' : '-', pinned ? 'yes' : '-'])),
    section(['PACKETS', 'COUNT'], 1, packets),
    section(['ROOM FOR', 'IN USE', 'AT MOST'], 1, limits.map(({ name, used, size }) => [name, used, size])),
  ]
  // An interface may be named with control characters: they do not get to the terminal.
  return parts.filter((part) => part !== '').join('\n').replace(/(?!\n)\p{Cc}/gu, '?')
}

/** @param left columns of text. Empty without rows */
function section(head: readonly string[], left: number, rows: readonly (readonly (string | number)[])[]): string {
  return rows.length === 0 ? '' : table([head, ...rows.map((row) => row.map(String))], { left })
}

/** Seconds as the two largest units: `3d 4h`. */
export function duration(seconds: number): string {
  const [days, hours, minutes] = [86_400, 3600, 60].map((unit) => Math.floor(seconds / unit))
  if (days > 0) return `${days}d ${hours % 24}h`
  if (hours > 0) return `${hours}h ${minutes % 60}min`
  return minutes > 0 ? `${minutes}min ${Math.floor(seconds % 60)}s` : `${Math.floor(seconds)}s`
}

/** Says what went wrong and what to do. @returns the exit status */
function explain({ code, message }: NodeJS.ErrnoException, path: string): number {
  switch (code) {
    case 'ENOENT': case 'ECONNREFUSED':
      process.stderr.write(`ndp6d: no ndp6d runs in this network namespace (nobody listens at ${path}): `
        + '`systemctl start ndp6d` starts it, `journalctl -u ndp6d` says why it ended\n')
      return EXIT.notRunning
    case 'EACCES': case 'EPERM':
      process.stderr.write('ndp6d: not permitted to ask the daemon: run it as root (`sudo ndp6d status`)\n')
      return EXIT.notPermitted
    default:
      process.stderr.write(`ndp6d: ${message}\n`)
      return EXIT.failed
  }
}
