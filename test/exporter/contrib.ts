/** The alert rules and the dashboard use metrics that exist, and the alerts come when they should. */
import t from 'tap'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { METRICS } from '../../src/exporter/catalog.ts'
import { writeFiles } from '../fixtures/program.ts'
import { promtool } from './promtool.ts'

const CONTRIB = fileURLToPath(new URL('../../../contrib/', import.meta.url))
/** Metrics of Prometheus and node_exporter. */
const OTHERS = ['up', 'node_textfile_mtime_seconds']

const read = (name: string): string => readFileSync(`${CONTRIB}${name}`, 'utf8')
const alerts = read('alerts.yml')
const names = [...alerts.matchAll(/- alert: (\w+)/g)].map(([, name]) => name)

/** @returns names in an expression that are no metrics of ours or of `OTHERS` */
function unknown(expression: string): string[] {
  return [...expression.matchAll(/\b(?:ndp6d|process|node|nodejs)_\w+/g)].map(([name]) => name)
    .filter((name) => !Object.hasOwn(METRICS, name) && !OTHERS.includes(name))
}

t.test('alert rules', (t) => {
  t.match(promtool(['check', 'rules', `${CONTRIB}alerts.yml`]), new RegExp(`SUCCESS: ${names.length} rules found`))
  t.same(unknown(alerts), [])
  for (const block of alerts.split('- alert: ').slice(1)) t.match(block, /description: .*`ndp6d [a-z]/, 'the next command')
  const tests = read('alerts-test.yml')
  for (const name of names) t.equal(tests.split(`alertname: ${name}`).length - 1, 2, `${name} is tested, firing and silent`)
  t.match(promtool(['test', 'rules', `${CONTRIB}alerts-test.yml`]), /SUCCESS\n*$/)
  t.end()
})

t.test('dashboard', (t) => {
  const dashboard = JSON.parse(read('grafana-dashboard.json')) as {
    panels: { id: number; title: string; targets: { expr: string }[] }[]; annotations: { list: { expr: string }[] } }
  const expressions = [...dashboard.panels.flatMap(({ targets }) => targets), ...dashboard.annotations.list].map(({ expr }) => expr)
  t.ok(expressions.length > 20)
  t.same(expressions.flatMap(unknown), [])
  t.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length)
  const rules = expressions.map((expr, i) => ({ record: `panel:${i}`, expr: expr.replaceAll('$__rate_interval', '5m') }))
  const files = writeFiles({ 'rules.yml': JSON.stringify({ groups: [{ name: 'dashboard', rules }] }) })
  t.teardown(files.close)
  t.match(promtool(['check', 'rules', files.path('rules.yml')]), new RegExp(`SUCCESS: ${rules.length} rules found`))
  t.end()
})
