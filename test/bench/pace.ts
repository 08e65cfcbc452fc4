/** CPU time and latency at a steady rate: so many questions a second, whether or not answers come. */
import type { PaceCase } from './manners.ts'
import type { PaceMeasurement } from './pacer.ts'
import type { Figures, Rounds } from './report.ts'
import { tool } from './responders.ts'
import type { Responder } from './responders.ts'
import type { Stage } from './stage.ts'

export async function measurePace({ contenders, asked, rate, seconds, turns }: PaceCase, stage: Stage): Promise<Rounds> {
  const started = await stage.startAll(await stage.place(contenders))
  // What is compiled after some thousand packets is compiled by then.
  for (const responder of started) await pace(stage, responder, { asked, rate, seconds: seconds * turns, scan: 0 })
  return stage.rounds(started, async (responder) => {
    return paceFigures(await stage.quietly(() => pace(stage, responder, { asked, rate, seconds, scan: 0 })), responder)
  }, turns * stage.plan.rounds)
}

/** One measurement, by a pacer of its own. */
export async function pace(
  stage: Stage, responder: Responder, load: { asked: PaceCase['asked']; rate: number; seconds: number; scan: number },
): Promise<PaceMeasurement> {
  const proc = tool(stage.asker, 'pacer', { ...responder.asker, ...load, pid: responder.pid })
  const measurement = JSON.parse(await proc.line(/^\{/, 1000 * load.seconds + 10_000)) as PaceMeasurement
  await proc.exited
  return measurement
}

export function paceFigures(measured: PaceMeasurement, { pid }: Responder): Figures {
  const { asked, answered, p50, p99, worst, unexpected, others, cpu, seconds } = measured
  return { answered: 100 * answered / asked, p50, p99, worst, unexpected, others,
    ...pid !== undefined && { cpu: 100 * cpu / seconds } }
}
