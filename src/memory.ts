/**
 * What is known about hosts, kept across restarts in one file of the state directory (STATE_DIRECTORY of systemd.exec(5)).
 *
 * The file is replaced as a whole by rename(2), so that a reader, or a crash, meets the old one or the new one. It is
 * never needed: whatever goes wrong is said, and hosts are learned anew. Links are not followed, except the
 * directory itself, which systemd makes one.
 */
import {
  closeSync, constants, fstatSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { Address, formatMac, parseMac } from './address.ts'
import type { Mac } from './address.ts'
import type { Limit, RememberedHost } from './engine/types.ts'

const VERSION = 1
/** Hosts read and written; their file stays below the next limit. */
const MAX_HOSTS = 131_072
/** Bytes. */
const MAX_SIZE = 16 * 2 ** 20
/** Hosts written in one turn: they take half a millisecond. */
const SLICE = 128
/** IFNAMSIZ - 1 of <linux/if.h>. */
const IFACE = /^[^\s/\0-\x1f\x7f]{1,15}$/

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants

/** The file is not what was written there. The message says why. */
class Damaged extends Error {}

export class Memory {
  readonly #directory: string
  readonly #file: string
  readonly #warn: (message: string, error?: Error) => void
  #failed = false
  /** There are more than are written. */
  #isFull = false
  #size = 0
  /** What is written bit by bit. */
  #draft: Generator<void, void> | undefined

  /** @param warn told of what went wrong, and what becomes of it; nothing here throws */
  constructor(directory: string, warn: (message: string, error?: Error) => void) {
    this.#directory = directory
    this.#file = join(directory, 'hosts.json')
    this.#warn = warn
  }

  /** What was written last; nothing when there is no file. A damaged one is put aside as `hosts.json.damaged`. */
  read(): RememberedHost[] {
    try {
      return this.#parse(readRegular(this.#file))
    } catch (error) {
      if (error instanceof Damaged) this.#putAside(error)
      else if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        this.#warn(`cannot read ${this.#file} (${(error as Error).message}): hosts are learned anew`, error as Error)
      }
      return []
    }
  }

  get limits(): Limit[] { return [{ name: 'hosts remembered over a restart', used: this.#size, size: MAX_HOSTS }] }

  /** Replaces what was written before. A failure is said once, until it works again. */
  write(hosts: Iterable<RememberedHost>): void {
    // Nobody will miss it: this is newer.
    this.#draft?.return()
    this.#draft = undefined
    for (const _ of this.#writing(hosts)) continue
  }

  /** The same bit by bit, in turns of their own, so that packets need not wait; hosts are read meanwhile. One at a time. */
  writeSlowly(hosts: Iterable<RememberedHost>): void {
    if (this.#draft !== undefined) return
    const draft = this.#draft = this.#writing(hosts)
    const go = (): void => {
      if (this.#draft !== draft) return
      if (draft.next().done) this.#draft = undefined
      else setImmediate(go)
    }
    go()
  }

  * #writing(hosts: Iterable<RememberedHost>): Generator<void, void> {
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 })
      yield* replace(this.#file, format(this.#first(hosts)))
      this.#failed = false
    } catch (error) {
      if (this.#failed) return
      this.#failed = true
      this.#warn(`cannot write ${this.#file} (${(error as Error).message}): what is known about hosts will be lost at a `
        + 'restart; let this user write there, or give another directory with `--state DIR`', error as Error)
    }
  }

  /** As many of them as there is room for. */
  * #first(hosts: Iterable<RememberedHost>): Generator<RememberedHost, void> {
    let size = 0
    for (const host of hosts) {
      if (size === MAX_HOSTS) {
        if (!this.#isFull) this.#warn(`no more than ${MAX_HOSTS} hosts are remembered over a restart`)
        this.#isFull = true
        return
      }
      this.#size = ++size
      yield host
    }
    this.#size = size
    this.#isFull = false
  }

  #parse(text: string): RememberedHost[] {
    const entries = readEntries(text)
    const hosts = entries.slice(0, MAX_HOSTS).map(readHost).filter((host) => host !== undefined)
    const dropped = entries.length - hosts.length
    if (dropped > 0) {
      this.#warn(`${this.#file}: ${dropped} of ${entries.length} hosts are damaged or too many, and are learned anew`)
    }
    return hosts
  }

  #putAside(why: Damaged): void {
    const aside = `${this.#file}.damaged`
    try {
      rmSync(aside, { recursive: true, force: true })
      renameSync(this.#file, aside)
      this.#warn(`${this.#file} is damaged (${why.message}): it is now ${aside}, and hosts are learned anew`)
    } catch (error) {
      this.#warn(`${this.#file} is damaged (${why.message}) and cannot be renamed (${(error as Error).message}): `
        + 'hosts are learned anew', error as Error)
    }
  }
}

/** Throws Damaged, or an Error with `code`. */
function readRegular(file: string): string {
  const fd = open(file)
  try {
    const stat = fstatSync(fd)
    if (!stat.isFile()) throw new Damaged('it is no regular file')
    if (stat.size > MAX_SIZE) throw new Damaged(`it has ${stat.size} bytes, ${MAX_SIZE} are allowed`)
    return readFileSync(fd, 'utf8')
  } finally {
    closeSync(fd)
  }
}

function open(file: string): number {
  try {
    return openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK) // a FIFO would make us wait for its writer
  } catch (error) {
    // open(2): a symbolic link; a socket.
    const { code } = error as NodeJS.ErrnoException
    throw code === 'ELOOP' || code === 'ENXIO' ? new Damaged('it is no regular file') : error
  }
}

/** All parts are in `file` afterwards, or the file is as it was: also when it is not gone on with. Throws an Error with `code`. */
function * replace(file: string, parts: Iterable<string>): Generator<void, void> {
  const temporary = `${file}.new`
  rmSync(temporary, { recursive: true, force: true }) // of a crash
  const fd = openSync(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
  try {
    try {
      // Not waited for: answers would wait as well. If a power cut comes first, hosts are learned anew.
      for (const part of parts) {
        writeFileSync(fd, part)
        yield
      }
    } finally {
      closeSync(fd)
    }
    renameSync(temporary, file)
  } finally {
    rmSync(temporary, { force: true }) // unless it has its name
  }
}

/** One host a line; in parts. */
function * format(hosts: Iterable<RememberedHost>): Generator<string, void> {
  let part = `{"version":${VERSION},"hosts":[\n`
  let count = 0
  for (const { target, iface, mac, router } of hosts) {
    if (count > 0) part += ',\n'
    part += JSON.stringify({ target, iface, lladdr: mac === undefined ? undefined : formatMac(mac), router })
    if (++count % SLICE !== 0) continue
    yield part
    part = ''
  }
  yield `${part}\n]}\n`
}

/** Throws Damaged. */
function readEntries(text: string): readonly unknown[] {
  let content: unknown
  try {
    content = JSON.parse(text)
  } catch {
    throw new Damaged('it is no JSON')
  }
  const { version, hosts } = asRecord(content)
  if (version !== VERSION) throw new Damaged(`it is not of version ${VERSION}`)
  if (!Array.isArray(hosts)) throw new Damaged('it has no list of hosts')
  return hosts
}

/** Undefined when it is no host. */
function readHost(entry: unknown): RememberedHost | undefined {
  const { target: text, iface, lladdr, router } = asRecord(entry)
  const target = typeof text === 'string' ? Address.parse(text) : undefined
  const mac = typeof lladdr === 'string' ? parseMac(lladdr) : undefined
  if (target?.isGlobal !== true || typeof iface !== 'string' || !IFACE.test(iface)) return undefined
  if ((lladdr !== undefined && mac === undefined) || typeof router !== 'boolean') return undefined
  if (mac !== undefined && isGroup(mac)) return undefined
  return { target, iface, mac, router }
}

/** The I/G bit of IEEE 802: nobody's own address. */
function isGroup(mac: Mac): boolean {
  return Math.floor(mac / 2 ** 40) % 2 === 1
}

/** The fields of an object; none of anything else. */
function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? value as Record<string, unknown> : {}
}
