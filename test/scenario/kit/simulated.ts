/** The testbed in virtual time: the simulator's hosts and engine, and a walk along the hops of each datagram in place of its bytes. */
import type { Test } from 'tap'
import type { Address } from '../../../src/address.ts'
import { CONFIG, PATIENCE, PROXY, ROUTER, SERVER, vmAddress } from '../../kit/addresses.ts'
import { offences, type Seen } from '../../kit/manners.ts'
import { chance } from '../../engine/kit/stage.ts'
import { addressOf, Frame, macText, textOf } from './frame.ts'
import { Host } from './host.ts'
import { ProxyHost } from './proxy-host.ts'
import type { Node, Testbed, TestbedKind, Traffic, VmOptions } from './testbed.ts'
import { Segment, World } from './world.ts'

const IFINDEX: Readonly<Record<string, number>> = { eth0: 2, eth1: 3, eth2: 4 }
/** Milliseconds between two looks of {@link SimulatedTestbed.until}, and of a datagram that waits for address resolution. */
const STEP = 20

export const simulated: TestbedKind = {
  name: 'simulated',
  create: async (_t, { hasEth2 = false } = {}) => new SimulatedTestbed(hasEth2 ? ['eth0', 'eth1', 'eth2'] : ['eth0', 'eth1']),
}

class SimulatedNode implements Node {
  readonly host: Host
  readonly gateway: string
  readonly name: string
  /** Addresses that its own packets may have as their source. */
  readonly address: string
  readonly #bed: SimulatedTestbed
  #echoed = 0

  constructor(bed: SimulatedTestbed, host: Host, name: string, address: string, gateway = ROUTER) {
    this.#bed = bed
    this.host = host
    this.name = name
    this.address = address
    this.gateway = gateway
  }

  get mac(): string { return this.host.mac }
  async echoed(): Promise<number> { return this.#echoed }
  assign(...addresses: readonly string[]): void { for (const address of addresses) this.host.assign(address) }
  release(address: string): void { this.host.release(address) }
  forget(): void { this.host.forget() }

  async claim(address: string): Promise<'valid' | 'duplicate'> {
    this.host.claim(address)
    await this.#bed.until(() => this.host.addresses.get(address) !== 'tentative')
    if (this.host.addresses.get(address) === 'valid') return 'valid'
    this.host.release(address)
    return 'duplicate'
  }

  async inject(frames: readonly Uint8Array[], gap = 0): Promise<void> {
    for (const bytes of frames) {
      this.host.send(new Frame(bytes))
      await this.#bed.wait(gap)
    }
  }

  /** Sends one datagram, which waits up to `ms` for address resolution. */
  async reaches(target: string, ms = PATIENCE): Promise<boolean> {
    const end = this.#bed.now + ms
    let there = 'waits' as ReturnType<SimulatedTestbed['walk']>
    for (;;) {
      if (there === 'waits') {
        there = this.#bed.walk(this, target)
        if (there instanceof SimulatedNode) there.#echoed++
      }
      const back = there instanceof SimulatedNode ? this.#bed.walk(there, this.address) : there
      if (back !== 'waits') return back instanceof SimulatedNode && back.host === this.host
      if (this.#bed.now >= end) return false
      await this.#bed.wait(STEP)
    }
  }

  async traffic(target: string, seconds: number, rate = 100): Promise<Traffic> {
    const datagrams: Promise<boolean>[] = []
    for (let i = 0; i < seconds * rate; i++) {
      datagrams.push(this.reaches(target))
      await this.#bed.wait(1000 / rate)
    }
    const echoed = await Promise.all(datagrams)
    return { sent: echoed.length, lost: echoed.filter((arrived) => !arrived).length }
  }
}

class SimulatedTestbed implements Testbed {
  readonly router: SimulatedNode
  readonly server: SimulatedNode
  readonly #world = new World(chance(1))
  readonly #segments = new Map<string, Segment>()
  readonly #frames = new Map<string, Seen[]>()
  readonly #nodes = new Map<string, SimulatedNode>()
  readonly #slaac: { readonly node: SimulatedNode; readonly n: number }[] = []
  #prefixes: readonly string[] = []
  /** Addresses that the proxy had. */
  readonly #former: string[] = []
  #proxy!: ProxyHost
  #config = CONFIG
  /** Waits under way. */
  #waits = 0
  #isRunning = false

  constructor(links: readonly string[]) {
    for (const iface of links) {
      const segment = new Segment(this.#world)
      this.#segments.set(iface, segment)
      this.#frames.set(iface, [])
      segment.onFrame = (frame, from) => this.#record(iface, frame, from)
    }
    const host = new Host(this.#segments.get('eth0')!, 1, ROUTER, SERVER)
    host.route()
    this.router = new SimulatedNode(this, host, 'router', ROUTER)
    this.server = new SimulatedNode(this, host, 'server', SERVER)
    this.#nodes.set(host.mac, this.server)
  }

  get now(): number { return this.#world.now }
  proxyOn(iface: string): { mac: string; linkLocal: string } { return this.#proxy.kernel(IFINDEX[iface]) }

  async addVm(n: number, { link = 'eth1', gateway, dad = false }: VmOptions = {}): Promise<SimulatedNode> {
    const host = new Host(this.#segments.get(link)!, n, ...dad ? [] : [vmAddress(n)])
    if (dad) host.claim(vmAddress(n))
    return this.#add(new SimulatedNode(this, host, `vm${n}`, vmAddress(n), gateway))
  }

  async addHost(n: number, link: 'eth0' | 'eth1'): Promise<SimulatedNode> {
    const node = this.#add(new SimulatedNode(this, new Host(this.#segments.get(link)!, n), `host${n}`, '', this.proxyOn(link).linkLocal))
    if (link === 'eth1') this.#slaac.push({ node, n })
    this.#configureByPrefixes(this.#prefixes)
    return node
  }

  async addRouter(n: number): Promise<SimulatedNode> {
    const node = this.#add(new SimulatedNode(this, new Host(this.#segments.get('eth0')!, n, vmAddress(n)), `router${n}`, vmAddress(n)))
    node.host.route()
    return node
  }

  async migrate({ host }: SimulatedNode, address: string): Promise<void> {
    host.move(this.#segments.get('eth1')!)
    host.announce(address)
  }

  advertise(lifetimes: Readonly<Record<string, number>>): void {
    const prefixes = Object.keys(lifetimes).filter((prefix) => lifetimes[prefix] > 0)
    this.#follow(prefixes)
    for (const [prefix, seconds] of Object.entries(lifetimes)) {
      this.#world.after(1000 * seconds, () => this.#follow(this.#prefixes.filter((other) => other !== prefix)))
    }
  }

  async start(config = CONFIG): Promise<void> {
    this.#config = config
    this.#proxy = new ProxyHost(this.#world, config)
    for (const [iface, segment] of this.#segments) {
      this.#proxy.attach(IFINDEX[iface], iface, segment, ...iface === 'eth0' && !config.includes('auto') ? [PROXY] : [])
    }
  }

  async restart(how: 'stopped' | 'killed', meanwhile?: () => void): Promise<{ from: number; to: number }> {
    const from = this.now
    this.#proxy.restart(300, { isKilled: how === 'killed' })
    meanwhile?.()
    await this.wait(300)
    return { from, to: this.now }
  }

  reload(): void { this.#proxy.configure(this.#config) }
  async stop(): Promise<number> { return this.#proxy.stop() }

  routes(): string[] {
    const names = Object.keys(IFINDEX)
    return [...this.#proxy.routes.values()]
      .map(({ target, ifindex }) => `${textOf(target)} ${names.find((name) => IFINDEX[name] === ifindex)}`).sort()
  }

  leaveRoute(target: string, iface: string): void { this.#proxy.routes.set(target, { target: addressOf(target), ifindex: IFINDEX[iface] }) }

  stateOf(prefix: string): string[] {
    const neighbors = this.#proxy.engine.snapshot().neighbors.map(({ target }) => target)
    return [...this.routes(), ...neighbors].filter((text) => text.startsWith(prefix))
  }

  conflicts(target: string): { lladdr: string; iface: string }[] {
    const names = Object.keys(IFINDEX)
    const claims = new Set(this.#proxy.events.flatMap((event) => event.kind !== 'conflict' || textOf(event.target) !== target ? []
      : [`${macText(event.mac)} ${names.find((name) => IFINDEX[name] === event.ifindex)}`]))
    return [...claims].map((claim) => ({ lladdr: claim.split(' ')[0], iface: claim.split(' ')[1] }))
  }

  frames(iface: string): readonly Seen[] { return this.#frames.get(iface)! }

  goodManners(t: Test): void {
    const own = (iface: string): string[] => [...this.#proxy.kernel(IFINDEX[iface]).addresses.keys()]
    const ours = [...this.#segments.keys()].flatMap(own).concat(this.#former)
    for (const iface of this.#segments.keys()) {
      t.same(offences(this.frames(iface), own(iface), ours), [], `nothing on ${iface} that a proxy may not send`)
    }
  }

  /** Lets virtual time pass; several waits pass together. */
  wait(ms: number): Promise<void> {
    this.#waits++
    const over = new Promise<void>((resolve) => {
      this.#world.after(ms, () => {
        this.#waits--
        resolve()
      })
    })
    void this.#run()
    return over
  }

  async until(condition: () => unknown): Promise<void> {
    for (const end = this.now + 60_000; !condition(); await this.wait(STEP)) {
      if (this.now > end) throw new Error(`not within a minute: ${condition}`)
    }
  }

  /**
   * Follows a datagram hop by hop.
   * @returns the node that gets it; `waits`: a hop is being resolved; `lost`: a hop leads to a host that does not forward it
   */
  walk(from: SimulatedNode, target: string): SimulatedNode | 'waits' | 'lost' {
    let mac = hop(from.host, this.#isOnLink(from.host, target) ? target : from.gateway)
    const proxies = [...this.#segments.keys()].map((iface) => this.#proxy.kernel(IFINDEX[iface]))
    for (let hops = 0; hops < 3 && mac !== undefined; hops++) {
      const node = this.#nodes.get(mac)
      if (node !== undefined) return node.host.addresses.get(target) === 'valid' ? node : 'lost'
      if (!proxies.some((kernel) => kernel.mac === mac)) return 'lost'
      const next = proxies.some((kernel) => this.#isOnLink(kernel, target)) ? target : ROUTER
      this.#proxy.forward(next, IFINDEX.eth0)
      mac = this.#proxy.reaches(next, IFINDEX.eth0)
    }
    return mac === undefined ? 'waits' : 'lost'
  }

  #add(node: SimulatedNode): SimulatedNode {
    this.#nodes.set(node.mac, node)
    return node
  }

  #isOnLink(host: Host, target: string): boolean {
    return [...host.addresses.keys()].some((address) => hasPrefix(addressOf(address), addressOf(target)))
  }

  /** Runs the world while someone waits; after the end of each wait, whoever waited comes first. */
  async #run(): Promise<void> {
    if (this.#isRunning) return
    this.#isRunning = true
    await new Promise(setImmediate)
    while (this.#waits > 0) {
      const before = this.#waits
      this.#world.step()
      if (this.#waits < before) await new Promise(setImmediate)
    }
    this.#isRunning = false
  }

  /** The proxy, the router and the VMs have addresses of these prefixes from now on. */
  #follow(prefixes: readonly string[]): void {
    if (`${prefixes}` === `${this.#prefixes}`) return
    const old = this.#prefixes.filter((prefix) => !prefixes.includes(prefix))
    this.#prefixes = prefixes
    this.#former.push(...old.map((prefix) => `${prefix}ff`))
    this.#proxy.renumber(IFINDEX.eth0, ...prefixes.map((prefix) => `${prefix}ff`))
    for (const prefix of prefixes) this.router.assign(`${prefix}1`)
    for (const { node: { host } } of this.#slaac) {
      for (const address of [...host.addresses.keys()]) {
        if (old.some((prefix) => hasPrefix(addressOf(prefix), addressOf(address)))) host.release(address)
      }
    }
    this.#configureByPrefixes(prefixes)
  }

  /** SLAAC (RFC 4862 5.5.3) with DAD. */
  #configureByPrefixes(prefixes: readonly string[]): void {
    for (const { node, n } of this.#slaac) {
      for (const address of prefixes.map((prefix) => `${prefix}ff:fe00:${n}`)) {
        if (!node.host.addresses.has(address)) node.host.claim(address)
      }
    }
  }

  #record(iface: string, frame: Frame, from: unknown): void {
    const kernel = this.#proxy?.kernel(IFINDEX[iface])
    if (kernel === undefined || (from !== kernel && !kernel.accepts(frame.to))) return
    this.#frames.get(iface)!.push({ ...frame.content, at: this.now, outgoing: from === kernel })
  }
}

function hasPrefix(a: Address, b: Address): boolean { return a.w0 === b.w0 && a.w1 === b.w1 }

/** Where a host sends a packet for a neighbor; undefined until its address is resolved. */
function hop(host: Host, neighbor: string): string | undefined {
  host.use(neighbor)
  return host.reaches(neighbor)
}
