/** The client of the control socket. */
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { type Part, VERSION } from './protocol.ts'

/** Milliseconds without data from the daemon after which a request fails. */
const TIMEOUT = 10_000

/** The daemon replied with an error. The message is the reason. */
export class Refused extends Error {}

/** The reply is incomplete, or it is from another program than ndp6d. */
export class NoReply extends Error {
  /** `lost`: the connection ended; `silent`: nothing came for too long; `foreign`: a line is not of the control protocol. */
  readonly kind: 'lost' | 'silent' | 'foreign'
  constructor(kind: NoReply['kind'], message: string) {
    super(message)
    this.kind = kind
  }
}

/**
 * Sends a command with its arguments, and yields the parts of the reply.
 * @param timeout milliseconds without data after which the request fails; 0: no limit after the first part, for commands that wait for events
 * @throws the error of connect(2): ENOENT or ECONNREFUSED without a daemon, EACCES without permission; {@link Refused}; {@link NoReply}
 */
export async function * request(path: string, command: string, args: object = {}, timeout = TIMEOUT): AsyncGenerator<Part> {
  const socket = connect(path)
  socket.write(`${JSON.stringify({ version: VERSION, command, ...args })}\n`)
  const patience = timeout || TIMEOUT
  socket.setTimeout(patience, () => socket.destroy(new NoReply('silent', `the daemon has not answered for ${patience / 1000} s`)))
  const failed = new Promise<never>((_, reject) => socket.on('error', (error: NodeJS.ErrnoException) => {
    reject(error.code === 'ECONNRESET' || error.code === 'EPIPE' ? lost() : error)
  }))
  failed.catch(() => {}) // The socket may fail between two parts, when nothing awaits the promise.
  const lines = createInterface({ input: socket, crlfDelay: Infinity })[Symbol.asyncIterator]()
  try {
    for (;;) {
      const { value, done } = await Promise.race([lines.next(), failed])
      if (done === true) throw lost()
      const part = partOf(value, socket.readableEnded)
      if (typeof part.error === 'string') throw new Refused(part.error)
      if (part.end === true) return
      if (timeout === 0) socket.setTimeout(0)
      yield part
    }
  } finally {
    socket.destroy()
  }
}

function lost(): NoReply { return new NoReply('lost', 'the daemon closed the connection before the end of its reply') }

/** Parses a line of the reply. @param isEnd whether the connection has ended, so that the line may be incomplete. @throws NoReply */
function partOf(line: string, isEnd: boolean): Part {
  try {
    const part: unknown = JSON.parse(line)
    if (typeof part === 'object' && part !== null && !Array.isArray(part)) return part as Part
  } catch {
    if (isEnd && line.startsWith('{')) throw lost()
  }
  throw new NoReply('foreign', 'the reply is not one of ndp6d')
}
