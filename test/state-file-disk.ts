/** The state file on hostile, full and read-only file systems. */
import t from 'tap'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync, existsSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { SavedHost } from '../src/engine-types.ts'
import { HOSTS, newDirectory, readAgain, stateFile, stateFileWith, TEXT } from './fixtures/state-file.ts'
import { enterNamespaces } from './kit/namespace.ts'

await enterNamespaces()   // for mount(2)

const IMPORT = `const { StateFile } = await import(${JSON.stringify(new URL('../src/state-file.js', import.meta.url))})`

function runScript(script: string): ChildProcess {
  return spawn('setpriv', ['--pdeathsig', 'KILL', process.execPath, '--input-type=module', '-e', script],
    { stdio: ['ignore', 'inherit', 'inherit'] })
}

t.test('the directory may be a symbolic link, as systemd makes it, and keeps its mode', async (t) => {
  const real = stateFile()
  mkdirSync(real.directory, { mode: 0o755 })
  const link = newDirectory()
  symlinkSync(real.directory, link)
  const { state, warnings } = stateFile(link)
  state.write(HOSTS)
  t.same(warnings, [])
  t.same(readAgain(real.directory).hosts, HOSTS)
  t.equal(statSync(real.directory).mode & 0o777, 0o755)
})

t.test('links in the directory are replaced, not followed', async (t) => {
  const { state, warnings, directory, path, file } = stateFile()
  const victim = newDirectory()
  writeFileSync(victim, 'precious', { mode: 0o644 })
  mkdirSync(directory)
  symlinkSync(victim, path('hosts.json.new'))
  symlinkSync(victim, file)
  state.write(HOSTS)
  t.equal(readFileSync(victim, 'utf8'), 'precious')
  t.same(readAgain(directory).hosts, HOSTS, 'the links were replaced')
  rmSync(file)
  linkSync(victim, path('hosts.json.new'))
  state.write(HOSTS)
  t.equal(readFileSync(victim, 'utf8'), 'precious')
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.same(warnings, [])
  rmSync(file)
  writeFileSync(victim, TEXT)
  symlinkSync(victim, file)
  t.match(readAgain(directory), { hosts: [], warnings: [/is not a regular file/] })
  t.equal(readFileSync(victim, 'utf8'), TEXT)
})

t.test('a link that appears just before open(2) is not followed', async (t) => {
  const { state, directory, path } = stateFile()
  const victim = newDirectory()
  writeFileSync(victim, 'precious')
  mkdirSync(directory)
  const attacker = runScript(`const { symlinkSync } = await import('node:fs')
    for (const end = performance.now() + 30_000; performance.now() < end;) {
      try { symlinkSync(${JSON.stringify(victim)}, ${JSON.stringify(path('hosts.json.new'))}) } catch {}
    }`)
  const ended = once(attacker, 'exit')
  const end = performance.now() + 1000
  for (let won = false; !won && performance.now() < end;) {
    state.write(HOSTS)
    won = readFileSync(victim, 'utf8') !== 'precious'
    await new Promise(setImmediate)
  }
  attacker.kill('SIGKILL')
  await ended
  t.equal(readFileSync(victim, 'utf8'), 'precious')
})

t.test('large files and special files are not read', async (t) => {
  const { state, warnings, file, path, directory } = stateFileWith(TEXT)
  truncateSync(file, 16 * 2 ** 20 + 1)
  t.same(state.read(), [])
  t.match(warnings.splice(0), [/damaged \(it has 16777217 bytes, more than 16777216\)/])
  for (const make of [() => mkdirSync(join(file, 'sub'), { recursive: true }), () => execFileSync('mkfifo', [file]),
    () => symlinkSync('hosts.json', file), () => symlinkSync('/dev/zero', file)]) {
    make()
    t.same(state.read(), [])
    t.match(warnings.splice(0), [/damaged \(it is not a regular file\): it is now .*\.damaged/])
    t.same(readdirSync(directory), ['hosts.json.damaged'], 'a directory is replaced, too')
  }
  rmSync(path('hosts.json.damaged'))
  mkdirSync(path('hosts.json.damaged/sub'), { recursive: true })
  writeFileSync(file, 'x')
  t.same(state.read(), [])
  t.equal(readFileSync(path('hosts.json.damaged'), 'utf8'), 'x')
})

t.test('errors of reading and writing are reported', async (t) => {
  const { directory, file } = stateFile()
  writeFileSync(directory, 'a file')
  const { state, warnings } = stateFile(directory)
  t.same(state.read(), [])
  t.same(state.readAdvertised(), { links: [], prefixes: [] })
  t.match(warnings, { length: 1, 0: `cannot read ${file} (ENOTDIR` }, 'one warning for both files')
  t.match(warnings[0], /\): hosts are learned again; let this user read it, or give another `--state DIR`$/)
  t.ok(warnings.splice(0)[0].replaceAll(file, '/var/lib/ndp6d/hosts.json').length < 200)
  state.write(HOSTS)
  t.match(warnings, [`cannot write ${file} (`])
  t.match(warnings, [/a restart will lose the learned hosts; .*--state DIR/])
})

t.test('a full disk is reported once, and again after a good write', async (t) => {
  const disk = stateFile()
  mkdirSync(disk.directory)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k,mode=0700', 'tmpfs', disk.directory])
  t.teardown(() => execFileSync('umount', [disk.directory]))
  const { state, warnings, directory, file } = disk
  const many = Array<SavedHost>(1000).fill(HOSTS[0])
  state.write(HOSTS)
  t.same(warnings, [])
  state.write(many)
  state.write(many)
  t.match(warnings, { length: 1, 0: `cannot write ${file} (ENOSPC` })
  t.same(readdirSync(directory), ['hosts.json'], 'the unfinished file is removed')
  t.same(readAgain(directory), { hosts: HOSTS, warnings: [] }, 'and the former file stays')
  state.write([])
  state.write(many)
  t.equal(warnings.length, 2)
  writeFileSync(file, 'x')
  execFileSync('mount', ['-o', 'remount,bind,ro', directory])
  t.match(readAgain(directory), { hosts: [], warnings: [/damaged \(it is not JSON\) and cannot be renamed \(EROFS.*: hosts are/] })
  state.write(HOSTS)
  t.equal(warnings.length, 2)
})

t.test('without permission, reading and writing are reported', async (t) => {
  const { directory, file } = stateFileWith(TEXT)
  for (const name of [file, join(directory, 'prefixes.json')]) writeFileSync(name, TEXT, { mode: 0 })
  chmodSync(file, 0)
  chmodSync(directory, 0o500)
  // Without capabilities, root is bound by the mode, too.
  const script = `${IMPORT}
    const state = new StateFile(${JSON.stringify(directory)}, (message, error) => console.log(error.code, message))
    console.log(state.read(), state.readAdvertised().prefixes, state.write([]), state.write([]))`
  const output = execFileSync('setpriv', ['--bounding-set', '-all', '--inh-caps', '-all', process.execPath,
    '--input-type=module', '-e', script], { encoding: 'utf8' })
  t.match(output, `EACCES cannot read ${file} (EACCES`)
  t.match(output, `EACCES cannot write ${file} (EACCES`)
  t.match(output, /\n\[\] \[\] undefined undefined\n$/)
  t.equal(output.match(/cannot read/g)?.length, 1, 'one warning for both files')
  chmodSync(directory, 0o700)
  t.equal(output.match(/cannot write/g)?.length, 1)
  t.ok(existsSync(file))
})

t.test('readers see whole files only, also after SIGKILL', async (t) => {
  const { directory, state } = stateFile()
  const script = `${IMPORT}
    const { Address } = await import(${JSON.stringify(new URL('../src/address.js', import.meta.url))})
    const state = new StateFile(${JSON.stringify(directory)}, (message) => { throw new Error(message) })
    const host = { target: Address.parse('2001:db8::1'), iface: 'eth0', mac: undefined, router: false }
    const end = performance.now() + 30_000
    for (let i = 0; performance.now() < end; i++) state.write(Array(i % 2 === 0 ? 500 : 5000).fill(host))`
  for (let round = 0; round < 3; round++) {
    const child = runScript(script)
    const ended = once(child, 'exit')
    const seen = new Set<number>()
    const damages: string[] = []
    for (const end = performance.now() + 15_000; seen.size < 2 && performance.now() < end;) {
      const { hosts, warnings } = readAgain(directory)
      damages.push(...warnings)
      if (hosts.length > 0) seen.add(hosts.length)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    child.kill('SIGKILL')
    t.same(await ended, [null, 'SIGKILL'])
    t.same([...seen].sort(), [500, 5000])
    const { hosts, warnings } = readAgain(directory)
    t.same([...damages, ...warnings], [])
    t.ok([500, 5000].includes(hosts.length))
  }
  state.write([])
  t.same(readdirSync(directory), ['hosts.json'])
})
