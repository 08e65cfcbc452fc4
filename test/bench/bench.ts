/**
 * `npm run bench [-- OPTIONS]`: measures ndp6d beside ndppd, npd6 and the kernel's own proxy, on this machine, in one run.
 *
 *   --case NAME    cases whose name starts with NAME; may be repeated (all)
 *   --rounds N     measurements of each contender in each case, the contenders in turn (5)
 *   --json         the figures as one JSON document
 *   --quick        every case, small, one round: shows that it works, not how fast; part of .ci/run
 *
 * Below the figures of a case are its bars: each with the value (the median of the ratios of the rounds) and whether the
 * value reaches it. `docs/benchmark.md` explains the method. The bench works in namespaces of its own, as root or not, and ends
 * every program that it starts. The exit status is 1 when a program that is installed gave no figures or a bar has no value.
 */
import { cpus, release } from 'node:os'
import { parseArgs } from 'node:util'
import { enterNamespaces } from '../kit/namespace.ts'
import { cases, FULL, QUICK } from './cases.ts'
import { missing, PROGRAMS } from './programs.ts'
import { conclude, gaps, print, type Result } from './report.ts'
import { type Plan, Testbed } from './testbed.ts'

/** Seconds to make and to remove the namespaces of a case. */
const SETUP = 1

function fail(message: string): never {
  process.stderr.write(`${message}\n`)
  process.exit(2)
}

function parse() {
  try {
    return parseArgs({ options: { case: { type: 'string', multiple: true, default: [''] }, rounds: { type: 'string', default: '5' },
      json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false } } }).values
  } catch (error) {
    return fail((error as Error).message)
  }
}

const options = parse()
const rounds = Number(options.rounds)
if (!Number.isInteger(rounds) || rounds < 1 || rounds > 1000) fail('--rounds takes a whole number from 1 to 1000')
const all = cases(options.quick ? QUICK : FULL)
const unmatched = options.case.find((start) => !all.some(({ name }) => name.startsWith(start)))
if (unmatched !== undefined) fail(`--case takes one of ${all.map(({ name }) => name).join(', ')}, not '${unmatched}'`)
const chosen = all.filter(({ name }) => options.case.some((start) => name.startsWith(start)))

await enterNamespaces()

const absent = Object.fromEntries([...PROGRAMS, 'bird' as const, 'python3' as const].map((name) => [name, missing(name)])
  .filter(([, reason]) => reason))
const programs = PROGRAMS.filter((name) => !(name in absent))
const plan: Plan = options.quick ? { rounds: 1, seconds: 0.1, warmup: 0.1, attempts: 1, quiet: 0, programs }
  : { rounds, seconds: 2, warmup: 0.5, attempts: 3, quiet: 8, programs }

let testbed: Testbed | undefined
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => { Promise.resolve(testbed?.close()).finally(() => process.exit(130)) })
}

const machine = { kernel: release(), node: process.version, cpu: cpus()[0]?.model, cpus: cpus().length }
const results: Result[] = []
const minutes = chosen.reduce((sum, { seconds }) => sum + seconds(plan) + SETUP, 0) / 60
if (!options.json) {
  process.stdout.write(`Linux ${machine.kernel}, Node ${machine.node}, ${machine.cpus} x ${machine.cpu}; `
    + `medians of ${plan.rounds} rounds, about ${Math.ceil(minutes)} minutes\n`
    + Object.entries(absent).map(([name, reason]) => `${name}: ${reason}\n`).join(''))
}
for (const chosenCase of chosen) {
  const { name, contenders, measure } = chosenCase
  try {
    testbed = await Testbed.create(plan, name)
    const result = conclude(chosenCase, await measure(testbed), testbed)
    results.push(result)
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
    if (!options.json) process.stdout.write(print(result))
    const present = contenders.filter(({ program }) => programs.includes(program))
    const gap = gaps(result, present, Object.keys(absent).length === 0).join(', ')
    if (gap !== '') throw new Error(`not measured: ${gap}`)
  } catch (error) {
    process.stderr.write(`${name}: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  } finally {
    await testbed?.close()
  }
}
if (options.json) process.stdout.write(`${JSON.stringify({ machine, ...plan, absent, results }, undefined, 2)}\n`)
