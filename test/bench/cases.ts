/**
 * What the bench measures, as data: who answers, how each is told to, and under what load. A further case is a further
 * entry of CASES; a responder that has no configuration for a case does not take part in it.
 */

export const RESPONDERS = ['ndp6d', 'ndppd', 'npd6', 'kernel'] as const
export type ResponderName = (typeof RESPONDERS)[number]

/** The others are compared with this one. */
export const BASELINE: ResponderName = 'ndppd'

export interface Case {
  readonly name: string
  /** Solicitations on their way at any time; each answer releases the next. */
  readonly outstanding: number
  /** How many addresses are asked for, in turn; at least `outstanding`. */
  readonly targets: number
  /**
   * By responder: its configuration, or its answer to a number of targets, in its own language. The kernel's is
   * `ip -6 -batch`. In every responder's namespace `eth0` leads to the asker and `eth1` is there and up.
   */
  readonly configs: Readonly<Partial<Record<ResponderName, (targets: number) => string>>>
}

/** Target `n` of a case, below 65536; its last 16 bits are `n`. */
export function target(n: number): string {
  return `2001:db8::1:${n.toString(16)}`
}

function eachTarget(targets: number, line: (address: string) => string): string {
  return Array.from({ length: targets }, (_, n) => line(target(n))).join('\n')
}

/** The kernel has no prefix rules: one entry for each target, and no random delay (ip-sysctl, proxy_delay). */
function kernelEntries(targets: number): string {
  return ['ntable change name ndisc_cache dev eth0 proxy_delay 0',
    eachTarget(targets, (address) => `neigh replace proxy ${address} dev eth0 nud permanent`)].join('\n')
}

const STATIC_PREFIX: Case['configs'] = {
  ndp6d: () => 'proxy eth0 {\n  rule 2001:db8::/64 {\n    static\n  }\n}\n',
  ndppd: () => 'proxy eth0 {\n  rule 2001:db8::/64 {\n    static\n  }\n}\n',
  npd6: () => 'prefix = 2001:db8:0:0:\ninterface = eth0\n',
  kernel: kernelEntries,
}

export const CASES: readonly Case[] = [
  { name: 'static /64', outstanding: 1, targets: 64, configs: STATIC_PREFIX },
  { name: 'static /64', outstanding: 64, targets: 64, configs: STATIC_PREFIX },
]
