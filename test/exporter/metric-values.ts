import t from 'tap'
import type { FindingCount } from '../../src/doctor/watch.ts'
import { Engine } from '../../src/engine.ts'
import type { Link } from '../../src/engine-types.ts'
import type { Limit } from '../../src/events.ts'
import { METRICS, type Sample } from '../../src/exporter/catalog.ts'
import { type Program, readMetrics } from '../../src/exporter/metric-values.ts'
import { Counters } from '../../src/metrics.ts'
import { Totals } from '../../src/totals.ts'
import { configOf } from '../engine/kit/basics.ts'

const PROGRAM: Program = { version: '1.2.3', reloads: { verdicts: { applied: 0, refused: 0, undone: 0 }, isLastRefused: false, appliedAt: 5000 }, limits: [] }

function read(text: string, links: number, { limits = [], findings = [], ...program }: Partial<Program> & { findings?: readonly FindingCount[] } = {}) {
  const engine = new Engine(configOf(text), () => 0.5)
  const totals = new Totals(engine.interfaces.names, () => ({ received: 1, drops: 0, sent: 0, unsent: 0, advertisements: 0, probes: 0, isServing: true }))
  for (let n = 1; n <= links; n++) {
    const link: Link = { ifindex: n, name: `vm${n}`, mac: undefined, up: true, addresses: [] }
    engine.step({ kind: 'link', link }, 0 as never)
    totals.listen(n, link.name)
  }
  return readMetrics({ figures: { totals, engine, counters: new Counters().values, limits: [...engine.limits(0 as never), ...limits], findings: [...findings] } },
    { ...PROGRAM, ...program })
}

const SUBNET = 'subnet 2001:db8::/64 {\n  upstream eth0\n  downstream vm*\n}\nproxy eth1 {\n  rule 2001:db8:1::/64 {\n    iface vm*\n  }\n}\n'

t.test('each metric has its labels, and every series exists from the start', (t) => {
  const reading = read(SUBNET, 0)
  for (const [name, samples] of Object.entries(reading) as [keyof typeof METRICS, readonly Sample[]][]) {
    t.ok(samples.length > 0 || name === 'ndp6d_findings', name)
    t.ok(samples.every((sample) => sample.length === METRICS[name].labels.length + 1 && Number.isFinite(sample.at(-1))), name)
  }
  t.same(Object.keys(reading).sort(), Object.keys(METRICS).sort())
  t.match(reading.ndp6d_links_serving, [['eth1', 'upstream', 0], ['eth0', 'upstream', 0], ['vm*', 'downstream', 0]])
  t.end()
})

t.test('300 links that match a pattern are one value of a label', (t) => {
  const reading = read(SUBNET, 300)
  const series = Object.values(reading).reduce((sum, samples) => sum + samples.length, 0)
  t.ok(series < 500, `${series} series`)
  t.match(reading.ndp6d_frames_received_total, [['eth1', 0], ['eth0', 0], ['vm*', 300]])
  t.end()
})

t.test('of limits that each link has, the fullest counts', (t) => {
  const limit = (iface: string, used: number, size: number): Limit => ({ name: `probes on ${iface}, in 4 s`, iface, used, size })
  const reading = read(SUBNET, 0, { limits: [limit('vm1', 5, 100), limit('vm2', 4, 10), limit('vm3', 3, 10), { name: 'x', used: 1, size: 2 }] })
  const rows = (samples: readonly Sample[] = []) => samples.filter(([name]) => /^x$|^probes on|^probes,/.test(String(name)))
  t.same(rows(reading.ndp6d_limit_used), [['probes, in 4 s', 4], ['x', 1]])
  t.same(rows(reading.ndp6d_limit_size), [['probes, in 4 s', 10], ['x', 2]])
  t.end()
})

t.test('findings and reloads', (t) => {
  const reading = read(SUBNET, 0, { findings: [{ code: 'forwarding-off', severity: 'error', count: 1 }, { code: 'optmem', severity: 'warning', count: 0 }],
    reloads: { verdicts: { applied: 2, refused: 3, undone: 1 }, isLastRefused: true, appliedAt: 7000 } })
  t.same(reading.ndp6d_findings, [['forwarding-off', 'error', 1], ['optmem', 'warning', 0]])
  t.same(reading.ndp6d_config_reloads_total, [['applied', 2], ['refused', 3], ['undone', 1]])
  t.same(reading.ndp6d_config_last_reload_successful, [[0]])
  t.same(reading.ndp6d_config_last_reload_success_timestamp_seconds, [[7]])
  t.end()
})
