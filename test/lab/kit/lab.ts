/**
 * Network namespaces as objects: hosts, links, bridges, addresses, processes, captures, traffic. A host is a network namespace
 * held by its agent process (`agent.ts`), which ends when its stdin does: a lab leaves nothing behind even after SIGKILL. Nothing
 * has a name outside its own namespace, so labs run side by side. Works as root and as root of a user namespace.
 * ip(8), nsenter(1), veth(4), namespaces(7), ip-sysctl of the kernel documentation.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Reply, Request, SeenFrame, TrafficReport } from './agent.ts'
import { framesOf, type Seen } from '../../kit/manners.ts'
import { pairOf } from '../../kit/namespace.ts'
import { readFrame } from '../../kit/read-frame.ts'
import { until } from '../../kit/until.ts'
import { Proc } from './process.ts'

const AGENT = join(dirname(fileURLToPath(import.meta.url)), 'agent.js')

export interface HostOptions {
  /** Real duplicate address detection (RFC 4862 5.4), a second or two per address. Default: none. */
  readonly dad?: boolean
  readonly forwarding?: boolean
}

export interface BridgeOptions {
  readonly snooping?: boolean
  /** It sends MLD queries; only a querier withholds multicast, from half a second after it is up. */
  readonly querier?: boolean
  /** Capacity of its group table; default: 4096, as in the kernel. */
  readonly groups?: number
}

export interface LinkOptions {
  /** Link-layer addresses of the two ends; the default counts up, in the order of `link` calls. */
  readonly macs?: readonly [string, string]
}

/** A captured frame. */
export type CapturedFrame = SeenFrame & Seen

/** ICMPv6 (or all) frames on one link since the capture began, in order. */
export class Capture {
  readonly frames: CapturedFrame[] = []
  readonly #end: () => Promise<unknown>
  onFrame: ((seen: CapturedFrame) => void) | undefined

  constructor(end: () => Promise<unknown>) { this.#end = end }

  add(frame: SeenFrame): void {
    const seen = { ...frame, ...readFrame(Buffer.from(frame.hex, 'hex')) }
    this.frames.push(seen)
    this.onFrame?.(seen)
  }

  /** Frames of one kind, perhaps of one target. */
  of(kind: Seen['kind'], target?: string): CapturedFrame[] { return framesOf(this.frames, kind, target) }

  async stop(): Promise<this> {
    await this.#end()
    return this
  }
}

export class Host {
  readonly name: string
  readonly #lab: Lab
  readonly #agent: ChildProcess
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>()
  readonly #captures = new Map<number, Capture>()
  #requests = 0
  /** An agent that ends may cut its last line. */
  #isClosed = false
  /** Whether `accept_dad` was last set to something else than 0. */
  #dad = true
  /** Settles when the agent runs; `Lab.host` waits for it. */
  readonly ready: Promise<unknown>

  /** @param program holds the namespace until its stdin ends, and replies to requests */
  constructor(lab: Lab, name: string, program: readonly string[] = [process.execPath, AGENT]) {
    this.name = name
    this.#lab = lab
    this.#agent = spawn('unshare', ['-n', ...program],
      { stdio: ['pipe', 'pipe', 'inherit'], detached: true })      // Ctrl-C must not reach it
    this.ready = new Promise((resolve, reject) => this.#waiting.set(0, { resolve, reject }))
    createInterface({ input: this.#agent.stdout! }).on('line', (line) => { if (!this.#isClosed) this.#receive(JSON.parse(line) as Reply) })
    this.#agent.on('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`the agent of ${name} is gone`))
      this.#waiting.clear()
    })
  }

  /** The process that holds the namespace: `nsenter --target PID --net`. */
  get pid(): number { return this.#agent.pid! }

  /** Runs a program here and waits. @returns its stdout @throws Error with its stderr when it fails */
  exec(...argv: string[]): string { return this.run(argv) }

  run(argv: readonly string[], input = ''): string {
    const { status, error, stdout, stderr } = spawnSync('nsenter', [...this.#enter(), ...argv], { encoding: 'utf8', input, maxBuffer: 2 ** 26 })
    if (status !== 0) throw new Error(`${this.name}: ${argv.join(' ')}: ${error?.message ?? (stderr || stdout)} ${input}`)
    return stdout
  }

  /** Starts a program here; it ends with the lab at the latest. */
  spawn(argv: readonly string[], env?: NodeJS.ProcessEnv): Proc {
    return this.#lab.track(new Proc(['nsenter', ...this.#enter(), ...argv], env))
  }

  /** `ip -6` commands without the `ip -6`, in one batch: `host.ip('addr add ...', 'route add ...')`. */
  ip(...commands: string[]): void {
    // Even with `accept_dad` 0, a new address is tentative until a worker of the kernel has run, and is not used as a source.
    const lines = this.#dad ? commands : commands.map((command) => command.replace(/^addr add (?!.* nodad\b).*/, '$& nodad'))
    this.run(['ip', '-6', '-batch', '-'], `${lines.join('\n')}\n`)
  }

  /** The records of `ip -6 -json COMMAND`. */
  show<T = Record<string, any>>(command: string): T[] {
    const text = this.exec('ip', '-6', '-json', ...command.split(' '))
    return text.trim() === '' ? [] : JSON.parse(text) as T[]
  }

  /** Targets of the host routes that carry our protocol number, sorted. */
  ourRoutes(): string[] { return this.show('route show proto 136').map((route) => String(route.dst)).sort() }
  ifindex(iface: string): number { return Number(this.show(`link show dev ${iface}`)[0].ifindex) }
  mac(iface: string): string { return String(this.show(`link show dev ${iface}`)[0].address) }

  /**
   * Waits until the kernel has noticed the carrier of a link, which takes it seconds while it removes other namespaces. A host without carrier
   * receives no probe, so its address would be FAILED for `deadtime`.
   */
  async up(iface: string): Promise<void> { await until(() => this.show(`link show dev ${iface}`)[0].operstate === 'UP') }

  linkLocal(iface: string): string {
    const [{ addr_info: addresses }] = this.show(`addr show dev ${iface}`)
    return String(addresses.find((info: { scope: string }) => info.scope === 'link')?.local)
  }

  /** Settings below /proc/sys/net/ipv6: `host.sysctl({ 'conf/all/forwarding': 1 })`. */
  sysctl(settings: Readonly<Record<string, number>>): void {
    const dad = Object.entries(settings).filter(([key]) => key.endsWith('/accept_dad'))
    if (dad.length > 0) this.#dad = dad.some(([, value]) => value > 0)
    const script = Object.entries(settings).map(([key, value]) => `echo ${value} >/proc/sys/net/ipv6/${key}`)
    this.exec('sh', '-c', script.join(' && '))
  }

  readSysctl(key: string): number { return Number(this.exec('cat', `/proc/sys/net/ipv6/${key}`)) }

  /** Sends numbered datagrams to another host's echo server. */
  traffic(to: string, options: { rate?: number; seconds?: number; from?: string; patience?: number } = {},
  ): Promise<TrafficReport> {
    const { rate = 100, seconds = 1, patience = 500, from } = options
    return this.#request({ op: 'traffic', to, rate, seconds, patience, ...from !== undefined && { from } })
  }

  /** @returns whether one datagram gets there and is echoed */
  async reaches(to: string, patience = 1000): Promise<boolean> {
    return (await this.traffic(to, { rate: 1000, seconds: 0.001, patience })).received === 1
  }

  /** @returns the datagrams that its echo server got so far */
  echoed(): Promise<number> { return this.#request({ op: 'echoed' }) }

  /** Sends raw frames on a link, `gap` milliseconds apart. @returns how many were sent */
  inject(iface: string, frames: readonly Uint8Array[], gap = 0): Promise<number> { return this.injector(iface)(frames, gap) }

  /** @returns {@link inject} for a link that stays: its ifindex is looked up by a program, which takes 10 ms and more */
  injector(iface: string): (frames: readonly Uint8Array[], gap?: number) => Promise<number> {
    const ifindex = this.ifindex(iface)
    return (frames, gap = 0) => this.#request({ op: 'inject', ifindex, frames: frames.map(hexOf), gap })
  }

  /** Sends a solicitation for random addresses of its target's /64, 8000:: and above there. @returns how many were sent */
  scan(iface: string, frame: Uint8Array, rate: number, seconds: number): Promise<number> {
    return this.#request({ op: 'scan', ifindex: this.ifindex(iface), frame: hexOf(frame), rate, seconds })
  }

  /** Records ICMPv6 (or `all`) on a link, both directions, until it is stopped. */
  async capture(iface: string, all = false): Promise<Capture> {
    const id = this.#requests + 1
    const capture = new Capture(async () => { await this.#request({ op: 'release', capture: id }) })
    this.#captures.set(id, capture)
    await this.#request({ op: 'capture', ifindex: this.ifindex(iface), all })
    return capture
  }

  /** Ends the namespace. Programs in it must have ended. */
  async close(): Promise<void> {
    this.#isClosed = true
    const gone = new Promise((resolve) => this.#agent.once('exit', resolve))
    if (this.#agent.exitCode !== null || this.#agent.signalCode !== null) return
    this.#agent.stdin!.end()
    const timer = setTimeout(() => this.#agent.kill('SIGKILL'), 1000)
    await gone
    clearTimeout(timer)
  }

  #enter(): string[] { return [`--net=/proc/${this.pid}/ns/net`, '--'] }

  #request<T>(request: Request): Promise<T> {
    const id = ++this.#requests
    this.#agent.stdin!.write(`${JSON.stringify({ id, ...request })}\n`)
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve: resolve as (v: unknown) => void, reject }))
  }

  #receive(reply: Reply): void {
    if ('capture' in reply) {
      const { capture, ...frame } = reply
      return this.#captures.get(capture)?.add(frame)
    }
    const waiting = this.#waiting.get(reply.id)
    this.#waiting.delete(reply.id)
    if ('error' in reply) waiting?.reject(new Error(`${this.name}: ${reply.error}`))
    else waiting?.resolve(reply.result)
  }
}

function hexOf(frame: Uint8Array): string { return Buffer.from(frame).toString('hex') }

/** A host that is a Linux bridge `br0`: the ends of links that lead here become ports of it. */
export class Bridge extends Host {
  /** Without an agent: a bridge sends and captures nothing, and the start of Node is most of what a host costs. */
  constructor(lab: Lab, name: string) { super(lab, name, ['sh', '-c', `echo '{"id":0,"result":"ready"}'; exec cat`]) }
}

export class Lab {
  /** A directory for configuration files and control sockets; removed at the end. */
  readonly directory = mkdtempSync(join(tmpdir(), 'ndp6d-lab-'))
  readonly #hosts: Host[] = []
  readonly #procs: Proc[] = []
  #links = 0

  static create(): Lab { return new Lab() }

  /** Adds a host with `lo` up, by default without DAD and router solicitations, which cost time. */
  async host(name: string, options: HostOptions = {}): Promise<Host> { return this.#prepare(new Host(this, name), options) }

  async bridge(name: string, options: BridgeOptions = {}): Promise<Bridge> {
    const bridge = await this.#prepare(new Bridge(this, name), {})
    const { snooping = false, querier = false, groups = 4096 } = options
    bridge.sysctl({ 'conf/default/disable_ipv6': querier ? 0 : 1 })   // a querier needs a link-local source
    // A querier withholds nothing during the response interval that was set when it became one.
    bridge.ip(`link add br0 type bridge mcast_snooping ${Number(snooping)} mcast_hash_max ${groups}`,
      'link set br0 type bridge mcast_query_response_interval 50',
      `link set br0 type bridge mcast_querier ${Number(querier)}`, 'link set br0 up')
    // br_netfilter, where it is loaded, would drop frames with bad IPv6 headers.
    bridge.exec('sh', '-c', 'f=/proc/sys/net/bridge/bridge-nf-call-ip6tables; [ ! -e $f ] || echo 0 >$f')
    return bridge
  }

  /** A veth pair: `ifaceA` on one host, `ifaceB` on the other, both up. */
  link(a: Host, ifaceA: string, b: Host, ifaceB: string, options: LinkOptions = {}): void {
    const n = ++this.#links
    const hex = n.toString(16).padStart(4, '0').replace(/..$/, ':$&')
    const [macA, macB] = options.macs ?? [`02:00:00:03:${hex}`, `02:00:00:04:${hex}`]
    // Ends with equal indexes would get their carrier up to a second late (net/core/link_watch.c).
    a.ip(pairOf(`${ifaceA} address ${macA} index ${2 * n + 8}`, `${ifaceB} address ${macB} index ${2 * n + 9} netns ${b.pid}`))
    for (const [host, iface] of [[a, ifaceA], [b, ifaceB]] as const) {
      host.ip(...host instanceof Bridge ? [`link set ${iface} master br0`] : [], `link set ${iface} up`)
    }
  }

  track(proc: Proc): Proc {
    this.#procs.push(proc)
    return proc
  }

  /** Ends every process and namespace of this lab. */
  async close(): Promise<void> {
    await Promise.all(this.#procs.map((proc) => proc.stop('SIGKILL')))
    await Promise.all(this.#hosts.map((host) => host.close()))
    rmSync(this.directory, { recursive: true, force: true })
  }

  async #prepare<H extends Host>(host: H, { dad = false, forwarding = false }: HostOptions): Promise<H> {
    this.#hosts.push(host)
    await host.ready
    host.sysctl({ 'conf/all/accept_dad': Number(dad), 'conf/default/accept_dad': Number(dad), 'conf/default/router_solicitations': 0,
      'conf/all/forwarding': Number(forwarding) })
    host.ip('link set lo up')
    return host
  }
}
