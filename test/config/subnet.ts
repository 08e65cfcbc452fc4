import t from 'tap'
import { parseConfig } from '../../src/config/load.ts'
import type { Subnet } from '../../src/config/config.ts'

/** A subnet from eth0 to eth1 and tap*, with `body` from line 4 on. */
function read(body: string, prefix = '2001:db8::/64'): { subnet: Subnet | undefined; said: string[] } {
  const text = `subnet ${prefix} {\nupstream eth0\ndownstream eth1 tap*\n${body}\n}`
  const { config, diagnostics } = parseConfig(text, 'x')
  const said = diagnostics.map((d) => `${d.line}:${d.column} ${d.severity} ${d.message} (${d.hint ?? ''})`)
  return { subnet: config?.subnets[0], said }
}

t.test('hosts', async (t) => {
  const { subnet, said } = read('host 2001:db8::1 eth0\nhost 2001:db8::2 tap7\nhost 2001:db8::3')
  t.same(said, [])
  t.same(subnet?.hosts.map(({ address, iface }) => [String(address), iface]),
    [['2001:db8::1', 'eth0'], ['2001:db8::2', 'tap7'], ['2001:db8::3', undefined]])
})

t.test('hosts that cannot be', async (t) => {
  t.match(read('host 2001::db8:2 eth1').said, [/^4:6 error 2001::db8:2 is not inside .*did you mean `2001:db8::2`/])
  t.match(read('host 2001:db8::2 eth2').said, [/^4:18 error `eth2` is no link of this subnet/])
  t.match(read('host 2001:db8::2\nhost 2001:db8::2 eth1').said, [/^5:6 error .*pinned already at line 4, to no link/])
  t.match(read('host 2001:db8::2 eth1\nhost 2001:db8::2 eth1').said, [/^5:6 warning .*pinned already at line 4/])
  t.match(read('host 2001:db8::').said, [/^4:6 warning .*anycast/])
  t.match(read('host 2001:db8::5\nexclude 2001:db8::/120').said, [/^4:6 warning .*excluded by 2001:db8::\/120/])
})

t.test('exclude', async (t) => {
  t.same(read('exclude 2001:db8::1\nexclude 2001:db8::2:0/112 2001:db8::3').subnet?.exclude.map(String),
    ['2001:db8::1/128', '2001:db8::2:0/112', '2001:db8::3/128'])
  t.match(read('exclude 2001:db9::/96').said, [/^4:9 error .*did you mean `2001:db8::\/96`/])
  t.match(read('exclude 2001:db8::/48').said, [/^4:9 error/])
  t.match(read('exclude 2001:db8::/64').said, [/^4:9 warning this excludes all/])
})

t.test('any address that can be in a subnet is inside of auto', async (t) => {
  const body = 'host 2001:db8::1 eth0\nhost fd00:: tap1\nhost 2001::db8:2\nexclude 2001:db8:7::/48 fd80::/9'
  const { subnet, said } = read(body, 'auto')
  t.same(said, [])
  t.match(subnet, { prefix: 'auto', upstream: 'eth0' })
  t.same(subnet?.hosts.map(({ address }) => String(address)), ['2001:db8::1', 'fd00::', '2001::db8:2'])
  t.same(subnet?.exclude.map(String), ['2001:db8:7::/48', 'fd80::/9'])
  for (const host of ['fe80::1', 'ff05::2', '::', '::1']) {
    t.match(read(`host ${host} eth1`, 'auto').said, [/^4:6 error .*can be in no subnet: expected a global or unique local/])
    t.match(read(`exclude ${host}`, 'auto').said, [/^4:9 error .*can be in no subnet/])
  }
  t.match(read('host 2001:db8::5\nexclude 2001:db8::/120', 'auto').said, [/^4:6 warning .*excluded by 2001:db8::\/120/])
})

t.test('links', async (t) => {
  t.match(read('upstream eth2').said, [/^4:10 error `eth2` is a second upstream/])
  t.match(read('downstream eth0').said, [/^4:12 error `eth0` is the upstream/])
  t.match(read('downstream e*').said, [/^4:12 warning `e\*` fits the upstream too/])
  t.match(read('downstream lo eth1').said, [/^4:12 error `lo`/, /^4:15 warning/])
  t.match(read('downstream tap7 "host" "ttl"\nhost 2001:db8::1 "host"'), { said: { length: 0 } },
    'a quoted word is never a key')
})
