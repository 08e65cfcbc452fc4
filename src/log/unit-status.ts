/** The line that `systemctl status` shows while the daemon runs. */

/** What the daemon serves at present. */
export interface Serving {
  /** Number of links that are listened on. */
  readonly links: number
  /** Configured links that are missing, or cannot be listened on. */
  readonly waiting: readonly string[]
  /** Number of targets with an owner. */
  readonly hosts: number
  readonly routes: number
  /** Whether the daemon only answers solicitations, and changes nothing in the kernel. */
  readonly answersOnly: boolean
  /** Number of findings of `ndp6d doctor`. */
  readonly findings: number
}

/** The most links that are named. */
const MAX_NAMES = 4

/** @returns for instance `2 links, 14 hosts, 14 routes; waiting for eth9; 1 finding: ndp6d doctor` */
export function unitStatus({ links, waiting, hosts, routes, answersOnly, findings }: Serving): string {
  const counts = [count(links, 'link'), count(hosts, 'host'), answersOnly ? 'no routes (answers only)' : count(routes, 'route')]
  const parts = [counts.join(', ')]
  const more = waiting.length - MAX_NAMES
  if (waiting.length > 0) parts.push(`waiting for ${waiting.slice(0, MAX_NAMES).join(', ')}${more > 0 ? ` and ${more} more` : ''}`)
  if (findings > 0) parts.push(`${count(findings, 'finding')}: ndp6d doctor`)
  return parts.join('; ')
}

function count(n: number, noun: string): string { return `${n} ${noun}${n === 1 ? '' : 's'}` }
