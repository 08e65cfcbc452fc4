/**
 * The .deb in a real systemd: the story on each Node, an exchange of Node, an upgrade under traffic, removal and purge. `npm run deb` builds
 * it; without one, and in a user namespace, which has no systemd, there is nothing to test.
 */
import t from 'tap'
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { numbers } from '../kit/addresses.ts'
import { enterNamespaces } from '../kit/namespace.ts'
import { until } from '../kit/until.ts'
import { type Host, Lab } from './kit/lab.ts'
import { ROOT, Systemd, canBoot } from './kit/systemd.ts'
import { buildTopology, ROUTER, vmAddress } from './kit/topology.ts'

await enterNamespaces()

const DIST = join(ROOT, 'dist')
const NODES = join(ROOT, 'build', 'node')
const { version, engines } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string; engines: { node: string } }
const DEB = readdirSync(DIST).find((name) => name === `ndp6d_${version}_${process.arch.replace('x64', 'amd64')}.deb`)
const SUPPORTED = engines.node.split('||').map((range) => /\d+/.exec(range)![0])
const VMS = numbers(2, 11)
const CONFIG = `forwarding yes\nsubnet 2001:db8::/64 {\n  upstream eth0\n  downstream eth1\n  host ${ROUTER} eth0\n}\n`
const COMPILERS = 'cc c++ gcc* g++* cpp* clang* make python3* *-linux-gnu-g* *-linux-gnu-cpp* ld as node-gyp npm npx'
/** Everything that a package may leave: names, and the contents of what systemd-sysusers(8) changes. */
const TRACES = `{ find /etc /usr /opt /var /run -xdev -not -path '/var/lib/dpkg/*' -not -path '/var/log/*' -not -path '/var/cache/*' \
  -not -path '/run/log/*' -not -path '/run/systemd/*'; find /etc/systemd/system; cat /etc/group /etc/gshadow /etc/passwd; } | sort`

/** Builds a package `nodejs` whose /usr/bin/node is that of build/node, as seen at /opt/node. */
function nodePackage(directory: string, major: string): void {
  const root = join(directory, major)
  mkdirSync(join(root, 'DEBIAN'), { recursive: true })
  mkdirSync(join(root, 'usr', 'bin'), { recursive: true })
  symlinkSync(`/opt/node/${major}/bin/node`, join(root, 'usr', 'bin', 'node'))
  const header = readFileSync(join(NODES, major, 'include', 'node', 'node_version.h'), 'utf8')
  const number = ['MAJOR', 'MINOR', 'PATCH'].map((part) => new RegExp(`NODE_${part}_VERSION (\\d+)`).exec(header)![1]).join('.')
  writeFileSync(join(root, 'DEBIAN', 'control'),
    `Package: nodejs\nVersion: ${number}\nArchitecture: all\nMaintainer: test <test@invalid>\nDescription: Node of a test\n`)
  const { status, stderr } = spawnSync('dpkg-deb', ['--root-owner-group', '--build', root, `${root}.deb`], { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
}

/** @returns for each of the hosts, when its lost datagrams were sent, in milliseconds */
async function lost(server: Host, seconds: number): Promise<(readonly number[])[]> {
  return (await Promise.all(VMS.map((n) => server.traffic(vmAddress(n), { rate: 100, seconds, patience: 5000 })))).map((report) => report.lostAt)
}

if (DEB === undefined || !canBoot()) t.pass(DEB === undefined ? 'no package: `npm run deb` builds it' : 'no systemd in a user namespace')
else t.test('the Debian package', async (t) => {
  const lab = Lab.create()
  t.teardown(() => lab.close())
  const { server, proxy } = await buildTopology(lab, VMS)
  const debs = join(lab.directory, 'debs')
  const present = readdirSync(NODES).filter((name) => !name.startsWith('.'))
  for (const major of present) nodePackage(debs, major)
  const systemd = await Systemd.boot(proxy, [`${DIST}:/opt/dist`, `${NODES}:/opt/node`, `${debs}:/opt/debs`])
  t.teardown(() => systemd.close())      // before the lab, which would leave its cgroup
  const show = (property: string): string => systemd.show('ndp6d', property)
  const dpkg = (...args: string[]): string => systemd.exec('dpkg', ...args)
  const install = (...files: string[]): string => dpkg('--install', ...files)
  const setting = (name: string): string => systemd.exec('cat', `/proc/sys/net/ipv6/conf/${name}`).trim()
  const ndp6d = (...args: string[]) => systemd.run(['ndp6d', ...args])
  systemd.exec('sh', '-c', `cd /usr/bin; rm -f ${COMPILERS}; rm -rf /usr/include /usr/lib/node_modules /usr/sbin/policy-rc.d`)
  proxy.sysctl({ 'conf/eth0/accept_ra': 1 })

  install(`/opt/debs/${SUPPORTED[0]}.deb`)
  systemd.exec('sh', '-c', `${TRACES} >/before`)
  install(`/opt/dist/${DEB}`)
  t.equal(systemd.exec('cat', '/usr/lib/ndp6d/dist/main.cjs'), readFileSync(join(DIST, 'main.cjs'), 'utf8'), 'of this build (else: npm run deb)')
  t.match(systemd.run(['systemctl', 'is-enabled', 'ndp6d']), { status: 1, stdout: 'disabled\n' }, 'installed disabled')
  t.equal(show('ActiveState'), 'inactive')
  const verify = systemd.run(['systemd-analyze', 'verify', '--man=no', show('FragmentPath')])
  t.same([verify.status, verify.stderr], [0, ''], 'the unit is verified')

  for (const [major, sentence] of [['12', 'is too old'], ['18', 'is too old'], ['25', 'whose ABI is 141']] as const) {
    if (!present.includes(major)) continue
    dpkg('--install', '--force-depends', `/opt/debs/${major}.deb`)
    for (const args of [['--help'], ['check'], ['status'], []]) {
      const { status, stdout, stderr } = ndp6d(...args)
      t.same([status, stdout, stderr.split('\n').length], [1, '', 2], `Node ${major}: ndp6d ${args.join(' ')}`)
      t.match(stderr, sentence)
    }
  }

  install(`/opt/debs/${SUPPORTED[0]}.deb`)
  systemd.write('/etc/ndp6d.conf', CONFIG)
  t.equal(systemd.run(['systemctl', 'enable', '--now', 'ndp6d']).status, 0)
  t.same(await lost(server, 0.1), VMS.map(() => []), 'the story')
  await until(() => show('StatusText') === '2 links, 11 hosts, 10 routes')
  t.match(systemd.exec('cat', `/proc/${show('MainPID')}/status`), /^Uid:\t[1-9][^]*^CapEff:\t0*3000$/m, 'unprivileged, with two capabilities')
  t.equal(setting('eth0/accept_ra'), '2')

  for (const major of SUPPORTED.slice(1)) {
    install(`/opt/debs/${major}.deb`)
    const traffic = lost(server, 2)
    await sleep(300)
    systemd.exec('systemctl', 'restart', 'ndp6d')
    t.same(await traffic, VMS.map(() => []), `Node ${major} under it: a restart loses none of 200 datagrams to each of ten hosts`)
    t.equal(systemd.exec('readlink', `/proc/${show('MainPID')}/exe`).trim(), `/opt/node/${major}/bin/node`)
  }

  const former = show('MainPID')
  const traffic = lost(server, 2)
  install(`/opt/dist/${DEB}`)
  t.same(await traffic, VMS.map(() => []), 'an upgrade loses nothing either')
  t.not(show('MainPID'), former, 'and restarts the service')
  t.equal(systemd.exec('systemctl', 'is-enabled', 'ndp6d'), 'enabled\n')
  t.equal(systemd.exec('cat', '/etc/ndp6d.conf'), CONFIG, 'the configuration is kept')
  t.match(systemd.exec('cat', '/var/lib/ndp6d/hosts.json'), vmAddress(2), 'and the state')

  dpkg('--remove', 'ndp6d')
  t.same(proxy.ourRoutes(), [], 'removed: no route')
  t.equal(proxy.exec('nft', 'list', 'ruleset'), '', 'no nftables table')
  t.equal(setting('eth0/accept_ra'), '1', 'no setting')
  t.equal(systemd.run(['test', '-e', '/etc/ndp6d.conf']).status, 0, 'only the configuration')
  dpkg('--purge', 'ndp6d')
  systemd.exec('sh', '-c', `${TRACES} >/after`)
  // The directory of all services with DynamicUser= and StateDirectory= is systemd's.
  t.equal(systemd.exec('sh', '-c', 'comm -13 /before /after | grep -vx /var/lib/private || :'), '', 'purged: nothing')
})
