/** Beside the fixtures subnet*.conf. */
import t from 'tap'
import { read } from './kit/subnet.ts'

t.test('hosts', async (t) => {
  const { subnet, problems } = read('host 2001:db8::1 eth0\nhost 2001:db8::2 tap7\nhost 2001:db8::3')
  t.same(problems, [])
  t.same(subnet?.hosts.map(({ address, iface }) => [String(address), iface]),
    [['2001:db8::1', 'eth0'], ['2001:db8::2', 'tap7'], ['2001:db8::3', undefined]])
})

t.test('hosts with problems', async (t) => {
  t.match(read('host 2001:db8::2\nhost 2001:db8::2 eth1').problems, [/^5:6 error .*duplicate host .* at line 4 without a link/])
  t.match(read('host 2001:db8::').problems, [/^4:6 warning .*anycast/])
})

t.test('exclude', async (t) => {
  t.same(read('exclude 2001:db8::1\nexclude 2001:db8::2:0/112 2001:db8::3').subnet?.exclude.map(String),
    ['2001:db8::1/128', '2001:db8::2:0/112', '2001:db8::3/128'])
  t.match(read('exclude 2001:db9::/96').problems, [/^4:9 error .*did you mean `2001:db8::\/96`/])
})

t.test('an auto subnet contains every global address', async (t) => {
  const body = 'host 2001:db8::1 eth0\nhost fd00:: tap1\nhost 2001::db8:2\nexclude 2001:db8:7::/48 fd80::/9'
  const { subnet, problems } = read(body, 'auto')
  t.same(problems, [])
  t.match(subnet, { prefix: 'auto', upstream: 'eth0' })
  t.same(subnet?.hosts.map(({ address }) => String(address)), ['2001:db8::1', 'fd00::', '2001::db8:2'])
  t.same(subnet?.exclude.map(String), ['2001:db8:7::/48', 'fd80::/9'])
  for (const host of ['fe80::1', 'ff05::2', '::', '::1']) {
    t.match(read(`host ${host} eth1`, 'auto').problems, [/^4:6 error .*cannot be in a subnet: expected a global or unique local/])
    t.match(read(`exclude ${host}`, 'auto').problems, [/^4:9 error .*cannot be in a subnet/])
  }
  t.match(read('host 2001:db8::5\nexclude 2001:db8::/120', 'auto').problems, [/^4:6 warning .*excluded by 2001:db8::\/120/])
})
