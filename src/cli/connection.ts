/** The connection of commands to the daemon. */
import { controlPath } from './service-directories.ts'
import { EXIT } from './exit.ts'

/** The option of all commands that talk to the daemon, and of the daemon. */
export const control = { type: 'string', requiresArg: true, default: controlPath(), defaultDescription: '/run/ndp6d/control.sock',
  describe: 'socket of the daemon' } as const

/** Prints why a command failed, and what to do. @param path of the socket @returns the exit status */
export function explainFailure({ code, message }: NodeJS.ErrnoException, path: string): number {
  switch (code) {
    case 'ENOENT': case 'ECONNREFUSED':
      process.stderr.write(`ndp6d: not running (no process listens at ${path}): `
        + '`systemctl start ndp6d` starts it, `journalctl -u ndp6d` shows why it ended\n')
      return EXIT.notRunning
    case 'EACCES': case 'EPERM':
      process.stderr.write('ndp6d: not permitted to connect to the daemon: run this command with sudo, or as a member of the group `ndp6d-ctl`\n')
      return EXIT.notPermitted
    default:
      process.stderr.write(`ndp6d: ${message}\n`)
      return EXIT.failed
  }
}
