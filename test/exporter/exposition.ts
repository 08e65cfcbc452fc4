import t from 'tap'
import { METRICS, type Reading } from '../../src/exporter/catalog.ts'
import { CONTENT_TYPE, Exposition } from '../../src/exporter/exposition.ts'
import { promtool } from './promtool.ts'

t.test('the text of a reading', async (t) => {
  const exposition = new Exposition()
  const first = await exposition.print({ ndp6d_groups: [['eth0', 3], ['vm*', 0]], ndp6d_frames_sent_total: [['eth0', 7]],
    ndp6d_neighbor_repairs_total: [[2]] })
  t.match(first, /^# HELP ndp6d_groups .*\n# TYPE ndp6d_groups gauge\nndp6d_groups{interface="eth0"} 3\nndp6d_groups{interface="vm\*"} 0\n$/m)
  t.match(first, /^# TYPE ndp6d_frames_sent_total counter\nndp6d_frames_sent_total{interface="eth0"} 7$/m)
  t.match(first, /^ndp6d_neighbor_repairs_total 2$/m)
  const second = await exposition.print({ ndp6d_groups: [['eth0', 1]], ndp6d_frames_sent_total: [['eth1', 8]] })
  t.match(second, /ndp6d_groups{interface="eth0"} 1$/m)
  t.notMatch(second, 'vm*', 'a series that no longer exists is not printed')
  t.match(second, /ndp6d_frames_sent_total{interface="eth1"} 8$/m, 'values are not added up')
  t.notMatch(second, /ndp6d_frames_sent_total{interface="eth0"}/)
  t.equal(CONTENT_TYPE, 'text/plain; version=0.0.4; charset=utf-8')
})

t.test('names, types and help keep to the rules of Prometheus', async (t) => {
  const reading: Reading = Object.fromEntries(Object.entries(METRICS).map(([name, { labels }]) => [name, [[...labels.map(() => 'x'), 1]]]))
  t.equal(promtool(['check', 'metrics'], await new Exposition().print(reading)), '')
  t.not(promtool(['check', 'metrics'], '# HELP ndp6d_ns_total Bad.\n# TYPE ndp6d_ns_total counter\nndp6d_ns_total 1\n'), '')
})
