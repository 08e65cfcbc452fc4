/** The testbed in real time: the lab's namespaces and the whole daemon. */
import type { Test } from 'tap'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CONFIG, PATIENCE, ROUTER, vmAddress } from '../../kit/addresses.ts'
import { na } from '../../kit/frames.ts'
import type { Seen } from '../../kit/manners.ts'
import { enterNamespaces } from '../../kit/namespace.ts'
import { until } from '../../kit/until.ts'
import type { Daemon } from '../../lab/kit/daemon.ts'
import type { Capture, Host } from '../../lab/kit/lab.ts'
import type { Proc } from '../../lab/kit/process.ts'
import { addressesOf, goodManners, type Scene, scene } from '../../lab/kit/scene.ts'
import { twoLinks } from '../../lab/kit/two-links.ts'
import type { Node, Testbed, TestbedKind, Traffic, VmOptions } from './testbed.ts'

await enterNamespaces()

export const real: TestbedKind = {
  name: 'real',
  async create(t, { hasEth2 = false, isImpatient = false } = {}) {
    const both = hasEth2 ? await twoLinks(t) : undefined
    const stage = both ?? await scene(t, [])
    const [eth1, eth2] = both?.captures ?? [stage.eth1]
    if (isImpatient) stage.router.sysctl({ 'neigh/eth0/base_reachable_time_ms': 500, 'neigh/eth0/delay_first_probe_time': 1 })
    return new RealTestbed(stage, { eth0: stage.eth0, eth1, ...eth2 !== undefined && { eth2 } })
  },
}

/** Address resolution and NUD give up after 20 s: on a busy machine a restart may take longer than the usual 3 s. */
const TENACIOUS = { 'neigh/eth0/mcast_solicit': 20, 'neigh/eth0/ucast_solicit': 20 }

class RealNode implements Node {
  readonly host: Host
  readonly mac: string

  constructor(host: Host) {
    this.host = host
    this.mac = host.mac('eth0')
  }

  get name(): string { return this.host.name }
  reaches(target: string, ms = PATIENCE): Promise<boolean> { return this.host.reaches(target, ms) }
  traffic(target: string, seconds: number, rate = 100): Promise<Traffic> {
    return this.host.traffic(target, { rate, seconds, patience: PATIENCE })
  }
  echoed(): Promise<number> { return this.host.echoed() }
  assign(...addresses: readonly string[]): void { this.host.ip(...addresses.map((address) => `addr add ${address}/64 dev eth0 nodad`)) }
  release(address: string): void { this.host.ip(`addr del ${address}/64 dev eth0`) }
  forget(): void { this.host.ip('neigh flush dev eth0') }
  inject(frames: readonly Uint8Array[], gap?: number): Promise<number> { return this.host.inject('eth0', frames, gap) }

  async claim(address: string): Promise<'valid' | 'duplicate'> {
    this.host.sysctl({ 'conf/eth0/accept_dad': 1 })
    this.host.ip(`addr add ${address}/64 dev eth0`)
    const state = await until(() => {
      const info = this.host.show(`addr show dev eth0`)[0].addr_info.find(({ local }: { local: string }) => local === address)
      return info.dadfailed ? 'duplicate' : info.tentative ? undefined : 'valid'
    })
    if (state === 'duplicate') this.release(address)
    return state
  }
}

class RealTestbed implements Testbed {
  readonly router: RealNode
  readonly server: RealNode
  readonly #scene: Scene
  readonly #captures: Readonly<Record<string, Capture>>
  readonly #radvd = new Map<Host, Proc>()
  /** Addresses of the proxy before each change of the advertised prefixes. */
  readonly #former: string[] = []
  #config = CONFIG
  #daemon!: Daemon

  constructor(stage: Scene, captures: Readonly<Record<string, Capture>>) {
    this.#scene = stage
    this.#captures = captures
    this.router = new RealNode(stage.router)
    this.server = new RealNode(stage.server)
    stage.router.sysctl(TENACIOUS)
  }

  get now(): number { return Number(process.hrtime.bigint() / 1000n) / 1000 }

  proxyOn(iface: string): { mac: string; linkLocal: string } {
    const { proxy } = this.#scene
    return { mac: proxy.mac(iface), linkLocal: proxy.linkLocal(iface) }
  }

  async addVm(n: number, { link = 'eth1', gateway = ROUTER, dad = false }: VmOptions = {}): Promise<RealNode> {
    const vm = await this.#scene.addVm(n, { dad })
    vm.sysctl(TENACIOUS)
    if (link === 'eth2') this.#scene.inside.ip(`link set ${vm.name} master br1`)
    if (gateway !== ROUTER) vm.ip(`route replace default via ${gateway} dev eth0`)
    return new RealNode(vm)
  }

  async addHost(n: number, link: 'eth0' | 'eth1'): Promise<RealNode> {
    const host = await this.#scene.lab.host(`host${n}`, { dad: true })
    return this.#connect(host, n, link)
  }

  async addRouter(n: number): Promise<RealNode> {
    const host = await this.#scene.lab.host(`router${n}`, { forwarding: true })
    const node = this.#connect(host, n, 'eth0')
    node.assign(vmAddress(n))
    host.ip(`route add default via ${ROUTER} dev eth0`)
    return node
  }

  async migrate({ host, mac }: RealNode, address: string): Promise<void> {
    const { inside, outside } = this.#scene
    outside.ip(`link set ${host.name} netns ${inside.pid}`)
    inside.ip(`link set ${host.name} master br0`, `link set ${host.name} up`)
    await until(() => host.show('link show dev eth0')[0].operstate === 'UP')
    await host.inject('eth0', [na({ from: mac, target: address })])
  }

  /** By radvd(8): the router's to the proxy, and the proxy's to the VMs. */
  advertise(lifetimes: Readonly<Record<string, number>>): void {
    const { lab, router, proxy } = this.#scene
    this.#former.push(...addressesOf(proxy))
    const list = Object.entries(lifetimes).map(([prefix, seconds]) => `prefix ${prefix}/64 { AdvOnLink on; AdvAutonomous on;
      AdvValidLifetime ${seconds}; AdvPreferredLifetime ${seconds}; };`)
    for (const [host, iface] of [[router, 'eth0'], [proxy, 'eth1']] as const) {
      const file = join(lab.directory, `radvd.${host.name}`)
      writeFileSync(`${file}.conf`, `interface ${iface} {
        AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; ${list.join(' ')} };\n`)
      if (this.#radvd.has(host)) this.#radvd.get(host)!.child.kill('SIGHUP')
      else this.#radvd.set(host, host.spawn(['radvd', '-n', '-C', `${file}.conf`, '-p', `${file}.pid`]))
    }
    for (const prefix of Object.keys(lifetimes)) router.ip(`addr replace ${prefix}1/64 dev eth0 nodad`)
  }

  async start(config = CONFIG): Promise<void> {
    const { lab, proxy, router } = this.#scene
    if (config.includes('auto')) {
      proxy.ip('addr flush dev eth0 scope global', 'route flush default')
      proxy.sysctl({ 'conf/eth0/accept_ra': 2 })
      // The kernel deletes what has expired every 30 s; root may shorten that.
      proxy.exec('sh', '-c', 'echo 2 >/proc/sys/net/ipv6/route/gc_interval || :')
      router.ip('addr flush dev eth0 scope global')
    }
    this.#config = config
    this.#daemon = await this.#scene.start(config, { state: join(lab.directory, 'state') })
  }

  async restart(how: 'stopped' | 'killed', meanwhile?: () => void): Promise<{ from: number; to: number }> {
    const from = this.now
    const status = await (how === 'stopped' ? this.#daemon.stop('SIGUSR2') : this.#daemon.kill())
    if (status !== (how === 'stopped' ? 0 : 'SIGKILL')) throw new Error(`ended with ${status}`)
    meanwhile?.()
    await this.start(this.#config)
    return { from, to: this.now }
  }

  reload(): void { this.#daemon.reload(this.#config) }
  stop(): Promise<number | string> { return this.#daemon.stop() }
  routes(): string[] { return this.#scene.proxy.show('route show proto 136').map(({ dst, dev }) => `${dst} ${dev}`).sort() }
  leaveRoute(target: string, iface: string): void { this.#scene.proxy.ip(`route add ${target}/128 dev ${iface} proto 136 metric 16`) }

  stateOf(prefix: string): string[] {
    const filters = this.#scene.proxy.exec('nft', 'list', 'table', 'ip6', 'ndp6d').match(/[0-9a-f:]+\/\d+/g) ?? []
    return [...this.routes(), ...filters].filter((text) => text.startsWith(prefix))
  }

  conflicts(target: string): { lladdr: string; iface: string }[] {
    return this.#daemon.records.filter((record) => record.event === 'conflict' && record.target === target)
      .map(({ lladdr, iface }) => ({ lladdr: String(lladdr), iface: String(iface) }))
  }

  frames(iface: string): readonly Seen[] { return this.#captures[iface].frames }
  goodManners(t: Test): void { goodManners(t, this.#scene, [], this.#captures, this.#former) }
  wait(ms: number): Promise<unknown> { return sleep(ms) }
  until(condition: () => unknown): Promise<unknown> { return until(condition, 60_000) }

  #connect(host: Host, n: number, link: 'eth0' | 'eth1'): RealNode {
    const { lab, inside, outside } = this.#scene
    lab.link(host, 'eth0', link === 'eth0' ? outside : inside, host.name, { macs: [`02:00:00:00:00:0${n}`, `02:00:00:02:00:0${n}`] })
    return new RealNode(host)
  }
}
