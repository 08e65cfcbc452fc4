/** The file of the control socket. */
import { lstatSync, rmSync } from 'node:fs'

/** Bytes of a path in an address (sockaddr_un). The kernel would use the beginning of a longer path. */
const MAX_PATH = 107

/** Removes the socket that a killed daemon left at `path`. @throws Error if the path is too long, or names a file of another type */
export function removeSocket(path: string): void {
  if (Buffer.byteLength(path) > MAX_PATH) throw new Error(`the path ${path} has more than ${MAX_PATH} bytes: name a shorter one with \`--control\``)
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return
  // `--control` may have been typed instead of `--config`.
  if (!stat.isSocket()) throw new Error(`${path} is not a socket: name another path with \`--control\``)
  rmSync(path)
}
