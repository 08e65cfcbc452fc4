/** The server of the control socket. Only root and the daemon's own user have access. */
import { mkdirSync, rmdirSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { pipeline, Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import type { NeighborSnapshot } from '../engine.ts'
import type { Limit } from '../events.ts'
import type { Part, Request, Summary } from './protocol.ts'

const MAX_CONNECTIONS = 8
/** Longest request, characters. */
const MAX_REQUEST = 1024
/** Milliseconds at most until a request is complete, and of a client's silence while it receives the reply. */
const TIMEOUT = 10_000
/** Milliseconds until another attempt to listen, if no file descriptor was free. */
const RETRY = 1000
/** The most neighbors in one part of the reply. Packets are processed between two parts. */
const PART_SIZE = 256

export interface StatusSource {
  summary(): Summary
  /** Read in parts, between which neighbors may change. */
  neighbors(): Iterable<NeighborSnapshot>
}

export class ControlServer {
  readonly #path: string
  readonly #source: StatusSource
  readonly #failed: (error: Error) => void
  readonly #timeout: number
  readonly #isRoomLeft: () => boolean
  #server: Server | undefined
  #retry: NodeJS.Timeout | undefined
  #hasFailed = false
  readonly #sockets = new Set<Socket>()
  /** Whether this process made the directory of the socket. */
  #madeDirectory = false

  /**
   * Replaces a socket of a previous run at `path`, and begins to listen.
   * @param failed called once, after the first error of listening. Without a free file descriptor, listening is tried again later
   * @param isRoomLeft whether a further connection leaves enough file descriptors for the rest of the program
   */
  constructor(path: string, source: StatusSource, failed: (error: Error) => void, timeout = TIMEOUT, isRoomLeft = () => true) {
    this.#path = path
    this.#source = source
    this.#failed = failed
    this.#timeout = timeout
    this.#isRoomLeft = isRoomLeft
    this.#listen()
  }

  get limits(): Limit[] { return [{ name: 'control connections', used: this.#sockets.size, size: MAX_CONNECTIONS }] }

  close(): void {
    clearTimeout(this.#retry)
    this.#server?.close()
    for (const socket of this.#sockets) socket.destroy()
    if (this.#madeDirectory) {
      try {
        rmdirSync(dirname(this.#path))
      } catch {
        // The daemon of another network namespace has its socket there.
      }
    }
  }

  #listen(): void {
    const path = this.#path
    const server = this.#server = createServer((socket) => this.#connected(socket))
    const failed = (error: NodeJS.ErrnoException): void => {
      if (!this.#hasFailed) this.#failed(error)
      this.#hasFailed = true
      if (error.code !== 'EMFILE' && error.code !== 'ENFILE') return
      // Without a free descriptor, each pending connection would cause an error again and again.
      server.close()
      clearTimeout(this.#retry)
      this.#retry = setTimeout(() => this.#listen(), RETRY).unref()
    }
    server.on('error', failed)
    const mask = process.umask(0o077)
    try {
      rmSync(path, { force: true })
      if (mkdirSync(dirname(path), { recursive: true }) !== undefined) this.#madeDirectory = true
      server.listen(path)
    } catch (error) {
      failed(error as NodeJS.ErrnoException)
    } finally {
      process.umask(mask)
    }
  }

  #connected(socket: Socket): void {
    // Ignores errors of a client that is gone.
    socket.on('error', () => {})
    const refusal = this.#refusal()
    if (refusal !== undefined) {
      socket.write(print({ error: refusal }))
      socket.destroySoon() // not end(), which would keep the file descriptor until the client closes
      return
    }
    this.#sockets.add(socket)
    const timer = setTimeout(() => socket.destroy(), this.#timeout)
    socket.on('close', () => {
      clearTimeout(timer)
      this.#sockets.delete(socket)
    })
    socket.setEncoding('utf8')
    let text = ''
    socket.on('data', (more: string) => {
      text += more
      const [line, rest] = text.split('\n', 2)
      if (rest === undefined && text.length <= MAX_REQUEST) return
      socket.removeAllListeners('data')
      clearTimeout(timer)
      socket.setTimeout(this.#timeout, () => socket.destroy())
      pipeline(Readable.from(reply(rest === undefined ? '' : line, this.#source)), socket, () => {})
    })
  }

  /** @returns why a further connection is refused; undefined if it is not */
  #refusal(): string | undefined {
    if (this.#sockets.size >= MAX_CONNECTIONS) return `${MAX_CONNECTIONS} other commands are being answered: try again in a moment`
    return this.#isRoomLeft() ? undefined : 'the daemon has too many open files: raise `LimitNOFILE=` of the unit'
  }
}

async function * reply(line: string, source: StatusSource): AsyncGenerator<string> {
  if (!isRequest(line)) return yield print({ error: 'expected one line: {"command":"status"}' })
  yield print({ summary: source.summary() })
  let neighbors: NeighborSnapshot[] = []
  for (const neighbor of source.neighbors()) {
    if (neighbors.push(neighbor) < PART_SIZE) continue
    yield print({ neighbors })
    neighbors = []
    await setImmediate()
  }
  yield print({ neighbors })
  yield print({ end: true })
}

function print(part: Part): string { return `${JSON.stringify(part)}\n` }

function isRequest(line: string): boolean {
  try {
    return (JSON.parse(line) as Request | null)?.command === 'status'
  } catch {
    return false
  }
}
