/** Reads a configuration file, and the files that it includes. */
import { closeSync, constants, existsSync, fstatSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join, resolve } from 'node:path'
import { matchesIface } from '../config/config.ts'
import { type Included, parseConfig, type Parsed } from '../config/load.ts'

export const DEFAULT_FILE = '/etc/ndp6d.conf'
/** The code of errors about files that are not regular ones. */
const WRONG_TYPE = 'EINVAL'

/**
 * Reads `file`, which may have any readable type, and its included files, which must be regular files.
 * @param again true if `file` was read before. `file` must then be a regular file as well: a pipe would block, or yield no text
 * @param seen the function to call with each path or pattern before it is read
 * @throws an Error with `code` when `file` cannot be read
 */
export function readConfig(file: string, again = false, seen: (path: string) => void = () => {}): Parsed {
  seen(file)
  const text = again ? readRegular(file, 'it cannot be read again; restart ndp6d') : readFileSync(file, 'utf8')
  return parseConfig(text, file, (glob, fromFile) => include(glob, fromFile, seen), resolve(file))
}

/** @returns why a file could not be read, and what to do. @throws `error` if it has no `code` */
export function explainUnreadable(file: string, error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (typeof code !== 'string') throw error
  switch (code) {
    case 'ENOENT': return `${file} does not exist: \`ndp6d init --write${file === DEFAULT_FILE ? '' : ` ${file}`}\` makes it from the links and `
      + `routes of this machine${example()}; or name another file with \`--config FILE\` or \`check FILE\``
    case 'EACCES': return `this user cannot read ${file}: \`chmod a+r ${file}\`, or run as another user`
    case 'EISDIR': return `${file} is a directory: name a file in it, or write \`include ${join(resolve(file), '*.conf')}\` into a file`
    default: return `cannot read ${file}: ${message}`
  }
}

/** @returns a clause with the path of the installed example configuration (Debian package, else npm package); empty: there is none */
function example(): string {
  const own = join(dirname(createRequire(import.meta.url).resolve('#package')), 'systemd', 'ndp6d.conf')
  const path = ['/usr/share/doc/ndp6d/examples/ndp6d.conf', own].find((each) => existsSync(each))
  return path === undefined ? '' : `, an example is ${path}`
}

/** A configuration file and the files that it includes. The contents may change between two readings. */
export class ConfigFile {
  readonly path: string
  /** The state of each path at the last reading. */
  readonly #seen = new Map<string, string>()

  constructor(path: string) { this.path = path }

  /** @param again as in {@link readConfig}. @throws an Error with `code` */
  read(again = true): Parsed {
    this.#seen.clear()
    return readConfig(this.path, again, (path) => this.#seen.set(path, stateOf(path)))
  }

  /** Whether a file was changed, added or removed since the last `read`. */
  get isTouched(): boolean { return [...this.#seen].some(([path, state]) => stateOf(path) !== state) }
}

/** @returns a text that changes with the file, or with the names that match the pattern */
function stateOf(path: string): string {
  try {
    if (basename(path).includes('*')) return matching(path).join('/')
    const { ino, size, mtimeNs } = statSync(path, { bigint: true })
    return `${ino} ${size} ${mtimeNs}`
  } catch (error) {
    return (error as Error).message
  }
}

/** @returns the names in the directory of `path` that match the last part of `path`. Names that begin with a dot never match */
function matching(path: string): string[] {
  return filesOf(dirname(path)).sort().filter((name) => !name.startsWith('.') && matchesIface(basename(path), name))
}

/** Reads the files of an `include` statement. Expands `*` in the last part of the path. @throws an Error with `code` */
function include(glob: string, fromFile: string, seen: (path: string) => void): readonly Included[] {
  const path = resolve(dirname(fromFile), glob)
  const directory = dirname(path)
  const isPattern = basename(path).includes('*')
  if (isPattern) seen(path)
  return (isPattern ? matching(path) : [basename(path)]).map((name) => {
    const file = join(directory, name)
    seen(file)
    try {
      return { file, text: readRegular(file, 'move it away, or include other files') }
    } catch (error) {
      if (!isPattern && isDirectory(file)) {
        return { file, error: `it is a directory: write \`${glob.replace(/\/+$/, '')}/*.conf\`` }
      }
      return { file, ...reasonOf(error as NodeJS.ErrnoException, { path: file, missing: 'it does not exist', mode: 'a+r' }) }
    }
  })
}

/**
 * @param missing the text of the reason if `path` does not exist
 * @param mode the mode for chmod(1) that lets other users read `path`
 * @returns why an include cannot be read, and what to do about it; no `hint` if `error` already says what to do
 */
function reasonOf({ code, message }: NodeJS.ErrnoException, { path, missing, mode }: { path: string; missing: string; mode: string }): { error: string; hint?: string } {
  switch (code) {
    case 'ENOENT': case 'ENOTDIR': return { error: missing, hint: 'correct the path, create the file, or delete this line' }
    case 'EACCES': return { error: 'this user is not permitted to', hint: `\`chmod ${mode} ${path}\`, or run as another user` }
    case WRONG_TYPE: return { error: message }
    default: return { error: message, hint: 'correct the path, or delete this line' }
  }
}

function isDirectory(path: string): boolean { return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false }

/** @returns the names in a directory. @throws an Error with `code` and `hint` */
function filesOf(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const { error: reason, hint } = reasonOf(error as NodeJS.ErrnoException, { path: directory, missing: `the directory ${directory} does not exist`, mode: 'a+rx' })
    throw Object.assign(new Error(reason), { code, hint })
  }
}

/**
 * Reads a regular file. Never waits for a writer, as reading a FIFO would.
 * @param advice what to do about a file of another type
 * @throws an Error with `code`
 */
function readRegular(file: string, advice: string): string {
  const wrongType = (): Error => Object.assign(new Error(`not a regular file: ${advice}`), { code: WRONG_TYPE })
  let fd: number
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
  } catch (error) {
    // open(2): ENXIO for a socket, and for a device without a driver.
    throw (error as NodeJS.ErrnoException).code === 'ENXIO' ? wrongType() : error
  }
  try {
    if (!fstatSync(fd).isFile()) throw wrongType()
    return readFileSync(fd, 'utf8')
  } finally {
    closeSync(fd)
  }
}
