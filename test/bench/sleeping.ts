/** Latency as a host has it: one solicitation at a time, by a solicitor that sleeps until the answer is there. */
import type { Proc } from '../lab/kit/process.ts'
import { missing } from './programs.ts'
import type { Figures } from './report.ts'
import type { Responder } from './responder.ts'
import { SLOT, Solicitations } from './solicitations.ts'
import type { Targets } from './solicitor.ts'
import type { Case, CaseText, Testbed } from './testbed.ts'
import { result, tool } from './tools.ts'
import { percentiles } from './usage.ts'

interface Options extends CaseText {
  readonly solicited: Targets
  /** Solicitations a second, each for a target that no measurement solicited before. Without it, as fast as the answers come. */
  readonly coldRate?: number
  /** Seconds of a measurement. */
  readonly duration: number
  /** Measurements in a round of the plan, see `steady`. */
  readonly turns: number
}

/** What the load prints: latencies in milliseconds. */
export interface Answers {
  readonly sent: number
  readonly latencies: readonly number[]
}

/** When the load solicits, in seconds: see `sleeping-load.py`. */
export interface Timing {
  readonly interval: number
  readonly patience: number
  readonly seconds?: number
}

const TOOL = 0.3
const PATIENCE = 0.25

export function sleeping(options: Options): Case {
  const { contenders, solicited, coldRate, duration, turns } = options
  const count = solicited.targets
  return {
    ...options,
    seconds: ({ rounds }) => contenders.length * (rounds * turns * (duration + TOOL) + 1),
    measure: async (testbed) => testbed.rounds(await testbed.startAll(contenders), async (responder, round) => {
      const load = coldRate === undefined ? startLoad(testbed, responder, solicited, { interval: 0, patience: PATIENCE, seconds: duration })
        : startLoad(testbed, responder, { ...solicited, first: round * count }, { interval: 1 / coldRate, patience: PATIENCE })
      return figures(await result<Answers>(load, duration + count * PATIENCE))
    }, turns * testbed.plan.rounds),
  }
}

/** Starts the load of a sleeping solicitor. @throws Error where Python is missing */
export function startLoad(testbed: Testbed, { link }: Responder, { targets, first, stride }: Targets, timing: Timing): Proc {
  const reason = missing('python3')
  if (reason !== undefined) throw new Error(`python3: ${reason}`)
  const solicitations = new Solicitations(link.mac, link.source)
  const slot = Buffer.alloc(SLOT)
  const frames = Array.from({ length: targets }, (_, i) => {
    solicitations.write(slot, 0, first + i * stride)
    return slot.toString('hex', 0, solicitations.length)
  })
  return tool(testbed.solicitor, 'sleeping-load.py', { iface: link.iface, frames, ...timing })
}

export function figures({ sent, latencies }: Answers): Figures {
  return { answered: 100 * latencies.length / sent, ...percentiles(Float64Array.from(latencies)) }
}
