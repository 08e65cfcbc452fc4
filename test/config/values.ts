import t from 'tap'
import { Report, Source } from '../../src/config/diagnostic.ts'
import type { Word } from '../../src/config/parser.ts'
import { Reader } from '../../src/config/values.ts'

/** @returns the value that `read` makes of `text`, as JSON, and the reported problems. */
function reading(read: (reader: Reader, word: Word) => unknown, text: string): [unknown, ...string[]] {
  const report = new Report()
  const word = { source: new Source('x', text), start: 0, end: text.length, text, quoted: false }
  const value = read(new Reader(report), word)
  const plain: unknown = value === undefined ? undefined : JSON.parse(JSON.stringify(value))
  return [plain, ...report.diagnostics.map((d) => `${d.severity} ${d.message} (${d.hint ?? ''})`)]
}

t.test('bool', async (t) => {
  const bool = (text: string): unknown => reading((reader, word) => reader.bool(word, 'router'), text)
  for (const text of ['yes', 'TRUE', 'Yes']) t.same(bool(text), [true])
  for (const text of ['no', 'False']) t.same(bool(text), [false])
  for (const text of ['off', '0']) t.match(bool(text), [false, /^warning .*is read as no/])
  for (const text of ['on', '1']) t.match(bool(text), [undefined, /^error .*write `router yes`/])
  t.match(bool('ye'), [undefined, /write `router yes`/])
  t.match(bool('banana'), [undefined, /expected yes or no \(ndppd/])
})

t.test('time', async (t) => {
  const time = (text: string): unknown => reading((reader, word) => reader.time(word, 'ttl'), text)
  const good = { 0: 0, 500: 500, '+500ms': 500, '30s': 30_000, '5m': 300_000, '1H': 3_600_000, 2147483647: 2 ** 31 - 1 }
  for (const [text, value] of Object.entries(good)) t.same(time(text), [value], text)
  t.match(time('2147483648'), [2 ** 31 - 1, /^warning .*too large: 2147483647/])
  t.match(time('600h'), [2 ** 31 - 1, /^warning/])
  t.match(time('-5'), [undefined, /^warning .*negative: the default/])
  for (const text of ['abc', '1e3', '0x10', '1.5s', '5 s', '3d', '5constructor', '', 's']) t.match(time(text), [undefined, /^error/], text)
})

t.test('count', async (t) => {
  const count = (text: string): unknown => reading((reader, word) => reader.count(word, 'retries'), text)
  t.same(count('3'), [3])
  t.match(count('3s'), [undefined, /^error .*whole number/])
})

t.test('prefix', async (t) => {
  const prefix = (text: string): unknown => reading((reader, word) => reader.prefix(word), text)
  const good = { '2001:0DB8::/64': '2001:db8::/64', '2001:db8::1': '2001:db8::1/128', '::/0': '::/0' }
  for (const [text, value] of Object.entries(good)) t.same(prefix(text), [value], text)
  t.match(prefix('2001:db8::1/64'), ['2001:db8::/64', /^warning .*2001:db8::\/64 is used/])
  const bad = ['banana', '2001:db8::/', '2001:db8::/64x', '::/129', '::ffff:1.2.3.4', '', '/64', '::/-1', '1::2::3', 'a:'.repeat(100_000)]
  for (const text of bad) t.match(prefix(text), [undefined, /^error/], text.slice(0, 20))
})

t.test('prefix or auto', async (t) => {
  const read = (text: string): unknown => reading((reader, word) => reader.prefixOrAuto(word), text)
  for (const text of ['auto', '2001:db8::/64', 'a::/64']) t.same(read(text), [text])
  for (const text of ['auot', 'Auto', 'auto/64']) t.match(read(text), [undefined, /^error .*did you mean `auto`/])
  t.match(read('banana'), [undefined, /^error .*not an IPv6 address/])
})

t.test('address', async (t) => {
  const address = (text: string): unknown => reading((reader, word) => reader.address(word), text)
  for (const text of ['2001:db8::1', '2001:db8::1/128']) t.same(address(text), ['2001:db8::1'])
  t.match(address('2001:db8::1/64'), [undefined, /expected one address \(write `2001:db8::1`/])
  for (const text of ['banana', '2001:db8::1/128/5']) t.match(address(text), [undefined, /^error/], text)
})

t.test('iface', async (t) => {
  const iface = (text: string, wildcard = false): unknown => reading((reader, word) => reader.iface(word, wildcard), text)
  for (const text of ['eth0', 'br-lan', 'eth0.10', 'Vlan1000', 'abcdefghijklmno']) t.same(iface(text), [text])
  t.same(iface('vmtap*', true), ['vmtap*'])
  t.match(iface('vmtap*'), [undefined, /^error .*wildcard/])
  const bad = ['', '.', '..', 'a/b', 'a:b', 'a b', 'abcdefghijklmnop', 'ääääääää', '<x>', '$X', '[x]', '{']
  for (const text of bad) t.match(iface(text), [undefined, /^error .*not an interface name/], text)
  t.match(iface('eth1#x'), ['eth1#x', /^warning .*a comment needs a blank/])
  t.match(iface('“eth0”'), ['“eth0”', /^warning .*plain quotes/])
  t.match(iface('еth0'), ['еth0', /^warning .*unusual/], 'a Cyrillic letter')
})

t.test('endpoint', async (t) => {
  const endpoint = (text: string): unknown => reading((reader, word) => reader.endpoint(word), text)
  t.same(endpoint('9436'), [{ host: '::1', port: 9436 }])
  t.same(endpoint('[2001:db8::1]:80'), [{ host: '2001:db8::1', port: 80 }])
  for (const host of ['127.0.0.1', 'localhost']) t.same(endpoint(`${host}:80`), [{ host, port: 80 }])
  const bad = ['0', '65536', '::1', '[x]:1', '1.2.3:4', '256.0.0.1:1', 'host:1', ':1']
  for (const text of bad) t.match(endpoint(text), [undefined, /^error/], text)
})

t.test('an endpoint with a mistake: what to write', async (t) => {
  const hint = (text: string): string | undefined =>
    /^error .* is not an endpoint: .* \((.*)\)$/.exec(reading((reader, word) => reader.endpoint(word), text)[1])?.[1]
  for (const text of ['[2001:db8::5]', '2001:db8::5', '[2001:db8::5]:']) t.equal(hint(text), 'write `[2001:db8::5]:9436`', text)
  t.equal(hint('[2001:db8::5]9100'), 'write `[2001:db8::5]:9100`')
  for (const text of ['fe80::5054:ff:fe12:3456', '2001:db8::1234', '2001:db8::5:9100', '1:2:3:4:5:6:7:8080']) {
    t.equal(hint(text), `write \`[${text}]:9436\``, `${text} may be a whole address`)
  }
  t.equal(hint('1:2:3:4:5:6:7:8:9100'), 'write `[1:2:3:4:5:6:7:8]:9100`', 'more than an address')
  t.equal(hint('2001:db8::1:65535'), 'write `[2001:db8::1]:65535`', 'five digits are no part of an address')
  for (const host of ['127.0.0.1', 'localhost']) t.equal(hint(host), `write \`${host}:9436\``)
  for (const text of ['99999', '0', '[::1]:0', '127.0.0.1:70000']) t.equal(hint(text), 'a port is a number from 1 to 65535', text)
  for (const text of ['banana', '[x]:1', 'host:9436']) t.equal(hint(text), '', text)
})

t.test('choice', async (t) => {
  const choice = (text: string): unknown => reading((reader, word) => reader.choice(word, 'x', ['auto', 'never']), text)
  t.same(choice('never'), ['never'])
  t.match(choice('auot'), [undefined, /did you mean `auto`/])
  t.match(choice('no'), [undefined, /^error/])
})

t.test('choice with yes or no among the words', async (t) => {
  const choice = (...words: string[]) => (text: string): unknown => reading((reader, word) => reader.choice(word, 'x', words), text)
  const all = choice('no', 'yes', 'solicit')
  for (const text of ['yes', 'TRUE', 'Yes']) t.same(all(text), ['yes'])
  for (const text of ['no', 'False']) t.same(all(text), ['no'])
  for (const text of ['off', '0']) t.match(all(text), ['no', /^warning .*is read as no \(write `x no`/])
  for (const text of ['on', '1', 'Enabled']) t.match(all(text), [undefined, /^error .*did you mean `yes`/])
  t.same(all('solicit'), ['solicit'])
  const some = choice('no', 'mirror')
  t.same(some('false'), ['no'])
  for (const text of ['true', 'yes', 'on']) t.match(some(text), [undefined, /^error .*expected no, mirror \(\)/])
})

t.test('suggestions are limited', async (t) => {
  const reader = new Reader(new Report())
  for (let i = 0; i < 50; i++) t.ok(reader.suggest('2001:db8:::1'))
  t.notOk(reader.suggest('2001:db8:::1'))
})
