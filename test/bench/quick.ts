/**
 * Smoke test of the bench: each contender that is installed takes part in each of its cases and answers, and each bar has a
 * figure. Speed, and whether the bars are reached, is not tested: other tests run beside this one.
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

t.test('npm run bench -- --quick --json', { timeout: 230_000 }, async (t) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BENCH, '--quick', '--json'],
    { encoding: 'utf8', timeout: 220_000 })
  t.equal(status, 0, stderr)
  const { absent, results } = JSON.parse(stdout) as Output
  t.notOk('ndp6d' in absent, 'ndp6d takes part')
  for (const { name, contenders } of cases(QUICK)) {
    const { rows, bars, failed } = results.find((result) => result.name === name)!
    for (const contender of contenders.filter(({ program }) => !(program in absent))) {
      const figures = rows.find((row) => row.name === contender.name)?.figures ?? {}
      const hasFailed = contender.name in failed && contender.program !== 'ndp6d'
      const isThere = hasFailed || Object.values(figures).some((value) => value > 0)
      t.ok(isThere, `${name}: ${contender.name} takes part`)
    }
    if (Object.keys({ ...absent, ...failed }).length > 0) continue
    for (const { figure, of, value } of bars) t.type(value, 'number', `${name}: ${figure} of ${of} is compared with its bar`)
  }
})
