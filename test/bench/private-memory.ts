/** Private memory: of an idle program, and how much a load at full speed adds. Each round has newly started programs. */
import type { Load, Measurement } from './load.ts'
import type { Targets } from './solicitor.ts'
import type { Case, CaseText } from './testbed.ts'
import { run } from './tools.ts'
import { highestMemory, privateBytes } from './usage.ts'

interface Options extends CaseText {
  readonly solicited: Targets
  /** Seconds of the load. */
  readonly duration: number
}

const MIB = 2 ** 20

export function privateMemory(options: Options): Case {
  const { contenders, solicited, duration: seconds } = options
  return {
    ...options,
    seconds: ({ rounds, quiet }) => rounds * contenders.length * (quiet + seconds + 2),
    measure: (testbed) => testbed.freshRounds(contenders, async ({ contender, link, pid }) => {
      await testbed.settle(pid!)
      const memory = privateBytes(pid!)
      if (contender.program === 'node') return { memory: memory / MIB }
      const highest = highestMemory(pid!)
      const load: Load = { ...link, solicited, outstanding: 64, seconds, pid }
      await run<Measurement>(testbed.solicitor, 'load', load, seconds)
      return { memory: memory / MIB, grown: (highest() - memory) / MIB }
    }),
  }
}
