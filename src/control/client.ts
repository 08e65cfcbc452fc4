/** The client of the control socket. */
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { type Part, VERSION } from './protocol.ts'

/** Longest silence of the daemon, milliseconds. */
const TIMEOUT = 10_000

/** The daemon's reason for not replying. */
export class Refused extends Error {}

/**
 * Sends a command with its arguments, and yields the parts of the reply.
 * @param timeout longest silence, milliseconds; 0: no limit, for replies that go on as long as things happen
 * @throws the error of connect(2): ENOENT or ECONNREFUSED without a daemon, EACCES without permission; {@link Refused}; else an Error
 */
export async function * request(path: string, command: string, args: object = {}, timeout = TIMEOUT): AsyncGenerator<Part> {
  const socket = connect(path)
  socket.write(`${JSON.stringify({ version: VERSION, command, ...args })}\n`)
  socket.setTimeout(timeout, () => socket.destroy(new Error(`the daemon has not answered for ${timeout / 1000} s`)))
  const failed = new Promise<never>((_, reject) => socket.on('error', reject))
  failed.catch(() => {}) // The socket may fail between two parts.
  const lines = createInterface({ input: socket, crlfDelay: Infinity })[Symbol.asyncIterator]()
  try {
    for (;;) {
      const { value, done } = await Promise.race([lines.next(), failed])
      if (done === true) throw new Error('the daemon closed the connection before the end of its reply')
      const part = JSON.parse(value) as Part
      if (typeof part.error === 'string') throw new Refused(part.error)
      if (part.end === true) return
      yield part
    }
  } finally {
    socket.destroy()
  }
}
