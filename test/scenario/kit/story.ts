/** The topology of the story (product: the story it exists for) in the simulator. */
import type { Test } from 'tap'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chance } from '../../engine/kit/stage.ts'
import { ProxyHost } from './proxy-host.ts'
import { Host, Segment, World } from './simulator.ts'

export const ETH0 = 2
export const ETH1 = 3
export const ROUTER = '2001:db8::1'

export const CONFIG = `subnet 2001:db8::/64 {
  upstream eth0
  downstream eth1
  host 2001:db8::1 eth0
}`

export interface Story {
  readonly world: World
  readonly outside: Segment
  readonly inside: Segment
  readonly router: Host
  readonly proxy: ProxyHost
  /** The proxy's link-layer addresses. */
  readonly mac0: string
  readonly mac1: string
  /** One more VM, at `2001:db8::N`, with its address. */
  addVm(n: number): Host
}

export function vmAddress(n: number): string { return `2001:db8::${n.toString(16)}` }

/** Router and proxy, no VM yet. */
export function story(seed: number, config = CONFIG): Story {
  const world = new World(chance(seed))
  const [outside, inside] = [new Segment(world), new Segment(world)]
  const router = new Host(outside, 1, ROUTER)
  const proxy = new ProxyHost(world, config)
  const mac0 = proxy.attach(ETH0, 'eth0', outside, '2001:db8::ff')
  const mac1 = proxy.attach(ETH1, 'eth1', inside)
  return { world, outside, inside, router, proxy, mac0, mac1, addVm: (n) => new Host(inside, n, vmAddress(n)) }
}

/** Writes the frames of a run that failed to a file. */
export function capture(t: Test, { world }: Story, name: string): void {
  if (t.passing()) return
  const file = join(mkdtempSync(join(tmpdir(), 'ndp6d-')), `${name}.pcap`)
  writeFileSync(file, world.pcap())
  t.comment(`frames: ${file}`)
}
