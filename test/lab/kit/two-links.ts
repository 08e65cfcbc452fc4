/**
 * One /64 on two downstream links of the proxy. VMs move between them as by live migration: the VM's port leaves one bridge and
 * enters the other, and the VM keeps its carrier.
 *
 *     server ---- router ==== eth0 [proxy] eth1 ==== vm2 ...
 *                                          eth2 ==== vm3 ...
 *
 * The bridges are elsewhere (the proxy has their uplinks eth1 and eth2), or the proxy's own (br1 and br2).
 */
import type { Test } from 'tap'
import { na } from '../../kit/frames.ts'
import type { Capture, Host } from './lab.ts'
import type { Proc } from './process.ts'
import { goodManners, ROUTER, type Scene, scene, vmAddress } from './scene.ts'

export * from './scene.ts'

export type Where = 'elsewhere' | 'on the proxy'

export interface TwoLinks extends Scene {
  /** The proxy's downstream links, and ICMPv6 on each. */
  readonly links: readonly [string, string]
  readonly captures: readonly [Capture, Capture]
  /** The subnet over both links. @param more lines of the block; default: the router is pinned */
  config(...more: readonly string[]): string
  /** A VM at `2001:db8::N` on one of the links (0 or 1). */
  addVmOn(link: 0 | 1, n: number): Promise<Host>
  move(vm: Host, link: 0 | 1): void
  /** Sends what Linux sends after a live migration (NETDEV_NOTIFY_PEERS): an unsolicited NA for each address. */
  announce(vm: Host, addresses: readonly string[]): Promise<unknown>
  /** Reads the host routes about fifty times a second until `stop`. */
  watchRoutes(): RouteWatch
}

export const PINNED = `host ${ROUTER} eth0`

/** The host routes of the proxy, read again and again by `ip -6 route`. */
export class RouteWatch {
  readonly #proc: Proc

  constructor(proxy: Host) { this.#proc = proxy.spawn(['sh', '-c', 'while :; do ip -6 route show proto 136; echo; sleep 0.015; done']) }

  /** @returns for each reading the `dev` of every route, by address */
  async stop(): Promise<ReadonlyMap<string, readonly string[]>[]> {
    await this.#proc.stop('SIGKILL')
    const looks = [new Map<string, string[]>()]
    for (const line of this.#proc.lines) {
      const [, address, dev] = /^(\S+) (?:.* )?dev (\S+)/.exec(line) ?? []
      const look = looks[looks.length - 1]
      if (line === '') looks.push(new Map())
      else if (address !== undefined) look.set(address, [...look.get(address) ?? [], dev])
    }
    return looks.slice(0, -1)
  }
}

export async function twoLinks(t: Test, where: Where = 'elsewhere'): Promise<TwoLinks> {
  const stage = await scene(t, [])
  const { lab, proxy, inside } = stage
  const isOwn = where === 'on the proxy'
  const bridges = isOwn ? ['br1', 'br2'] as const : ['br0', 'br1'] as const
  const links = isOwn ? bridges : ['eth1', 'eth2'] as const
  const host = isOwn ? proxy : inside
  for (const name of isOwn ? bridges : ['br1']) {
    // Without an address of its own a bridge takes that of a port, and another one when that port leaves.
    host.ip(`link add ${name} address 02:00:00:00:b${name.at(-1)}:ff type bridge mcast_snooping 0`, `link set ${name} up`)
  }
  if (!isOwn) {
    lab.link(proxy, 'eth2', inside, 'proxy2', { macs: ['02:00:00:00:02:ff', '02:00:00:01:02:ff'] })
    inside.ip('link set proxy2 master br1')
  }
  const captures = [await proxy.capture(links[0]), await proxy.capture(links[1])] as const
  const move = (vm: Host, link: 0 | 1) => host.ip(`link set ${vm.name} master ${bridges[link]}`)

  return {
    ...stage, links, captures, move,
    config: (...more) => ['subnet 2001:db8::/64 {', 'upstream eth0', `downstream ${links.join(' ')}`,
      ...more.length > 0 ? more : [PINNED], '}'].join('\n'),
    async addVmOn(link, n) {
      const vm = await lab.host(`vm${n.toString(16)}`)
      const suffix = n.toString(16).padStart(4, '0').replace(/..$/, ':$&')
      lab.link(vm, 'eth0', host, vm.name, { macs: [`02:00:00:00:${suffix}`, `02:00:00:02:${suffix}`] })
      move(vm, link)
      await vm.up('eth0')
      vm.ip(`addr add ${vmAddress(n)}/64 dev eth0`, `route add default via ${ROUTER} dev eth0`)
      return vm
    },
    announce: (vm, addresses) => vm.inject('eth0', addresses.map((target) => na({ from: vm.mac('eth0'), target }))),
    watchRoutes: () => new RouteWatch(proxy),
  }
}

/** {@link goodManners} on all three links. */
export function goodMannersOf(t: Test, stage: TwoLinks, moved: readonly string[] = []): void {
  const { eth0, links, captures } = stage
  goodManners(t, stage, moved, { eth0, [links[0]]: captures[0], [links[1]]: captures[1] })
}
