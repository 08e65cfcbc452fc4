/**
 * `npm run bench [-- OPTIONS]`: ndp6d beside ndppd, npd6 and the kernel's own proxy, on this machine, in one run.
 *
 *   --case NAME    cases whose name starts so; several times for several (all)
 *   --rounds N     measurements of each contender in each case, the contenders in turn (5)
 *   --seconds S    of each measurement of throughput (2)
 *   --only NAME    of a program; several times for several (all)
 *   --json         the figures as one JSON document
 *   --quick        every case, small, one round: shows that it works, not how fast
 *
 * What the figures are held against is printed below them: a bar, what was got (the median of the rounds' ratios), and
 * whether that reaches it. Columns: `cpu us each` is the responder's CPU time for one answer; `asker idle` near 0 % means
 * that the asker was the limit (the kernel answers within the asker's own send call); `others` is the number of CPUs that
 * other programs kept busy. A measurement of throughput that they disturb is taken again, up to three times in all, and the
 * least disturbed one counts. MiB are resident.
 *
 * It works in namespaces of its own, as root or not, and ends every program that it starts. Compare ratios of one run:
 * absolute figures depend on the machine and on what else it does.
 */
import { cpus, release } from 'node:os'
import { parseArgs } from 'node:util'
import { enterNamespaces } from '../kit/namespace.ts'
import { cases, FULL, QUICK } from './cases.ts'
import type { Case } from './manners.ts'
import { measureMemory } from './memory.ts'
import { measurePace } from './pace.ts'
import { conclude, print } from './report.ts'
import type { Result, Rounds } from './report.ts'
import { missing, PROGRAMS } from './responders.ts'
import { measureRouteBurst } from './route-burst.ts'
import { measureRouteTable } from './route-table.ts'
import { measureScan } from './scan.ts'
import { Stage } from './stage.ts'
import type { Plan } from './stage.ts'
import { measureStart } from './start.ts'
import { measureThroughput } from './throughput.ts'

function play(situation: Case, stage: Stage): Promise<Rounds> {
  switch (situation.manner) {
    case 'memory': return measureMemory(situation, stage)
    case 'pace': return measurePace(situation, stage)
    case 'route-burst': return measureRouteBurst(situation, stage)
    case 'route-table': return measureRouteTable(situation, stage)
    case 'scan': return measureScan(situation, stage)
    case 'start': return measureStart(situation, stage)
    case 'throughput': return measureThroughput(situation, stage)
  }
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`)
  process.exit(2)
}

function parse() {
  try {
    return parseArgs({ options: {
      case: { type: 'string', multiple: true, default: [''] },
      rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '2' },
      only: { type: 'string', multiple: true, default: [...PROGRAMS] },
      json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false },
    } }).values
  } catch (error) {
    return fail((error as Error).message)
  }
}

const options = parse()
const rounds = Number(options.rounds)
const seconds = Number(options.seconds)
if (!Number.isInteger(rounds) || rounds < 1 || rounds > 1000) fail('--rounds takes a whole number from 1 to 1000')
if (!(seconds > 0 && seconds <= 60)) fail('--seconds takes a number up to 60')
const stranger = options.only.find((name) => !PROGRAMS.some((program) => program === name))
if (stranger !== undefined) fail(`--only takes one of ${PROGRAMS.join(', ')}, not '${stranger}'`)
const all = cases(options.quick ? QUICK : FULL)
const nothing = options.case.find((start) => !all.some(({ name }) => name.startsWith(start)))
if (nothing !== undefined) fail(`--case takes one of ${all.map(({ name }) => name).join(', ')}, not '${nothing}'`)
const chosen = all.filter(({ name }) => options.case.some((start) => name.startsWith(start)))

// What a test runner has every Node load would be measured as well.
delete process.env.NODE_OPTIONS
await enterNamespaces()

const wanted = PROGRAMS.filter((name) => options.only.includes(name))
const absent = Object.fromEntries([...wanted, 'bird' as const].map((name) => [name, missing(name)])
  .filter(([, reason]) => reason))
const programs = wanted.filter((name) => !(name in absent))
const plan: Plan = options.quick ? { rounds: 1, seconds: 0.1, warmup: 0.1, attempts: 1, rest: 50, quiet: 0, programs }
  : { rounds, seconds, warmup: 0.5, attempts: 3, rest: 4000, quiet: 10_000, programs }

let stage: Stage | undefined
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => { Promise.resolve(stage?.close()).finally(() => process.exit(130)) })
}

const machine = { kernel: release(), node: process.version, cpu: cpus()[0]?.model, cpus: cpus().length }
const results: Result[] = []
if (!options.json) {
  process.stdout.write(`Linux ${machine.kernel}, Node ${machine.node}, ${machine.cpus} x ${machine.cpu}; `
    + `medians of ${plan.rounds} rounds\n${Object.entries(absent).map(([name, reason]) => `${name}: ${reason}\n`).join('')}`)
}
for (const situation of chosen) {
  try {
    stage = await Stage.create(plan, situation.name)
    const result = conclude(situation, await play(situation, stage), stage)
    results.push(result)
    // What becomes of the others is not our fault, and told.
    if (situation.contenders.some(({ name, program }) => program === 'ndp6d' && name in result.failed)) process.exitCode = 1
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
    if (!options.json) process.stdout.write(print(result))
  } catch (error) {
    process.stderr.write(`${situation.name}: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  } finally {
    await stage?.close()
  }
}
if (options.json) process.stdout.write(`${JSON.stringify({ machine, ...plan, absent, results }, undefined, 2)}\n`)
