/** One ndp6d serves a network namespace: two would take each other's routes for leftovers. */
import type { OsError } from './errors.ts'
import { native } from './native.ts'
import type { NativeSocket } from './native.ts'

/** Another ndp6d runs here. */
export class AlreadyRunning extends Error {
  override readonly name = 'AlreadyRunning'
  constructor() {
    super('another ndp6d is running in this network namespace, and serves its interfaces: stop it, or put both '
      + 'configurations into one file (`include`)')
  }
}

/** An abstract name belongs to the network namespace and ends with the process (unix(7)). Throws AlreadyRunning or an OsError. */
export function claim(): NativeSocket {
  try {
    return native.openUnix('@ndp6d', '')
  } catch (error) {
    throw (error as OsError).code === 'EADDRINUSE' ? new AlreadyRunning() : error
  }
}
