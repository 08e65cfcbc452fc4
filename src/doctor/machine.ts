/** The state of this machine, as checks see it. Each table of the kernel is read once, when a check first needs it. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { Rtnetlink } from '../linux/rtnetlink.ts'
import type { DefaultRoute } from '../wire/rtroute.ts'

/** Time limit of an external program, milliseconds. */
const PROGRAM_TIME = 2000
const OUTPUT_LIMIT = 64 * 2 ** 20
const PATH = `${process.env.PATH ?? '/usr/bin:/bin'}:/usr/sbin:/sbin`

/** Why a program gave no output: it is not installed, this user may not run it, it took too long, or it failed. */
export class ProgramError extends Error {
  readonly reason: 'missing' | 'not permitted' | 'failed'

  constructor(reason: ProgramError['reason'], message: string) {
    super(message)
    this.reason = reason
  }
}

/** The tables of the kernel that checks read. */
export type Kernel = Pick<Rtnetlink, 'linkDetails' | 'addressStates' | 'proxies' | 'neighbors' | 'defaultRoutes' | 'lookup' | 'paths'>

export class Machine {
  readonly #kernel: Kernel
  readonly #defaultRoutes: () => readonly DefaultRoute[]
  readonly #tables = new Map<string, unknown>()

  /** @param defaultRoutes returns the default routes, if the caller knows them; by default, they are searched in a dump of all routes */
  constructor(kernel: Kernel, defaultRoutes: () => readonly DefaultRoute[] = () => kernel.defaultRoutes()) {
    this.#kernel = kernel
    this.#defaultRoutes = defaultRoutes
  }

  get links() { return this.#once('links', () => this.#kernel.linkDetails()) }
  get addresses() { return this.#once('addresses', () => this.#kernel.addressStates()) }
  /** Proxy entries of the kernel (`ip neigh add proxy`). */
  get proxies() { return this.#once('proxies', () => this.#kernel.proxies()) }
  get neighbors() { return this.#once('neighbors', () => this.#kernel.neighbors()) }
  get defaultRoutes() { return this.#once('defaultRoutes', this.#defaultRoutes) }
  lookup(...args: Parameters<Kernel['lookup']>) { return this.#kernel.lookup(...args) }
  paths(...args: Parameters<Kernel['paths']>) { return this.#kernel.paths(...args) }

  link(name: string) { return this.links.find((link) => link.name === name) }
  nameOf(ifindex: number | undefined): string { return this.links.find((link) => link.ifindex === ifindex)?.name ?? `link ${ifindex}` }

  /** Reads a file of /proc. @returns its text; undefined if the file does not exist. @throws OsError */
  read(path: string): string | undefined {
    try {
      return readFileSync(path, 'latin1')
    } catch (error) {
      if (['ENOENT', 'ESRCH', 'ENOTDIR'].includes(String((error as NodeJS.ErrnoException).code))) return undefined
      throw error
    }
  }

  /** Reads a number below /proc/sys, such as `net/core/optmem_max`. @returns undefined if there is no such setting */
  setting(key: string): number | undefined {
    const text = this.read(`/proc/sys/${key}`)
    return text === undefined ? undefined : Number(text)
  }

  /** Runs a program to its end. @returns its stdout @throws ProgramError */
  run(program: string, ...args: string[]): Promise<string> {
    return new Promise((resolve, reject) => execFile(program, args, { timeout: PROGRAM_TIME, killSignal: 'SIGKILL', maxBuffer: OUTPUT_LIMIT,
      env: { ...process.env, PATH, LC_ALL: 'C' } }, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout)
      const code = String(error.code)
      if (code === 'ENOENT') return reject(new ProgramError('missing', `${program} is not installed`))
      if (code === 'EACCES' || /permi(tted|ssion)|you must be root/i.test(stderr)) {
        return reject(new ProgramError('not permitted', `${program}: not permitted`))
      }
      reject(new ProgramError('failed', `${program} ${error.killed === true ? 'took too long' : `failed: ${stderr.trim().split('\n')[0]}`}`))
    }))
  }

  #once<T>(name: string, read: () => T): T {
    if (!this.#tables.has(name)) this.#tables.set(name, read())
    return this.#tables.get(name) as T
  }
}
