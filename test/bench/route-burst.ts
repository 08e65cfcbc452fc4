/**
 * Thousands of host routes that come or go at once: because the configuration says so, and because their link comes back.
 * Beside it `ip -batch` with the same routes, somebody who asks on, and a BIRD that is told of everything.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RouteBurstCase } from './manners.ts'
import { burst, BURST_FIRST } from './configs.ts'
import type { Figures, Rounds } from './report.ts'
import { missing, report, tool } from './responders.ts'
import type { Responder } from './responders.ts'
import { target } from './questions.ts'
import type { RouteNews } from './route-watch.ts'
import type { Stage } from './stage.ts'
import type { Tally } from './ticker.ts'
import { until } from '../kit/until.ts'
import type { Proc } from '../lab/kit/process.ts'

/** Milliseconds. */
const LIMIT = 30_000
const STEP = 50
/** Protocols of routes: the daemon's, and the one that `ip` is told to use. */
const OURS = 136
const OTHER = 99
const BIRD = 'router id 192.0.2.1;\nprotocol device { scan time 3600; }\n'
  + 'protocol kernel { learn; scan time 3600; ipv6 { import all; export none; }; }\n'

export async function measureRouteBurst(situation: RouteBurstCase, stage: Stage): Promise<Rounds> {
  const rounds = new Map<string, Figures[]>()
  const [responder] = await stage.place(situation.contenders)
  if (responder === undefined) return rounds
  const { host, name } = responder
  host.ip('link add eth2 type veth peer name steady', 'link set eth2 up', 'link set steady up')
  if (!await stage.start(responder)) return rounds
  const ticker = tool(stage.asker, 'ticker', { ...responder.asker, asked: situation.asked })
  await ticker.line(/^first/)
  const watch = tool(host, 'route-watch', [OURS, OTHER])
  await watch.line(/^ready/)
  rounds.set(name, []).set('ip -batch', [])
  for (let round = 0; round < stage.plan.rounds; round++) {
    stage.note(`round ${round + 1}`)
    rounds.get('ip -batch')!.push(await byIp(situation, responder, watch))
    const figures = await byDaemon(situation, responder, watch, ticker)
    rounds.get(name)!.push({ ...figures, missed: await missedByBird(situation, stage, responder, watch) })
  }
  await Promise.all([ticker.stop(), watch.stop()])
  return rounds
}

/** What `work` does to `count` routes: milliseconds from the first notification to the last. */
async function heard(watch: Proc, what: 'adding' | 'deleting', count: number, work: () => unknown): Promise<number> {
  const from = watch.lines.length
  watch.child.kill('SIGUSR2')
  await watch.line(/^begun/, LIMIT, from)
  work()
  const news = await until(async () => {
    const news = await report<RouteNews>(watch)
    if (news.overrun) throw new Error('route-watch lost notifications')
    if ((what === 'adding' ? news.added : news.deleted) >= count) return news
    await sleep(STEP)
    return undefined
  }, LIMIT, `${count} routes, ${what}`)
  return news[what]
}

async function byIp({ hosts }: RouteBurstCase, { host }: Responder, watch: Proc): Promise<Figures> {
  const run = (op: string) => () => host.run(['ip', '-6', '-batch', '-'], Array.from({ length: hosts }, (_, n) =>
    `route ${op} ${target(BURST_FIRST + n)} dev eth1 proto ${OTHER} metric 16\n`).join(''))
  return { adding: await heard(watch, 'adding', hosts, run('add')), deleting: await heard(watch, 'deleting', hosts, run('del')) }
}

async function byDaemon(
  { hosts, asked }: RouteBurstCase, responder: Responder, watch: Proc, ticker: Proc): Promise<Figures> {
  await report<Tally>(ticker)
  const adding = await heard(watch, 'adding', hosts, () => responder.reload(burst(asked.targets, hosts)))
  await heard(watch, 'deleting', hosts, () => responder.host.ip('link set eth1 down'))
  const returning = await heard(watch, 'adding', hosts, () => responder.host.ip('link set eth1 up'))
  const deleting = await heard(watch, 'deleting', hosts, () => responder.reload(burst(asked.targets, 0)))
  const tally = await report<Tally>(ticker)
  return { adding, returning, deleting, answered: 100 * tally.answered / tally.asked, worst: 1000 * tally.worst }
}

/** Routes that a BIRD with its own defaults does not know, or still knows, after they came and after they went. */
async function missedByBird(
  { hosts, asked }: RouteBurstCase, stage: Stage, responder: Responder, watch: Proc): Promise<number | undefined> {
  if (missing('bird') !== undefined) return undefined
  const [config, socket] = ['bird.conf', 'bird.ctl'].map((name) => join(stage.lab.directory, name))
  writeFileSync(config, BIRD)
  const bird = responder.host.spawn(['bird', '-f', '-c', config, '-s', socket])
  try {
    const count = () => birdRoutes(responder, socket)
    const before = await until(count, LIMIT)
    await heard(watch, 'adding', hosts, () => responder.reload(burst(asked.targets, hosts)))
    const missed = Math.abs(before + hosts - await settled(count))
    await heard(watch, 'deleting', hosts, () => responder.reload(burst(asked.targets, 0)))
    return missed + Math.abs(before - await settled(count))
  } finally {
    await bird.stop()
  }
}

/** Undefined while BIRD does not know any. */
async function birdRoutes({ host }: Responder, socket: string): Promise<number> {
  try {
    return Number(/^Total: (\d+)/m.exec(host.exec('birdc', '-s', socket, 'show', 'route', 'count'))?.[1] ?? 0)
  } catch {
    return 0
  }
}

/** A number that does not change any more. */
async function settled(read: () => Promise<number>): Promise<number> {
  for (let last = await read(); ; ) {
    await sleep(10 * STEP)
    const next = await read()
    if (next === last) return next
    last = next
  }
}
