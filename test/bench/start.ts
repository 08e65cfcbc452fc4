/** From the start of a program to its first answer, to a question asked once a millisecond; of a bare Node, to its end. */
import type { StartCase } from './manners.ts'
import type { Figures, Rounds } from './report.ts'
import { median } from './report.ts'
import { tool } from './responders.ts'
import type { Responder } from './responders.ts'
import type { Stage } from './stage.ts'

/** Milliseconds. */
const LIMIT = 10_000

/** A figure is the median of some starts: one start alone says little. */
export async function measureStart({ contenders, asked, starts }: StartCase, stage: Stage): Promise<Rounds> {
  return stage.rounds(await stage.place(contenders), async (responder): Promise<Figures> => {
    const times: number[] = []
    for (let i = 0; i < starts; i++) {
      times.push(responder.contender.program === 'node' ? await bareNode(responder)
        : await firstAnswer(stage, responder, asked, LIMIT) ?? NaN)
      await responder.stop()
    }
    return { start: median(times) }
  })
}

/**
 * Starts it. @returns milliseconds until its first answer; undefined when there is none within `limit` milliseconds
 * @param isAskedLate not before it has begun: what comes earlier ends some programs
 */
export async function firstAnswer(
  stage: Stage, responder: Responder, asked: StartCase['asked'], limit: number, isAskedLate = false,
): Promise<number | undefined> {
  await responder.startHosts()
  const early = now()
  if (isAskedLate) await stage.attempt(responder, () => responder.startProgram())
  const ticker = tool(stage.asker, 'ticker', { ...responder.asker, asked })
  try {
    await ticker.line(/^ready/)
    const began = isAskedLate ? early : now()
    if (!isAskedLate) await stage.attempt(responder, () => responder.startProgram())
    const line = await ticker.line(/^first/, limit).catch(() => undefined)
    return line === undefined ? undefined : Number(line.split(' ')[1]) - began
  } finally {
    await ticker.stop()
  }
}

/** `node -e 0` in the same namespace, from start to end. Milliseconds. */
async function bareNode({ host }: Responder): Promise<number> {
  const began = now()
  const { child, exited } = host.spawn([process.execPath, '-e', '0'])
  const ended = new Promise<number>((resolve) => child.once('exit', () => resolve(now())))
  const time = await ended - began
  await exited
  return time
}

/** CLOCK_MONOTONIC in milliseconds, as the ticker has it. */
function now(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
