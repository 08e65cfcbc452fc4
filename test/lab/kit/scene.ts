/** What the lab tests share: a topology, the daemon in it, a capture of its links, and what a proxy may not send. */
import type { Test } from 'tap'
import { offences } from '../../kit/manners.ts'
import { Daemon, type DaemonOptions } from './daemon.ts'
import { type Capture, type Host, Lab } from './lab.ts'
import { type Bridges, buildTopology, CONFIG, type Topology } from './topology.ts'

export type * from './lab.ts'
export * from './topology.ts'
export * from '../../kit/until.ts'

export interface Scene extends Topology {
  readonly lab: Lab
  /** ICMPv6 on the proxy's links, both directions, from before the daemon starts. */
  readonly eth0: Capture
  readonly eth1: Capture
  /** Starts the daemon in the proxy and waits until it is ready. */
  start(config?: string, options?: DaemonOptions): Promise<Daemon>
}

/** @returns a scene that is removed at the end of `t` */
export async function scene(t: Test, vms: readonly number[] = [2, 3], bridges: Bridges = {}): Promise<Scene> {
  const lab = Lab.create()
  t.teardown(() => lab.close())
  const topology = await buildTopology(lab, vms, bridges)
  const { proxy } = topology
  const [eth0, eth1] = await Promise.all([proxy.capture('eth0'), proxy.capture('eth1')])
  return { ...topology, lab, eth0, eth1, start: (config = CONFIG, options = {}) => new Daemon(lab, proxy, config, options).ready() }
}

/**
 * Asserts that the proxy sent nothing on its links that a proxy may not send.
 * @param moved targets that may be announced with Override @param captures by interface; default: eth0 and eth1
 * @param former addresses that the proxy had before
 */
export function goodManners(t: Test, stage: Scene, moved: readonly string[] = [],
  captures: Readonly<Record<string, Pick<Capture, 'frames'>>> = { eth0: stage.eth0, eth1: stage.eth1 }, former: readonly string[] = []): void {
  const ours = [...addressesOf(stage.proxy), ...former]
  for (const [iface, { frames }] of Object.entries(captures)) {
    t.same(offences(frames, addressesOf(stage.proxy, iface), ours, moved), [], `nothing on ${iface} that a proxy may not send`)
  }
}

/** @returns the addresses of a host, on one link or on all */
export function addressesOf(host: Host, iface?: string): string[] {
  return host.show<{ ifname: string; addr_info?: { local: string }[] }>('addr show').filter(({ ifname }) => iface === undefined || ifname === iface)
    .flatMap(({ addr_info }) => addr_info ?? []).map(({ local }) => local)
}
