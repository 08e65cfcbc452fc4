/** The topology of the story in the simulator. */
import { CONFIG, ROUTER, vmAddress } from '../../kit/addresses.ts'
import { naFrame } from './frame.ts'
import { Host } from './host.ts'
import { ProxyHost } from './proxy-host.ts'
import { Segment, type World } from './world.ts'

export const ETH0 = 2
export const ETH1 = 3
export const ETH2 = 4
export * from '../../kit/addresses.ts'
export * from './frame.ts'
export * from './seeds.ts'
export * from './world.ts'
export { Host, ProxyHost }

/** The same without a pinned router. */
export const UNPINNED = CONFIG.replace(/host.*\n/, '')

export interface Story {
  readonly world: World
  readonly outside: Segment
  readonly inside: Segment
  readonly router: Host
  readonly proxy: ProxyHost
  /** The proxy's link-layer addresses. */
  readonly mac0: string
  readonly mac1: string
  /** Adds a VM with the address `2001:db8::N`. */
  addVm(n: number): Host
}

/** @returns a router and a proxy, without VMs @param isSnooping the router's segment passes multicast to members only */
export function story(world: World, config = CONFIG, isSnooping = false): Story {
  const [outside, inside] = [new Segment(world, isSnooping), new Segment(world)]
  const router = new Host(outside, 1, ROUTER)
  router.route()
  const proxy = new ProxyHost(world, config)
  const mac0 = proxy.attach(ETH0, 'eth0', outside, '2001:db8::ff')
  const mac1 = proxy.attach(ETH1, 'eth1', inside)
  return { world, outside, inside, router, proxy, mac0, mac1, addVm: (n) => new Host(inside, n, vmAddress(n)) }
}

/** Claims `target` in every way until the thief is unplugged. */
export function steal(world: World, thief: Host, target: string, proxy: Host): void {
  thief.assign(target)
  const again = (ms: number, work: () => void): void => world.after(ms * (0.5 + world.random()), () => {
    work()
    again(ms, work)
  })
  again(700, () => thief.probe(target))
  again(800, () => thief.announce(target))
  // As if the proxy had probed the thief.
  again(30, () => thief.send(naFrame({ target, from: thief.mac, to: proxy.linkLocal, toMac: proxy.mac, flags: 'SO' })))
  // A packet for an address that no host has: the thief solicits.
  again(900, () => thief.use(vmAddress(0x40 + Math.floor(8 * world.random()))))
}
