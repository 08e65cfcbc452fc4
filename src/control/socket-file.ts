/** The file of the control socket. */
import { lstatSync, mkdirSync, rmSync } from 'node:fs'
import type { Server } from 'node:net'
import { dirname } from 'node:path'

/** The most bytes of a path in an address (sockaddr_un). Node may use only the beginning of a longer path. */
const MAX_PATH = 107
/** umask(2) for the socket: only the daemon's user and group may connect. */
const SOCKET_MASK = 0o117
/** umask(2) for the directory of the socket: all users may list it. */
const DIRECTORY_MASK = 0o022

/**
 * Listens at `path`. Makes its directory if there is none, and replaces a socket there: the caller checks that no other process listens.
 * @returns whether the directory was made
 * @throws Error as {@link removeSocket}, or of the file system. Errors of listening are emitted by `server` (`error`)
 */
export function listenAt(server: Server, path: string): boolean {
  const mask = process.umask(DIRECTORY_MASK)
  try {
    removeSocket(path)
    const isMade = mkdirSync(dirname(path), { recursive: true }) !== undefined
    process.umask(SOCKET_MASK)
    server.listen(path)
    return isMade
  } finally {
    process.umask(mask)
  }
}

/** Removes the socket that a killed daemon left at `path`. @throws Error if the path is too long, or names a file of another type */
export function removeSocket(path: string): void {
  if (Buffer.byteLength(path) > MAX_PATH) throw new Error(`the path ${path} has more than ${MAX_PATH} bytes: name a shorter one with \`--control\``)
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return
  // `--control` may have been typed instead of `--config`.
  if (!stat.isSocket()) throw new Error(`${path} is not a socket: name another path with \`--control\``)
  rmSync(path)
}
