/** The programs that the bench compares, each in a network namespace of its own, started and told apart here. */
import { existsSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Daemon, MAIN } from '../lab/kit/daemon.ts'
import type { Host, Lab } from '../lab/kit/lab.ts'
import type { Proc } from '../lab/kit/process.ts'
import type { Hosts } from './inside.ts'

/** `node`: a bare Node that does nothing, for what a program of its own can cost at least. */
export const PROGRAMS = ['ndp6d', 'ndppd', 'npd6', 'kernel', 'node'] as const
export type Program = (typeof PROGRAMS)[number]

/** One who takes part in a case: a program with a configuration. */
export interface Contender {
  /** Told apart by this; the same program may take part several times. */
  readonly name: string
  readonly program: Program
  /**
   * In the program's own language; the kernel's is `ip -6 -batch`. In each one's namespace `eth0` leads to the asker, and
   * `eth1` is up: a link without anybody, or with hosts behind it.
   */
  readonly config: () => string
  /** Hosts behind `eth1`: `silent` until they are asked, or such that the responder is to know before it is measured. */
  readonly inside?: { readonly hosts: number; readonly are: 'silent' | 'learned' }
}

const HERE = dirname(fileURLToPath(import.meta.url))
/** Milliseconds for a program to be ready, and for it to know all its hosts. */
const START_LIMIT = 60_000
const LEARN_LIMIT = 180_000

/** How a responder is started from its configuration; the kernel has no process. */
type Start = (lab: Lab, host: Host, config: string) => Promise<Proc | undefined>

const STARTS: Readonly<Record<Program, Start>> = {
  ndp6d: async (lab, host, config) => (await new Daemon(lab, host, config).ready(START_LIMIT)).proc,
  ndppd: (lab, host, config) => start(host, ['ndppd', '-c', write(lab, `${host.name}.conf`, config)]),
  npd6: (lab, host, config) => start(host, ['npd6', '-f', '-l', '/dev/null', '-c', write(lab, `${host.name}.conf`, config)]),
  kernel: async (_lab, host, config) => {
    host.sysctl({ 'conf/eth0/proxy_ndp': 1 })
    host.ip(config)
    return undefined
  },
  node: async (_lab, host) => host.spawn([process.execPath, '-e', 'setInterval(() => {}, 1e6)']),
}

function write(lab: Lab, name: string, config: string): string {
  const path = join(lab.directory, name)
  writeFileSync(path, config)
  return path
}

/** These two never say that they are ready; the load before each measurement takes up the rest of their start. */
async function start(host: Host, argv: readonly string[]): Promise<Proc> {
  const proc = host.spawn(argv)
  await sleep(300)
  if (!proc.running) throw new Error(`${argv.join(' ')} ended:\n${proc.lines.join('\n')}`)
  return proc
}

/** Why a program cannot take part on this machine; undefined when it can. */
export function missing(name: Program | 'bird'): string | undefined {
  if (name === 'kernel' || name === 'node') return undefined
  if (name === 'ndp6d') return existsSync(MAIN) ? undefined : 'not built'
  const found = (process.env.PATH ?? '').split(delimiter).some((directory) => existsSync(join(directory, name)))
  return found ? undefined : 'not installed'
}

/** Starts one of this directory's programs in a host. */
export function tool(host: Host, name: string, argument: object): Proc {
  return host.spawn([process.execPath, join(HERE, `${name}.js`), JSON.stringify(argument)])
}

/** A tool's report, which it prints on SIGUSR1. */
export async function report<T>(proc: Proc): Promise<T> {
  const from = proc.lines.length
  proc.child.kill('SIGUSR1')
  return JSON.parse(await proc.line(/^\{/, 10_000, from)) as T
}

/** A contender in its namespace, with its links to the asker's and to its hosts. */
export class Responder {
  readonly contender: Contender
  readonly host: Host
  /** The asker's end of the link, for its load. */
  readonly asker: { readonly ifindex: number; readonly mac: string; readonly source: string }
  readonly #lab: Lab
  readonly #inside: Host | undefined
  #hosts: Proc | undefined
  #proc: Proc | undefined

  private constructor(lab: Lab, contender: Contender, host: Host, inside: Host | undefined, asker: Responder['asker']) {
    this.#lab = lab
    this.contender = contender
    this.host = host
    this.#inside = inside
    this.asker = asker
  }

  /**
   * Its namespace: `eth0` to the asker, whose neighbor entry is pinned so that nobody resolves it, and `eth1`.
   * @param n tells its links from others in the asker's namespace
   */
  static async create(lab: Lab, asker: Host, contender: Contender, n: number): Promise<Responder> {
    const iface = `to${n}`
    const [host, inside] = await Promise.all([lab.host(`responder${n}`, { forwarding: true }),
      contender.inside && lab.host(`inside${n}`)])
    lab.link(asker, iface, host, 'eth0')
    const mac = asker.mac(iface)
    const source = asker.linkLocal(iface)
    if (inside === undefined) host.ip('link add eth1 type veth peer name inside', 'link set eth1 up', 'link set inside up')
    else lab.link(inside, 'eth0', host, 'eth1')
    host.ip('addr add 2001:db8::ff/64 dev eth0 nodad', `neigh replace ${source} lladdr ${mac} dev eth0 nud permanent`)
    return new Responder(lab, contender, host, inside, { ifindex: asker.ifindex(iface), mac, source })
  }

  get name(): string { return this.contender.name }
  get pid(): number | undefined { return this.#proc?.pid }
  get proc(): Proc | undefined { return this.#proc }

  /** Starts it, and lets it learn its hosts. */
  async start(): Promise<void> {
    await this.startProgram()
    await this.startHosts()
  }

  async startProgram(): Promise<void> {
    const { program, config } = this.contender
    this.#proc = await STARTS[program](this.#lab, this.host, config())
  }

  /** Starts the hosts behind it, and waits until it knows those that it is to know. */
  async startHosts(): Promise<void> {
    const { inside } = this.contender
    if (inside === undefined) return
    const hosts: Hosts = { ifindex: this.#inside!.ifindex('eth0'), hosts: inside.hosts, announce: inside.are === 'learned' }
    this.#hosts = tool(this.#inside!, 'inside', hosts)
    await this.#hosts.line(inside.are === 'learned' ? /^known/ : /^ready/, LEARN_LIMIT)
  }

  /** Gives ndp6d another configuration. */
  reload(config: string): void {
    writeFileSync(join(this.#lab.directory, this.host.name, 'ndp6d.conf'), config)
    this.#proc!.child.kill('SIGHUP')
  }

  /** What was asked behind `eth1`. */
  seen<T>(): Promise<T> { return report<T>(this.#hosts!) }

  /** The kernel's entries stay: they are for the same targets in every case. */
  async stop(): Promise<void> {
    await Promise.all([this.#proc?.stop(), this.#hosts?.stop()])
    this.#proc = this.#hosts = undefined
  }
}
