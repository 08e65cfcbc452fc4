/** Beside the fixtures subnet*.conf. */
import t from 'tap'
import { parseConfig } from '../../src/config/load.ts'
import type { Subnet } from '../../src/config/config.ts'

/** Parses a subnet with upstream eth0, downstream eth1 and tap*, and `body` from line 4 on. */
function read(body: string, prefix = '2001:db8::/64'): { subnet: Subnet | undefined; problems: string[] } {
  const text = `subnet ${prefix} {\nupstream eth0\ndownstream eth1 tap*\n${body}\n}`
  const { config, diagnostics } = parseConfig(text, 'x')
  const problems = diagnostics.map((d) => `${d.line}:${d.column} ${d.severity} ${d.message} (${d.hint ?? ''})`)
  return { subnet: config?.subnets[0], problems }
}

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

t.test('links', async (t) => {
  t.match(read('downstream lo eth1').problems, [/^4:12 error `lo`/, /^4:15 warning/])
  t.match(read('downstream tap7 "host" "ttl"\nhost 2001:db8::1 "host"'), { problems: { length: 0 } }, 'a quoted word is never a key')
})

t.test('what a misspelt statement stands for is not reported as missing', async (t) => {
  const problems = (body: string): string[] =>
    parseConfig(`subnet 2001:db8::/64 {\n${body}\n}`, 'x').diagnostics.map((d) => `${d.line}:${d.column} ${d.message}`)
  t.match(problems('upsteam a\ndownstraem b\nhots 2001:db8::2\nlearn no'), [/^2:1 `upsteam`/, /^3:1 `downstraem`/, /^4:1 `hots`/])
  t.equal(problems('upsteam a\ndownstraem b\nhots 2001:db8::2\nlearn no').length, 3)
  t.same(problems('upstream a b').map((each) => each.slice(0, 26)), ['2:12 `b` is a second upstr'])
  t.equal(problems('upsteam a').length, 2, 'the downstream is missing as well')
})
