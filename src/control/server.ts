/** Answers the commands. Only root, and the user that the daemon runs as, may ask. */
import { mkdirSync, rmdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { dirname } from 'node:path'
import { pipeline, Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import type { KnownNeighbor } from '../engine/known.ts'
import type { Limit } from '../engine/types.ts'
import type { Part, Request, Summary } from './protocol.ts'

/** Commands at a time, the longest request in characters, and for how long one may be silent, in milliseconds. */
const CONNECTIONS = 8
const REQUEST_LIMIT = 1024
const PATIENCE = 10_000
/** Neighbors in a part: the daemon has other work between two of them. */
const PART = 256

/** What is told of the daemon. */
export interface StatusSource {
  summary(): Summary
  /** May be read bit by bit while things change. */
  neighbors(): Iterable<KnownNeighbor>
}

export class ControlServer {
  readonly #path: string
  readonly #source: StatusSource
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** The directory is ours. */
  #isMade = false

  /** Listens soon; what is left at `path` of a former life is removed. @param failed nobody can ask: why */
  constructor(path: string, source: StatusSource, failed: (error: Error) => void, patience = PATIENCE) {
    this.#path = path
    this.#source = source
    this.#server = createServer((socket) => this.#connected(socket, patience))
    this.#server.on('error', failed)
    const mask = process.umask(0o077)
    try {
      this.#prepare()
      this.#server.listen(path)
    } catch (error) {
      failed(error as Error)
    } finally {
      process.umask(mask)
    }
  }

  get limits(): Limit[] { return [{ name: 'commands that are answered', used: this.#sockets.size, size: CONNECTIONS }] }

  /** Leaves nothing behind. */
  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    if (this.#isMade) {
      try {
        rmdirSync(dirname(this.#path))
      } catch {
        // That of another network namespace uses it, too.
      }
    }
  }

  #prepare(): void {
    rmSync(this.#path, { force: true })
    this.#isMade = mkdirSync(dirname(this.#path), { recursive: true }) !== undefined
  }

  #connected(socket: Socket, patience: number): void {
    // Whoever asked is gone: there is nobody to tell.
    socket.on('error', () => {})
    socket.setTimeout(patience, () => socket.destroy())
    if (this.#sockets.size >= CONNECTIONS) {
      socket.end(print({ error: `${CONNECTIONS} other commands are being answered: try again in a moment` }))
      return
    }
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    socket.setEncoding('utf8')
    let text = ''
    socket.on('data', (more: string) => {
      text += more
      const [line, rest] = text.split('\n', 2)
      if (rest === undefined && text.length <= REQUEST_LIMIT) return
      socket.removeAllListeners('data')
      pipeline(Readable.from(reply(rest === undefined ? '' : line, this.#source)), socket, () => {})
    })
  }
}

async function * reply(line: string, source: StatusSource): AsyncGenerator<string> {
  if (!isRequest(line)) return yield print({ error: 'expected one line: {"command":"status"}' })
  yield print({ summary: source.summary() })
  let neighbors: KnownNeighbor[] = []
  for (const neighbor of source.neighbors()) {
    if (neighbors.push(neighbor) < PART) continue
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
