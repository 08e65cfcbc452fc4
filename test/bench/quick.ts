/**
 * The bench's short form works: everybody who is there takes part in every case and answers, and every bar is held
 * against a figure. How fast, and whether the bars are reached, is not asked here: other tests run beside this one.
 */
import t from 'tap'
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cases, QUICK } from './cases.ts'
import type { Result } from './report.ts'

const BENCH = join(dirname(fileURLToPath(import.meta.url)), 'bench.js')

interface Output {
  readonly absent: Readonly<Record<string, string>>
  readonly results: readonly Result[]
}

t.test('npm run bench -- --quick --json', { timeout: 120_000 }, async (t) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BENCH, '--quick', '--json'],
    { encoding: 'utf8', timeout: 110_000 })
  t.equal(status, 0, stderr)
  const { absent, results } = JSON.parse(stdout) as Output
  t.notOk('ndp6d' in absent, 'ndp6d takes part')
  for (const { name, contenders } of cases(QUICK)) {
    const rows = results.find((result) => result.name === name)?.rows ?? []
    t.same(rows.map((row) => row.name),
      contenders.filter(({ program }) => !(program in absent)).map((contender) => contender.name), `${name}: who takes part`)
    for (const { name: who, figures } of rows) t.ok(Object.values(figures).some((value) => value > 0), `${name}: ${who} answers`)
  }
  if (Object.keys(absent).length > 0) return
  for (const { name, bars } of results) t.ok(bars.every(({ got }) => got !== undefined), `${name}: nothing is left out`)
})
