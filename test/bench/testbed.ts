/** The namespaces of one case, and the order of its rounds. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Host, Lab } from '../lab/kit/lab.ts'
import type { Program } from './programs.ts'
import type { Bar, Figures, Rounds } from './report.ts'
import { type Contender, type Place, Responder } from './responder.ts'
import { cpuSeconds } from './usage.ts'

/** One case. Each module of a kind of measurement has a function that makes cases of that kind. */
export interface Case extends CaseText {
  /** Estimate of the seconds that the case takes. */
  readonly seconds: (plan: Plan) => number
  readonly measure: (testbed: Testbed) => Promise<Rounds>
}

export interface CaseText {
  /** For `--case`. */
  readonly name: string
  readonly title: string
  readonly contenders: readonly Contender[]
  readonly bars: readonly Bar[]
}

export interface Plan {
  /** Measurements of each contender, the contenders in turn. */
  readonly rounds: number
  /** Seconds of a measurement of throughput, and of the load before it. */
  readonly seconds: number
  readonly warmup: number
  /** How often at most a measurement that other programs disturb is taken. */
  readonly attempts: number
  /** Seconds that a program has to be idle before its memory is read. */
  readonly quiet: number
  readonly programs: readonly Program[]
}

/** Seconds between two looks at whether a program is idle, and for how long to look. */
const LOOK = 0.5
const SETTLE_LIMIT = 120
/** Share of a CPU that an idle program may use. */
const IDLE = 0.005
/** CPUs that other programs may use during a measurement. */
const DISTURBED = 0.15

export class Testbed {
  readonly lab = Lab.create()
  readonly plan: Plan
  /** By contender: why it could not be measured. */
  readonly failed = new Map<string, string>()
  readonly #name: string
  #solicitor: Host | undefined

  private constructor(plan: Plan, name: string) {
    this.plan = plan
    this.#name = name
  }

  static async create(plan: Plan, name: string): Promise<Testbed> {
    const testbed = new Testbed(plan, name)
    testbed.#solicitor = await testbed.lab.host('solicitor')
    return testbed
  }

  /** The namespace of the loads, with a link to each responder. */
  get solicitor(): Host { return this.#solicitor! }

  /** Prints the progress on stderr. */
  note(text: string): void {
    const line = `${this.#name}: ${text}`
    process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${line}` : `${line}\n`)
  }

  /** Makes the namespaces of those contenders whose program takes part. */
  place(contenders: readonly Contender[]): Promise<Responder[]> {
    const taking = contenders.filter(({ program }) => this.plan.programs.includes(program))
    return Promise.all(taking.map(async (contender, n) => new Responder(this.lab, contender, await this.#place(contender, n))))
  }

  /**
   * Makes a namespace with `eth0` to the solicitor and `eth1` to a namespace of hosts, or to nowhere. A permanent neighbor
   * entry for the solicitor spares the responder its resolution.
   */
  async #place({ inside, setup = [] }: Contender, n: number): Promise<Place> {
    const iface = `to${n}`
    const [host, hosts] = await Promise.all([this.lab.host(`responder${n}`, { forwarding: true }), inside && this.lab.host(`inside${n}`)])
    this.lab.link(this.solicitor, iface, host, 'eth0')
    if (hosts === undefined) host.ip('link add eth1 type veth peer name inside', 'link set eth1 up', 'link set inside up')
    else this.lab.link(hosts, 'eth0', host, 'eth1')
    const link = { iface, ifindex: this.solicitor.ifindex(iface), mac: this.solicitor.mac(iface), source: this.solicitor.linkLocal(iface) }
    host.ip('addr add 2001:db8::ff/64 dev eth0 nodad', `neigh replace ${link.source} lladdr ${link.mac} dev eth0 nud permanent`, ...setup)
    return { host, inside: hosts, link }
  }

  /** Starts a responder. @returns false, with the reason in `failed`, when it is not ready in time */
  async start(responder: Responder): Promise<boolean> {
    this.note(`starting ${responder.name}`)
    return this.attempt(responder, () => responder.start())
  }

  /** Does some work whose failure excludes one contender only. @returns false when it failed */
  async attempt(responder: Responder, work: () => Promise<void>): Promise<boolean> {
    try {
      await work()
      return true
    } catch (error) {
      const [reason, ...log] = String(error instanceof Error ? error.message : error).split('\n')
      this.failed.set(responder.name, [reason, ...log.slice(-3)].join('\n'))
      await responder.stop()
      return false
    }
  }

  /** Places and starts all contenders. @returns the responders that work */
  async startAll(contenders: readonly Contender[]): Promise<Responder[]> {
    const started: Responder[] = []
    for (const responder of await this.place(contenders)) if (await this.start(responder)) started.push(responder)
    return started
  }

  /** Measures all responders in turn, as often as there are rounds. */
  async rounds(
    responders: readonly Responder[], measure: (responder: Responder, round: number) => Promise<Figures>, count = this.plan.rounds,
  ): Promise<Rounds> {
    const rounds = new Map<string, Figures[]>(responders.map(({ name }) => [name, []]))
    for (let round = 0; round < count; round++) {
      for (let i = 0; i < responders.length; i++) {
        const responder = responders[(round + i) % responders.length]   // so that each is first, and last, in turn
        this.note(`round ${round + 1}: ${responder.name}`)
        rounds.get(responder.name)!.push(await measure(responder, round))
      }
    }
    return rounds
  }

  /** Measures as `rounds` does, each time with a newly started program. */
  async freshRounds(contenders: readonly Contender[], measure: (responder: Responder) => Promise<Figures>): Promise<Rounds> {
    return this.rounds(await this.place(contenders), async (responder) => {
      if (!await this.start(responder)) return {}
      try {
        return await measure(responder)
      } finally {
        await responder.stop()
      }
    })
  }

  /** Repeats a measurement that other programs disturb. @returns the least disturbed one */
  async quietly<T extends { readonly others: number }>(measure: () => Promise<T>): Promise<T> {
    let best = await measure()
    for (let attempt = 1; best.others > DISTURBED && attempt < this.plan.attempts; attempt++) {
      const again = await measure()
      if (again.others < best.others) best = again
    }
    return best
  }

  /** Waits until a program has been idle for `plan.quiet` seconds. */
  async settle(pid: number): Promise<void> {
    const end = performance.now() + 1000 * SETTLE_LIMIT
    for (let idle = 0; idle < this.plan.quiet && performance.now() < end;) {
      const before = cpuSeconds(pid)
      await sleep(1000 * LOOK)
      idle = cpuSeconds(pid) - before < IDLE * LOOK ? idle + LOOK : 0
    }
  }

  async close(): Promise<void> { await this.lab.close() }
}
