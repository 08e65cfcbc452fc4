import t from 'tap'
import { ago, duration, listed, wrap } from '../../src/cli/format.ts'
import { countOf } from '../../src/config/diagnostic.ts'

t.test('durations', async (t) => {
  t.same([0.9, 59, 61, 3599, 3600, 86_399, 86_400, 1e6].map(duration),
    ['0s', '59s', '1min 1s', '59min 59s', '1h 0min', '23h 59min', '1d 0h', '11d 13h'])
  const now = Date.parse('2026-11-20T14:02:11.000Z')
  t.equal(ago('2026-11-20T14:01:10.500Z', now), '1min')
  t.equal(ago('2026-11-20T14:02:12.000Z', now), '0s', 'after a clock was set back')
})

t.test('numbers, lists and lines', async (t) => {
  t.same([0, 1, 2].map((count) => countOf(count, 'host')), ['0 hosts', '1 host', '2 hosts'])
  t.equal(listed(['eth0', 'eth1', 'eth2'], 80), 'eth0, eth1, eth2')
  t.equal(listed(['eth0', 'eth1', 'eth2'], 13), 'eth0, 2 more')
  t.equal(listed(['2001:db8::1', 'b'], 3), '2001:db8::1, 1 more')
  t.same(['', 'a'].map((item) => listed(item === '' ? [] : [item], 0)), ['', 'a'])
  t.equal(wrap('one two three 2001:db8:ffff:ffff::1 four', 9, 2), 'one two\n  three\n  2001:db8:ffff:ffff::1\n  four')
})
