/**
 * Answers per second and latency in a closed loop: a fixed number of solicitations is outstanding, each answer releases the
 * next one. Contenders take turns. Their memory is read before, where a contender is compared with a larger one.
 */
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import { VERSION } from '../../src/control/protocol.ts'
import type { Load, Measurement } from './load.ts'
import type { Figures, Rounds } from './report.ts'
import type { Contender, Responder } from './responder.ts'
import type { Targets } from './solicitor.ts'
import type { Case, CaseText, Testbed } from './testbed.ts'
import { run } from './tools.ts'
import { privateBytes } from './usage.ts'

export interface ThroughputContender extends Contender {
  /** Targets other than those of the case. */
  readonly solicited?: Targets
  /** The contender `beyond` holds `count` entries less: the difference in memory is that of the entries. */
  readonly weighed?: { readonly beyond: string; readonly count: number }
  /** A request that this many clients of the control socket send before each measurement, and whose reply they do not read. */
  readonly unread?: { readonly clients: number; readonly request: object }
}

interface Options extends CaseText {
  readonly contenders: readonly ThroughputContender[]
  readonly outstanding: number
  readonly solicited: Targets
}

/** Flags for Node with which the daemon reports its pauses. */
export const PROBED = ['--import', fileURLToPath(new URL('gc-probe.js', import.meta.url))]
/** Seconds that a load takes to start, and those that a weighed contender takes to start and to learn. */
const TOOL = 0.6
const LEARN = 15

export function throughput(options: Options): Case {
  const { contenders } = options
  const isWeighed = contenders.some(({ weighed }) => weighed !== undefined)
  return { ...options, measure: (testbed) => measure(options, isWeighed, testbed), seconds: ({ rounds, warmup, seconds, quiet }) =>
    contenders.length * (rounds * (warmup + seconds + TOOL) + 1 + (isWeighed ? quiet : 0)) + (isWeighed ? LEARN : 0) }
}

async function measure(options: Options, isWeighed: boolean, testbed: Testbed): Promise<Rounds> {
  const memory = new Map<string, number>()
  const started = await testbed.startAll(options.contenders)
  for (const { name, pid } of isWeighed ? started : []) {
    if (pid === undefined) continue
    await testbed.settle(pid)
    memory.set(name, privateBytes(pid))
  }
  return testbed.rounds(started, async (responder) => {
    const { weighed, unread, solicited = options.solicited } = options.contenders.find(({ name }) => name === responder.name)!
    const { warmup, seconds } = testbed.plan
    const load: Load = { ...responder.link, outstanding: options.outstanding, solicited, warmup, seconds, pid: responder.pid }
    const measured = await testbed.quietly(async () => {
      const clients = Array.from({ length: unread?.clients ?? 0 }, () => connect(responder.control).pause())
      for (const client of clients) client.on('error', () => {}).write(`${JSON.stringify({ version: VERSION, ...unread!.request })}\n`)
      try {
        return await run<Measurement>(testbed.solicitor, 'load', load, warmup + seconds)
      } finally {
        for (const client of clients) client.destroy()
      }
    })
    if (measured.answered === 0) throw new Error(`${responder.name} does not answer`)
    const own = memory.get(responder.name)
    const beyond = weighed && memory.get(weighed.beyond)
    return { ...figures(measured, responder), ...own !== undefined && { memory: own / 2 ** 20 },
      ...own !== undefined && beyond !== undefined && { bytes: (own - beyond) / weighed!.count } }
  })
}

function figures({ answered, seconds, p50, p99, lost, unexpected, cpu, others, idle }: Measurement, responder: Responder): Figures {
  return { rate: answered / seconds, p50, p99, lost, unexpected, others, idle: 100 * idle,
    ...responder.pid !== undefined && { cpuEach: 1e6 * cpu / answered },
    ...responder.contender.flags === PROBED && { pause: longestPause(responder) } }
}

/** @returns the longest pause by garbage collection since the program was ready, in milliseconds; NaN without the probe */
function longestPause({ lines, readyAt }: Responder): number {
  const pauses = lines.map((line) => /^gc (\S+) (\S+)$/.exec(line)).filter((match) => match !== null)
  if (pauses.length === 0) return NaN
  return Math.max(0, ...pauses.filter(([, at]) => Number(at) > readyAt).map(([, , duration]) => Number(duration)))
}
