/** `systemctl reload` under load: a broken file is refused, a changed one keeps the sockets of its links, and a trial is undone. */
import t from 'tap'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { enterNamespaces } from '../kit/namespace.ts'
import { ns } from '../kit/frames.ts'
import { until } from '../kit/until.ts'
import type { Status } from '../../src/replies/status.ts'
import { Lab } from './kit/lab.ts'
import { canBoot, ROOT, Systemd } from './kit/systemd.ts'

await enterNamespaces()

const SOLICITOR = '02:00:00:00:00:01'
const RATE = 1000
const SECONDS = 10
const CONFIG = 'proxy eth0 {\n  rule 2001:db8:1::/64 { static }\n}\n'
const PROGRAM = '/opt/node /opt/ndp6d/dist/ndp6d.cjs'

function unitForLab(): string {
  return readFileSync(join(ROOT, 'systemd', 'ndp6d.service'), 'utf8')
    .replace(/^ExecStart=.*/m, `ExecStart=${PROGRAM} --config /etc/ndp6d.conf`).replace(/^ExecReload=.*/m, `ExecReload=${PROGRAM} reload`)
}

if (canBoot()) t.test('systemctl reload', { timeout: 300_000 }, async (t) => {
  const lab = Lab.create()
  t.teardown(() => lab.close())
  const [router, proxy] = await Promise.all([lab.host('router'), lab.host('proxy')])
  lab.link(router, 'eth0', proxy, 'eth0', { macs: [SOLICITOR, '02:00:00:00:00:ff'] })
  lab.link(router, 'eth1', proxy, 'eth1', { macs: ['02:00:00:00:00:02', '02:00:00:00:00:fe'] })
  const systemd = await Systemd.boot(proxy, [`${ROOT}:/opt/ndp6d`, `${process.execPath}:/opt/node`])
  t.teardown(() => systemd.close())      // before the lab, which would leave its cgroup
  const show = (property: string): string => systemd.show('ndp6d', property)
  const ndp6d = (...args: string[]) => systemd.run(['env', '--chdir=/', ...PROGRAM.split(' '), ...args])
  const status = (): Status => JSON.parse(ndp6d('status', '--json').stdout) as Status
  /** Runs `systemctl reload ndp6d`. */
  const reload = (): { status: number | null; time: number } => {
    const begin = performance.now()
    const { status } = systemd.run(['systemctl', 'reload', 'ndp6d'])
    return { status, time: Math.round(performance.now() - begin) }
  }
  // Inodes of packet sockets, the last column.
  const sockets = (): string[] => systemd.exec('sh', '-c', `tail -n +2 /proc/${show('MainPID')}/net/packet | grep -o '[0-9]*$'`)
    .trim().split('\n')
  systemd.write('/etc/systemd/system/ndp6d.service', unitForLab())
  systemd.exec('systemctl', 'daemon-reload')
  systemd.write('/etc/ndp6d.conf', CONFIG)
  systemd.exec('systemctl', 'start', 'ndp6d')

  const seen = await router.capture('eth0')
  const solicit = ns({ from: SOLICITOR, source: 'fe80::ff:fe00:1', target: '2001:db8:1::8000:0:0:1' })
  const scan = router.scan('eth0', solicit, RATE, SECONDS)
  await until(() => seen.frames.filter(({ kind }) => kind === 'NA').length > RATE, 10_000)
  systemd.write('/etc/ndp6d.conf', CONFIG.replace('static', 'stattic'))
  const broken = reload()
  t.equal(broken.status, 1, `a broken file fails, here after ${broken.time} ms`)
  t.equal(show('ActiveState'), 'active')
  t.equal(show('NRestarts'), '0')
  t.match(status().reload, { verdict: 'refused', changedOnDisk: true })
  t.match(show('StatusText'), /\/etc\/ndp6d\.conf differs from the running configuration and was refused/)
  const log = systemd.exec('journalctl', '--no-pager', '--output=cat', '--unit=ndp6d')
  t.match(log, /ndp6d\.conf:2:\d+: error: .*stattic/, 'the errors are in the journal')
  t.match(log, /Nothing changed: ndp6d goes on with the configuration of /)
  const sent = await scan
  const targets = (kind: string): Set<string> => new Set(seen.frames.filter((frame) => frame.kind === kind).map(({ target }) => target))
  await until(() => targets('NS').size - targets('NA').size <= 0, 10_000).catch(() => {})
  const answered = targets('NA')
  t.same([...targets('NS')].filter((target) => /^2001:db8:1:/.test(target) && !answered.has(target)), [], `none of ${sent} solicitations is unanswered`)
  t.ok(sent >= RATE * SECONDS / 2, `${Math.round(sent / SECONDS)} solicitations a second`)

  const before = sockets()
  systemd.write('/etc/ndp6d.conf', `${CONFIG}proxy eth1 {\n  rule 2001:db8:2::/64 { static }\n}\n`)
  t.equal(reload().status, 0, 'a changed file')
  const after = sockets()
  t.same(before.filter((socket) => !after.includes(socket)), [], 'the sockets of the unchanged link have the same inodes')
  t.ok(after.length > before.length, 'and the new link has its own')
  t.match(show('StatusText'), /^2 links, 0 hosts, 0 routes(?!.*differs)/)
  t.equal(show('ActiveState'), 'active')

  systemd.write('/etc/ndp6d.conf', CONFIG)
  t.match(ndp6d('reload', '--try', '5s'), { status: 0, stdout: /- rule 2001:db8:2::\/64 .*\n.*Undone at / })
  t.match(show('StatusText'), /configuration on trial until \d\d:\d\d:\d\d: ndp6d reload --confirm/)
  await until(() => show('StatusText').includes('differs'), 15_000)
  const times = systemd.journal('NDP_EVENT=reload').slice(-2).map((entry) => Number(entry.__REALTIME_TIMESTAMP) / 1000)
  t.match(status(), { links: [{ name: 'eth0' }, { name: 'eth1' }], reload: { verdict: 'undone', changedOnDisk: true } },
    `the former configuration is back, here after ${Math.round(times[1] - times[0])} ms`)
  t.equal(show('ActiveState'), 'active')
  systemd.exec('systemctl', 'stop', 'ndp6d')
})
