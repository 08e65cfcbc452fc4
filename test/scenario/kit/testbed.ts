/**
 * One network for a story, simulated (virtual time, the engine alone) or real (network namespaces, the whole daemon).
 *
 *     server ---- router ==== eth0 [proxy] eth1 ==== VMs
 *                ::1        ::ff/64      eth2 ==== VMs
 */
import type { Test } from 'tap'
import type { Seen } from '../../kit/manners.ts'
import { real } from './real.ts'
import { simulated } from './simulated.ts'

export interface Traffic {
  readonly sent: number
  /** Without an echo within {@link PATIENCE}. */
  readonly lost: number
}

export interface Node {
  readonly name: string
  readonly mac: string
  /** @returns whether a datagram gets there and is echoed within `ms`; default: {@link PATIENCE} */
  reaches(target: string, ms?: number): Promise<boolean>
  /** Sends datagrams. @param rate a second; default: 100 */
  traffic(target: string, seconds: number, rate?: number): Promise<Traffic>
  /** @returns the datagrams that got here so far and were echoed */
  echoed(): Promise<number>
  /** Takes an address without DAD, or gives it up. */
  assign(...addresses: readonly string[]): void
  release(address: string): void
  /** Takes an address with DAD (RFC 4862 5.4); after a collision gives it up. */
  claim(address: string): Promise<'valid' | 'duplicate'>
  /** Forgets all neighbors. */
  forget(): void
  /** Sends raw frames. @param gap milliseconds between two */
  inject(frames: readonly Uint8Array[], gap?: number): Promise<unknown>
}

export interface VmOptions {
  /** Default: eth1. */
  readonly link?: 'eth1' | 'eth2'
  /** Default: the router. */
  readonly gateway?: string
  /** Its address is tentative at first. */
  readonly dad?: boolean
}

export interface Testbed {
  readonly router: Node
  /** Beyond the router. */
  readonly server: Node
  /** Milliseconds; comparable with the times of frames. */
  readonly now: number
  /** The proxy's addresses on one of its links. */
  proxyOn(iface: string): { readonly mac: string; readonly linkLocal: string }
  /** Adds a VM with the address `2001:db8::N`. */
  addVm(n: number, options?: VmOptions): Promise<Node>
  /** Adds a host without global addresses. On eth1 it makes some of advertised prefixes: `PREFIXff:fe00:N`. */
  addHost(n: number, link: 'eth0' | 'eth1'): Promise<Node>
  /** Adds a router beside ours with the address `2001:db8::N`, as any machine with containers is. */
  addRouter(n: number): Promise<Node>
  /** Moves a host or router to eth1, as by live migration: it sends an unsolicited advertisement for the address. */
  migrate(node: Node, address: string): Promise<unknown>
  /** Advertises prefixes (/64) from now on, to the proxy and to the VMs, with their lifetimes in seconds. */
  advertise(lifetimes: Readonly<Record<string, number>>): void
  /** Starts the proxy. */
  start(config?: string): Promise<void>
  /** Ends the proxy and starts it again. @param meanwhile between the two @returns when the proxy was down */
  restart(how: 'stopped' | 'killed', meanwhile?: () => void): Promise<{ readonly from: number; readonly to: number }>
  /** Reads the same configuration again. */
  reload(): void
  /** @returns the exit status */
  stop(): Promise<number | string>
  /** Host routes of the proxy, `ADDRESS IFACE`, sorted. */
  routes(): string[]
  /** Adds a host route as a previous run of the proxy leaves it. */
  leaveRoute(target: string, iface: string): void
  /** Routes, packet filters and neighbors of a prefix that the proxy holds. */
  stateOf(prefix: string): string[]
  /** Targets whose claim by another host was reported: link-layer address and link of the claimant, once each. */
  conflicts(target: string): readonly { readonly lladdr: string; readonly iface: string }[]
  /** ICMPv6 on a link of the proxy so far. */
  frames(iface: string): readonly Seen[]
  /** Asserts that the proxy sent nothing that a proxy may not send. */
  goodManners(t: Test): void
  wait(ms: number): Promise<unknown>
  /** Waits for a condition. @throws Error after a minute */
  until(condition: () => unknown): Promise<unknown>
}

export interface TestbedOptions {
  /** The proxy has a second downstream link, eth2. */
  readonly hasEth2?: boolean
  /** The real router verifies each neighbor that it uses every second or two. */
  readonly isImpatient?: boolean
}

export interface TestbedKind {
  readonly name: string
  /** @returns a testbed that is removed at the end of `t` */
  create(t: Test, options?: TestbedOptions): Promise<Testbed>
}

export const WORLDS: readonly TestbedKind[] = [simulated, real]

/** Plays one story in both worlds. */
export function inBoth(t: Test, name: string, play: (t: Test, world: TestbedKind) => Promise<unknown>): void {
  for (const world of WORLDS) t.test(`${world.name}: ${name}`, (t) => play(t, world))
}
