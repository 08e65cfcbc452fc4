/**
 * `subnet auto`: the provider gives another prefix, by Router Advertisements (RFC 4861 4.2, RFC 4862 5.5.3), which radvd(8)
 * sends: the router's to the proxy, and the proxy's to the hosts inside, which make addresses of it and have it for
 * their default router.
 */
import t from 'tap'
import type { Test } from 'tap'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Host, Lab } from './kit/lab.ts'
import { until } from '../kit/until.ts'
import type { Daemon } from './kit/daemon.ts'
import type { Proc } from './kit/process.ts'
import { goodManners, scene } from './kit/scene.ts'
import type { Scene } from './kit/scene.ts'

const OLD = '2001:db8:1::'
const NEW = '2001:db8:2::'
/** What the hosts of lladdr 02:00:00:00:00:02 and 03 make of a prefix. */
const HOSTS = ['ff:fe00:2', 'ff:fe00:3']

/** radvd on one link. */
class Advertiser {
  readonly #host: Host
  readonly #iface: string
  readonly #file: string
  #proc: Proc | undefined

  constructor(lab: Lab, host: Host, iface: string) {
    this.#host = host
    this.#iface = iface
    this.#file = join(lab.directory, `radvd.${host.name}`)
  }

  /** Advertises these prefixes from now on. @param prefixes with their lifetimes in seconds */
  advertise(prefixes: Readonly<Record<string, number>>): void {
    const list = Object.entries(prefixes).map(([prefix, lifetime]) => `prefix ${prefix}/64 {
      AdvOnLink on; AdvAutonomous on; AdvValidLifetime ${lifetime}; AdvPreferredLifetime ${lifetime}; };`)
    writeFileSync(`${this.#file}.conf`, `interface ${this.#iface} {
      AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; ${list.join('\n')} };\n`)
    if (this.#proc !== undefined) this.#proc.child.kill('SIGHUP')
    else this.#proc = this.#host.spawn(['radvd', '-n', '-C', `${this.#file}.conf`, '-p', `${this.#file}.pid`])
  }
}

interface Renumbered extends Scene {
  readonly daemon: Daemon
  readonly vms: readonly Host[]
  readonly advertise: Advertiser['advertise']
}

/** Two hosts in the old prefix that the server reaches; one has another address there, by hand. */
async function settled(t: Test, lifetime: number): Promise<Renumbered> {
  const stage = await scene(t, [])
  const { lab, router, proxy, inside, server } = stage
  const advertisers = [new Advertiser(lab, router, 'eth0'), new Advertiser(lab, proxy, 'eth1')]
  const advertise: Advertiser['advertise'] = (prefixes) => { for (const each of advertisers) each.advertise(prefixes) }
  proxy.ip('addr flush dev eth0 scope global', 'route flush default')
  proxy.sysctl({ 'conf/eth0/accept_ra': 2 })
  // The kernel takes away what has expired every 30 s; root may have it done sooner.
  proxy.exec('sh', '-c', 'echo 2 >/proc/sys/net/ipv6/route/gc_interval || :')
  router.ip('addr flush dev eth0 scope global', `addr add ${OLD}1/64 dev eth0 nodad`)
  const vms = await Promise.all(['2', '3'].map((n) => lab.host(`vm${n}`, { dad: true })))
  const daemon = await stage.start('subnet auto {\n  upstream eth0\n  downstream eth1\n}\n')
  vms.forEach((vm, i) => {
    lab.link(vm, 'eth0', inside, vm.name, { macs: [`02:00:00:00:00:0${i + 2}`, `02:00:00:02:00:0${i + 2}`] })
  })
  advertise({ [OLD]: lifetime })
  for (const host of HOSTS) await until(() => server.reaches(OLD + host, 200))
  vms[0].ip(`addr add ${OLD}aa:2/64 dev eth0 nodad`)
  await until(() => server.reaches(`${OLD}aa:2`, 200))
  return { ...stage, vms, daemon, advertise }
}

/** Waits until both hosts are reached by their new addresses, and asserts how long that took. */
async function follow(t: Test, { server, eth1 }: Renumbered): Promise<void> {
  await Promise.all(HOSTS.map(async (host) => {
    await until(() => server.reaches(NEW + host, 100))
    const dad = eth1.of('NS', NEW + host).find(({ source }) => source === '::')!
    const took = Math.round(Number(process.hrtime.bigint()) / 1e6 - dad.at)
    t.ok(took < 2000, `${host} is reached ${took} ms after its SLAAC, of which DAD takes a second`)
  }))
}

/** What is there of the old prefix: routes of ours, prefixes in nftables. */
function left({ proxy }: Scene): string[] {
  const quiet = proxy.exec('nft', 'list', 'table', 'ip6', 'ndp6d').match(/[0-9a-f:]+\/\d+/g)!
  return [...proxy.ourRoutes(), ...quiet].filter((text) => text.startsWith(OLD))
}

t.jobs = 2      // they wait, most of the time

for (const how of ['at once, by lifetimes of 0', 'by the end of its lifetime'] as const) {
  t.test(`another prefix; the old one goes ${how}`, async (t) => {
    const ends = how.startsWith('by')
    const stage = await settled(t, ends ? 12 : 3600)
    const { proxy, router, eth0, daemon, advertise } = stage
    t.same(left(stage), [`${OLD}aa:2`, ...HOSTS.map((host) => OLD + host), `${OLD}/64`, `${OLD}/64`])
    router.ip(`addr add ${NEW}1/64 dev eth0 nodad`)
    const began = performance.now()
    advertise(ends ? { [NEW]: 3600 } : { [NEW]: 3600, [OLD]: 0 })
    await follow(t, stage)
    goodManners(t, stage)       // as long as the old address of the proxy can be told from others
    await until(() => left(stage).length === 0)
    t.pass(`nothing of the old prefix ${Math.round(performance.now() - began)} ms after the change`)
    t.same(proxy.ourRoutes(), HOSTS.map((host) => NEW + host), daemon.proc.lines.slice(-30).join('\n'))
    const before = eth0.frames.length
    router.ip('neigh flush all')
    for (const host of [...HOSTS, 'aa:2']) await router.reaches(OLD + host, 200)
    const since = eth0.frames.slice(before).filter(({ target }) => target.startsWith(OLD))
    t.equal(new Set(since.filter(({ kind, outgoing }) => kind === 'NS' && !outgoing).map(({ target }) => target)).size, 3)
    t.same(since.filter(({ kind }) => kind === 'NA'), [], 'nobody answers for old addresses')
    t.equal(daemon.proc.running, true)
  })
}
