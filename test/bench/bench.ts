/**
 * `npm run bench [-- OPTIONS]`: ndp6d beside ndppd, npd6 and the kernel's own proxy, on this machine, in one run.
 *
 *   --rounds N     measurements of each responder in each case, the responders in turn (5)
 *   --seconds S    of each measurement (2)
 *   --only NAME    of a responder; several times for several (all)
 *   --json         the figures as one JSON document
 *   --quick        one round of a tenth of a second: shows that it works, not how fast
 *
 * Columns: `cpu us each` is the responder's CPU time for one answer; `asker idle` near 0 % means that the asker was the
 * limit (the kernel answers within the asker's own send call); `others` is the number of CPUs that other programs kept
 * busy. A measurement that they disturb is taken again, up to three times in all, and the least disturbed one counts.
 *
 * It works in namespaces of its own, as root or not, and ends every program that it starts. Compare ratios of one run:
 * absolute figures depend on the machine and on what else it does.
 */
import { cpus, release } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Lab } from '../lab/kit/lab.ts'
import type { Host } from '../lab/kit/lab.ts'
import { enterNamespaces } from '../lab/kit/unshare.ts'
import type { Load, Measurement } from './asker.ts'
import { CASES, RESPONDERS } from './cases.ts'
import type { Case, ResponderName } from './cases.ts'
import { conclude, print } from './report.ts'
import type { Result } from './report.ts'
import { Responder, missing } from './responders.ts'

const ASKER = join(dirname(fileURLToPath(import.meta.url)), 'asker.js')

interface Plan {
  readonly rounds: number
  readonly seconds: number
  readonly warmup: number
  /** How often a disturbed measurement is taken at most. */
  readonly attempts: number
}

/** CPUs that other programs may use during a measurement. */
const QUIET = 0.15

function note(text: string): void {
  process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${text}` : '')
}

/** The least disturbed of a few measurements. */
async function measureQuietly(...args: Parameters<typeof measure>): Promise<Measurement> {
  let best = await measure(...args)
  for (let attempt = 1; best.others > QUIET && attempt < args[3].attempts; attempt++) {
    const again = await measure(...args)
    if (again.others < best.others) best = again
  }
  return best
}

/** One measurement, by an asker of its own. */
async function measure(asker: Host, responder: Responder, situation: Case, plan: Plan): Promise<Measurement> {
  const { outstanding, targets } = situation
  const { pid } = responder
  const load: Load = { ...responder.asker, outstanding, targets, warmup: plan.warmup, seconds: plan.seconds,
    ...pid !== undefined && { pid } }
  const proc = asker.spawn([process.execPath, ASKER, JSON.stringify(load)])
  const line = await proc.line(/^\{/, 1000 * (plan.warmup + plan.seconds) + 10_000)
  await proc.exited
  const measurement = JSON.parse(line) as Measurement
  if (measurement.answers === 0) throw new Error(`${responder.name} does not answer`)
  return measurement
}

async function run(situation: Case, responders: readonly Responder[], asker: Host, plan: Plan): Promise<Result> {
  const rounds = new Map<ResponderName, Measurement[]>()
  const taking = responders.filter(({ name }) => situation.configs[name] !== undefined)
  try {
    await Promise.all(taking.map((responder) => responder.start(situation.configs[responder.name]!(situation.targets))))
    for (const { name } of taking) rounds.set(name, [])
    for (let round = 0; round < plan.rounds; round++) {
      for (let i = 0; i < taking.length; i++) {
        const responder = taking[(round + i) % taking.length]      // nobody is always first, or always after the same
        note(`${situation.name}, ${situation.outstanding} outstanding, round ${round + 1}: ${responder.name}`)
        rounds.get(responder.name)!.push(await measureQuietly(asker, responder, situation, plan))
      }
    }
  } finally {
    note('')
    await Promise.all(taking.map((responder) => responder.stop()))
  }
  return conclude(situation, rounds)
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`)
  process.exit(2)
}

function plan(quick: boolean, rounds: number, seconds: number): Plan {
  if (quick) return { rounds: 1, seconds: 0.1, warmup: 0.1, attempts: 1 }
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 1000) fail('--rounds takes a whole number from 1 to 1000')
  if (!(seconds > 0 && seconds <= 60)) fail('--seconds takes a number up to 60')
  return { rounds, seconds, warmup: 0.5, attempts: 3 }
}

function parse() {
  try {
    return parseArgs({ options: {
      rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '2' },
      only: { type: 'string', multiple: true, default: [...RESPONDERS] },
      json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false },
    } }).values
  } catch (error) {
    return fail((error as Error).message)
  }
}

const options = parse()
const chosen = plan(options.quick, Number(options.rounds), Number(options.seconds))
const unknown = options.only.find((name) => !RESPONDERS.some((responder) => responder === name))
if (unknown !== undefined) fail(`--only takes one of ${RESPONDERS.join(', ')}, not '${unknown}'`)
await enterNamespaces()
const wanted = RESPONDERS.filter((name) => options.only.includes(name))
const absent = Object.fromEntries(wanted.map((name) => [name, missing(name)]).filter(([, reason]) => reason))

const lab = Lab.create()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => { lab.close().finally(() => process.exit(130)) })
}
try {
  const asker = await lab.host('asker')
  const present = wanted.filter((name) => !(name in absent))
  const responders = await Promise.all(present.map((name) => Responder.create(lab, asker, name)))
  const results: Result[] = []
  for (const situation of CASES) results.push(await run(situation, responders, asker, chosen))
  const machine = { kernel: release(), node: process.version, cpu: cpus()[0]?.model, cpus: cpus().length }
  process.stdout.write(options.json ? `${JSON.stringify({ machine, ...chosen, absent, results }, undefined, 2)}\n`
    : `Linux ${machine.kernel}, Node ${machine.node}, ${machine.cpus} x ${machine.cpu}; `
      + `medians of ${chosen.rounds} rounds of ${chosen.seconds} s\n${print(results)}\n`
      + Object.entries(absent).map(([name, reason]) => `${name}: ${reason}\n`).join(''))
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
} finally {
  await lab.close()
}
