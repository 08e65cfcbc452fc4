/**
 * A large routing table of other programs: the time to the first answer by `auto`, and the CPU time while nothing happens and while
 * thousands of routes change.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Figures } from './report.ts'
import type { Responder } from './responder.ts'
import type { Targets } from './solicitor.ts'
import { firstAnswer } from './start.ts'
import type { Case, CaseText } from './testbed.ts'
import { cpuSeconds } from './usage.ts'

interface Options extends CaseText {
  readonly solicited: Targets
  readonly routes: number
  /** Seconds to come to rest, late garbage collections of Node included; then seconds to measure. */
  readonly rest: number
  readonly idle: number
  /** Routes that are added and deleted after that. */
  readonly churn: number
}

/** Prefixes that hold no target. */
const TABLE = 'fd00'
const CHURN = 'fd01'

export function routeTable(options: Options): Case {
  const { contenders, solicited, routes, rest, idle, churn } = options
  return {
    ...options,
    seconds: ({ rounds }) => contenders.length * (rounds * (rest + idle + 2) + 8),
    measure: async (testbed) => {
      const responders = await testbed.place(contenders)
      for (const { host } of responders) batch(host, 'add', TABLE, routes)
      return testbed.rounds(responders, async (responder): Promise<Figures> => {
        const start = await firstAnswer(testbed, responder, solicited)
        const { pid, host } = responder
        if (pid === undefined) return {}
        await sleep(1000 * rest)
        const cpu = await percentOfCpu(pid, () => sleep(1000 * idle))
        const busy = await percentOfCpu(pid, async () => {
          batch(host, 'add', CHURN, churn)
          batch(host, 'del', CHURN, churn)
          await sleep(100)
        })
        await responder.stop()
        return { start, cpu, churn: busy }
      })
    },
  }
}

/** @returns percent of a CPU that a program uses during `work` */
async function percentOfCpu(pid: number, work: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  const before = cpuSeconds(pid)
  await work()
  return 100_000 * (cpuSeconds(pid) - before) / (performance.now() - began)
}

function batch(host: Responder['host'], op: 'add' | 'del', prefix: string, count: number): void {
  const lines = Array.from({ length: count }, (_, n) =>
    `route ${op} ${prefix}:${(n >>> 16).toString(16)}:${(n & 0xffff).toString(16)}::/64 dev eth1\n`)
  host.run(['ip', '-6', '-batch', '-'], lines.join(''))
}
