/**
 * A scan of the whole /64 from the upstream side, at full speed, while known hosts are asked for at a steady rate: what it
 * changes for them, what the inside link sees of it, and what it costs in memory. Each round has a fresh contender:
 * some of them do not recover.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ScanCase } from './manners.ts'
import type { Seen } from './inside.ts'
import { pace } from './pace.ts'
import type { Figures, Rounds } from './report.ts'
import type { Responder } from './responders.ts'
import type { Stage } from './stage.ts'
import { highestMemory, residentBytes } from './usage.ts'

const MIB = 2 ** 20

export async function measureScan(situation: ScanCase, stage: Stage): Promise<Rounds> {
  return stage.rounds(await stage.place(situation.contenders), async (responder) => {
    if (!await stage.start(responder)) return {}
    try {
      return await measure(situation, stage, responder)
    } finally {
      await responder.stop()
    }
  })
}

async function measure(situation: ScanCase, stage: Stage, responder: Responder): Promise<Figures> {
  const { asked, rate, scan, seconds, calm, after } = situation
  const pid = responder.pid!
  // Those that find out by being asked get to know their hosts here.
  await pace(stage, responder, { asked, rate, seconds: calm, scan: 0 })
  await stage.settle(pid)
  const quiet = await stage.quietly(() => pace(stage, responder, { asked, rate, seconds: calm, scan: 0 }))
  const before = residentBytes(pid)
  const seenBefore = await responder.seen<Seen>()
  const watch = highestMemory(pid)
  const stormy = await pace(stage, responder, { asked, rate, seconds, scan })
  const highest = watch()
  const seen = await responder.seen<Seen>()
  await sleep(1000 * after)
  return {
    answered: 100 * stormy.answered / stormy.asked, calmP50: quiet.p50, calmP99: quiet.p99,
    p50: stormy.p50, p99: stormy.p99, worst: stormy.worst,
    scanned: stormy.scanned, probes: (seen.unknown - seenBefore.unknown) / seconds, cpu: 100 * stormy.cpu / seconds,
    memory: before / MIB, grown: (highest - before) / MIB, kept: (residentBytes(pid) - before) / MIB, others: stormy.others,
  }
}
