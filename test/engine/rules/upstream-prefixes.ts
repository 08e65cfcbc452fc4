import t from 'tap'
import { Prefix } from '../../../src/address.ts'
import { UpstreamPrefixes } from '../../../src/engine/rules/upstream-prefixes.ts'
import type { Event } from '../../../src/events.ts'

const ETH0 = { name: 'eth0', ifindex: 2 }
const prefixes = (from: number, count: number): Prefix[] =>
  Array.from({ length: count }, (_, i) => Prefix.parse(`2001:db8:${(from + i).toString(16)}::/64`)!)

t.test('beyond the limit, former prefixes take precedence, and an event is emitted', async (t) => {
  const upstreams = new UpstreamPrefixes()
  const events: Event[] = []
  const [{ size }] = upstreams.limits
  t.equal(upstreams.replace(ETH0, prefixes(100, size), events), true)
  t.equal(upstreams.replace(ETH0, prefixes(100, size), events), false, 'nothing changed')
  t.same(events, [])
  t.equal(upstreams.replace(ETH0, [...prefixes(0, 10), ...prefixes(101, size)], events), true)
  t.same(events, [{ kind: 'limit', limit: 'prefixes', size, ifindex: ETH0.ifindex }])
  t.same(upstreams.byName.get('eth0')?.map(String), [...prefixes(101, size - 1), ...prefixes(0, 1)].map(String))
  t.match(upstreams.limits, [{ used: size }])
  t.equal(upstreams.delete('eth0'), true)
  t.equal(upstreams.delete('eth0'), false)
  t.equal(upstreams.byName.size, 0)
})
