/** The log while its reader stalls or its disk is full: the daemon goes on, and logs afterwards how many records were dropped. */
import t, { type Test } from 'tap'
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, constants, openSync, readFileSync, readSync } from 'node:fs'
import type { LogRecord } from '../lab/kit/daemon.ts'
import { ownNamespace, sh, veth } from '../kit/namespace.ts'
import { until } from '../kit/until.ts'
import { command, ENV, writeFiles } from '../fixtures/program.ts'
import { BATCH, Solicitor } from '../fixtures/solicitor.ts'

await ownNamespace()
veth('eth0', 'far0', 'far0')
veth('eth1', 'far1', 'far1')

const TARGET = '2001:db8::2'
const files = writeFiles({ 'ndp6d.conf': `subnet 2001:db8::/64 {\n  upstream eth0\n  downstream eth1\n  host ${TARGET} eth1\n}\n` })
t.teardown(files.close)
const file = files.path('ndp6d.conf')

const far = new Solicitor('far0', TARGET)
t.teardown(() => far.close())

/** Starts the daemon, which logs each packet to `stdout` and `stderr`, and waits until it answers. */
async function start(t: Test, stdout: number | 'pipe', stderr: number | 'ignore' = 'ignore', level = 'debug'): Promise<ChildProcess> {
  const [program, ...args] = command('--config', file, '--level', level)
  const daemon = spawn('setpriv', ['--pdeathsig', 'KILL', program, ...args], { stdio: ['ignore', stdout, stderr], env: { ...process.env, ...ENV } })
  t.teardown(() => daemon.kill('SIGKILL'))
  await far.first()
  return daemon
}

/** @returns the exit status after `signal` */
function stop(daemon: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => {
    daemon.on('exit', resolve)
    daemon.kill('SIGTERM')
  })
}

/** Makes a pipe with a name. @returns the two ends, and a function that reads what is in it now */
function pipe(t: Test, name: string): { writer: number; read: () => string } {
  const path = files.path(name)
  sh(`mkfifo ${path}`)
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const writer = openSync(path, 'w')
  t.teardown(() => closeSync(reader))
  const buffer = Buffer.alloc(2 ** 20)
  return { writer, read: () => {
    try {
      return buffer.toString('utf8', 0, readSync(reader, buffer))
    } catch {
      return ''
    }
  } }
}

/** Checks that each of `count` answers has a record, or was counted as dropped in a single one. @param text lines of the log */
function verify(t: Test, text: string, count: number): void {
  const records = text.trimEnd().split('\n').map((line) => JSON.parse(line) as LogRecord)
  const dropped = records.filter(({ event }) => event === 'dropped')
  t.equal(dropped.length, 1, 'one record')
  t.match(dropped[0].msg, /^\d[\d ]* log records were dropped, because stdout could not be written: its /)
  t.ok(dropped[0].msg.replaceAll(' ', '').startsWith(`${dropped[0].count}log`), 'with the number')
  const written = records.filter(({ reason }) => reason === 'answered').length
  t.ok(Number(dropped[0].count) > 0 && written + Number(dropped[0].count) >= count, `${written} written, ${dropped[0].count} dropped`)
}

t.test('a pipe that nobody reads for a while', async (t) => {
  const { writer, read } = pipe(t, 'stdout')
  const daemon = await start(t, writer)
  closeSync(writer)
  await far.solicit(15_000)
  let text = ''
  await until(() => /"event":"dropped".*\n/.test(text += read()))
  verify(t, text, 15_000)
  await far.solicit(15_000)
  daemon.kill('SIGHUP')
  await far.solicit(BATCH)
  t.equal(await stop(daemon), 0, 'SIGTERM, with the pipe full again')
})

t.test('a socket that nobody reads', async (t) => {
  const daemon = await start(t, 'pipe')
  await far.solicit(15_000)
  t.equal(await stop(daemon), 0)
})

t.test('reports of a bad file to a stderr that nobody reads', async (t) => {
  const bad = writeFiles({ 'bad.conf': `${'nonsense\n'.repeat(4000)}subnet 2001:db8::/65 {\n` })
  t.teardown(bad.close)
  const { writer } = pipe(t, 'stderr')
  const daemon = await start(t, openSync('/dev/null', 'w'), writer, 'info')
  sh(`mv ${file} ${file}.kept; cp ${bad.path('bad.conf')} ${file}`)
  t.teardown(() => sh(`mv ${file}.kept ${file}`))
  for (let i = 0; i < 3; i++) {
    daemon.kill('SIGHUP')
    await far.solicit(BATCH)
  }
  t.equal(await stop(daemon), 0)
})

t.test('a full disk', async (t) => {
  const disk = files.path('disk')
  sh(`mkdir ${disk}; mount -t tmpfs -o size=64k tmpfs ${disk}; head -c 60000 /dev/zero >${disk}/other`)
  t.teardown(() => sh(`umount -l ${disk}`))
  const log = openSync(`${disk}/log`, 'a')
  t.teardown(() => closeSync(log))
  const daemon = await start(t, log)
  await far.solicit(15_000)
  sh(`rm ${disk}/other; mount -o remount,size=64m ${disk}`)
  await until(() => /"event":"dropped".*\n/.test(readFileSync(`${disk}/log`, 'utf8')))
  verify(t, readFileSync(`${disk}/log`, 'utf8'), 15_000)
  t.equal(await stop(daemon), 0)
})

t.test('/dev/full', async (t) => {
  const full = openSync('/dev/full', 'w')
  t.teardown(() => closeSync(full))
  const daemon = await start(t, full)
  await far.solicit(BATCH)
  t.equal(await stop(daemon), 0)
})
