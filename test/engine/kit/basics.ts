/** Links, configurations and seeded randomness for the engine's tests. */
import { Address } from '../../../src/address.ts'
import type { Config } from '../../../src/config/config.ts'
import { parseConfig } from '../../../src/config/load.ts'
import type { Link, LinkAddress, Random } from '../../../src/engine-types.ts'
import { ip, mac } from './frames.ts'

export const LO = 1
export const ETH0 = 2
export const ETH1 = 3
export const ETH2 = 4
const NAMES: Readonly<Record<number, string>> = { [LO]: 'lo', [ETH0]: 'eth0', [ETH1]: 'eth1', [ETH2]: 'eth2' }

/** Seeded random numbers in [0, 1) (mulberry32). */
export function chance(seed: number): Random {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** @throws Error with all diagnostics when the text is no valid configuration */
export function configOf(text: string): Config {
  const { config, diagnostics } = parseConfig(text, 'test.conf')
  if (config === undefined) throw new Error(diagnostics.map(({ message }) => message).join('\n'))
  return config
}

/** A link that is up, with the link-local address fe80::ff:IFINDEX. */
export function linkOf(ifindex: number, more: Partial<Link> = {}): Link {
  return { ifindex, name: NAMES[ifindex], mac: mac(`02:00:00:00:ff:${ifindex.toString(16).padStart(2, '0')}`), up: true,
    addresses: [own(`fe80::ff:${ifindex}`)], ...more }
}

export function own(text: string, prefixLength = 64, tentative = false): LinkAddress {
  return { address: ip(text), prefixLength, tentative }
}

/** The solicited-node group with these low 24 bits. */
export function groupOf(suffix: number): Address { return new Address(0, 0, 0, suffix).solicitedNode }
export function nameOf(ifindex: number): string { return NAMES[ifindex] ?? `link ${ifindex}` }
