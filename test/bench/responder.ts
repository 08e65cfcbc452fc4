/** A program that answers solicitations, in a network namespace of its own, perhaps with hosts behind it. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { controlPath } from '../../src/cli/service-directories.ts'
import type { Host, Lab } from '../lab/kit/lab.ts'
import type { Proc } from '../lab/kit/process.ts'
import type { Hosts } from './inside-hosts.ts'
import { type Program, START } from './programs.ts'
import type { Solicited } from './solicitor.ts'
import { report, tool } from './tools.ts'

/** A participant of a case: a program with a configuration. */
export interface Contender {
  /** Unique in its case; one program may take part several times. */
  readonly name: string
  readonly program: Program
  /** In the program's own language; for the kernel, commands of `ip -6 -batch`. */
  readonly config: () => string
  /** Commands of `ip -6 -batch` that complete its namespace. */
  readonly setup?: readonly string[]
  /** Hosts behind `eth1`: `silent` until they are solicited, or `learned` by the responder before it is measured. */
  readonly inside?: { readonly hosts: number; readonly are: 'silent' | 'learned' }
  /** Flags for Node, of `ndp6d` only. */
  readonly flags?: readonly string[]
}

/** Milliseconds for a program to learn its hosts. */
const LEARN_LIMIT = 180_000

/** Where a responder runs: its namespace, that of its hosts, and the solicitor's end of the link. */
export interface Place {
  readonly host: Host
  readonly inside: Host | undefined
  readonly link: Omit<Solicited, 'solicited'>
}

export class Responder {
  readonly contender: Contender
  readonly host: Host
  readonly link: Place['link']
  readonly #inside: Host | undefined
  readonly #file: string
  #hosts: Proc | undefined
  #proc: Proc | undefined
  /** When the program was ready, in milliseconds since the epoch. */
  readyAt = NaN

  constructor(lab: Lab, contender: Contender, { host, inside, link }: Place) {
    this.contender = contender
    this.host = host
    this.link = link
    this.#inside = inside
    const directory = join(lab.directory, host.name)
    mkdirSync(directory)
    this.#file = join(directory, 'config')
  }

  get name(): string { return this.contender.name }
  get pid(): number | undefined { return this.#proc?.pid }
  /** Path of the control socket. */
  get control(): string { return controlPath({ RUNTIME_DIRECTORY: dirname(this.#file) }) }
  /** What the program printed so far. */
  get lines(): readonly string[] { return this.#proc?.lines ?? [] }

  /** Starts the program, then its hosts, and waits until the hosts to be learned are known. */
  async start(): Promise<void> {
    await this.startProgram()
    await this.startHosts()
  }

  async startProgram(): Promise<void> {
    const { program, config, flags = [] } = this.contender
    writeFileSync(this.#file, config())
    this.#proc = await START[program](this.host, this.#file, flags)
    this.readyAt = Date.now()
  }

  async startHosts(): Promise<void> {
    const { inside } = this.contender
    if (inside === undefined) return
    const hosts: Hosts = { ifindex: this.#inside!.ifindex('eth0'), hosts: inside.hosts, announce: inside.are === 'learned' }
    this.#hosts = tool(this.#inside!, 'inside-hosts', hosts)
    await this.#hosts.line(inside.are === 'learned' ? /^known/ : /^ready/, LEARN_LIMIT)
  }

  /** Gives ndp6d another configuration. */
  reload(config: string): void {
    writeFileSync(this.#file, config)
    this.#proc!.child.kill('SIGHUP')
  }

  /** @returns the report of the hosts behind `eth1` */
  seen<T>(): Promise<T> { return report<T>(this.#hosts!) }

  /** Ends the program and its hosts. The kernel's proxy entries stay: every case has the same targets. */
  async stop(): Promise<void> {
    await Promise.all([this.#proc?.stop(), this.#hosts?.stop()])
    this.#proc = this.#hosts = undefined
  }
}
