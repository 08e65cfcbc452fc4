/** The connection of commands to the daemon. */
import { NoReply, Refused } from '../control/client.ts'
import { controlPath } from './service-directories.ts'
import { EXIT } from './exit.ts'

/** The option of the daemon, and of all commands that connect to it. */
export const control = { type: 'string', requiresArg: true, default: controlPath(), defaultDescription: '/run/ndp6d/control.sock',
  describe: 'socket of the daemon' } as const

/**
 * Prints why a command failed, and what to do. With `schema`, also prints a JSON object with the reason to stdout.
 * @param path the path of the socket
 * @returns the exit status
 */
export function explainFailure(error: NodeJS.ErrnoException, path: string, schema?: string): number {
  const { running, reason, status, sentence } = failureOf(error, path)
  if (schema !== undefined) {
    const object = { schema, running, reason, ...status === EXIT.failed ? { message: sentence } : {} }
    process.stdout.write(`${JSON.stringify(object, undefined, 2)}\n`)
  }
  process.stderr.write(`ndp6d: ${sentence}\n`)
  return status
}

/** `running`: null when it is unknown whether a daemon runs. */
export interface Failure { readonly running: boolean | null; readonly reason: string; readonly status: number; readonly sentence: string }

/** @param path the path of the socket. @returns why a command failed, with the sentence for its user */
export function failureOf(error: NodeJS.ErrnoException, path: string): Failure {
  switch (error.code) {
    case 'ENOENT': case 'ENOTDIR': case 'ECONNREFUSED': return { running: false, reason: 'not-listening', status: EXIT.notRunning,
      sentence: `not running (no process listens at ${path}): \`systemctl start ndp6d\` starts it, \`journalctl -u ndp6d\` shows why it ended` }
    case 'EACCES': case 'EPERM': return { running: null, reason: 'not-permitted', status: EXIT.notPermitted,
      sentence: 'not permitted to connect to the daemon: run this command with sudo, or as a member of the group `ndp6d-ctl`' }
    default: return error instanceof Refused ? { running: true, reason: 'refused', status: EXIT.failed, sentence: error.message }
      : { running: null, reason: 'no-reply', status: EXIT.failed, sentence: adviceOf(error, path) }
  }
}

/** @returns why there is no reply, and what to do. An error with a code comes from connecting, an error without one from the reply. */
function adviceOf(error: NodeJS.ErrnoException, path: string): string {
  if (error.code !== undefined) return `cannot connect to ${path}: ${error.message}: \`--control PATH\` names another socket`
  switch (error instanceof NoReply ? error.kind : 'foreign') {
    case 'lost': return `${error.message}: \`systemctl status ndp6d\` shows whether it runs, \`journalctl -u ndp6d\` why it ended`
    case 'silent': return `${error.message}: run this again later; \`systemctl restart ndp6d\` ends a daemon that hangs`
    default: return `the reply at ${path} is not one of this version of ndp6d: after an upgrade, \`systemctl restart ndp6d\`; \`ss -xlp src ${path}\` `
      + 'shows the program that listens there'
  }
}
