/**
 * A large routing table that others keep: how soon `auto` answers, what the contender does while nothing happens, and what
 * it does while others change thousands of routes.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { RouteTableCase } from './manners.ts'
import type { Figures, Rounds } from './report.ts'
import type { Responder } from './responders.ts'
import { firstAnswer } from './start.ts'
import type { Stage } from './stage.ts'
import { cpuSeconds } from './usage.ts'

/** Milliseconds to the first answer: above the bar, and short enough to wait for. */
const LIMIT = 20_000
/** Two heaps of prefixes that have nothing to do with what is asked for. */
const TABLE = 'fd00'
const CHURN = 'fd01'

export async function measureRouteTable(situation: RouteTableCase, stage: Stage): Promise<Rounds> {
  const responders = await stage.place(situation.contenders)
  for (const { name, host } of responders) {
    stage.note(`${situation.routes} routes for ${name}`)
    // The hosts are behind eth1, though their prefix is on-link at eth0.
    host.ip('route add 2001:db8::1:0:0/96 dev eth1')
    batch(host, 'add', TABLE, situation.routes)
  }
  const slow = new Set<Responder>()
  return stage.rounds(responders, async (responder) => {
    if (slow.has(responder)) return {}        // once is enough
    const figures = await measure(situation, stage, responder)
    if (figures.start === undefined) {
      slow.add(responder)
      if (!stage.failed.has(responder.name)) stage.remarks.push(`${responder.name} gave no answer within ${LIMIT / 1000} s`)
    }
    return figures
  })
}

async function measure(situation: RouteTableCase, stage: Stage, responder: Responder): Promise<Figures> {
  const { asked, rest, idle, churn } = situation
  // A question that comes before it has read the routes ends ndppd 0.2.5, if its rule is `auto`.
  const start = await firstAnswer(stage, responder, asked, LIMIT, responder.contender.program === 'ndppd')
  const { pid } = responder
  if (pid === undefined) return {}
  try {
    if (start !== undefined) await sleep(1000 * rest)
    const cpu = await share(pid, () => sleep(1000 * idle))
    const busy = await share(pid, async () => {
      batch(responder.host, 'add', CHURN, churn)
      batch(responder.host, 'del', CHURN, churn)
      await sleep(100)
    })
    return { start, cpu, churn: busy }
  } finally {
    await responder.stop()
  }
}

/** Percent of a CPU that a program uses in the course of `work`. */
async function share(pid: number, work: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  const before = cpuSeconds(pid)
  await work()
  return 100_000 * (cpuSeconds(pid) - before) / (performance.now() - began)
}

function batch(host: Responder['host'], op: 'add' | 'del', prefix: string, count: number): void {
  const lines = Array.from({ length: count }, (_, n) =>
    `route ${op} ${prefix}:${(n >>> 16).toString(16)}:${(n & 0xffff).toString(16)}::/64 dev eth1\n`)
  host.run(['ip', '-6', '-batch', '-'], lines.join(''))
}
