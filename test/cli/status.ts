/** `ndp6d status` with a real daemon. */
import t, { type Test } from 'tap'
import { chmodSync, existsSync, writeFileSync } from 'node:fs'
import { controlPath } from '../../src/cli/service-directories.ts'
import { request } from '../../src/control/client.ts'
import type { Status, Summary } from '../../src/replies/status.ts'
import { setTimeout as sleep } from 'node:timers/promises'
import { ownNamespace, packetSockets, sh, veth } from '../kit/namespace.ts'
import { until } from '../kit/until.ts'
import { schemaErrors } from '../kit/schema.ts'
import { command, type Ended, ENV, run, startDaemon, writeFiles } from '../fixtures/program.ts'
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

function start(file = files.path('ndp6d.conf')): Promise<Proc> { return startDaemon(t, [file], RUN) }

/** @returns the status in JSON, which the schema allows */
function statusOf(t: Test, ...args: string[]): { exit: number | null; status: Status & { running: boolean | null } } {
  const { status, stdout } = runStatus('--json', ...args)
  t.same(schemaErrors('status', stdout), [])
  return { exit: status, status: JSON.parse(stdout) as ReturnType<typeof statusOf>['status'] }
}

t.test('links, rules, hosts, counters and limits', async (t) => {
  const daemon = await start()
  const { exit, status: report } = statusOf(t)
  t.equal(exit, 0)
  t.equal(report.pid, daemon.pid)
  t.equal(report.state, 'serving')
  t.ok(Math.abs(Date.now() - Date.parse(report.startedAt)) < 60_000)
  t.match(report.config, { file: files.path('ndp6d.conf') })
  t.match(report.links, [{ name: 'eth0', roles: ['upstream'], state: 'serving', lost: 0 }, { name: 'eth1', roles: ['downstream'], state: 'serving' }])
  t.match(report.subnets, [{ prefix: '2001:db8::/64', prefixes: ['2001:db8::/64'], upstream: 'eth0', downstream: ['eth1'], hosts: 6 }])
  t.match(report.forwarding, { isOn: false, isKept: false })
  t.same(report.hosts.map(({ address, link, pinned, route }) => [address, link, pinned, route]), [
    ['2001:db8::1', 'eth0', true, false],
    ...['::9', '::a', '::20', '::1000', '::1:0'].map((address) => [`2001:db8${address}`, 'eth1', true, true])], 'by address')
  t.equal(report.counters.answered, 0)
  t.ok(report.limits.length > 15 && report.limits.every(({ used, size }) => used <= size), `${report.limits.length} limits`)
  t.ok(report.limits.some(({ size }) => size === 77), 'the limit of the file among them')
  t.match(report.limits.at(-1), { name: 'control connections', used: 1, size: 32 })

  const { status, stdout, stderr } = runStatus()
  t.equal(status, 0)
  t.equal(stderr, '')
  t.match(stdout, new RegExp(`^ndp6d ${report.version.replaceAll('.', '\\.')} is serving: process ${daemon.pid}, running for \\d+s\n([^]*\n)?\nLINK +ROLE `))
  t.match(stdout, /^2001:db8::9 +eth1 +REACHABLE +pinned +\d+s +yes +-$/m)
  t.notMatch(stdout, /\u001b/, 'no colors in a pipe')
  const onTerminal = (env: NodeJS.ProcessEnv): string => run(['script', '-qec', command('status').join(' '), '/dev/null'],
    { ...RUN, TERM: 'xterm', CI: undefined, FORCE_COLOR: undefined, NO_COLOR: undefined, NODE_DISABLE_COLORS: undefined, ...env }).stdout
  t.match(onTerminal({}), /is \u001b\[32mserving.*\r\n/, 'but on a terminal')
  t.match(onTerminal({ NO_COLOR: '1' }), /is serving: .*\r\n[^]*^2001:db8::9 +eth1 +REACHABLE +pinned /m)
  const limits = runStatus('limits').stdout
  for (const { name, size } of report.limits) {
    t.ok(limits.split('\n').some((line) => line.startsWith(name) && line.endsWith(` ${size}`)), name)
  }
  t.match(runStatus('hosts').stdout, /^6 hosts, 6 pinned, 5 host routes$/m)
  t.match(runStatus('2001:DB8:0::9').stdout, /^2001:db8::9 is answered /, 'an address is explained')
  t.match(runStatus('drops').stdout, /^(REASON +PACKETS +MEANING +LAST|No packet )/)
  t.match(runStatus('--all').stdout, /^hop-limit +0 +hop limit below 255/m)
  t.match(runStatus('--control', files.path('ndp6d.conf'), 'hops'), { status: 2, stderr: /status shows hosts, drops, limits or an address, not hops/ })
  t.equal(await daemon.stop(), 0)
})

t.test('a link that is waited for, a port, and a refused reload', async (t) => {
  const config = 'subnet auto {\n  upstream eth0\n  downstream eth1 eth9\n}\nproxy eth0 {\n  rule 2001:db8:1::/64 { iface eth1 }\n}\n'
  const odd = writeFiles({ 'odd.conf': config })
  t.teardown(odd.close)
  const daemon = await start(odd.path('odd.conf'))
  t.match(statusOf(t), { exit: 0, status: { links: [{ name: 'eth0' }, { name: 'eth1' }, { name: 'eth9', state: 'waiting' }],
    subnets: [{ prefix: 'auto', prefixes: ['2001:db8::/64'] }], proxies: [{ link: 'eth0', rules: [{ prefix: '2001:db8:1::/64', kind: 'iface', links: ['eth1'] }] }] } })
  t.match(runStatus().stdout, /^eth9: configured, but no such link exists$/m)
  writeFileSync(odd.path('odd.conf'), config.replace('upstream', 'upsteam'))
  daemon.child.kill('SIGHUP')
  await daemon.line(/the former configuration stays in force/)
  t.match(statusOf(t).status.reload, { verdict: 'refused', changedOnDisk: true, problem: /odd.conf:\d:\d: / })
  t.match(runStatus().stdout, /^last reload: refused .*\n  .*odd.conf:\d:\d: /m)
  writeFileSync(odd.path('odd.conf'), config)
  daemon.child.kill('SIGHUP')
  await daemon.line(/"reloaded /)
  t.match(statusOf(t).status.reload, { verdict: 'applied', problem: null })
  sh('ip link add br0 type bridge; ip link set eth1 master br0')
  t.teardown(() => sh('ip link del br0'))
  await daemon.line(/is a port of/)
  const { exit, status } = statusOf(t)
  t.equal(exit, 1)
  t.match(status.links.find(({ name }) => name === 'eth1'), { state: 'port', received: null })
  t.equal(await daemon.stop(), 0)
})

/** @returns the state of the daemon, without reading the rest of its reply */
async function stateNow(): Promise<string | undefined> {
  for await (const { summary } of request(controlPath(RUN), 'status')) return (summary as Summary).state
  return undefined
}

t.test('starting and stopping', async (t) => {
  // The routes of a previous run are adopted at the start, and those of hosts are left at the end, 50 in a millisecond.
  sh('for i in $(seq 10000 39999); do echo "route add 2001:db8::2:$((i / 10000)):$((i % 10000))/128 dev eth1 proto 136 metric 16 expires 600"; done'
    + ' | ip -6 -batch -')
  t.teardown(() => sh('ip -6 route flush proto 136'))
  const hosts = Array.from({ length: 20_000 }, (_, i) => `  host 2001:db8::1:${i.toString(16)}\n`).join('')
  const many = writeFiles({ 'many.conf': `subnet 2001:db8::/64 {\n  upstream eth0\n  downstream eth1\n${hosts}}\n` })
  t.teardown(many.close)
  const daemon = new Proc(command('--config', many.path('many.conf')), { ...ENV, ...RUN })
  t.teardown(() => daemon.stop('SIGKILL'))
  await until(async () => await stateNow().catch(() => undefined) === 'starting')
  const { exit, status } = statusOf(t)
  t.ok(exit === 0 && status.running === true, 'the command works during the start as well')
  await until(async () => await stateNow() === 'serving')
  await until(() => sh('ip -6 route show 2001:db8::1:4e1f') !== '')
  await sleep(2000) // Replies have taken more than their share of the time, so the next one would come late.
  t.ok(packetSockets().length > 0)
  const stopped = daemon.stop()
  await until(() => packetSockets().length === 0)
  t.equal(await stateNow(), 'stopping', 'it receives no packets any more, and the routes are being deleted')
  t.equal(await stopped, 0)
})

t.test('without a daemon', async (t) => {
  const { status, stdout, stderr } = runStatus()
  t.equal(status, 3)
  t.equal(stdout, '')
  t.match(stderr, /^ndp6d: not running \(no process listens at .*`systemctl start ndp6d` starts it/)
  t.same(statusOf(t), { exit: 3, status: { schema: 'ndp6d/status/1', running: false, reason: 'not-listening' } })
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
  const { status, stdout, stderr } = run(['setpriv', '--bounding-set', '-all', '--inh-caps', '-all', ...command('status', '--json')], RUN)
  t.equal(status, 4)
  t.same(JSON.parse(stdout), { schema: 'ndp6d/status/1', running: null, reason: 'not-permitted' })
  t.same(schemaErrors('status', stdout), [])
  t.match(stderr, /^ndp6d: not permitted to connect to the daemon: run this command with sudo/)
  t.equal(await daemon.stop(), 0)
})

t.test('a daemon without a control socket logs why, and works', async (t) => {
  const daemon = await startDaemon(t, [files.path('ndp6d.conf')], { RUNTIME_DIRECTORY: files.path('ndp6d.conf') })
  t.ok(daemon.lines.some((line) => /"event":"control".*`ndp6d status` cannot connect to this daemon: /.test(line)))
  t.equal(await daemon.stop(), 0)
})

t.test('control characters of an interface name are replaced', async (t) => {
  sh(`ip link set eth1 down; ip link set eth1 name "$(printf 'e\\033[1m')"; ip link set "$(printf 'e\\033[1m')" up`)
  const { path, close } = writeFiles({ 'odd.conf': 'subnet 2001:db8:1::/64 {\n  upstream eth0\n  downstream e*\n}\n' })
  t.teardown(close)
  const daemon = await start(path('odd.conf'))
  t.match(runStatus().stdout, /^e\?\[1m +downstream +serving /m)
  t.equal(await daemon.stop(), 0)
  sh(`ip link set "$(printf 'e\\033[1m')" down; ip link set "$(printf 'e\\033[1m')" name eth1; ip link set eth1 up`)
})

t.test('the reader may close the pipe before the last of 4000 neighbors', async (t) => {
  const hosts = Array.from({ length: 4000 }, (_, i) => `  host 2001:db8::${(i + 2).toString(16)}\n`).join('')
  const many = writeFiles({ 'many.conf': `subnet 2001:db8::/64 {\n  upstream eth0\n  downstream eth1\n${hosts}}\n` })
  t.teardown(many.close)
  const daemon = await start(many.path('many.conf'))
  const { hosts: known } = JSON.parse(runStatus('--json').stdout) as Status
  t.equal(known.filter(({ pinned }) => pinned).length, 4000, 'besides those of routes that the previous daemon left')
  const { stdout, stderr } = run(['sh', '-c', '{ "$@"; echo "status $?" >&2; } | head -n 1', 'sh', ...command('status')], RUN)
  t.match(stdout, /^ndp6d .*\n$/)
  t.equal(stderr, 'status 0\n')
  t.equal(await daemon.stop(), 0)
})
