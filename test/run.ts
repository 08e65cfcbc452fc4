/**
 * `npm test [-- PATTERN...]`: runs every test, in namespaces of its own, so that the machine's network is never touched.
 *
 * A test is a compiled file under dist/test that imports tap; all other files are tools of the tests. Unit tests mirror src. Tests
 * that make namespaces mostly wait; they run after the others, three at a time. A PATTERN is a part of a path: `npm test -- lab/dad`.
 *
 * The last line is `N passed, N failed`, counting assertions; a skipped or todo one counts as failed.
 */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { enterNamespaces } from './kit/namespace.ts'

const HERE = dirname(fileURLToPath(import.meta.url))
const TAP = createRequire(import.meta.url).resolve('tap').replace(/commonjs.*/, 'esm/run.mjs')
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

/** Runs tap over some files. Prints a line for each file, and the whole output of a file with a failure. */
async function runTap(name: string, files: readonly string[], jobs: number): Promise<Count> {
  const counter = new Counter()
  if (files.length === 0) return counter
  process.stdout.write(`# ${name}: ${files.length} ${files.length === 1 ? 'file' : 'files'}, ${jobs} at a time\n`)
  const child = spawn(process.execPath, [TAP, 'run', '--disable-coverage', '--reporter=tap', '--fail-skip', '--fail-todo',
    '--fail-only', `--jobs=${jobs}`, `--timeout=${TIMEOUT}`, ...files.map((path) => relative(process.cwd(), path))],
  { stdio: ['ignore', 'pipe', 'inherit'] })
  let report: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => {
    counter.line(line)
    report.push(line)
    if (!/^(not )?ok\b/.test(line)) return
    const clean = line.startsWith('ok') && !report.some((text) => /^ *not ok| # (skip|todo)\b/i.test(text))
    process.stdout.write(clean ? `${line}\n` : `${report.join('\n')}\n`)
    report = []
  })
  const status = await new Promise<number>((resolve) => child.on('close', (code) => resolve(code ?? 1)))
  if (status !== 0 && counter.failed === 0) {
    counter.failed++
    process.stdout.write(`${report.join('\n')}\nnot ok - tap ended with status ${status}\n`)
  }
  return counter
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
const counts = [
  await runTap('units', files.filter((path) => !isSlow(path)), WORKERS),
  await runTap('namespaces', files.filter(isSlow), 3),
]
const passed = counts.reduce((sum, c) => sum + c.passed, 0)
const failed = counts.reduce((sum, c) => sum + c.failed, 0)
if (files.length === 0) process.stdout.write('no test file matches\n')
process.stdout.write(`${passed} passed, ${failed} failed\n`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0
