/** promtool(1) of the Debian package prometheus. */
import { spawnSync } from 'node:child_process'

/** @returns everything that it printed, and the exit status unless that is 0 */
export function promtool(args: readonly string[], input = ''): string {
  const { status, stdout, stderr, error } = spawnSync('promtool', args, { input, encoding: 'utf8' })
  return `${error?.message ?? ''}${stdout ?? ''}${stderr ?? ''}${status === 0 ? '' : `exit ${status}`}`
}
