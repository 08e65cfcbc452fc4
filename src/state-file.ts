/**
 * The learned hosts and the advertised prefixes, kept across restarts in hosts.json and prefixes.json of the state directory.
 *
 * rename(2) replaces each file as a whole, so a reader finds the old or the new contents, even after a crash. Both files are optional: errors
 * are reported, and hosts are learned again. The files must not be symbolic links. The directory may be a symbolic link: systemd makes one
 * for a service with DynamicUser=.
 */
import { closeSync, constants, fstatSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Address, formatMac, isHostMac, parseMac, Prefix } from './address.ts'
import type { SavedAdvertising, SavedHost, SavedPrefix } from './engine-types.ts'
import type { Limit } from './events.ts'

const VERSION = 1
/** Largest number of hosts in the file. Their text is shorter than {@link MAX_SIZE}. */
const MAX_HOSTS = 131_072
/** Largest number of prefixes in the file. */
const MAX_PREFIXES = 1024
/** Longest time for which a prefix is kept, milliseconds. */
const MAX_LEFT = 30 * 86_400_000
/** Largest file to read, bytes. */
const MAX_SIZE = 16 * 2 ** 20
/** Hosts written per turn of the event loop. Writing them takes about half a millisecond. */
const SLICE = 128
/** The name of a link: at most IFNAMSIZ - 1 characters (<linux/if.h>). */
const IFACE = /^[^\s/\0-\x1f\x7f]{1,15}$/

const NOTHING: SavedAdvertising = { links: [], prefixes: [] }

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants

/** The file is not a state file. The message is the reason. */
class Damaged extends Error {}

export class StateFile {
  readonly #directory: string
  readonly #file: string
  readonly #prefixes: string
  readonly #warn: (message: string, error?: Error) => void
  #failed = false
  /** Code of the error if the file of hosts could not be read. */
  #unreadable: string | undefined
  #isFull = false
  #size = 0
  #draft: Generator<void, void> | undefined

  /** No method throws. @param warn called with a sentence for the log about each error */
  constructor(directory: string, warn: (message: string, error?: Error) => void) {
    this.#directory = directory
    this.#file = join(directory, 'hosts.json')
    this.#prefixes = join(directory, 'prefixes.json')
    this.#warn = warn
  }

  /** Reads hosts.json, and renames it to `hosts.json.damaged` if it is damaged. @returns the hosts; none without a readable file */
  read(): SavedHost[] {
    try {
      return this.#parse(readRegular(this.#file))
    } catch (error) {
      if (error instanceof Damaged) this.#putAside(error)
      else if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        this.#unreadable = (error as NodeJS.ErrnoException).code
        this.#warn(`cannot read ${this.#file} (${(error as Error).message}): hosts are learned again; let this user read it, or give another \`--state DIR\``,
          error as Error)
      }
      return []
    }
  }

  /** Reads what was advertised to hosts. Does not repeat an error that `read` reported. @returns empty lists if there is no usable file */
  readAdvertised(): SavedAdvertising {
    try {
      const { version, prefixes: entries, links: names } = asRecord(JSON.parse(readRegular(this.#prefixes)))
      if (version !== VERSION) throw new Damaged(`it is not of version ${VERSION}`)
      if (!Array.isArray(entries)) throw new Damaged('it has no list of prefixes')
      const prefixes = entries.slice(0, MAX_PREFIXES).flatMap((entry) => readPrefix(entry) ?? [])
      const links = Array.isArray(names) ? names.slice(0, MAX_PREFIXES).filter(isIface) : []
      return { links: [...new Set([...links, ...prefixes.map(({ iface }) => iface)])], prefixes }
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'ENOENT' && (code === undefined || code !== this.#unreadable)) {
        this.#warn(`cannot read ${this.#prefixes} (${(error as Error).message}): prefixes that are gone will not be deprecated`, error as Error)
      }
      return NOTHING
    }
  }

  /**
   * Saves prefixes.json, or removes it if both lists are empty. `ndp6d cleanup` passes empty lists: it runs as root, and the daemon could
   * not read a file that root owns.
   */
  writeAdvertised({ links, prefixes: all }: SavedAdvertising): void {
    const prefixes = [...all].sort((a, b) => b.left - a.left).slice(0, MAX_PREFIXES).map(({ iface, prefix, left }) =>
      ({ iface, prefix: prefix.toString(), until: Math.ceil(Date.now() + left) }))
    try {
      if (links.length === 0 && prefixes.length === 0) return rmSync(this.#prefixes, { force: true })
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 })
      for (const _ of replace(this.#prefixes, [`${JSON.stringify({ version: VERSION, links, prefixes })}\n`])) continue
    } catch (error) {
      this.#writeFailed(this.#prefixes, 'advertised prefixes', error as Error)
    }
  }

  get limits(): Limit[] { return [{ name: 'hosts in the state file', used: this.#size, size: MAX_HOSTS }] }

  /** Replaces the file of hosts. After a reported failure, further failures are not reported until a write succeeds. */
  write(hosts: Iterable<SavedHost>): void {
    this.#draft?.return() // discards the older draft
    this.#draft = undefined
    for (const _ of this.#writing(hosts)) continue
  }

  /** Like {@link write}, but handles only a slice of `hosts` per turn of the event loop. Does nothing while such a write is in progress. */
  writeSlowly(hosts: Iterable<SavedHost>): void {
    if (this.#draft !== undefined) return
    const draft = this.#draft = this.#writing(hosts)
    const go = (): void => {
      if (this.#draft !== draft) return
      if (draft.next().done) this.#draft = undefined
      else setImmediate(go)
    }
    go()
  }

  * #writing(hosts: Iterable<SavedHost>): Generator<void, void> {
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 })
      yield* replace(this.#file, format(this.#first(hosts)))
      this.#failed = false
    } catch (error) {
      this.#writeFailed(this.#file, 'learned hosts', error as Error)
    }
  }

  #writeFailed(file: string, lost: string, error: Error): void {
    if (this.#failed) return
    this.#failed = true
    this.#warn(`cannot write ${file} (${error.message}): a restart will lose the ${lost}; `
      + 'let this user write there, or give another directory with `--state DIR`', error)
  }

  /** Yields the first {@link MAX_HOSTS} hosts, and reports once if there are more. */
  * #first(hosts: Iterable<SavedHost>): Generator<SavedHost, void> {
    let size = 0
    for (const host of hosts) {
      if (size === MAX_HOSTS) {
        if (!this.#isFull) this.#warn(`only ${MAX_HOSTS} hosts are saved for a restart; the others will be learned again`)
        this.#isFull = true
        return
      }
      this.#size = ++size
      yield host
    }
    this.#size = size
    this.#isFull = false
  }

  /** @throws Damaged */
  #parse(text: string): SavedHost[] {
    let content: unknown
    try {
      content = JSON.parse(text)
    } catch {
      throw new Damaged('it is not JSON')
    }
    const { version, hosts: entries } = asRecord(content)
    if (version !== VERSION) throw new Damaged(`it is not of version ${VERSION}`)
    if (!Array.isArray(entries)) throw new Damaged('it has no list of hosts')
    const hosts = entries.slice(0, MAX_HOSTS).map(readHost).filter((host) => host !== undefined)
    const dropped = `${entries.length - hosts.length} of ${entries.length} hosts`
    const why = `damaged or above the limit of ${MAX_HOSTS}: they are learned again`
    if (hosts.length < entries.length) this.#warn(`${this.#file}: ${dropped} are ${why}`)
    return hosts
  }

  #putAside(why: Damaged): void {
    const aside = `${this.#file}.damaged`
    try {
      rmSync(aside, { recursive: true, force: true })
      renameSync(this.#file, aside)
      this.#warn(`${this.#file} is damaged (${why.message}): it is now ${aside}, and hosts are learned again`)
    } catch (error) {
      this.#warn(`${this.#file} is damaged (${why.message}) and cannot be renamed (${(error as Error).message}): `
        + 'hosts are learned again', error as Error)
    }
  }
}

/** @throws Damaged, or an Error with `code` */
function readRegular(file: string): string {
  let fd: number
  try {
    fd = openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK) // without O_NONBLOCK, open(2) of a FIFO waits for its writer
  } catch (error) {
    // open(2): ELOOP for a symbolic link, ENXIO for a socket.
    const { code } = error as NodeJS.ErrnoException
    throw code === 'ELOOP' || code === 'ENXIO' ? new Damaged('it is not a regular file') : error
  }
  try {
    const stat = fstatSync(fd)
    if (!stat.isFile()) throw new Damaged('it is not a regular file')
    if (stat.size > MAX_SIZE) throw new Damaged(`it has ${stat.size} bytes, more than ${MAX_SIZE}`)
    return readFileSync(fd, 'utf8')
  } finally {
    closeSync(fd)
  }
}

/** Replaces `file` when all parts are written. If the generator is ended early, the file stays unchanged. @throws an Error with `code` */
function * replace(file: string, parts: Iterable<string>): Generator<void, void> {
  const temporary = `${file}.new`
  rmSync(temporary, { recursive: true, force: true }) // may be left by a crash
  const fd = openSync(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
  try {
    try {
      // No fsync(2): answers would wait for the disk. A power failure may damage the file; then hosts are learned again.
      for (const part of parts) {
        writeFileSync(fd, part)
        yield
      }
    } finally {
      closeSync(fd)
    }
    renameSync(temporary, file)
  } finally {
    rmSync(temporary, { force: true }) // does nothing after the rename
  }
}

/** Yields the text of the file in parts of {@link SLICE} hosts, one host per line. */
function * format(hosts: Iterable<SavedHost>): Generator<string, void> {
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

function isIface(name: unknown): name is string { return typeof name === 'string' && IFACE.test(name) }

/** @returns undefined for an entry that cannot be a host */
function readHost(entry: unknown): SavedHost | undefined {
  const { target: text, iface, lladdr, router } = asRecord(entry)
  const target = typeof text === 'string' ? Address.parse(text) : undefined
  const mac = typeof lladdr === 'string' ? parseMac(lladdr) : undefined
  if (target?.isGlobal !== true || !isIface(iface)) return undefined
  if ((lladdr !== undefined && mac === undefined) || typeof router !== 'boolean') return undefined
  if (mac !== undefined && !isHostMac(mac)) return undefined
  return { target, iface, mac, router }
}

/** @returns undefined for an entry that cannot be a prefix, or whose time is over */
function readPrefix(entry: unknown): SavedPrefix | undefined {
  const { iface, prefix: text, until } = asRecord(entry)
  const prefix = typeof text === 'string' ? Prefix.parse(text) : undefined
  if (prefix === undefined || !prefix.address.isGlobal || !isIface(iface) || typeof until !== 'number') return undefined
  const left = until - Date.now()
  // If the clock was set back after the file was written, the difference may be too large.
  return left > 0 ? { iface, prefix, left: Math.min(left, MAX_LEFT) } : undefined
}

/** @returns the fields of an object; no fields for any other value */
function asRecord(value: unknown): Readonly<Record<string, unknown>> { return Object(value) as Record<string, unknown> }
