/** `ndp6d metrics` and the endpoint `metrics` of the configuration, with a real daemon. */
import t from 'tap'
import { lstatSync, readFileSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { METRICS } from '../../src/exporter/catalog.ts'
import { promtool } from '../exporter/promtool.ts'
import { schemaErrors } from '../kit/schema.ts'
import { command, type Ended, ENV, run, writeFiles } from '../fixtures/program.ts'
import { ns } from '../kit/frames.ts'
import { get } from '../kit/http.ts'
import { ownNamespace, sh, veth } from '../kit/namespace.ts'
import { until } from '../kit/until.ts'
import { Proc } from '../lab/kit/process.ts'
import { Wire } from '../linux/kit/links.ts'

await ownNamespace()
veth('eth0', 'far0')
sh('ip -6 addr add 2001:db8::ff/64 dev eth0 nodad')
veth('vm1', 'guest1')
veth('vm2', 'guest2')

const SUBNET = 'subnet 2001:db8::/64 {\n  upstream eth0\n  downstream vm* eth9\n  host 2001:db8::9 vm1\n}\n'
const files = writeFiles({ 'served.conf': `metrics 9436\n${SUBNET}`, 'plain.conf': SUBNET })
t.teardown(files.close)
// Other tests with daemons run at the same time.
const RUN = { RUNTIME_DIRECTORY: files.path('run') }

function metrics(...args: string[]): Ended { return run(command('metrics', ...args), RUN) }

async function start(file: string, prefix: readonly string[] = []): Promise<Proc> {
  const daemon = new Proc([...prefix, ...command('--config', files.path(file))], { ...ENV, ...RUN })
  t.teardown(() => daemon.stop('SIGKILL'))
  await daemon.line(/\bready\b/)
  return daemon
}

async function scrape(port = 9436): Promise<string> { return (await get(`http://[::1]:${port}/metrics`)).text }

/** @returns all series of a text, without their values */
function series(text: string): string[] { return text.split('\n').filter((line) => /^\w/.test(line)).map((line) => line.replace(/ \S+$/, '')) }

function value(text: string, name: string): number {
  const line = text.split('\n').find((each) => each.startsWith(`${name} `))
  return line === undefined ? Number.NaN : Number(line.slice(name.length + 1))
}

t.test('the same text by HTTP and by command', async (t) => {
  const daemon = await start('served.conf')
  const served = await scrape()
  const { status, stdout, stderr } = metrics()
  t.equal(stderr, '')
  t.equal(status, 0)
  t.same(series(stdout), series(served))
  t.equal(promtool(['check', 'metrics'], served), '')
  for (const [name, { help }] of Object.entries(METRICS)) t.ok(served.includes(`# HELP ${name} ${help}\n`), name)
  t.notMatch(series(served).join('\n'), /2001:|fe80:|[0-9a-f]{2}:[0-9a-f]{2}:/, 'no address in a label')

  const names = ['eth0', 'vm*', 'eth9']
  const labels = (metric: string) => series(served).filter((line) => line.startsWith(`${metric}{`)).map((line) => /interface="([^"]+)"/.exec(line)![1])
  t.same(new Set(labels('ndp6d_frames_sent_total')), new Set(names), 'the words of the configuration, not the links')
  t.equal(value(served, 'ndp6d_links_serving{interface="vm*",role="downstream"}'), 2)
  t.equal(value(served, 'ndp6d_links_serving{interface="eth9",role="downstream"}'), 0)
  t.equal(value(served, 'ndp6d_links_serving{interface="eth0",role="upstream"}'), 1)
  t.equal(value(served, 'ndp6d_neighbors{state="REACHABLE"}'), 1)
  t.equal(value(served, 'ndp6d_routes{state="installed"}'), 1)
  t.equal(value(served, 'ndp6d_solicitations_total{outcome="answered"}'), 0, 'zero from the start')
  t.equal(value(served, 'ndp6d_limit_refusals_total{limit="host"}'), 0)
  t.ok(value(served, 'ndp6d_limit_size{limit="learned addresses"}') > 0)
  t.ok(value(served, 'process_open_fds') > 5 && value(served, 'process_max_fds') > 100)
  t.ok(Math.abs(value(served, 'process_start_time_seconds') - Date.now() / 1000) < 60)

  const wire = new Wire('far0')
  t.teardown(() => wire.close())
  wire.send(ns({ target: '2001:db8::9', source: 'fe80::2', from: '02:00:00:00:00:02' }), 3)
  await until(async () => value(await scrape(), 'ndp6d_solicitations_total{outcome="answered"}') === 3)
  const after = await scrape()
  t.ok(value(after, 'ndp6d_solicitations_received_total{interface="eth0"}') >= 3)
  const sum = (metric: string) => series(after).filter((name) => name.startsWith(`${metric}{`)).reduce((all, name) => all + value(after, name), 0)
  // The kernel at the other ends solicits as well.
  t.equal(sum('ndp6d_solicitations_received_total'), sum('ndp6d_solicitations_total'), 'each one has a link and an outcome')
  t.ok(value(after, 'ndp6d_advertisements_sent_total{interface="eth0"}') >= 3)
  t.ok(value(after, 'ndp6d_frames_sent_total{interface="eth0"}') >= 3)

  const finding = 'ndp6d_findings{code="forwarding-off",severity="error"}'
  t.ok(series(served).includes(finding), 'each check has a series from the start')
  await until(async () => value(await scrape(), finding) === 1)

  sh('ip link del vm2')
  await until(async () => value(await scrape(), 'ndp6d_links_serving{interface="vm*",role="downstream"}') === 1)
  t.equal(await daemon.stop(), 0)
})

t.test('a file for the textfile collector', async (t) => {
  const daemon = await start('plain.conf')
  const out = writeFiles({})
  t.teardown(out.close)
  const file = out.path('ndp6d.prom')
  const { status, stdout, stderr } = run(['sh', '-c', 'umask 077; exec "$@"', 'sh', ...command('metrics', '--write', file)], RUN)
  t.same([status, stdout, stderr], [0, '', ''])
  t.equal(metrics('--write', file).status, 0, 'the file is replaced')
  t.match(readFileSync(file, 'utf8'), /^ndp6d_build_info{version="[^"]+",node="v[^"]+"} 1$/m)
  t.notMatch(readFileSync(file, 'utf8'), /^process_/m, 'node_exporter has metrics of this name itself')
  t.equal(statSync(file).mode & 0o777, 0o644, 'node_exporter is another user')
  t.same(readdirSync(out.path('.')), ['ndp6d.prom'], 'nothing else is left')
  const failed = metrics('--write', out.path('none/ndp6d.prom'))
  t.equal(failed.status, 1)
  t.match(failed.stderr, /^ndp6d: cannot write .*none\/ndp6d\.prom: the directory .*none does not exist: create it/)
  sh(`mkdir -m 555 ${out.path('closed')}`)
  const refused = run(['setpriv', '--bounding-set', '-all', '--inh-caps', '-all', ...command('metrics', '--write', out.path('closed/x.prom'))], RUN)
  t.match(refused, { status: 4, stderr: /^ndp6d: cannot write .*x\.prom: not permitted in .*closed: run this command with sudo\n$/ })
  run(['mkfifo', out.path('fifo')])
  t.match(metrics('--write', out.path('fifo')), { status: 1, stderr: /fifo: not a regular file: name another one\n$/ })
  t.equal(statSync(out.path('fifo')).isFIFO(), true, 'not replaced')
  // As /dev/stdout is, if the output goes to a file.
  symlinkSync(file, out.path('link'))
  t.match(metrics('--write', out.path('link')), { status: 1, stderr: /link: not a regular file: name another one\n$/ })
  t.equal(lstatSync(out.path('link')).isSymbolicLink(), true, 'not replaced')
  const readOnly = run(['unshare', '-m', 'sh', '-c', 'mount --bind "$0" "$0"; mount -o remount,ro,bind "$0"; exec "$@"', out.path('.'),
    ...command('metrics', '--write', out.path('x.prom'))], RUN)
  t.match(readOnly, { status: 4, stderr: /x\.prom: its file system is read-only/ })
  t.match(metrics('--json', '--write', file), { status: 2, stderr: /^ndp6d: `--json` and `--write` exclude each other/ })
  const { stdout: json } = metrics('--json')
  t.same(schemaErrors('metrics', json), [])
  t.match(JSON.parse(json).metrics.find(({ name }: { name: string }) => name === 'ndp6d_links_serving').series[0],
    { labels: { interface: 'eth0', role: 'upstream' }, value: 1 })
  t.notOk(daemon.lines.some((line) => line.includes('metrics')), 'a daemon without `metrics` serves none')
  t.equal(await daemon.stop(), 0)
})

t.test('without a daemon', (t) => {
  const { status, stderr } = metrics()
  t.equal(status, 3)
  t.match(stderr, /^ndp6d: not running/)
  t.end()
})

t.test('reloads', async (t) => {
  const file = files.path('served.conf')
  const daemon = await start('served.conf')
  const reload = async (text: string, line: RegExp): Promise<void> => {
    writeFileSync(file, text)
    const from = daemon.lines.length
    daemon.child.kill('SIGHUP')
    await daemon.line(line, undefined, from)
  }
  await reload(`metrics [::1]:9437\n${SUBNET}`, /serving metrics at http:..\[::1\]:9437/)
  const moved = await scrape(9437)
  t.equal(value(moved, 'ndp6d_config_reloads_total{verdict="applied"}'), 1)
  t.ok(await scrape().then(() => false, () => true), 'the former endpoint is closed')
  await reload('subnet {', /the former configuration stays in force/)
  const refused = await scrape(9437)
  t.equal(value(refused, 'ndp6d_config_reloads_total{verdict="refused"}'), 1)
  t.equal(value(refused, 'ndp6d_config_last_reload_successful'), 0)
  t.equal(value(refused, 'ndp6d_config_last_reload_success_timestamp_seconds'),
    value(moved, 'ndp6d_config_last_reload_success_timestamp_seconds'))
  writeFileSync(file, `metrics 9438\n${SUBNET}`)
  t.equal(run(command('reload', '--try', '1s'), RUN).status, 0)
  await until(async () => value(await scrape(9437).catch(() => ''), 'ndp6d_config_reloads_total{verdict="undone"}') === 1)
  t.ok(await scrape(9438).then(() => false, () => true), 'the endpoint of a trial goes with it')
  await reload(SUBNET, /\breloaded\b/)
  t.ok(await scrape(9437).then(() => false, () => true), 'without `metrics`, nothing is served')
  t.equal(await daemon.stop(), 0)
})

t.test('a port for root only', async (t) => {
  writeFileSync(files.path('low.conf'), `metrics 80\n${SUBNET}`)
  const daemon = await start('low.conf', ['setpriv', '--bounding-set', '-net_bind_service', '--inh-caps', '-net_bind_service'])
  await daemon.line(/cannot serve metrics at \[::1\]:80: not permitted: choose a port above 1023/)
  t.equal(value(metrics().stdout, 'ndp6d_links_serving{interface="eth0",role="upstream"}'), 1, 'the daemon goes on')
  writeFileSync(files.path('low.conf'), `metrics 81\n${SUBNET}`)
  daemon.child.kill('SIGHUP')
  await daemon.line(/cannot serve metrics at \[::1\]:81: not permitted/)
  t.equal(await daemon.stop(), 0)
})
