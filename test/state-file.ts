/** The contents of the state file. */
import t from 'tap'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Address, Prefix } from '../src/address.ts'
import type { SavedHost } from '../src/engine-types.ts'
import { ENTRY, HOSTS, newDirectory, readAgain, stateFile, stateFileWith, TEXT } from './fixtures/state-file.ts'

t.test('without a file there are no hosts and no warning', async (t) => {
  const { state, warnings, directory } = stateFile()
  t.same(state.read(), [])
  t.notOk(existsSync(directory), 'reading creates nothing')
  mkdirSync(directory)
  t.same(state.read(), [])
  t.same(warnings, [])
})

t.test('written hosts are read back', async (t) => {
  const { state, warnings, directory, file } = stateFile(join(newDirectory(), 'deep', 'down'))
  state.write(HOSTS)
  t.equal(readFileSync(file, 'utf8'), TEXT)
  t.same(readAgain(directory), { hosts: HOSTS, warnings: [] })
  t.equal(statSync(directory).mode & 0o777, 0o700)
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.same(readdirSync(directory), ['hosts.json'])
  state.write([])
  t.same(readAgain(directory), { hosts: [], warnings: [] })
  t.same(warnings, [])
})

t.test('leftovers of a crash are replaced', async (t) => {
  const { state, warnings, directory, path } = stateFile()
  mkdirSync(path('hosts.json.new/sub'), { recursive: true })
  state.write(HOSTS)
  writeFileSync(path('hosts.json.new'), TEXT.slice(0, 40))
  t.same(readAgain(directory), { hosts: HOSTS, warnings: [] })
  state.write([])
  t.same(readdirSync(directory), ['hosts.json'])
  t.same(warnings, [])
})

t.test('a damaged file is renamed and reported once', async (t) => {
  const damaged: readonly (readonly [string, RegExp])[] = [
    ['', /not JSON/], [TEXT.slice(0, -5), /not JSON/], ['\0'.repeat(4096), /not JSON/], ['['.repeat(2 ** 20), /not JSON/],
    ['null', /not of version 1/], ['[]', /not of version 1/], ['7', /not of version 1/],
    [TEXT.replace('1', '2'), /not of version 1/], [TEXT.replace('1', '"1"'), /not of version 1/],
    ['{"hosts":[]}', /not of version 1/],
    ['{"version":1}', /no list of hosts/], ['{"version":1,"hosts":{"length":1}}', /no list of hosts/],
  ]
  for (const [text, why] of damaged) {
    const { state, warnings, directory, path, file } = stateFileWith(text)
    writeFileSync(path('hosts.json.damaged'), 'an older one')
    t.same(state.read(), [])
    t.match(warnings, [why])
    t.match(warnings, [`${file} is damaged`])
    t.match(warnings, [`it is now ${file}.damaged, and hosts are learned again`])
    t.equal(readFileSync(path('hosts.json.damaged'), 'utf8'), text)
    t.notOk(existsSync(file))
    t.same(readAgain(directory), { hosts: [], warnings: [] }, 'reported once')
    state.write(HOSTS)
    t.same(readAgain(directory), { hosts: HOSTS, warnings: [] })
    t.equal(warnings.length, 1)
  }
})

t.test('an invalid host is left out, the others are not', async (t) => {
  const bad = [
    'null', '7', '[]', '{}', '"2001:db8::3"', '{"__proto__":{"target":"2001:db8::3"}}',
    ...['"fe80::1"', '"ff02::1"', '"::"', '"::1"', '"2001:db8::/64"', '"x"', '7', 'null', '["2001:db8::3"]']
      .map((target) => ENTRY.replace('"2001:db8::1"', target)),
    ...['""', '"a b"', '"../x"', '"abcdefghijklmnop"', '"a\\u0000"', 'null'].map((iface) => ENTRY.replace('"eth0"', iface)),
    ...['"52:54:00:00:00"', '"01:00:5e:00:00:01"', '7', 'null', '"ff:ff:ff:ff:ff:ff"', '"00:00:00:00:00:00"']
      .map((lladdr) => ENTRY.replace('"52:54:00:00:00:01"', lladdr)),
    ...['"true"', '1', 'null'].map((router) => ENTRY.replace('true', router)), ENTRY.replace(',"router":true', ''),
  ]
  for (const entry of bad) {
    const { state, warnings, file } = stateFileWith(`{"version":1,"hosts":[${entry},${ENTRY}]}`)
    t.same(state.read(), HOSTS.slice(0, 1), entry)
    t.match(warnings, [`${file}: 1 of 2 hosts are damaged`])
    t.ok(existsSync(file))
  }
  const { state, warnings } = stateFileWith(`{"version":1,"hosts":[${bad.join(',')}]}`)
  t.same(state.read(), [])
  t.match(warnings, { length: 1, 0: `${bad.length} of ${bad.length} hosts` })
  const wider = stateFileWith(`{"version":1,"more":{},"hosts":[${ENTRY.replace('{', '{"more":1,')}]}`)
  t.same(wider.state.read(), HOSTS.slice(0, 1), 'unknown fields are ignored')
})

t.test('the number of hosts is bounded', async (t) => {
  const { state, warnings, directory, file } = stateFile()
  const many = Array.from({ length: 140_000 }, (_, i): SavedHost => ({
    target: new Address(0x20010db8, -1, -1, i - 1), iface: 'abcdefghijklmno', mac: HOSTS[0].mac, router: false,
  }))
  state.write(many)
  t.ok(statSync(file).size < 16 * 2 ** 20)
  t.equal(readAgain(directory).hosts.length, 131_072)
  t.match(warnings.splice(0), [/only 131072 hosts are saved/])
  state.write(many)
  t.same(warnings, [], 'reported once')
  t.same(state.limits, [{ name: 'hosts in the state file', used: 131_072, size: 131_072 }])
  t.same(readAgain(directory).warnings, [], 'the written file can be read')
  writeFileSync(file, `{"version":1,"hosts":[${Array(131_073).fill(ENTRY).join()}]}`)
  t.equal(state.read().length, 131_072)
  t.match(warnings, { length: 1, 0: /: 1 of 131073 hosts are damaged or above the limit/ })
})

t.test('writeSlowly writes in slices, reads the hosts meanwhile, and replaces the file at its end', async (t) => {
  const { state, warnings, directory, file } = stateFile()
  state.write(HOSTS)
  const host = (i: number): SavedHost => ({ ...HOSTS[1], target: new Address(0x20010db8, 0, 0, i + 1) })
  const known = new Set(Array.from({ length: 2000 }, (_, i) => i))
  function * hosts(): Generator<SavedHost> { for (const i of known) yield host(i) }
  state.writeSlowly(hosts())
  known.delete(1999)
  state.writeSlowly([])
  let turns = 0
  for (; readFileSync(file, 'utf8') === TEXT; turns++) await new Promise(setImmediate)
  t.ok(turns >= 10, `${turns} turns`)
  t.same(readAgain(directory), { hosts: [...known].map(host), warnings: [] }, 'a second call during the first does nothing')
  t.same(readdirSync(directory), ['hosts.json'])

  state.writeSlowly([...known].map(host))
  state.write(HOSTS)
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
  t.same(readAgain(directory).hosts, HOSTS, 'write discards the older draft')
  t.same(readdirSync(directory), ['hosts.json'])
  state.writeSlowly(HOSTS.slice(0, 1))
  await new Promise(setImmediate)
  t.same(readAgain(directory).hosts, HOSTS.slice(0, 1))
  t.same(warnings, [])
})

const HOUR = 3_600_000
const PREFIXES = [{ iface: 'br0', prefix: Prefix.parse('2001:db8::/64')!, left: 2 * HOUR }, { iface: 'br1', prefix: Prefix.parse('fd00::/80')!, left: HOUR }]

t.test('advertised prefixes are read back with the time that is left', async (t) => {
  const { state, warnings, directory, path } = stateFile()
  t.same(state.readAdvertised().prefixes, [], 'without a file')
  state.writeAdvertised({ links: ['br2', 'br0'], prefixes: PREFIXES })
  t.same(readdirSync(directory), ['prefixes.json'])
  t.equal(statSync(path('prefixes.json')).mode & 0o777, 0o600)
  const read = state.readAdvertised().prefixes
  t.same(read.map(({ iface, prefix }) => `${iface} ${prefix}`), ['br0 2001:db8::/64', 'br1 fd00::/80'])
  t.ok(read.every(({ left }, i) => left <= PREFIXES[i].left + 1 && left > PREFIXES[i].left - 60_000))
  t.same(state.readAdvertised().links, ['br2', 'br0', 'br1'], 'also a link without a prefix')
  state.writeAdvertised({ links: [], prefixes: [] })
  t.same([state.readAdvertised().prefixes, warnings], [[], []])
  t.same(readdirSync(directory), [], 'no prefixes need no file, which would have the wrong owner after `sudo ndp6d cleanup`')
})

t.test('of too many prefixes, those are kept that end last', async (t) => {
  const { state } = stateFile()
  state.writeAdvertised({ links: [], prefixes: Array.from({ length: 2000 }, (_, n) => ({ iface: `veth${n}`, prefix: PREFIXES[0].prefix, left: (n + 1) * 60_000 })) })
  const read = state.readAdvertised().prefixes.map(({ iface }) => iface)
  t.equal(read.length, 1024)
  t.ok(read.includes('veth1999') && !read.includes('veth0'))
})

t.test('a prefix that is valid for months', async (t) => {
  const { state } = stateFile()
  state.writeAdvertised({ links: [], prefixes: [{ ...PREFIXES[0], left: 90 * 24 * HOUR }] })
  t.match(state.readAdvertised().prefixes, [{ iface: 'br0', left: 30 * 24 * HOUR }])
})

t.test('prefixes that cannot be, or whose time is over, are left out', async (t) => {
  const { state, warnings, path } = stateFile()
  state.writeAdvertised({ links: ['br0'], prefixes: [] }) // makes the directory
  const until = Date.now() + HOUR
  const good = { iface: 'br0', prefix: '2001:db8::/64', until }
  const bad = [null, 7, {}, { ...good, iface: 'a/b' }, { ...good, iface: 7 }, { ...good, prefix: 'fe80::/64' }, { ...good, prefix: 'ff02::/64' },
    { ...good, prefix: 'x' }, { ...good, until: 'soon' }, { ...good, until: Date.now() - 1 }, { ...good, until: null }]
  writeFileSync(path('prefixes.json'), JSON.stringify({ version: 1, links: [7, null, 'a/b', 'br3'], prefixes: [...bad, good] }))
  t.same(state.readAdvertised().prefixes.map(({ iface, prefix }) => `${iface} ${prefix}`), ['br0 2001:db8::/64'])
  t.same(state.readAdvertised().links, ['br3', 'br0'])
  t.same(warnings, [])
  for (const [text, why] of [['{"version":2,"prefixes":[]}', /not of version 1/], ['{"version":1}', /no list of prefixes/], ['null', /not of version 1/]] as const) {
    writeFileSync(path('prefixes.json'), text)
    t.same(state.readAdvertised().prefixes, [], text)
    t.match(warnings.splice(0), [why])
  }
  writeFileSync(path('prefixes.json'), '{"version":1,"pre')
  t.same(state.readAdvertised().prefixes, [])
  t.match(warnings, [/cannot read .*prefixes\.json .*: prefixes that are gone will not be deprecated$/])
})
