/**
 * The journal's catalog under a real systemd: `journalctl -x` explains each event, with all variables filled. Root of a user namespace
 * cannot boot systemd.
 */
import t from 'tap'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { MESSAGE_IDS, PROBLEMS } from '../../src/log/message-ids.ts'
import { na, ns } from '../kit/frames.ts'
import { enterNamespaces } from '../kit/namespace.ts'
import { Lab } from './kit/lab.ts'
import { until } from '../kit/until.ts'
import { canBoot, ROOT, Systemd } from './kit/systemd.ts'

await enterNamespaces()

const CATALOG = readFileSync(join(ROOT, 'systemd', 'ndp6d.catalog'), 'utf8')
const PROGRAM = '/opt/node /opt/ndp6d/dist/ndp6d.cjs'
const UNIT = readFileSync(join(ROOT, 'systemd', 'ndp6d.service'), 'utf8').replace(/^ExecStart=.*/m, `ExecStart=${PROGRAM} -c /etc/ndp6d.conf`)
const VM = '2001:db8::2', THIEF = '02:00:00:00:00:66'
const subnet = (...lines: string[]): string => ['subnet 2001:db8::/64 {', 'upstream eth0', 'downstream eth1 eth9 port1', ...lines, '}', ''].join('\n')

if (canBoot()) t.test('journalctl -x', async (t) => {
  const lab = Lab.create()
  t.teardown(() => lab.close())
  const [router, proxy, vm] = await Promise.all([lab.host('router'), lab.host('proxy'), lab.host('vm')])
  lab.link(router, 'eth0', proxy, 'eth0', { macs: ['02:00:00:00:00:01', '02:00:00:00:00:ff'] })
  lab.link(vm, 'eth0', proxy, 'eth1', { macs: ['02:00:00:00:00:02', '02:00:00:00:01:ff'] })
  vm.ip(`addr add ${VM}/64 dev eth0`)
  lab.link(vm, 'port1', proxy, 'port1')
  proxy.ip('link add br7 type bridge', 'link set port1 master br7', 'link set br7 up')
  const systemd = await Systemd.boot(proxy, [`${ROOT}:/opt/ndp6d`, `${process.execPath}:/opt/node`])
  t.teardown(() => systemd.close())
  systemd.write('/usr/lib/systemd/catalog/ndp6d.catalog', CATALOG)
  systemd.exec('journalctl', '--update-catalog')
  const explained = (event: string, ...more: string[]): string => {
    const entries = systemd.exec('journalctl', '-x', '--no-pager', `MESSAGE_ID=${MESSAGE_IDS[event]}`, ...more)
    t.match(entries, /^░░ Subject: \S/m, `${event} is explained`)
    t.match(entries, /^░░ {3}\S/m, `${event}: with a command`)
    t.notMatch(entries, /@[A-Z_]+@/, `${event}: with all variables filled`)
    return entries
  }

  await t.test('each event, written by the log of ndp6d', async (t) => {
    systemd.exec('env', '--chdir=/', '/opt/node', '/opt/ndp6d/dist/test/lab/kit/send-problems.js')
    await until(() => systemd.journal('SYSLOG_IDENTIFIER=ndp6d').length === Object.keys(PROBLEMS).length)
    for (const event of Object.keys(PROBLEMS)) explained(event)
    t.match(explained('conflict'), /^░░ {3}journalctl -u ndp6d NDP_TARGET=2001:db8::2$/m, 'the command has the address')
  })

  await t.test('events of the daemon', async (t) => {
    const of = '_SYSTEMD_UNIT=ndp6d.service'
    const logged = (event: string) => until(() => systemd.journal(`NDP_EVENT=${event}`, of).at(0), 30_000, event)
    systemd.write('/etc/systemd/system/ndp6d.service', UNIT)
    systemd.exec('systemctl', 'daemon-reload')
    systemd.write('/etc/ndp6d.conf', subnet('upsteam eth0'))
    systemd.run(['systemctl', 'start', 'ndp6d'])
    t.match(await logged('config-refused'), { CONFIG_FILE: '/etc/ndp6d.conf', PRIORITY: '3', MESSAGE: /^\/etc\/ndp6d\.conf:\d+:\d+: / })

    systemd.exec('sh', '-c', 'mkdir -p /var/lib/private/ndp6d && echo damaged >/var/lib/private/ndp6d/hosts.json')
    systemd.write('/etc/ndp6d.conf', subnet())
    systemd.exec('systemctl', 'start', 'ndp6d')
    const solicitation = ns({ from: '02:00:00:00:00:01', source: router.linkLocal('eth0'), target: VM })
    await until(async () => await router.inject('eth0', [solicitation]) > 0 && proxy.ourRoutes().includes(VM))
    // An answer from the upstream within a second of a probe there would be a proof.
    await new Promise((resolve) => setTimeout(resolve, 1500))
    const claim = na({ from: THIEF, target: VM })
    await router.inject('eth0', Array<Uint8Array>(100).fill(claim), 10)
    await router.scan('eth0', ns({ from: THIEF, source: 'fe80::66', target: '2001:db8::8000:0:0:1' }), 10_000, 2)
    systemd.write('/etc/good.conf', subnet())
    systemd.write('/etc/ndp6d.conf', subnet('banana'))
    systemd.run(['systemctl', 'reload', 'ndp6d'])
    const second = systemd.run(['env', '--chdir=/', ...PROGRAM.split(' '), '--log', 'journal', '-c', '/etc/good.conf'])
    t.equal(second.status, 1)
    await until(() => systemd.journal('NDP_EVENT=start-failed', 'PRIORITY=3', 'NDP_REASON=already running').length === 1)

    t.match(await logged('conflict'), { NDP_TARGET: VM, NDP_LLADDR: THIEF, INTERFACE: 'eth0', NDP_SUBNET: '2001:db8::/64', PRIORITY: '4' })
    t.match(await logged('link-missing'), { INTERFACE: 'eth9' })
    t.match(await logged('link-enslaved'), { INTERFACE: 'port1', NDP_MASTER: 'br7' })
    t.match(await logged('scan'), { NDP_LLADDR: THIEF, NDP_COUNT: /^\d+$/ })
    await logged('state-file')
    await logged('forwarding-off')
    for (const event of ['config-refused', 'conflict', 'link-missing', 'link-enslaved', 'scan', 'state-file', 'forwarding-off']) explained(event, of)
    t.match(explained('link-missing', of), /Subject: ndp6d waits for the interface eth9$/m)
    t.match(systemd.journal('NDP_EVENT=neighbor', of).at(0), { NDP_SUBNET: '2001:db8::/64', PRIORITY: '6' })
    t.match(systemd.journal('NDP_EVENT=ready', of).at(0), { PRIORITY: '5' }, 'a notice')
  })
})
