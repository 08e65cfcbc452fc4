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
/** Longest silence of a client, milliseconds. */
const TIMEOUT = 10_000
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
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** Whether this process made the directory of the socket. */
  #madeDirectory = false

  /** Replaces a socket of a previous run at `path`, and begins to listen. @param failed called if listening fails */
  constructor(path: string, source: StatusSource, failed: (error: Error) => void, timeout = TIMEOUT) {
    this.#path = path
    this.#source = source
    this.#server = createServer((socket) => this.#connected(socket, timeout))
    this.#server.on('error', failed)
    const mask = process.umask(0o077)
    try {
      rmSync(path, { force: true })
      this.#madeDirectory = mkdirSync(dirname(path), { recursive: true }) !== undefined
      this.#server.listen(path)
    } catch (error) {
      failed(error as Error)
    } finally {
      process.umask(mask)
    }
  }

  get limits(): Limit[] { return [{ name: 'control connections', used: this.#sockets.size, size: MAX_CONNECTIONS }] }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    if (this.#madeDirectory) {
      try {
        rmdirSync(dirname(this.#path))
      } catch {
        // The daemon of another network namespace has its socket there.
      }
    }
  }

  #connected(socket: Socket, timeout: number): void {
    // Ignores errors of a client that is gone.
    socket.on('error', () => {})
    socket.setTimeout(timeout, () => socket.destroy())
    if (this.#sockets.size >= MAX_CONNECTIONS) {
      socket.end(print({ error: `${MAX_CONNECTIONS} other commands are being answered: try again in a moment` }))
      return
    }
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    socket.setEncoding('utf8')
    let text = ''
    socket.on('data', (more: string) => {
      text += more
      const [line, rest] = text.split('\n', 2)
      if (rest === undefined && text.length <= MAX_REQUEST) return
      socket.removeAllListeners('data')
      pipeline(Readable.from(reply(rest === undefined ? '' : line, this.#source)), socket, () => {})
    })
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
