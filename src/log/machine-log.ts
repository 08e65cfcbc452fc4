/** Records about this machine: links that are missing, and routes that the kernel refused. */
import type { RateLimitedLog } from './rate-limited-log.ts'
import { missingLinkSentence } from './sentences.ts'

/**
 * Warns about each configured link that does not exist.
 * @param wanted the interface names and patterns of the configuration
 * @param present the names of the existing links, without ports
 * @param ports the names of the ports of bridges, bonds and teams
 */
export function logMissingLinks(log: RateLimitedLog, wanted: readonly string[], present: readonly string[], ports: readonly string[]): void {
  for (const iface of wanted) {
    if (iface.includes('*') || present.includes(iface) || ports.includes(iface)) continue
    log.warn({ event: 'link-missing', iface }, missingLinkSentence(iface, present, wanted))
  }
}

/** @param error the kernel's error, with a code of errno(3) */
export function logRefusedRoute(log: RateLimitedLog, op: 'add' | 'delete', target: string, { code, message }: NodeJS.ErrnoException): void {
  const reason = code === 'EEXIST' ? 'another program has a route for it, which stays' : message
  log.warn({ event: 'route', target, reason: code ?? message }, `cannot ${op} the route of ${target}: ${reason}`)
}
