/**
 * `npm test [-- PATTERN...]`: runs every test, in namespaces of its own, so that the machine's network is never touched.
 *
 * A test is a compiled file under dist/test that imports tap; all other files are tools of the tests. Each runs as a program of its own:
 * the runner of tap would load more than a second of tools into each, and a part of them into all that it starts. Unit tests mirror src. Tests
 * that make namespaces mostly wait; they run after the others, three at a time, except floods. A PATTERN is a part of a path:
 * `npm test -- lab/dad`.
 *
 * The last line is `N passed, N failed`, counting assertions; a skipped or todo one counts as failed.
 */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { numbers } from './kit/addresses.ts'
import { enterNamespaces } from './kit/namespace.ts'

const HERE = dirname(fileURLToPath(import.meta.url))
/** Limit for one file, seconds: several times what the longest one takes, since machines are slow and shared. */
const TIMEOUT = 300
const WORKERS = Math.min(4, availableParallelism())

interface Count { readonly passed: number; readonly failed: number }

function testFiles(patterns: readonly string[]): string[] {
  return readdirSync(HERE, { recursive: true, encoding: 'utf8' }).sort()
    .filter((path) => path.endsWith('.js') && (patterns.length === 0 || patterns.some((part) => path.includes(part))))
    .map((path) => join(HERE, path))
    .filter((path) => /^import .* from ["']tap["'];?$/m.test(readFileSync(path, 'utf8')))
}

/**
 * Counts the assertions of a TAP stream (version 14), line by line. The summary of indented lines is not counted, except a failed
 * one without a failure inside (a timeout, a crash).
 */
class Counter {
  passed = 0
  failed = 0
  /** By indentation: failures since the last summary; undefined where no test ran. */
  readonly #below: (number | undefined)[] = []

  line(text: string): void {
    const [, indent, not, rest] = /^((?: {4})*)(?:(not )?ok\b|\}$)(.*)/.exec(text) ?? []
    if (indent === undefined) return
    const level = indent.length / 4
    const failed = not !== undefined || / # (skip|todo)\b/i.test(rest)
    const below = this.#below[level + 1]
    this.#below.length = level + 1
    if (text.endsWith('}') || rest.endsWith(' {')) return        // a summary that comes first: TAP's buffered form
    this.#below[level] = (this.#below[level] ?? 0) + Number(failed)
    if (below !== undefined && !(failed && below === 0)) return
    if (failed) this.failed++
    else this.passed++
  }
}

/** Runs one file. A file that does not end by tap's own timeout is killed soon after. @returns its lines, and how it ended unless with status 0 */
async function runFile(path: string): Promise<{ lines: string[]; problem: string | undefined }> {
  const child = spawn(process.execPath, ['--enable-source-maps', '--disable-warning=ExperimentalWarning', path], { stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TAP_TIMEOUT: String(TIMEOUT) }, timeout: 1100 * TIMEOUT, killSignal: 'SIGKILL' })
  const lines: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line))
  const end = await new Promise<number | string>((resolve) => child.on('close', (code, signal) => resolve(code ?? signal!)))
  return { lines, problem: end === 0 ? undefined : `ended with ${end}` }
}

/** Runs files, some at a time. Prints a line for each, and the whole output of one with a failure. */
async function runFiles(name: string, files: readonly string[], jobs: number): Promise<Count> {
  const sum = { passed: 0, failed: 0 }
  if (files.length === 0) return sum
  process.stdout.write(`# ${name}: ${files.length} ${files.length === 1 ? 'file' : 'files'}, ${jobs} at a time\n`)
  const waiting = files.values()
  await Promise.all(numbers(1, jobs).map(async () => {
    for (const path of waiting) {
      const began = performance.now()
      const { lines, problem } = await runFile(path)
      const counter = new Counter()
      for (const line of lines) counter.line(line)
      const { passed, failed } = counter
      const what = problem ?? (passed === 0 ? 'tests nothing' : undefined)
      const isUnseen = failed === 0 && what !== undefined       // a crash, or no assertion at all
      sum.passed += passed
      sum.failed += failed + Number(isUnseen)
      const result = `${relative(HERE, path)} # ${Math.round(performance.now() - began)} ms`
      process.stdout.write(failed === 0 && !isUnseen ? `ok - ${result}\n` : `${lines.join('\n')}\nnot ok - ${result}${what ? `, ${what}` : ''}\n`)
    }
  }))
  return sum
}

/** Prints which of the programs in .ci/packages, lines of a Debian package and one of its programs, are not installed. */
function reportMissingPrograms(): void {
  const folders = process.env.PATH!.split(':')
  const missing = readFileSync('.ci/packages', 'utf8').trim().split('\n').map((line) => line.split(' '))
    .filter(([, program]) => !folders.some((folder) => existsSync(join(folder, program))))
  if (missing.length === 0) return
  process.stdout.write(`# not installed: ${missing.map(([, program]) => program).join(', ')}. Tests that need them will fail. On Debian: `
    + `apt-get install --no-install-recommends ${missing.map(([name]) => name).join(' ')} (which may start services)\n`)
}

await enterNamespaces()
process.chdir(dirname(dirname(HERE)))
reportMissingPrograms()
const files = testFiles(process.argv.slice(2))
/** Whether a test works with namespaces: those of the lab, also in a story of both worlds, and those of linux/. */
const isSlow = (path: string) => /^(lab|linux)\//.test(relative(HERE, path)) || readFileSync(path, 'utf8').includes('/kit/testbed.js')
/** Floods fill the kernel's neighbor table. All namespaces share its 1024 entries (gc_thresh3), so other tests would fail meanwhile. */
const isFlood = (path: string) => readFileSync(path, 'utf8').includes('flood_router26')
const counts = [
  await runFiles('units', files.filter((path) => !isSlow(path)), WORKERS),
  await runFiles('namespaces', files.filter((path) => isSlow(path) && !isFlood(path)), 3),
  await runFiles('floods', files.filter((path) => isSlow(path) && isFlood(path)), 1),
]
const passed = counts.reduce((sum, c) => sum + c.passed, 0)
const failed = counts.reduce((sum, c) => sum + c.failed, 0)
if (files.length === 0) process.stdout.write('no test file matches\n')
process.stdout.write(`${passed} passed, ${failed} failed\n`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0
