/** What a case is played on: a lab of its own, the asker in it, and the order of the rounds. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Lab } from '../lab/kit/lab.ts'
import type { Host } from '../lab/kit/lab.ts'
import type { Figures, Rounds } from './report.ts'
import { Responder } from './responders.ts'
import type { Contender, Program } from './responders.ts'
import { cpuSeconds } from './usage.ts'

export interface Plan {
  /** Measurements of each contender, the contenders in turn. */
  readonly rounds: number
  /** Of a measurement of throughput, and of the load before it. */
  readonly seconds: number
  readonly warmup: number
  /** How often a measurement that others disturb is taken at most. */
  readonly attempts: number
  /** Milliseconds that a program has to settle after its start, and to be quiet before it counts as settled. */
  readonly rest: number
  readonly quiet: number
  readonly programs: readonly Program[]
}

/** Milliseconds: how often it is looked whether a program is quiet, and how long it may take to settle. */
const LOOK = 1000
const SETTLE_LIMIT = 120_000
/** Share of a CPU that a settled program may use. */
const SETTLED = 0.005
/** CPUs that other programs may use during a measurement. */
const QUIET = 0.15

export class Stage {
  readonly lab = Lab.create()
  readonly plan: Plan
  /** By contender: why it fell out. */
  readonly failed = new Map<string, string>()
  /** What a reader of the figures should know. */
  readonly remarks: string[] = []
  readonly #name: string
  #asker: Host | undefined

  private constructor(plan: Plan, name: string) {
    this.plan = plan
    this.#name = name
  }

  static async create(plan: Plan, name: string): Promise<Stage> {
    const stage = new Stage(plan, name)
    stage.#asker = await stage.lab.host('asker')
    return stage
  }

  get asker(): Host { return this.#asker! }

  /** Where it stands, on stderr. */
  note(text: string): void {
    const line = `${this.#name}: ${text}`
    process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${line}` : `${line}\n`)
  }

  /** A namespace for each of `contenders` whose program takes part. */
  place(contenders: readonly Contender[]): Promise<Responder[]> {
    const taking = contenders.filter(({ program }) => this.plan.programs.includes(program))
    return Promise.all(taking.map((contender, n) => Responder.create(this.lab, this.asker, contender, n)))
  }

  /** Starts one; false, and a word on it, when it cannot be ready in time: the others go on. */
  async start(responder: Responder): Promise<boolean> {
    this.note(`starting ${responder.name}`)
    return this.attempt(responder, () => responder.start())
  }

  /** Does something that may fail, to the cost of one contender only. */
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

  /** Starts them one after the other. @returns those that work */
  async startAll(responders: readonly Responder[]): Promise<Responder[]> {
    const started: Responder[] = []
    for (const responder of responders) if (await this.start(responder)) started.push(responder)
    return started
  }

  /** All rounds of all responders, one after the other. */
  async rounds(
    responders: readonly Responder[], measure: (responder: Responder) => Promise<Figures>, count = this.plan.rounds): Promise<Rounds> {
    const rounds = new Map<string, Figures[]>(responders.map(({ name }) => [name, []]))
    for (let round = 0; round < count; round++) {
      for (let i = 0; i < responders.length; i++) {
        const responder = responders[(round + i) % responders.length]   // nobody is always first, or after the same
        this.note(`round ${round + 1}: ${responder.name}`)
        rounds.get(responder.name)!.push(await measure(responder))
      }
    }
    return rounds
  }

  /** The least disturbed of a few measurements. */
  async quietly<T extends { readonly others: number }>(measure: () => Promise<T>): Promise<T> {
    let best = await measure()
    for (let attempt = 1; best.others > QUIET && attempt < this.plan.attempts; attempt++) {
      const again = await measure()
      if (again.others < best.others) best = again
    }
    return best
  }

  /** Waits for as long as a program needs after its start, and until it has been quiet for a while. */
  async settle(pid: number): Promise<void> {
    const { rest, quiet } = this.plan
    await sleep(rest)
    const end = performance.now() + SETTLE_LIMIT
    for (let calm = 0; calm < quiet && performance.now() < end;) {
      const before = cpuSeconds(pid)
      await sleep(LOOK)
      calm = cpuSeconds(pid) - before < SETTLED * LOOK / 1000 ? calm + LOOK : 0
    }
  }

  async close(): Promise<void> {
    await this.lab.close()
  }
}
