/**
 * The control protocol between commands and the daemon: lines of JSON on a stream socket in the file system. The command sends one
 * {@link Request}. The reply is one line for each part. A part with `end` or `error` is the last one.
 */

/** Version of the protocol. It grows with each change that old commands or old daemons do not understand. */
export const VERSION = 1

/** Longest line of a request, characters. */
export const MAX_LINE = 65_536

export interface Request {
  readonly version: typeof VERSION
  readonly command: string
  readonly [argument: string]: unknown
}

/** A part of a reply. Its keys depend on the command. */
export type Part = Readonly<Record<string, unknown>>

/** @returns undefined if the line is not a request of this version */
export function parseRequest(line: string): Request | undefined {
  try {
    const request = JSON.parse(line) as Partial<Request> | null
    return request?.version === VERSION && typeof request.command === 'string' ? request as Request : undefined
  } catch {
    return undefined
  }
}
