/** `ndp6d status` with a real daemon. */
import t from 'tap'
import { chmodSync, existsSync } from 'node:fs'
import { duration } from '../../src/cli/status.ts'
import { controlPath } from '../../src/cli/service-directories.ts'
import type { Status } from '../../src/replies/status.ts'
import { ownNamespace, sh, veth } from '../kit/namespace.ts'
import { command, type Ended, ENV, run, writeFiles } from '../fixtures/program.ts'
import { Proc } from '../lab/kit/process.ts'

await ownNamespace()
veth('eth0', 'far0')
sh('ip -6 addr add 2001:db8::ff/64 dev eth0 nodad')
veth('eth1', 'far1')

const PINNED = ['::a', '::9', '::1000', '::1:0', '::20']
const files = writeFiles({ 'ndp6d.conf': `subnet 2001:db8::/64 {\n  upstream eth0\n  downstream eth1\n  limit 77\n  host 2001:db8::1 eth0\n${
  PINNED.map((address) => `  host 2001:db8${address}\n`).join('')}}\n` })
t.teardown(files.close)
// Other tests with daemons run at the same time.
const RUN = { RUNTIME_DIRECTORY: files.path('run') }

function runStatus(...args: string[]): Ended { return run(command('status', ...args), RUN) }

async function start(file = files.path('ndp6d.conf')): Promise<Proc> {
  const daemon = new Proc(command('--config', file), { ...ENV, ...RUN })
  t.teardown(() => daemon.stop('SIGKILL'))
  await daemon.line(/\bready\b/)
  return daemon
}

t.test('links, neighbors, counters and limits', async (t) => {
  const daemon = await start()
  const { status, stdout, stderr } = runStatus('--json')
  t.equal(stderr, '')
  t.equal(status, 0)
  const report = JSON.parse(stdout) as Status
  t.equal(report.pid, daemon.pid)
  t.ok(report.uptime > 0 && report.uptime < 60)
  t.match(report.links, [{ iface: 'eth0', drops: 0, unsent: 0 }, { iface: 'eth1', drops: 0, unsent: 0 }])
  t.same(report.neighbors.map(({ target, iface, pinned, routed }) => [target, iface, pinned, routed]), [
    ['2001:db8::1', 'eth0', true, false],
    ...['::9', '::a', '::20', '::1000', '::1:0'].map((address) => [`2001:db8${address}`, 'eth1', true, true])], 'by address')
  t.equal(report.counters.answered, 0)
  t.ok(report.limits.length > 15 && report.limits.every(({ used, size }) => used <= size), `${report.limits.length} limits`)
  t.ok(report.limits.some(({ size }) => size === 77), 'the limit of the file among them')
  t.match(report.limits.at(-1), { name: 'control connections', used: 1, size: 32 })

  const text = runStatus().stdout
  t.match(text, new RegExp(`^ndp6d ${report.version.replaceAll('.', '\\.')}, process ${daemon.pid}, running for \\d+s\n\nLINK +RECEIVED `))
  t.match(text, /^2001:db8::9 +REACHABLE +eth1 +- +yes +yes$/m)
  for (const { name, size } of report.limits) {
    t.ok(text.split('\n').some((line) => line.startsWith(name) && line.endsWith(` ${size}`)), name)
  }
  t.equal(await daemon.stop(), 0)
})

t.test('without a daemon', async (t) => {
  const { status, stdout, stderr } = runStatus()
  t.equal(status, 3)
  t.equal(stdout, '')
  t.match(stderr, /^ndp6d: not running \(no process listens at .*`systemctl start ndp6d` starts it/)
  t.notOk(existsSync(RUN.RUNTIME_DIRECTORY), 'the previous daemon left no file')
})

t.test('the daemon replies, also after a killed one', async (t) => {
  await (await start()).stop('SIGKILL')
  t.ok(existsSync(controlPath(RUN)), 'its socket is left')
  t.equal(runStatus().status, 3)
  const daemon = await start()
  t.equal(runStatus().status, 0)
  t.equal(run(['unshare', '-n', ...command('status')], RUN).status, 0, 'also from another network namespace')
  t.equal(await daemon.stop(), 0)
})

t.test('without permission', async (t) => {
  const daemon = await start()
  chmodSync(controlPath(RUN), 0)
  const { status, stderr } = run(['setpriv', '--bounding-set', '-all', '--inh-caps', '-all', ...command('status')], RUN)
  t.equal(status, 4)
  t.match(stderr, /^ndp6d: not permitted to connect to the daemon: run this command with sudo/)
  t.equal(await daemon.stop(), 0)
})

t.test('a daemon without a control socket logs why, and works', async (t) => {
  const daemon = new Proc(command('--config', files.path('ndp6d.conf')), { ...ENV, RUNTIME_DIRECTORY: files.path('ndp6d.conf') })
  t.teardown(() => daemon.stop('SIGKILL'))
  await daemon.line(/\bready\b/)
  t.ok(daemon.lines.some((line) => /"event":"control".*`ndp6d status` cannot connect to this daemon: /.test(line)))
  t.equal(await daemon.stop(), 0)
})

t.test('control characters of an interface name are replaced', async (t) => {
  sh(`ip link set eth1 down; ip link set eth1 name "$(printf 'e\\033[1m')"; ip link set "$(printf 'e\\033[1m')" up`)
  const { path, close } = writeFiles({ 'odd.conf': 'subnet 2001:db8:1::/64 {\n  upstream eth0\n  downstream e*\n}\n' })
  t.teardown(close)
  const daemon = await start(path('odd.conf'))
  t.match(runStatus().stdout, /^e\?\[1m +\d+ +0 /m)
  t.equal(await daemon.stop(), 0)
  sh(`ip link set "$(printf 'e\\033[1m')" down; ip link set "$(printf 'e\\033[1m')" name eth1; ip link set eth1 up`)
})

t.test('the reader may close the pipe before the last of 4000 neighbors', async (t) => {
  const hosts = Array.from({ length: 4000 }, (_, i) => `  host 2001:db8::${(i + 2).toString(16)}\n`).join('')
  const many = writeFiles({ 'many.conf': `subnet 2001:db8::/64 {\n  upstream eth0\n  downstream eth1\n${hosts}}\n` })
  t.teardown(many.close)
  const daemon = await start(many.path('many.conf'))
  const { neighbors } = JSON.parse(runStatus('--json').stdout) as Status
  t.equal(neighbors.filter(({ pinned }) => pinned).length, 4000, 'besides those of routes that the previous daemon left')
  const { stdout, stderr } = run(['sh', '-c', '{ "$@"; echo "status $?" >&2; } | head -n 1', 'sh', ...command('status')], RUN)
  t.match(stdout, /^ndp6d .*\n$/)
  t.equal(stderr, 'status 0\n')
  t.equal(await daemon.stop(), 0)
})

t.test('duration', async (t) => {
  t.same([0.9, 59, 61, 3599, 3600, 86_399, 86_400, 1e6].map(duration),
    ['0s', '59s', '1min 1s', '59min 59s', '1h 0min', '23h 59min', '1d 0h', '11d 13h'])
})
