/** Resident memory: at rest, some seconds after the start, and how much more it is under a load at full speed and after it. */
import type { MemoryCase } from './manners.ts'
import type { Figures, Rounds } from './report.ts'
import type { Responder } from './responders.ts'
import { tool } from './responders.ts'
import type { Stage } from './stage.ts'
import { highestMemory, residentBytes } from './usage.ts'

const MIB = 2 ** 20

/** Each round has fresh contenders. */
export async function measureMemory(situation: MemoryCase, stage: Stage): Promise<Rounds> {
  return stage.rounds(await stage.place(situation.contenders), async (responder) => {
    if (!await stage.start(responder)) return {}
    try {
      return await measure(situation, stage, responder)
    } finally {
      await responder.stop()
    }
  })
}

async function measure({ asked, seconds }: MemoryCase, stage: Stage, responder: Responder): Promise<Figures> {
  const pid = responder.pid!
  await stage.settle(pid)
  const before = residentBytes(pid)
  if (responder.contender.program === 'node') return { memory: before / MIB }
  const watch = highestMemory(pid)
  const load = { ...responder.asker, asked, outstanding: 64, warmup: 0.1, seconds, pid }
  await tool(stage.asker, 'asker', load).line(/^\{/, 1000 * seconds + 10_000)
  const highest = watch()
  return { memory: before / MIB, grown: (highest - before) / MIB, kept: (residentBytes(pid) - before) / MIB }
}
