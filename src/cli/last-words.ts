/** Finds the last problem that the service logged in the journal: most likely the reason why it does not run. */
import { spawnSync } from 'node:child_process'

/** Time limit of journalctl(1), milliseconds. The journal of a busy machine may be large. */
const TIMEOUT = 1000

/** @returns the record with its time, in one line; undefined if there is no record, this user may not read it, or reading takes too long */
export function lastWords(): string | undefined {
  // The journal sets _SYSTEMD_UNIT to the unit that sent the record, so records of systemd itself about the service do not match.
  const { status, stdout } = spawnSync('journalctl', ['_SYSTEMD_UNIT=ndp6d.service', '--priority=warning', '--lines=1', '--output=json',
    '--output-fields=MESSAGE', '--quiet', '--no-pager'], { encoding: 'utf8', timeout: TIMEOUT, killSignal: 'SIGKILL', stdio: ['ignore', 'pipe', 'ignore'] })
  if (status !== 0) return undefined
  try {
    const { MESSAGE: message, __REALTIME_TIMESTAMP: microseconds } = JSON.parse(stdout) as Record<string, unknown>
    // A message that is no text comes as a list of bytes.
    const text = Array.isArray(message) ? Buffer.from(message as number[]).toString() : message
    if (typeof text !== 'string' || text === '') return undefined
    const at = new Date(Number(microseconds) / 1000)
    return `${at.toLocaleDateString('sv')} ${at.toTimeString().slice(0, 5)}: ${text.replace(/\p{Cc}/gu, '?')}`
  } catch {
    return undefined
  }
}
