/**
 * The bench's short form works: every responder that is there answers its load. How fast, and whether always in time,
 * is not asked here: other tests run beside this one.
 */
import t from 'tap'
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CASES, RESPONDERS } from './cases.ts'
import type { Result } from './report.ts'

const BENCH = join(dirname(fileURLToPath(import.meta.url)), 'bench.js')

interface Output {
  readonly absent: Readonly<Record<string, string>>
  readonly results: readonly Result[]
}

t.test('npm run bench -- --quick --json', async (t) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BENCH, '--quick', '--json'],
    { encoding: 'utf8', timeout: 30_000 })
  t.equal(status, 0, stderr)
  const { absent, results } = JSON.parse(stdout) as Output
  t.notOk('ndp6d' in absent, 'ndp6d takes part')
  t.equal(results.length, CASES.length)
  for (const [i, { name, outstanding, responders }] of results.entries()) {
    const wanted = RESPONDERS.filter((responder) => responder in CASES[i].configs && !(responder in absent))
    t.same(responders.map(({ responder }) => responder), wanted, `${name}, ${outstanding} outstanding`)
    for (const { responder, rate, p50 } of responders) t.ok(rate > 0 && p50 > 0, `${responder} answers`)
  }
})
