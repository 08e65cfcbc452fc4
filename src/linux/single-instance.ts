/** The lock of a network namespace: two daemons would adopt each other's routes as those of a previous run. */
import type { OsError } from './errors.ts'
import { native, type NativeSocket } from './native.ts'

export class AlreadyRunning extends Error {
  override readonly name = 'AlreadyRunning'
  constructor() {
    super('another ndp6d runs in this network namespace: stop it, or put both configurations into one file (`include`)')
  }
}

/** Takes the lock: an abstract name, which ends with the process (unix(7)). @throws AlreadyRunning, OsError */
export function claim(): NativeSocket {
  try {
    return native.openUnix('@ndp6d', '')
  } catch (error) {
    throw (error as OsError).code === 'EADDRINUSE' ? new AlreadyRunning() : error
  }
}
