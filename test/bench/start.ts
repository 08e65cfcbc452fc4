/** The time from the start of a program to its first answer; of a bare Node, to its end. */
import type { Responder } from './responder.ts'
import { median } from './report.ts'
import { startLoad } from './sleeping.ts'
import type { Targets } from './solicitor.ts'
import type { Case, CaseText, Testbed } from './testbed.ts'

interface Options extends CaseText {
  readonly solicited: Targets
  /** Starts in a round; their median is the figure of the round. */
  readonly starts: number
}

/** Milliseconds. */
const LIMIT = 10_000
/** Until the first answer, one solicitation a millisecond. */
const TIMING = { interval: 0.001, patience: 0.001, seconds: 0 }

export function start(options: Options): Case {
  const { contenders, solicited, starts } = options
  return {
    ...options,
    seconds: ({ rounds }) => 1.2 * rounds * contenders.length * starts,
    measure: async (testbed) => testbed.rounds(await testbed.place(contenders), async (responder) => {
      const times: number[] = []
      for (let i = 0; i < starts; i++) {
        times.push(responder.contender.program === 'node' ? await bareNode(responder) : await firstAnswer(testbed, responder, solicited))
        await responder.stop()
      }
      return { start: median(times) }
    }),
  }
}

/** Starts a program while one solicitation is sent each millisecond. @returns milliseconds until its first answer; NaN without any */
export async function firstAnswer(testbed: Testbed, responder: Responder, solicited: Targets): Promise<number> {
  await responder.startHosts()
  const load = startLoad(testbed, responder, solicited, TIMING)
  try {
    await load.line(/^ready/)
    const began = now()
    if (!await testbed.attempt(responder, () => responder.startProgram())) return NaN
    const line = await load.line(/^first/, LIMIT).catch(() => '')
    return Number(line.split(' ')[1]) - began
  } finally {
    await load.stop()
  }
}

/** @returns milliseconds from the start of `node -e 0` in the same namespace to its end */
async function bareNode({ host }: Responder): Promise<number> {
  const began = now()
  const { child, exited } = host.spawn([process.execPath, '-e', '0'])
  const ended = new Promise<number>((resolve) => child.once('exit', () => resolve(now())))
  const time = await ended - began
  await exited
  return time
}

/** CLOCK_MONOTONIC in milliseconds, as the light load has it. */
function now(): number { return Number(process.hrtime.bigint()) / 1e6 }
