/** Configurations of the contenders, each in its own language. */
import type { Contender } from './responder.ts'
import { target } from './solicitations.ts'

function each(count: number, line: (address: string) => string, first = 0): string {
  return Array.from({ length: count }, (_, i) => line(target(first + i))).join('\n')
}

/** A static rule for the /64, in the language that ndp6d and ndppd share. */
export const STATIC = 'proxy eth0 {\n  rule 2001:db8::/64 {\n    static\n  }\n}\n'
export const NPD6 = 'prefix = 2001:db8:0:0:\ninterface = eth0\n'

/** The kernel's proxy has no prefixes: one entry for each target, without random delay (ip-sysctl, proxy_delay). */
function kernelEntries(targets: number): string {
  return ['ntable change name ndisc_cache dev eth0 proxy_delay 0',
    each(targets, (address) => `neigh replace proxy ${address} dev eth0 nud permanent`)].join('\n')
}

/** Four programs that answer for the whole /64; the kernel for `targets` addresses of it. */
export function everyProgram(targets: number): readonly Contender[] {
  return [
    { name: 'ndp6d', program: 'ndp6d', config: () => STATIC },
    { name: 'ndppd', program: 'ndppd', config: () => STATIC },
    { name: 'npd6', program: 'npd6', config: () => NPD6 },
    { name: 'kernel', program: 'kernel', config: () => kernelEntries(targets) },
  ]
}

/** Addresses that a rule covers: a /120. */
export const RULE_WIDTH = 256

/** Static rules that cover the first targets, RULE_WIDTH each. */
export function rules(count: number): string {
  const all = Array.from({ length: count }, (_, i) => `  rule ${target(RULE_WIDTH * i)}/120 {\n    static\n  }\n`)
  return `proxy eth0 {\n${all.join('')}}\n`
}

/** A subnet that pins the first `hosts` targets to eth1 and learns no host. */
export function pinned(hosts: number): string {
  return `subnet 2001:db8::/64 {\n  upstream eth0\n  downstream eth1\n  learn no\n${
    each(hosts, (address) => `  host ${address} eth1`)}\n}\n`
}

/** A subnet that learns up to `hosts` hosts. An owner is verified for an hour, which keeps verification out of the figures. */
export function learning(hosts: number): string {
  return `subnet 2001:db8::/64 {\n  upstream eth0\n  downstream eth1\n  ttl 1h\n  limit ${hosts}\n}\n`
}

/** Number of the first target of a burst. */
export const BURST_FIRST = 1 << 20

/** A subnet with the first `steady` targets on eth2, and `hosts` others, which come and go, on eth1. */
export function burst(steady: number, hosts: number): string {
  return `subnet 2001:db8::/64 {\n  upstream eth0\n  downstream eth1 eth2\n  learn no\n${
    each(steady, (address) => `  host ${address} eth2`)}\n${each(hosts, (address) => `  host ${address} eth1`, BURST_FIRST)}\n}\n`
}

/** A rule that takes the link of the target from the routing table. */
export const AUTO = 'proxy eth0 {\n  rule 2001:db8::/64 {\n    auto\n  }\n}\n'

/** A rule of ndppd that solicits on eth1. */
export const IFACE = 'proxy eth0 {\n  ttl 3600000\n  rule 2001:db8::/64 {\n    iface eth1\n  }\n}\n'

/** The way to the targets, which the prefix on eth0 does not lead to. */
export const ROUTE = ['route add 2001:db8::1:0:0/96 dev eth1'] as const
/** A third link, for the hosts that stay in a burst. */
export const THIRD_LINK = ['link add eth2 type veth peer name steady', 'link set eth2 up', 'link set steady up'] as const
