/** What is kept over restarts: real files, and file systems that refuse. */
import t from 'tap'
import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync, existsSync, linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync,
  truncateSync, writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Address, parseMac } from '../src/address.ts'
import type { RememberedHost } from '../src/engine/types.ts'
import { Memory } from '../src/memory.ts'
import { enterNamespaces } from './kit/namespace.ts'

await enterNamespaces()   // to mount file systems

const top = mkdtempSync(join(tmpdir(), 'ndp6d-memory-'))
t.teardown(() => rmSync(top, { recursive: true }))
let count = 0

/** A Memory in a directory of its own, and what it warns of. */
function memory(directory = join(top, `${count++}`)) {
  const warnings: string[] = []
  const kept = new Memory(directory, (message) => { warnings.push(message) })
  const path = (name: string): string => join(directory, name)
  return { kept, warnings, directory, path, file: path('hosts.json') }
}

/** The same with this in its file. */
function remembering(text: string) {
  const made = memory()
  mkdirSync(made.directory)
  writeFileSync(made.file, text)
  return made
}

function runScript(script: string): ChildProcess {
  return spawn('setpriv', ['--pdeathsig', 'KILL', process.execPath, '--input-type=module', '-e', script],
    { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, NODE_OPTIONS: '' } })
}

const HOSTS: readonly RememberedHost[] = [
  { target: Address.parse('2001:db8::1')!, iface: 'eth0', mac: parseMac('52:54:00:00:00:01'), router: true },
  { target: Address.parse('2001:db8::2')!, iface: 'vmtap7', mac: undefined, router: false },
]
const TEXT = `{"version":1,"hosts":[
{"target":"2001:db8::1","iface":"eth0","lladdr":"52:54:00:00:00:01","router":true},
{"target":"2001:db8::2","iface":"vmtap7","router":false}
]}
`
const GOOD = '{"target":"2001:db8::1","iface":"eth0","lladdr":"52:54:00:00:00:01","router":true}'

/** Another Memory of the same directory reads this. */
function readAgain(directory: string): { hosts: RememberedHost[]; warnings: string[] } {
  const { kept, warnings } = memory(directory)
  return { hosts: kept.read(), warnings }
}

t.test('nothing is known at first, and that is no fault', async (t) => {
  const { kept, warnings, directory } = memory()
  t.same(kept.read(), [])
  t.notOk(existsSync(directory), 'reading makes nothing')
  mkdirSync(directory)
  t.same(kept.read(), [])
  t.same(warnings, [])
})

t.test('what is written is read', async (t) => {
  const { kept, warnings, directory, file } = memory(join(top, 'deep', 'down'))
  kept.write(HOSTS)
  t.equal(readFileSync(file, 'utf8'), TEXT)
  t.same(readAgain(directory), { hosts: HOSTS, warnings: [] })
  t.equal(statSync(directory).mode & 0o777, 0o700)
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.same(readdirSync(directory), ['hosts.json'])
  kept.write([])
  t.same(readAgain(directory), { hosts: [], warnings: [] })
  t.same(warnings, [])
})

t.test('the directory may be a link, as systemd makes it; its mode is left alone', async (t) => {
  const real = memory()
  mkdirSync(real.directory, { mode: 0o755 })
  symlinkSync(real.directory, join(top, 'link'))
  const { kept, warnings } = memory(join(top, 'link'))
  kept.write(HOSTS)
  t.same(warnings, [])
  t.same(readAgain(real.directory).hosts, HOSTS)
  t.equal(statSync(real.directory).mode & 0o777, 0o755)
})

t.test('a file of others through which they want to be written to or read', async (t) => {
  const { kept, warnings, directory, path, file } = memory()
  const victim = join(top, 'victim')
  writeFileSync(victim, 'precious', { mode: 0o644 })
  mkdirSync(directory)
  symlinkSync(victim, path('hosts.json.new'))
  symlinkSync(victim, file)
  kept.write(HOSTS)
  t.equal(readFileSync(victim, 'utf8'), 'precious')
  t.same(readAgain(directory).hosts, HOSTS, 'the links were replaced')
  rmSync(file)
  linkSync(victim, path('hosts.json.new'))
  kept.write(HOSTS)
  t.equal(readFileSync(victim, 'utf8'), 'precious')
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.same(warnings, [])
  rmSync(file)
  writeFileSync(victim, TEXT)
  symlinkSync(victim, file)
  t.match(readAgain(directory), { hosts: [], warnings: [/is no regular file/] })
  t.equal(readFileSync(victim, 'utf8'), TEXT)
})

t.test('a link that comes just before the file is opened', async (t) => {
  const { kept, directory, path } = memory()
  const victim = join(top, 'victim')
  writeFileSync(victim, 'precious')
  mkdirSync(directory)
  const attacker = runScript(`const { symlinkSync } = await import('node:fs')
    for (const end = performance.now() + 30_000; performance.now() < end;) {
      try { symlinkSync(${JSON.stringify(victim)}, ${JSON.stringify(path('hosts.json.new'))}) } catch {}
    }`)
  const ended = once(attacker, 'exit')
  const end = performance.now() + 1000
  for (let won = false; !won && performance.now() < end;) {
    kept.write(HOSTS)
    won = readFileSync(victim, 'utf8') !== 'precious'
    await new Promise(setImmediate)
  }
  attacker.kill('SIGKILL')
  await ended
  t.equal(readFileSync(victim, 'utf8'), 'precious')
})

t.test('what a crash left over is in nobody\'s way', async (t) => {
  const { kept, warnings, directory, path } = memory()
  mkdirSync(path('hosts.json.new/sub'), { recursive: true })
  kept.write(HOSTS)
  writeFileSync(path('hosts.json.new'), TEXT.slice(0, 40))
  t.same(readAgain(directory), { hosts: HOSTS, warnings: [] })
  kept.write([])
  t.same(readdirSync(directory), ['hosts.json'])
  t.same(warnings, [])
})

t.test('a damaged file is put aside, and said', async (t) => {
  const damaged: readonly (readonly [string, RegExp])[] = [
    ['', /no JSON/], [TEXT.slice(0, -5), /no JSON/], ['\0'.repeat(4096), /no JSON/], ['['.repeat(2 ** 20), /no JSON/],
    ['null', /not of version 1/], ['[]', /not of version 1/], ['7', /not of version 1/],
    [TEXT.replace('1', '2'), /not of version 1/], [TEXT.replace('1', '"1"'), /not of version 1/],
    ['{"hosts":[]}', /not of version 1/],
    ['{"version":1}', /no list of hosts/], ['{"version":1,"hosts":{"length":1}}', /no list of hosts/],
  ]
  for (const [text, why] of damaged) {
    const { kept, warnings, directory, path, file } = remembering(text)
    writeFileSync(path('hosts.json.damaged'), 'an older one')
    t.same(kept.read(), [])
    t.match(warnings, [why])
    t.match(warnings, [`${file} is damaged`])
    t.match(warnings, [`it is now ${file}.damaged, and hosts are learned anew`])
    t.equal(readFileSync(path('hosts.json.damaged'), 'utf8'), text)
    t.notOk(existsSync(file))
    t.same(readAgain(directory), { hosts: [], warnings: [] }, 'said once')
    kept.write(HOSTS)
    t.same(readAgain(directory), { hosts: HOSTS, warnings: [] })
    t.equal(warnings.length, 1)
  }
})

t.test('what is no regular file, or too large, is not even read', async (t) => {
  const { kept, warnings, file, path, directory } = remembering(TEXT)
  truncateSync(file, 16 * 2 ** 20 + 1)
  t.same(kept.read(), [])
  t.match(warnings.splice(0), [/damaged \(it has 16777217 bytes, 16777216 are allowed\)/])
  for (const make of [() => mkdirSync(join(file, 'sub'), { recursive: true }), () => execFileSync('mkfifo', [file]),
    () => symlinkSync('hosts.json', file), () => symlinkSync('/dev/zero', file)]) {
    make()
    t.same(kept.read(), [])
    t.match(warnings.splice(0), [/damaged \(it is no regular file\): it is now .*\.damaged/])
    t.same(readdirSync(directory), ['hosts.json.damaged'], 'also over a directory')
  }
  rmSync(path('hosts.json.damaged'))
  mkdirSync(path('hosts.json.damaged/sub'), { recursive: true })
  writeFileSync(file, 'x')
  t.same(kept.read(), [])
  t.equal(readFileSync(path('hosts.json.damaged'), 'utf8'), 'x')
})

t.test('a host that cannot be is left out; the others are not', async (t) => {
  const bad = [
    'null', '7', '[]', '{}', '"2001:db8::3"', '{"__proto__":{"target":"2001:db8::3"}}',
    ...['"fe80::1"', '"ff02::1"', '"::"', '"::1"', '"2001:db8::/64"', '"x"', '7', 'null', '["2001:db8::3"]']
      .map((target) => GOOD.replace('"2001:db8::1"', target)),
    ...['""', '"a b"', '"../x"', '"abcdefghijklmnop"', '"a\\u0000"', 'null'].map((iface) => GOOD.replace('"eth0"', iface)),
    ...['"52:54:00:00:00"', '"01:00:5e:00:00:01"', '7', 'null', '"ff:ff:ff:ff:ff:ff"']
      .map((lladdr) => GOOD.replace('"52:54:00:00:00:01"', lladdr)),
    ...['"true"', '1', 'null'].map((router) => GOOD.replace('true', router)), GOOD.replace(',"router":true', ''),
  ]
  for (const entry of bad) {
    const { kept, warnings, file } = remembering(`{"version":1,"hosts":[${entry},${GOOD}]}`)
    t.same(kept.read(), HOSTS.slice(0, 1), entry)
    t.match(warnings, [`${file}: 1 of 2 hosts are damaged`])
    t.ok(existsSync(file))
  }
  const { kept, warnings } = remembering(`{"version":1,"hosts":[${bad.join(',')}]}`)
  t.same(kept.read(), [])
  t.match(warnings, { length: 1, 0: `${bad.length} of ${bad.length} hosts` })
  const wider = remembering(`{"version":1,"more":{},"hosts":[${GOOD.replace('{', '{"more":1,')}]}`)
  t.same(wider.kept.read(), HOSTS.slice(0, 1), 'a field more does no harm')
})

t.test('their number is bounded', async (t) => {
  const { kept, warnings, directory, file } = memory()
  const many = Array.from({ length: 140_000 }, (_, i): RememberedHost => ({
    target: new Address(0x20010db8, -1, -1, i - 1), iface: 'abcdefghijklmno', mac: HOSTS[0].mac, router: false,
  }))
  kept.write(many)
  t.ok(statSync(file).size < 16 * 2 ** 20)
  t.equal(readAgain(directory).hosts.length, 131_072)
  t.match(warnings.splice(0), [/no more than 131072 hosts are remembered/])
  kept.write(many)
  t.same(warnings, [], 'said once')
  t.same(kept.limits, [{ name: 'hosts remembered over a restart', used: 131_072, size: 131_072 }])
  t.same(readAgain(directory).warnings, [], 'what is written can be read')
  writeFileSync(file, `{"version":1,"hosts":[${Array(131_073).fill(GOOD).join()}]}`)
  t.equal(kept.read().length, 131_072)
  t.match(warnings, { length: 1, 0: /: 1 of 131073 hosts are damaged or too many/ })
})

t.test('bit by bit: the old file until the new one is whole; what goes meanwhile is left out, and the loop is not held up', async (t) => {
  const { kept, warnings, directory, file } = memory()
  kept.write(HOSTS)
  const host = (i: number): RememberedHost => ({ ...HOSTS[1], target: new Address(0x20010db8, 0, 0, i + 1) })
  const known = new Set(Array.from({ length: 2000 }, (_, i) => i))
  function * hosts(): Generator<RememberedHost> { for (const i of known) yield host(i) }
  kept.writeSlowly(hosts())
  known.delete(1999)
  kept.writeSlowly([])
  let turns = 0
  for (; readFileSync(file, 'utf8') === TEXT; turns++) await new Promise(setImmediate)
  t.ok(turns >= 10, `${turns} turns`)
  t.same(readAgain(directory), { hosts: [...known].map(host), warnings: [] }, 'the first one ends before another begins')
  t.same(readdirSync(directory), ['hosts.json'])

  kept.writeSlowly([...known].map(host))
  kept.write(HOSTS)
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
  t.same(readAgain(directory).hosts, HOSTS, 'what is newer is not replaced')
  t.same(readdirSync(directory), ['hosts.json'])
  kept.writeSlowly(HOSTS.slice(0, 1))
  await new Promise(setImmediate)
  t.same(readAgain(directory).hosts, HOSTS.slice(0, 1))
  t.same(warnings, [])
})

t.test('a file that cannot be read, or not be renamed, is no disaster', async (t) => {
  const { directory, file } = memory()
  writeFileSync(directory, 'a file')
  const { kept, warnings } = memory(directory)
  t.same(kept.read(), [])
  t.match(warnings.splice(0), [`cannot read ${file} (ENOTDIR`])
  kept.write(HOSTS)
  t.match(warnings, [`cannot write ${file} (`])
  t.match(warnings, [/what is known about hosts will be lost at a restart; .*--state DIR/])
})

t.test('a disk that is full or read-only is said once, and again when it had been good', async (t) => {
  const disk = memory()
  mkdirSync(disk.directory)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k,mode=0700', 'tmpfs', disk.directory])
  t.teardown(() => execFileSync('umount', [disk.directory]))
  const { kept, warnings, directory, file } = disk
  const many = Array<RememberedHost>(1000).fill(HOSTS[0])
  kept.write(HOSTS)
  t.same(warnings, [])
  kept.write(many)
  kept.write(many)
  t.match(warnings, { length: 1, 0: `cannot write ${file} (ENOSPC` })
  t.same(readdirSync(directory), ['hosts.json'], 'the part that was written is gone')
  t.same(readAgain(directory), { hosts: HOSTS, warnings: [] }, 'and the file as it was')
  kept.write([])
  kept.write(many)
  t.equal(warnings.length, 2)
  writeFileSync(file, 'x')
  execFileSync('mount', ['-o', 'remount,bind,ro', directory])
  t.match(readAgain(directory), { hosts: [], warnings: [/damaged \(it is no JSON\) and cannot be renamed \(EROFS.*: hosts are/] })
  kept.write(HOSTS)
  t.equal(warnings.length, 2)
})

t.test('without leave to write or read', async (t) => {
  const { directory, file } = remembering(TEXT)
  chmodSync(file, 0)
  chmodSync(directory, 0o500)
  // Not even root gets past the mode without capabilities.
  const script = `const { Memory } = await import(${JSON.stringify(new URL('../src/memory.js', import.meta.url))})
    const memory = new Memory(${JSON.stringify(directory)}, (message, error) => console.log(error.code, message))
    console.log(memory.read(), memory.write([]), memory.write([]))`
  const said = execFileSync('setpriv', ['--bounding-set', '-all', '--inh-caps', '-all', process.execPath,
    '--input-type=module', '-e', script], { encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } })
  t.match(said, `EACCES cannot read ${file} (EACCES`)
  t.match(said, `EACCES cannot write ${file} (EACCES`)
  t.match(said, /\n\[\] undefined undefined\n$/)
  chmodSync(directory, 0o700)
  t.equal(said.match(/cannot write/g)?.length, 1)
  t.ok(existsSync(file))
})

t.test('whoever reads meets a whole file, also after SIGKILL', async (t) => {
  const { directory, kept } = memory()
  const script = `const { Memory } = await import(${JSON.stringify(new URL('../src/memory.js', import.meta.url))})
    const { Address } = await import(${JSON.stringify(new URL('../src/address.js', import.meta.url))})
    const memory = new Memory(${JSON.stringify(directory)}, (message) => { throw new Error(message) })
    const host = { target: Address.parse('2001:db8::1'), iface: 'eth0', mac: undefined, router: false }
    const end = performance.now() + 30_000
    for (let i = 0; performance.now() < end; i++) memory.write(Array(i % 2 === 0 ? 500 : 5000).fill(host))`
  for (let round = 0; round < 3; round++) {
    const child = runScript(script)
    const ended = once(child, 'exit')
    const seen = new Set<number>()
    const troubles: string[] = []
    for (const end = performance.now() + 15_000; seen.size < 2 && performance.now() < end;) {
      const { hosts, warnings } = readAgain(directory)
      troubles.push(...warnings)
      if (hosts.length > 0) seen.add(hosts.length)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    child.kill('SIGKILL')
    t.same(await ended, [null, 'SIGKILL'])
    t.same([...seen].sort(), [500, 5000])
    const { hosts, warnings } = readAgain(directory)
    t.same([...troubles, ...warnings], [])
    t.ok([500, 5000].includes(hosts.length))
  }
  kept.write([])
  t.same(readdirSync(directory), ['hosts.json'])
})
