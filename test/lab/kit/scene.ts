/** What the lab tests share: a topology, the daemon in it, a capture of both its links, and what must never be seen. */
import type { Test } from 'tap'
import { Daemon } from './daemon.ts'
import type { DaemonOptions } from './daemon.ts'
import { Lab } from './lab.ts'
import type { Capture, Seen } from './lab.ts'
import { CONFIG, buildTopology } from './topology.ts'
import type { Bridges, Topology } from './topology.ts'

export interface Scene extends Topology {
  readonly lab: Lab
  /** ICMPv6 on the proxy's links, both directions, from before the daemon starts. */
  readonly eth0: Capture
  readonly eth1: Capture
  /** Starts the daemon in the proxy and waits until it is ready. */
  start(config?: string, options?: DaemonOptions): Promise<Daemon>
}

/** A scene that is removed at the end of `t`; there it also asserts that the proxy kept its manners. */
export async function scene(t: Test, vms: readonly number[] = [2, 3], bridges: Bridges = {}): Promise<Scene> {
  const lab = Lab.create()
  t.teardown(() => lab.close())
  const topology = await buildTopology(lab, vms, bridges)
  const { proxy } = topology
  const [eth0, eth1] = await Promise.all([proxy.capture('eth0'), proxy.capture('eth1')])
  return {
    ...topology, lab, eth0, eth1,
    start: (config = CONFIG, options = {}) => new Daemon(lab, proxy, config, options).ready(),
  }
}

/**
 * What a capture shows that no proxy may do (RFC 4861 7.2.4 and 7.2.8, RFC 4389 4.1; checklist P): nothing, in words.
 * @param own the machine's own addresses on that link: the kernel answers for these, and it alone
 * @param ours all of its addresses: errors that come from elsewhere are forwarded, as they should be. Default: any is one
 */
export function offences(capture: Pick<Capture, 'frames'>, own: readonly string[], ours?: readonly string[]): string[] {
  const list: string[] = []
  const asked = new Map<string, number>()
  const answered = new Map<string, number>()
  for (const frame of capture.frames) {
    const { kind, outgoing, target, flags, destination } = frame
    if (kind === 'NS' && !outgoing) asked.set(target, (asked.get(target) ?? 0) + 1)
    if (!outgoing) continue
    if (kind === 'error' && ours?.includes(frame.source) !== false) list.push(`ICMPv6 error to ${destination}`)
    if ((kind === 'NS' || kind === 'NA') && frame.hopLimit !== 255) list.push(`${describe(frame)} forwarded`)
    if (kind !== 'NA') continue
    // An announcement to the routers (RFC 9131 6.1.2) is no answer.
    if (destination === 'ff02::2' && flags === 'R') continue
    // Nor is what tells hosts where the address is from which they are asked to show themselves.
    if (destination === 'ff02::1' && flags === 'R' && ours?.includes(target)) continue
    answered.set(target, (answered.get(target) ?? 0) + 1)
    if (destination === '::') list.push(`${describe(frame)} to ::`)
    if (flags.includes('O') && !own.includes(target)) list.push(`${describe(frame)} with Override`)
    if (flags.includes('S') === (destination === 'ff02::1')) list.push(`${describe(frame)} with flags ${flags}`)
  }
  for (const [target, count] of answered) {
    const questions = asked.get(target) ?? 0
    if (count > questions) list.push(`${count} NA for ${questions} NS of ${target}`)
  }
  return list
}

/** Asserts that nothing offends on either link of the proxy. */
export function goodManners(t: Test, { proxy, eth0, eth1 }: Scene): void {
  const ours = proxy.show('addr show').flatMap((link) => link.addr_info ?? []).map((info: { local: string }) => info.local)
  for (const [iface, capture] of [['eth0', eth0], ['eth1', eth1]] as const) {
    const own = proxy.show(`addr show dev ${iface}`)[0].addr_info.map((info: { local: string }) => info.local)
    t.same(offences(capture, own, ours), [], `nothing on ${iface} that a proxy may not do`)
  }
}

/** The solicitations among `asked` that no NA to their sender followed within `limit` milliseconds, in words. */
export function unanswered(capture: Capture, asked: readonly Seen[], limit = 100): string[] {
  const answers = capture.of('NA').filter((na) => na.outgoing)
  return asked
    .filter((ns) => !answers.some((na) => na.target === ns.target && na.to === ns.from
      && na.at >= ns.at && na.at - ns.at < limit))
    .map((ns) => `${describe(ns)} from ${ns.source} to ${ns.destination}`)
}

function describe({ kind, target }: Seen): string {
  return `${kind} for ${target}`
}
