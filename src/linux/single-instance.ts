/** Allows one daemon in a network namespace: two would adopt each other's routes as those of a previous run. */
import type { OsError } from './errors.ts'
import { native, type NativeSocket } from './native.ts'

export class AlreadyRunning extends Error {
  override readonly name = 'AlreadyRunning'
  constructor() {
    super('another ndp6d runs in this network namespace: stop it, or put both configurations into one file (`include`)')
  }
}

/** Takes the lock: an abstract socket name, which is free again when the process ends (unix(7)). @throws AlreadyRunning, OsError */
export function claim(): NativeSocket {
  try {
    return native.openUnix('@ndp6d', '')
  } catch (error) {
    throw (error as OsError).code === 'EADDRINUSE' ? new AlreadyRunning() : error
  }
}
