/**
 * Thousands of host routes that are added or deleted at once: by a reload, and because their link is up again. Beside it:
 * `ip -batch` with the same routes, a load that solicits other hosts, and a BIRD that receives all notifications.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../kit/until.ts'
import type { Proc } from '../lab/kit/process.ts'
import { burst, BURST_FIRST } from './configs.ts'
import { missing } from './programs.ts'
import type { Figures, Rounds } from './report.ts'
import type { Responder } from './responder.ts'
import type { RouteChanges } from './route-watch.ts'
import { type Answers, figures, startLoad } from './sleeping.ts'
import { target } from './solicitations.ts'
import type { Targets } from './solicitor.ts'
import type { Case, CaseText, Testbed } from './testbed.ts'
import { report, tool } from './tools.ts'

interface Options extends CaseText {
  /** Hosts that stay. */
  readonly solicited: Targets
  /** Hosts that come and go. */
  readonly hosts: number
}

/** Milliseconds. */
const LIMIT = 30_000
const STEP = 50
/** One solicitation a millisecond; a host repeats it after a second (RFC 4861 10, RETRANS_TIMER). */
const TIMING = { interval: 0.001, patience: 1, seconds: 0 }
/** Route protocols: of the daemon, and the one that `ip` sets here. */
const OURS = 136
const OTHER = 99
const BIRD = 'router id 192.0.2.1;\nprotocol device { scan time 3600; }\n'
  + 'protocol kernel { learn; scan time 3600; ipv6 { import all; export none; }; }\n'

export function routeBurst(options: Options): Case {
  return { ...options, seconds: ({ rounds }) => 8 * rounds + 2, measure: (testbed) => measure(options, testbed) }
}

async function measure(options: Options, testbed: Testbed): Promise<Rounds> {
  const rounds = new Map<string, Figures[]>()
  const [responder] = await testbed.startAll(options.contenders)
  if (responder === undefined) return rounds
  const load = startLoad(testbed, responder, options.solicited, TIMING)
  await load.line(/^first/)
  const watch = tool(responder.host, 'route-watch', [OURS, OTHER])
  await watch.line(/^ready/)
  rounds.set(responder.name, []).set('ip -batch', [])
  for (let round = 0; round < testbed.plan.rounds; round++) {
    testbed.note(`round ${round + 1}`)
    rounds.get('ip -batch')!.push(await byIp(options, responder, watch))
    const figures = await byDaemon(options, responder, watch, load)
    rounds.get(responder.name)!.push({ ...figures, missed: await missedByBird(options, testbed, responder, watch) })
  }
  await Promise.all([load.stop(), watch.stop()])
  return rounds
}

/** Does `work`, which changes `count` routes. @returns milliseconds from the first notification to the last */
async function duration(watch: Proc, what: 'adding' | 'deleting', count: number, work: () => unknown): Promise<number> {
  const from = watch.lines.length
  watch.child.kill('SIGUSR2')
  await watch.line(/^begun/, LIMIT, from)
  work()
  const changes = await until(async () => {
    const changes = await report<RouteChanges>(watch)
    if (changes.overrun) throw new Error('route-watch lost notifications')
    if ((what === 'adding' ? changes.added : changes.deleted) >= count) return changes
    await sleep(STEP)
    return undefined
  }, LIMIT, `${count} routes, ${what}`)
  return changes[what]
}

async function byIp({ hosts }: Options, { host }: Responder, watch: Proc): Promise<Figures> {
  const batch = (op: string) => () => host.run(['ip', '-6', '-batch', '-'], Array.from({ length: hosts }, (_, n) =>
    `route ${op} ${target(BURST_FIRST + n)} dev eth1 proto ${OTHER} metric 16\n`).join(''))
  return { adding: await duration(watch, 'adding', hosts, batch('add')), deleting: await duration(watch, 'deleting', hosts, batch('del')) }
}

async function byDaemon({ hosts, solicited }: Options, responder: Responder, watch: Proc, load: Proc): Promise<Figures> {
  await report<Answers>(load)
  const adding = await duration(watch, 'adding', hosts, () => responder.reload(burst(solicited.targets, hosts)))
  await duration(watch, 'deleting', hosts, () => responder.host.ip('link set eth1 down'))
  const returning = await duration(watch, 'adding', hosts, () => responder.host.ip('link set eth1 up'))
  const deleting = await duration(watch, 'deleting', hosts, () => responder.reload(burst(solicited.targets, 0)))
  const { answered, worst } = figures(await report<Answers>(load))
  return { adding, returning, deleting, answered, worst }
}

/** @returns how many routes a BIRD with default buffers lacks after they were added, and still has after they were deleted */
async function missedByBird(
  { hosts, solicited }: Options, testbed: Testbed, responder: Responder, watch: Proc): Promise<number | undefined> {
  if (missing('bird') !== undefined) return undefined
  const [config, socket] = ['bird.conf', 'bird.ctl'].map((name) => join(testbed.lab.directory, name))
  writeFileSync(config, BIRD)
  const bird = responder.host.spawn(['bird', '-f', '-c', config, '-s', socket])
  try {
    const count = () => birdRoutes(responder, socket)
    const before = await until(count, LIMIT, 'BIRD')
    await duration(watch, 'adding', hosts, () => responder.reload(burst(solicited.targets, hosts)))
    const missed = Math.abs(before + hosts - await settled(count))
    await duration(watch, 'deleting', hosts, () => responder.reload(burst(solicited.targets, 0)))
    return missed + Math.abs(before - await settled(count))
  } finally {
    await bird.stop()
  }
}

/** @returns how many routes BIRD has; 0 until it replies */
function birdRoutes({ host }: Responder, socket: string): number {
  try {
    return Number(/^Total: (\d+)/m.exec(host.exec('birdc', '-s', socket, 'show', 'route', 'count'))?.[1] ?? 0)
  } catch {
    return 0
  }
}

/** Waits until a number stays the same for half a second. */
async function settled(read: () => number): Promise<number> {
  for (let last = read(); ; ) {
    await sleep(10 * STEP)
    const next = read()
    if (next === last) return next
    last = next
  }
}
