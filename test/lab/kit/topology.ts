/**
 * The story of the rented server: one /64, on-link at the provider's router, spread over the two links of a proxy.
 *
 *     server ---- router ==== eth0 [proxy] eth1 ==== vm2  vm3 ...
 *      ffff::2    ::1         ::ff/64                ::2  ::3 (default via ::1)
 *
 * Both links are bridges, so that more hosts can join either.
 */
import { PROXY, ROUTER, SERVER, vmAddress } from '../../kit/addresses.ts'
import type { Bridge, BridgeOptions, Host, HostOptions, Lab } from './lab.ts'

export * from '../../kit/addresses.ts'

export interface Topology {
  readonly server: Host
  readonly router: Host
  readonly proxy: Host
  readonly vms: readonly Host[]
  readonly outside: Bridge
  readonly inside: Bridge
  /** One more VM, at `2001:db8::N`; `dad`: the address is tentative when this returns. */
  addVm(n: number, options?: HostOptions): Promise<Host>
  /** One more host beside the router, without a global address. */
  addNeighbor(name: string, options?: HostOptions): Promise<Host>
}

export interface Bridges { readonly outside?: BridgeOptions; readonly inside?: BridgeOptions }

/** @param vms the VMs that are there from the start, by the last group of their addresses (2 is 2001:db8::2) */
export async function buildTopology(lab: Lab, vms: readonly number[] = [2, 3],
  bridges: Bridges = {}): Promise<Topology> {
  const [server, router, proxy, outside, inside] = await Promise.all([
    lab.host('server'), lab.host('router', { forwarding: true }), lab.host('proxy', { forwarding: true }),
    lab.bridge('outside', bridges.outside), lab.bridge('inside', bridges.inside)])
  lab.link(server, 'eth0', router, 'eth1', { macs: ['02:00:00:ff:ff:02', '02:00:00:ff:ff:01'] })
  lab.link(router, 'eth0', outside, 'router', { macs: ['02:00:00:00:00:01', '02:00:00:01:00:01'] })
  lab.link(proxy, 'eth0', outside, 'proxy', { macs: ['02:00:00:00:00:ff', '02:00:00:01:00:ff'] })
  lab.link(proxy, 'eth1', inside, 'proxy', { macs: ['02:00:00:00:01:ff', '02:00:00:01:01:ff'] })
  server.ip(`addr add ${SERVER}/64 dev eth0 nodad`, 'route add default via 2001:db8:ffff::1')
  router.ip('addr add 2001:db8:ffff::1/64 dev eth1 nodad', `addr add ${ROUTER}/64 dev eth0 nodad`)
  proxy.ip(`addr add ${PROXY}/64 dev eth0 nodad`, `route add default via ${ROUTER}`)

  async function addVm(n: number, options: HostOptions = {}): Promise<Host> {
    const vm = await lab.host(`vm${n.toString(16)}`, options)
    const suffix = n.toString(16).padStart(4, '0').replace(/..$/, ':$&')
    lab.link(vm, 'eth0', inside, `vm${n.toString(16)}`, { macs: [`02:00:00:00:${suffix}`, `02:00:00:02:${suffix}`] })
    await vm.up('eth0')
    vm.ip(`addr add ${vmAddress(n)}/64 dev eth0`, `route add default via ${ROUTER} dev eth0`)
    return vm
  }

  async function addNeighbor(name: string, options: HostOptions = {}): Promise<Host> {
    const host = await lab.host(name, options)
    lab.link(host, 'eth0', outside, name)
    return host
  }

  return { server, router, proxy, outside, inside, addVm, addNeighbor, vms: await Promise.all(vms.map((n) => addVm(n))) }
}

/** Configures the kernel's own proxy and routes in place of ndp6d, for VMs that never change. */
export function proxyByHand(proxy: Host, vms: readonly number[]): void {
  proxy.sysctl({ 'conf/all/proxy_ndp': 1, 'conf/eth0/proxy_ndp': 1, 'conf/eth1/proxy_ndp': 1,
    'neigh/eth0/proxy_delay': 0, 'neigh/eth1/proxy_delay': 0 })
  proxy.ip(`neigh add proxy ${ROUTER} dev eth1 nud permanent`,
    ...vms.flatMap((n) => [`neigh add proxy ${vmAddress(n)} dev eth0 nud permanent`, `route add ${vmAddress(n)}/128 dev eth1`]))
}
