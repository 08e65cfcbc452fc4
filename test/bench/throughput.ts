/**
 * Answers per second and latency in a closed loop: so many questions on their way at any time, each answer releases the
 * next. The contenders in turn; before that, what each of them takes up in memory with what it has to know.
 */
import type { Measurement } from './asker.ts'
import type { ThroughputCase } from './manners.ts'
import type { Figures, Rounds } from './report.ts'
import { tool } from './responders.ts'
import type { Responder } from './responders.ts'
import type { Stage } from './stage.ts'
import { residentBytes } from './usage.ts'

export async function measureThroughput(situation: ThroughputCase, stage: Stage): Promise<Rounds> {
  const resting = new Map<string, number>()
  const started = await stage.startAll(await stage.place(situation.contenders))
  if (situation.contenders.some(({ weighed }) => weighed !== undefined)) {
    for (const { name, pid } of started) {
      if (pid === undefined) continue
      await stage.settle(pid)
      resting.set(name, residentBytes(pid))
    }
  }
  return stage.rounds(started, (responder) => figures(responder, situation, stage, resting))
}

async function figures(
  responder: Responder, situation: ThroughputCase, stage: Stage, resting: ReadonlyMap<string, number>): Promise<Figures> {
  const best = await stage.quietly(() => measure(responder, situation, stage))
  const { answers, seconds, p50, p99, lost, unexpected, cpu, others, idle } = best
  const rss = resting.get(responder.name)
  const weighed = situation.contenders.find(({ name }) => name === responder.name)?.weighed
  const beyond = weighed && resting.get(weighed.beyond)
  return { rate: answers / seconds, p50, p99, lost, unexpected, others, idle: 100 * idle,
    ...responder.pid !== undefined && { cpuEach: 1e6 * cpu / answers },
    ...rss !== undefined && { memory: rss / 2 ** 20 },
    ...rss !== undefined && beyond !== undefined && { bytes: (rss - beyond) / weighed!.count } }
}

/** One measurement, by an asker of its own. */
async function measure(responder: Responder, situation: ThroughputCase, stage: Stage): Promise<Measurement> {
  const { outstanding, contenders } = situation
  const { warmup, seconds } = stage.plan
  const asked = contenders.find(({ name }) => name === responder.name)!.asked ?? situation.asked
  const load = { ...responder.asker, outstanding, asked, warmup, seconds, pid: responder.pid }
  const proc = tool(stage.asker, 'asker', load)
  const measurement = JSON.parse(await proc.line(/^\{/, 1000 * (warmup + seconds) + 10_000)) as Measurement
  await proc.exited
  if (measurement.answers === 0) throw new Error(`${responder.name} does not answer`)
  return measurement
}
