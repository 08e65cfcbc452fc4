/**
 * The shipped unit under a real systemd: readiness, watchdog, journal, reload, restart, and the end without traces. Root of a user
 * namespace cannot boot systemd; then the unit is only verified.
 */
import t from 'tap'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Status } from '../../src/replies/status.ts'
import { MESSAGE_IDS } from '../../src/log/message-ids.ts'
import { ns } from '../kit/frames.ts'
import { type Capture, type Host, Lab } from './kit/lab.ts'
import { until } from '../kit/until.ts'
import { ROOT, Systemd, canBoot } from './kit/systemd.ts'
import { enterNamespaces } from '../kit/namespace.ts'

await enterNamespaces()

const UNIT = join(ROOT, 'systemd', 'ndp6d.service')
const CONFIG = 'proxy eth9 {\n  rule 2001:db8:9::/64 {\n    static\n  }\n}\nproxy eth0 {\n  rule 2001:db8:1::/64 {\n    static\n  }\n}\n'
const PINNED = 'subnet 2001:db8:9::/64 {\n  upstream eth0\n  downstream eth9\n  host 2001:db8:9::1 eth9\n}\n'
const SOLICITOR = '02:00:00:00:00:01'

/** @returns the unit with the build in place of the installed program, and a short watchdog */
function unitForLab(): string {
  return readFileSync(UNIT, 'utf8').replaceAll('=/usr/sbin/ndp6d ', '=/opt/node /opt/ndp6d/dist/ndp6d.cjs ')
    .replace(/^WatchdogSec=.*/m, 'WatchdogSec=1s')
}

/** Solicits `target`. @returns whether an NA for it arrives within `limit` milliseconds */
async function answered(router: Host, seen: Capture, target: string, limit = 10_000): Promise<boolean> {
  const before = seen.of('NA', target).length
  await router.inject('eth0', [ns({ from: SOLICITOR, source: 'fe80::ff:fe00:1', target })])
  return until(() => seen.of('NA', target).length > before, limit).catch(() => false)
}

t.test('systemd-analyze finds nothing wrong with the unit', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'ndp6d-unit-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const file = join(directory, 'ndp6d.service')
  // systemd-analyze refuses a program that is not installed.
  writeFileSync(file, readFileSync(UNIT, 'utf8').replaceAll('=/usr/sbin/ndp6d ', `=${process.execPath} `))
  const verify = spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' })
  t.equal(verify.stderr, '', 'no unknown directive')
  t.equal(verify.status, 0, 'verified')
  const security = spawnSync('systemd-analyze', ['security', '--offline=true', '--threshold=20', '--no-pager', file], { encoding: 'utf8' })
  t.equal(security.status, 0, `exposed no more than 2.0: ${security.stdout.trim().split('\n').at(-1)}`)
  t.end()
})

if (canBoot()) t.test('a service of systemd', async (t) => {
  const lab = Lab.create()
  t.teardown(() => lab.close())
  const [router, proxy] = await Promise.all([lab.host('router'), lab.host('proxy')])
  lab.link(router, 'eth0', proxy, 'eth0', { macs: [SOLICITOR, '02:00:00:00:00:ff'] })
  const systemd = await Systemd.boot(proxy, [`${ROOT}:/opt/ndp6d`, `${process.execPath}:/opt/node`])
  t.teardown(() => systemd.close())      // before the lab, which would leave its cgroup
  let seen = await router.capture('eth0')
  // One setting cannot be read while it is unset.
  const readSettings = (): string => proxy.exec('sh', '-c', 'cd /proc/sys/net/ipv6/conf; grep -rs . all eth0; true')
  const settings = readSettings()
  const show = (property: string): string => systemd.show('ndp6d', property)
  const log = (): string => systemd.exec('journalctl', '--no-pager', '--output=cat', '--unit=ndp6d')
  systemd.write('/etc/systemd/system/ndp6d.service', unitForLab())
  systemd.exec('systemctl', 'daemon-reload')
  systemd.exec('systemd-sysusers', '/opt/ndp6d/systemd/sysusers.d/ndp6d.conf')

  systemd.write('/etc/ndp6d.conf', 'proxy eth0 {\n  rule banana {\n')
  t.not(systemd.run(['systemctl', 'start', 'ndp6d']).status, 0, 'a bad configuration does not start')
  t.equal(show('ExecMainStatus'), '78', 'EX_CONFIG')
  t.equal(show('ActiveState'), 'failed', 'and is not tried again')
  t.match(log(), /ndp6d\.conf:2:/, 'the journal has the line')
  t.match(systemd.run(['env', '--chdir=/', '/opt/node', '/opt/ndp6d/dist/ndp6d.cjs', 'status']).stderr, /\nLast problem in the journal, [-\d]+ [\d:]+: \/etc\/ndp6d\.conf:\d+:\d+: error: /, 'so has status')

  systemd.write('/etc/ndp6d.conf', CONFIG)
  t.equal(systemd.run(['systemctl', 'start', 'ndp6d']).stderr, '', 'a good one does, and is ready')
  t.equal(show('ActiveState'), 'active', 'active')
  t.ok(await answered(router, seen, '2001:db8:1::5'), 'answers on the wire')
  const status = systemd.exec('cat', `/proc/${show('MainPID')}/status`)
  t.match(status, /^Uid:\t[1-9]\d*\t[1-9]/m, 'without being root')
  t.match(status, /^CapEff:\t0*3000$/m, 'with two capabilities')
  t.equal(show('StatusText'), '1 link, 0 hosts, 0 routes; waiting for eth9', 'with a line that says what it serves')
  const told = JSON.parse(systemd.exec(
    'env', '--chdir=/', '/opt/node', '/opt/ndp6d/dist/ndp6d.cjs', 'status', '--json')) as Status
  t.equal(String(told.pid), show('MainPID'), 'root may ask it')

  router.ip('link set eth0 down')
  const entry = await until(() => systemd.journal('NDP_EVENT=link', 'INTERFACE=eth0', 'NDP_STATE=down').at(0))
  t.match(entry, { MESSAGE_ID: MESSAGE_IDS.link, PRIORITY: '5', SYSLOG_IDENTIFIER: 'ndp6d', MESSAGE: 'eth0 is down',
    _SYSTEMD_UNIT: 'ndp6d.service' }, 'an event is an entry with fields of its own')
  router.ip('link set eth0 up')
  seen = await router.capture('eth0')      // the first one ended with the link

  systemd.write('/etc/ndp6d.conf', CONFIG.replace('db8:1:', 'db8:2:'))
  systemd.exec('systemctl', 'kill', '--signal=HUP', 'ndp6d')
  await until(() => answered(router, seen, '2001:db8:2::5', 100))
  t.notOk(await answered(router, seen, '2001:db8:1::6', 300), 'after a reload the old one is not')

  await new Promise((resolve) => setTimeout(resolve, 1500))
  t.equal(show('NRestarts'), '0', 'the watchdog is fed')
  systemd.exec('systemctl', 'kill', '--signal=KILL', 'ndp6d')
  await until(() => show('NRestarts') === '1' && show('ActiveState') === 'active')
  t.ok(await answered(router, seen, '2001:db8:2::7'), 'it answers again after SIGKILL')

  lab.link(router, 'eth9', proxy, 'eth9')
  systemd.write('/etc/ndp6d.conf', PINNED)
  systemd.exec('systemctl', 'kill', '--signal=HUP', 'ndp6d')
  // A finding of the checks, which are made every minute, would follow.
  await until(() => /^2 links, 1 host, 1 route(; \d+ findings?: ndp6d doctor)?$/.test(show('StatusText')))
  const before = show('MainPID')
  systemd.exec('systemctl', 'restart', 'ndp6d')
  t.not(show('MainPID'), before)
  t.match(log(), /stopped by SIGUSR2 for a restart/)
  t.same(proxy.ourRoutes(), ['2001:db8:9::1'], 'a restart keeps the route')

  // The signal makes the program compute for ever.
  systemd.write('/hang.cjs', 'process.on("SIGWINCH", () => { for (;;); })')
  systemd.exec('mkdir', '/etc/systemd/system/ndp6d.service.d')
  systemd.write('/etc/systemd/system/ndp6d.service.d/hang.conf', '[Service]\nEnvironment=NODE_OPTIONS=--require=/hang.cjs\n')
  systemd.exec('systemctl', 'daemon-reload')
  systemd.exec('systemctl', 'restart', 'ndp6d')
  const hung = show('MainPID')
  systemd.exec('systemctl', 'kill', '--kill-who=main', '--signal=WINCH', 'ndp6d')
  await until(() => show('MainPID') !== hung && show('ActiveState') === 'active')
  t.match(systemd.exec('journalctl', '--no-pager', '--output=cat', '_PID=1'), /Watchdog timeout/, 'the watchdog restarts a daemon that hangs')
  t.same(proxy.ourRoutes(), ['2001:db8:9::1'], 'with its route')

  // Without CAP_NET_ADMIN.
  systemd.exec('cp', '/opt/ndp6d/systemd/answers-only.conf', '/etc/systemd/system/ndp6d.service.d/hang.conf')
  systemd.write('/etc/ndp6d.conf', CONFIG)
  systemd.exec('systemctl', 'stop', 'ndp6d')
  systemd.exec('systemctl', 'daemon-reload')
  systemd.exec('systemctl', 'start', 'ndp6d')
  t.equal(show('StatusText'), '2 links, 0 hosts, no routes (answers only)')
  t.match(systemd.exec('cat', `/proc/${show('MainPID')}/status`), /^CapEff:\t0*2000$/m)
  t.ok(await answered(router, seen, '2001:db8:1::8'), 'it answers with one capability')

  t.equal(show('CPUWeight'), '1000', 'a larger share of a busy CPU')

  systemd.exec('systemctl', 'stop', 'ndp6d')
  t.equal(show('Result'), 'success', 'a clean stop')
  t.equal(proxy.exec('nft', 'list', 'ruleset'), '', 'leaves no nftables table')
  t.same(proxy.ourRoutes(), [], 'no route')
  t.equal(proxy.exec('ip', '-6', 'neigh', 'show', 'proxy'), '', 'no proxy entry')
  t.equal(readSettings(), settings, 'no setting')
  t.notMatch(proxy.exec('ip', 'link', 'show', 'eth0'), /PROMISC|ALLMULTI/, 'no interface flag')
  t.equal(systemd.run(['test', '-e', '/run/ndp6d']).status, 1, 'no file in /run')
  t.match(systemd.journal('SYSLOG_IDENTIFIER=ndp6d', '--priority=err'), [{ NDP_EVENT: 'config-refused' }],
    'and no error in the journal but for the bad configuration')
})
