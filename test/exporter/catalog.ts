/** The manual of metrics and the code agree, in both directions. */
import t from 'tap'
import { readFileSync } from 'node:fs'
import { ACTIONS, LIMIT_NAMES, SILENT_REASONS } from '../../src/events.ts'
import { METRICS } from '../../src/exporter/catalog.ts'
import { DROP_REASONS } from '../../src/wire/ndisc-decode.ts'

const manual = readFileSync(new URL('../../../docs/metrics.md', import.meta.url), 'utf8')

t.test('each metric is in the manual, with its type, labels and help', (t) => {
  const rows = [...manual.matchAll(/^\| `(\w+)` \| (\w+) \| (.*?) ?\| (.*) \|$/gm)]
    .map(([, name, type, labels, help]) => [name, { type, help, labels: [...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label) }])
  t.same(Object.fromEntries(rows), METRICS)
  t.equal(rows.length, Object.keys(METRICS).length, 'once')
  t.end()
})

t.test('each value of a label is in the manual', (t) => {
  const sections = [[/^`outcome` of a solicitation.*?^`reason`/ms, [...ACTIONS.filter((action) => action !== 'repaired'), ...SILENT_REASONS]],
    [/^`reason`: .*?^## /ms, DROP_REASONS], [/^`limit` of refusals: .*?^## /ms, LIMIT_NAMES]] as const
  for (const [section, values] of sections) {
    const [text] = section.exec(manual) ?? ['']
    const documented = [...text.matchAll(/`([a-z\d-]+)`\s\(/g)].map(([, value]) => value)
    t.same(documented.sort(), [...values].sort())
  }
  t.end()
})
