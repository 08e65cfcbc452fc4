/** CPU time and latency at a steady rate: a fixed number of solicitations a second, whether answers come or not. */
import type { Load, Measurement } from './load.ts'
import type { Figures } from './report.ts'
import type { Responder } from './responder.ts'
import type { Targets } from './solicitor.ts'
import type { Case, CaseText, Testbed } from './testbed.ts'
import { run } from './tools.ts'

interface Options extends CaseText {
  /** Solicitations a second. There are enough targets that none is solicited again within a quarter of a second. */
  readonly rate: number
  readonly solicited: Targets
  readonly duration: number
  /**
   * Measurements in a round of the plan. The cost of a wakeup depends on the machine's host and changes within seconds:
   * short measurements in turn keep those that are compared close together.
   */
  readonly turns: number
}

/** Seconds that a load takes beside its measurement. */
const TOOL = 0.8

export function steady(options: Options): Case {
  const { contenders, rate, solicited, duration, turns } = options
  const load = { rate, solicited }
  return {
    ...options,
    seconds: ({ rounds }) => contenders.length * ((rounds + 1) * turns * (duration + TOOL) + 1),
    measure: async (testbed) => {
      const started = await testbed.startAll(contenders)
      // V8 compiles what it compiles in these some thousand packets.
      for (const responder of started) await solicit(testbed, responder, { ...load, seconds: duration * turns })
      return testbed.rounds(started, async (responder) => {
        const measured = await testbed.quietly(() => solicit(testbed, responder, { ...load, seconds: duration }))
        return { ...openFigures(measured), ...responder.pid !== undefined && { cpu: 100 * measured.cpu / duration } }
      }, turns * testbed.plan.rounds)
    },
  }
}

/** Measures once. */
export function solicit(
  testbed: Testbed, responder: Responder, load: Pick<Load, 'solicited' | 'rate' | 'seconds' | 'scan'>): Promise<Measurement> {
  return run(testbed.solicitor, 'load', { ...responder.link, ...load, pid: responder.pid } satisfies Load, load.seconds)
}

export function openFigures({ sent, answered, p50, p99, worst, unexpected, others }: Measurement): Figures {
  return { answered: 100 * answered / sent, p50, p99, worst, unexpected, others }
}
