/** The state of this machine, as checks see it. Each table of the kernel is read once, when a check first needs it. */
import { readFileSync } from 'node:fs'
import type { Rtnetlink } from '../linux/rtnetlink.ts'
import type { DefaultRoute } from '../wire/rtroute.ts'
import { runProgram } from './programs.ts'

/** The tables of the kernel that checks read. */
export type Kernel = Pick<Rtnetlink, 'linkDetails' | 'addressStates' | 'proxies' | 'neighbors' | 'defaultRoutes' | 'lookup' | 'paths'>

export class Machine {
  readonly #kernel: Kernel
  readonly #defaultRoutes: () => readonly DefaultRoute[]
  readonly #tables = new Map<string, unknown>()

  /** @param defaultRoutes the function that returns the default routes; by default, it searches a dump of all routes */
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

  /** Runs a program, as {@link runProgram} does. */
  run(program: string, ...args: string[]): Promise<string> { return runProgram(program, ...args) }

  #once<T>(name: string, read: () => T): T {
    if (!this.#tables.has(name)) this.#tables.set(name, read())
    return this.#tables.get(name) as T
  }
}
