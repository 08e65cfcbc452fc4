/**
 * Sends notifications (readiness, watchdog) and journal entries to systemd, by datagrams. Without systemd, no notification is sent, and
 * the text of journal entries goes to stderr.
 * sd_notify(3), sd_watchdog_enabled(3), systemd.exec(5) JOURNAL_STREAM, systemd.io/JOURNAL_NATIVE_PROTOCOL.
 */
import { fstatSync, writeSync } from 'node:fs'
import { osError, type OsError } from './errors.ts'
import { native, type NativeAddon, type NativeSocket } from './native.ts'

const EAGAIN = 11
const JOURNAL_SOCKET = '/run/systemd/journal/socket'

type Environment = Readonly<Record<string, string | undefined>>
type OpenUnix = NativeAddon['openUnix']
export type JournalFields = Readonly<Record<string, string>>

/** Sends one datagram. @throws OsError */
function transmit(socket: NativeSocket, message: Uint8Array): void {
  if (socket.send(message, message.length, Int32Array.of(message.length), 1) === 0) throw osError(EAGAIN, 'sendmmsg')
}

/** The socket of the last {@link notify}, kept for the next call: watchdog notifications must leave even if no descriptor is free. */
let manager: { readonly path: string; readonly socket: NativeSocket } | undefined

/**
 * Sends the state of this service: `notify({ READY: '1', STATUS: '3 links' })`. Newlines in values become spaces.
 * @returns the error of sending; undefined if the state was sent, or if there is no NOTIFY_SOCKET
 */
export function notify(
  fields: Readonly<Record<string, string>>, env: Environment = process.env, open: OpenUnix = native.openUnix,
): OsError | undefined {
  const path = env.NOTIFY_SOCKET
  if (path === undefined || path === '') return undefined
  const lines = Object.entries(fields).map(([key, value]) => `${key}=${value.replaceAll('\n', ' ')}\n`)
  const message = Buffer.from(lines.join(''))
  const isKept = manager?.path === path
  try {
    if (!isKept) {
      manager?.socket.close()
      manager = undefined
      manager = { path, socket: open('', path) }
    }
    transmit(manager!.socket, message)
    return undefined
  } catch (error) {
    manager?.socket.close()
    manager = undefined
    // The service manager may have replaced its socket since the last call, so the message is sent once more, by a new socket of ours.
    return isKept ? notify(fields, env, open) : error as OsError
  }
}

/** Sends `RELOADING=1` with the monotonic time. `READY=1` has to follow: Type=notify-reload needs both messages. */
export function notifyReloading(env?: Environment, open?: OpenUnix): OsError | undefined {
  return notify({ RELOADING: '1', MONOTONIC_USEC: String(process.hrtime.bigint() / 1000n) }, env, open)
}

/** @returns milliseconds between two `WATCHDOG=1`: half of what systemd allows; undefined without a watchdog for this process */
export function watchdogInterval(env: Environment = process.env, pid = process.pid): number | undefined {
  const { WATCHDOG_USEC: limit = '', WATCHDOG_PID: owner = String(pid) } = env
  if (!/^[1-9]\d*$/.test(limit) || owner !== String(pid)) return undefined
  return Math.max(1, Math.floor(Number(limit) / 2000))
}

/** @returns whether `fd` (stderr) is connected to the journal, which also takes records with fields */
export function underJournal(env: Environment = process.env, fd = 2): boolean {
  if (env.JOURNAL_STREAM === undefined) return false
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true })
    return env.JOURNAL_STREAM === `${dev}:${ino}`
  } catch {
    return false     // `fd` is closed
  }
}

/** Encodes a journal entry: `KEY=value\n`. For a value with newlines: `KEY\n`, length of the value (u64, little-endian), value, `\n`. */
export function encodeFields(fields: JournalFields): Buffer {
  return Buffer.concat(Object.entries(fields).flatMap(([key, value]) => {
    if (!value.includes('\n')) return [Buffer.from(`${key}=${value}\n`)]
    const bytes = Buffer.from(value)
    const length = Buffer.alloc(8)
    length.writeBigUInt64LE(BigInt(bytes.length))
    return [Buffer.from(`${key}\n`), length, bytes, Buffer.from('\n')]
  }))
}

/** @returns the line that systemd turns into an entry with a priority (sd-daemon(3)) */
function plainLine({ PRIORITY: priority, MESSAGE: message = '' }: JournalFields): string {
  return `${priority === undefined ? '' : `<${priority}>`}${message.replaceAll('\n', ' ')}\n`
}

/** The native socket of the journal; opened for the first entry, and again after an error. */
export class Journal {
  readonly #path: string
  readonly #open: OpenUnix
  readonly #fallback: (line: string) => void
  #socket: NativeSocket | undefined

  /** @param fallback writes a line to stderr; the default may wait for the reader of stderr */
  constructor(path = JOURNAL_SOCKET, open: OpenUnix = native.openUnix, fallback = (line: string): void => { writeSync(2, line) }) {
    this.#path = path
    this.#open = open
    this.#fallback = fallback
  }

  /**
   * Writes one entry. If that fails, the text of the entry goes to stderr and only its fields are lost. Writing fails for an entry above
   * some 200 KB (EMSGSIZE), while journald is behind (EAGAIN), and if journald does not run. Never throws.
   */
  send(fields: JournalFields): void {
    try {
      this.#socket ??= this.#open('', this.#path)
      transmit(this.#socket, encodeFields(fields))
      return
    } catch (error) {
      if (!['EMSGSIZE', 'EAGAIN'].includes((error as OsError).code)) this.close()
    }
    try {
      this.#fallback(plainLine(fields))
    } catch {
      // Stderr is closed as well.
    }
  }

  close(): void {
    this.#socket?.close()
    this.#socket = undefined
  }
}
