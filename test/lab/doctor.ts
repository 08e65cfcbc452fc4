/** `ndp6d doctor`: faults of this machine. Each is found, and nothing else; the printed command mends it. */
import t from 'tap'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { doctor, type Fault, isFoundAndMended, isHealthy } from './kit/doctor.ts'
import { CONFIG, ROUTER, scene, vmAddress } from './kit/scene.ts'

/** A subnet block with these lines beside its links. */
const subnet = (...lines: readonly string[]): string => CONFIG.replace('}', `  ${lines.join('\n  ')}\n}`)
/** A directory with a file for each threshold takes the place of /proc/sys/net/ipv6/neigh, which has none in a namespace. */
const thresholds = (directory: string): string[] => ['unshare', '-m', 'sh', '-c',
  `mount --bind ${directory} /proc/sys/net/ipv6/neigh && exec "$@"`, 'sh']

const FAULTS: readonly Fault[] = [
  { code: 'forwarding-off', what: /forwarding is 0/, make: ({ proxy }) => proxy.sysctl({ 'conf/all/forwarding': 0 }) },
  { code: 'forwarding-off', name: 'and a default route by Router Advertisements', what: /forwarding is 0/,
    make: ({ proxy }) => {
      proxy.sysctl({ 'conf/all/forwarding': 0 })
      proxy.ip('route del default', `route add default via ${ROUTER} dev eth0 proto ra`)
    },
    undo: ({ proxy }) => {
      proxy.sysctl({ 'conf/eth0/accept_ra': 1 })
      proxy.ip('route del default', `route add default via ${ROUTER}`)
    } },
  { code: 'accept-ra', what: /eth0 has its default route by Router Advertisements/,
    make: ({ proxy }) => proxy.ip('route del default', `route add default via ${ROUTER} dev eth0 proto ra expires 1800`),
    undo: ({ proxy }) => {
      proxy.sysctl({ 'conf/eth0/accept_ra': 1 })
      proxy.ip('route del default', `route add default via ${ROUTER}`)
    } },
  { code: 'accept-ra', name: 'after the route is gone', what: /no default route, and eth0 ignores/,
    make: ({ proxy }) => proxy.ip('route del default'),
    undo: ({ proxy }) => {
      proxy.sysctl({ 'conf/eth0/accept_ra': 1 })
      proxy.ip(`route add default via ${ROUTER}`)
    } },
  { code: 'router-flag', what: /eth1 acts as a host .*conf\.eth1\.forwarding is 0/, config: subnet('router-advertisements yes'),
    make: ({ proxy }) => proxy.sysctl({ 'conf/eth1/forwarding': 0 }) },
  { code: 'optmem', daemon: 'none', what: /optmem_max is 1000 bytes/,
    make: ({ proxy }) => { proxy.exec('sysctl', '-qw', 'net.core.optmem_max=1000') } },
  { code: 'competitor', what: /another ND proxy, ndppd, runs beside/,
    make: async ({ lab, proxy, router }) => {
      const file = join(lab.directory, 'ndppd')
      symlinkSync('/bin/sleep', file)
      // The second one is in another network namespace.
      for (const host of [proxy, router]) host.spawn([file, '600'])
      await new Promise((resolve) => setTimeout(resolve, 300))
    } },
  { code: 'neighbor-table', daemon: 'none', config: subnet('limit 20000'), what: /places for 512 neighbors .* 1024 .* there are 20001 hosts/,
    make: ({ lab }) => {
      const directory = join(lab.directory, 'neigh', 'default')
      mkdirSync(directory, { recursive: true })
      for (const [i, value] of [128, 512, 1024].entries()) writeFileSync(join(directory, `gc_thresh${i + 1}`), `${value}\n`)
    } },
]

void t.test('faults of this machine', async (t) => {
  const stage = await scene(t)
  await t.test('a healthy lab', async (t) => {
    const daemon = await stage.start()
    isHealthy(t, stage, 'with a daemon')
    const { stdout } = doctor(stage)
    t.match(stdout, /^\? +neighbor-table: .*\n[^]*\n\d+ checked, nothing wrong, 1 unknown\.\n$/)
    t.equal(doctor(stage, ['--strict']).status, 1, 'the unknown check counts')
    await daemon.stop()
    isHealthy(t, stage, 'without a daemon')
  })
  await t.test('the daemon looks for itself', async (t) => {
    stage.proxy.ip(`neigh add proxy ${vmAddress(2)} dev eth0`)
    const daemon = await stage.start()
    await daemon.proc.line(/"event":"finding".*`ip -6 neigh del proxy 2001:db8::2 dev eth0`/)
    t.same(daemon.records.filter(({ event }) => event === 'finding').map(({ reason, iface }) => [reason, iface]), [['kernel-proxy', 'eth0']])
    stage.proxy.ip(`neigh del proxy ${vmAddress(2)} dev eth0`)
    await daemon.stop()
  })
  const directory = join(stage.lab.directory, 'neigh')
  for (const fault of FAULTS) {
    const prefix = fault.code === 'neighbor-table' ? thresholds(directory) : []
    await t.test(`${fault.code} ${fault.name ?? ''}`, (t) => isFoundAndMended(t, stage, { ...fault, prefix }))
  }
})
