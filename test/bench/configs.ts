/** What the contenders are told, each in its own language. */
import { target } from './questions.ts'
import type { Contender } from './responders.ts'

function each(count: number, line: (address: string) => string, first = 0): string {
  return Array.from({ length: count }, (_, i) => line(target(first + i))).join('\n')
}

/** A static rule for the /64; ndppd's language is ours. */
export const STATIC = 'proxy eth0 {\n  rule 2001:db8::/64 {\n    static\n  }\n}\n'
export const NPD6 = 'prefix = 2001:db8:0:0:\ninterface = eth0\n'

/** The kernel has no prefix rules: one entry for each target, and no random delay (ip-sysctl, proxy_delay). */
export function kernelEntries(targets: number): string {
  return ['ntable change name ndisc_cache dev eth0 proxy_delay 0',
    each(targets, (address) => `neigh replace proxy ${address} dev eth0 nud permanent`)].join('\n')
}

/** The four of them, all answering for everything in the /64; the kernel for `targets` addresses. */
export function everybody(targets: number): readonly Contender[] {
  return [
    { name: 'ndp6d', program: 'ndp6d', config: () => STATIC },
    { name: 'ndppd', program: 'ndppd', config: () => STATIC },
    { name: 'npd6', program: 'npd6', config: () => NPD6 },
    { name: 'kernel', program: 'kernel', config: () => kernelEntries(targets) },
  ]
}

/** Addresses that a rule holds: a /120. */
export const RULE_WIDTH = 256

/** Static rules for the first targets, each for as many as it holds. */
export function rules(count: number): string {
  const all = Array.from({ length: count }, (_, i) => `  rule ${target(RULE_WIDTH * i)}/120 {\n    static\n  }\n`)
  return `proxy eth0 {\n${all.join('')}}\n`
}

/** A subnet whose first `hosts` targets are pinned to eth1, and nobody else is known. */
export function pinned(hosts: number): string {
  return `subnet 2001:db8::/64 {\n  upstream eth0\n  downstream eth1\n  learn no\n${
    each(hosts, (address) => `  host ${address} eth1`)}\n}\n`
}

/**
 * A subnet that learns up to `hosts` hosts; what is verified counts for an hour, so that only the scale is measured, not
 * how many verifications a second there are.
 */
export function learning(hosts: number, ttl = '1h'): string {
  return `subnet 2001:db8::/64 {\n  upstream eth0\n  downstream eth1\n  ttl ${ttl}\n  limit ${hosts}\n}\n`
}

/** Number of the first host of a burst. */
export const BURST_FIRST = 1 << 20

/** The first `steady` targets pinned to eth2, and `hosts` others to eth1, which come and go. */
export function burst(steady: number, hosts: number): string {
  return `subnet 2001:db8::/64 {\n  upstream eth0\n  downstream eth1 eth2\n  learn no\n${
    each(steady, (address) => `  host ${address} eth2`)}\n${each(hosts, (address) => `  host ${address} eth1`, BURST_FIRST)}\n}\n`
}

/** The kernel says on which link the target is. */
export const AUTO = 'proxy eth0 {\n  rule 2001:db8::/64 {\n    auto\n  }\n}\n'

/** ndppd's way to ask on a link. */
export const IFACE = 'proxy eth0 {\n  ttl 3600000\n  rule 2001:db8::/64 {\n    iface eth1\n  }\n}\n'
