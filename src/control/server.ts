/** The server of the control socket. The daemon's user and group have access. */
import { rmdirSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { pipeline, Readable } from 'node:stream'
import type { Limit } from '../events.ts'
import { MAX_LINE, type Part, parseRequest, type Request, VERSION } from './protocol.ts'
import { Share } from './share.ts'
import { listenAt } from './socket-file.ts'

const MAX_CLIENTS = 32
/** Milliseconds in which a client has to send its request. */
const TIMEOUT = 10_000
/** Milliseconds until another attempt to listen, if no file descriptor was free. */
const RETRY = 1000

/**
 * Replies to a request, part by part. The next part is made when the client has read most of the former ones, so a long reply needs little
 * memory. The daemon handles no packets while an Iterable makes a part, so the server takes each part only at its turn ({@link Share}).
 * A part of an AsyncIterable is taken as soon as it is made, without turns.
 * @throws Error whose message is sent to the client as the reason
 * @param closed is aborted when the client is gone
 */
export type Reply = (request: Request, closed: AbortSignal) => Iterable<Part> | AsyncIterable<Part>

export interface ServerOptions {
  readonly replies: Readonly<Record<string, Reply>>
  /** Called once, when listening fails for the first time. If no file descriptor was free, listening is tried again later. */
  readonly failed: (error: Error) => void
  /** @returns whether enough file descriptors remain for the rest of the program if another client connects */
  readonly isRoomLeft?: () => boolean
  readonly timeout?: number
}

export class ControlServer {
  readonly #path: string
  readonly #options: ServerOptions
  /** Fulfilled when clients can connect, or after the first error. */
  readonly opened: Promise<void>
  #open!: () => void
  #server: Server | undefined
  #retry: NodeJS.Timeout | undefined
  #hasFailed = false
  #isClosed = false
  /** The clients, in the order of their last activity: the first has been idle for the longest time. */
  readonly #clients = new Set<Socket>()
  readonly #share = new Share()
  /** How many replies that take turns have begun so far. */
  #replies = 0
  /** Whether this process made the directory of the socket. */
  #madeDirectory = false

  /** Replaces a socket that a previous run left at `path`, and begins to listen. */
  constructor(path: string, options: ServerOptions) {
    this.#path = path
    this.#options = options
    this.opened = new Promise((resolve) => { this.#open = resolve })
    this.#replace()
  }

  get limits(): Limit[] { return [{ name: 'control connections', used: this.#clients.size, size: MAX_CLIENTS }] }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#retry)
    this.#server?.close()
    for (const client of this.#clients) client.destroy()
    if (this.#madeDirectory) {
      try {
        rmdirSync(dirname(this.#path))
      } catch {
        // Another daemon has its socket there.
      }
    }
  }

  /** Replaces the socket and listens, unless another process listens at the path. */
  #replace(): void {
    const other = connect(this.#path)
    other.on('connect', () => {
      other.destroy()
      this.#failed(new Error(`another daemon listens at ${this.#path}: give this one a path of its own with \`--control\``))
    })
    other.on('error', (error: NodeJS.ErrnoException) => {
      if (this.#isClosed) return
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') this.#listen()
      else this.#failed(error)
    })
  }

  /** Reports the first error. If no file descriptor was free, tries to listen again after RETRY. */
  #failed(error: NodeJS.ErrnoException): void {
    if (!this.#hasFailed) this.#options.failed(error)
    this.#hasFailed = true
    this.#open()
    if (error.code !== 'EMFILE' && error.code !== 'ENFILE') return
    // An open server would get an error for each pending connection, again and again.
    this.#server?.close()
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => this.#replace(), RETRY).unref()
  }

  #listen(): void {
    const server = this.#server = createServer((socket) => this.#connected(socket))
    server.on('error', (error) => this.#failed(error))
    server.on('listening', () => this.#open())
    try {
      if (listenAt(server, this.#path)) this.#madeDirectory = true
    } catch (error) {
      this.#failed(error as NodeJS.ErrnoException)
    }
  }

  #connected(socket: Socket): void {
    // Ignores errors of a client that is gone.
    socket.on('error', () => {})
    if (!this.#makeRoom()) {
      socket.write(print({ error: 'the daemon has too many open files: raise `LimitNOFILE=` of the unit' }))
      socket.destroySoon() // not end(), which would keep the file descriptor until the client closes
      return
    }
    this.#active(socket)
    const timer = setTimeout(() => socket.destroy(), this.#options.timeout ?? TIMEOUT)
    const closed = new AbortController()
    socket.on('close', () => {
      clearTimeout(timer)
      closed.abort()
      this.#clients.delete(socket)
    })
    socket.on('drain', () => this.#active(socket))
    socket.setEncoding('utf8')
    let text = ''
    socket.on('data', (more: string) => {
      this.#active(socket)
      text += more
      const end = text.indexOf('\n')
      if (end === -1 && text.length <= MAX_LINE) return
      clearTimeout(timer)
      socket.removeAllListeners('data')
      // Data after the request is ignored. A client that sends much is disconnected, because reading takes time. ndp6d's commands send none.
      let ignored = text.length
      socket.on('data', (more: string) => {
        ignored += more.length
        if (ignored > 2 * MAX_LINE) socket.destroy()
      })
      const line = text.slice(0, Math.min(Math.max(end, 0), MAX_LINE))
      text = ''
      pipeline(Readable.from(this.#reply(line, closed.signal)), socket, () => {})
    })
  }

  /**
   * If a limit is reached, disconnects the client that was idle for the longest time, so that idle clients block no command.
   * @returns whether one more client may connect
   */
  #makeRoom(): boolean {
    const isRoomLeft = this.#options.isRoomLeft?.() ?? true
    if (isRoomLeft && this.#clients.size < MAX_CLIENTS) return true
    const [oldest] = this.#clients
    if (oldest === undefined) return isRoomLeft
    this.#clients.delete(oldest)
    oldest.destroy()
    return true
  }

  #active(client: Socket): void {
    this.#clients.delete(client)
    if (!client.destroyed) this.#clients.add(client)
  }

  async * #reply(line: string, closed: AbortSignal): AsyncGenerator<string> {
    const request = parseRequest(line)
    const { replies } = this.#options
    const reply = request !== undefined && Object.hasOwn(replies, request.command) ? replies[request.command] : undefined
    if (request === undefined || reply === undefined) {
      return yield print({ error: `this daemon expects one line: {"version":${VERSION},"command":NAME}, where NAME is one of ${
        Object.keys(replies).join(', ')}. Are command and daemon of the same version?` })
    }
    try {
      const parts = reply(request, closed)
      yield * Symbol.asyncIterator in parts ? printAll(parts) : this.#inTurns(parts)
      yield print({ end: true })
    } catch (error) {
      yield print({ error: (error as Error).message })
    }
  }

  /** Prints one part at each turn. */
  async * #inTurns(parts: Iterable<Part>): AsyncGenerator<string> {
    const iterator = parts[Symbol.iterator]()
    const number = ++this.#replies
    for (let taken = 0; ;) {
      await this.#share.turn(taken, number)
      const began = process.cpuUsage()
      let text: string
      try {
        const { value, done } = iterator.next()
        if (done === true) return
        text = print(value)
      } finally {
        const { user, system } = process.cpuUsage(began)
        const time = (user + system) / 1000
        taken += time
        this.#share.took(time)
      }
      yield text
    }
  }
}

async function * printAll(parts: AsyncIterable<Part>): AsyncGenerator<string> { for await (const part of parts) yield print(part) }

function print(part: Part): string { return `${JSON.stringify(part)}\n` }
