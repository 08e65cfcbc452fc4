/** Recognizes anycast addresses. Several hosts share an anycast address, so the proxy never answers for it. */
import type { Links } from '../links/links.ts'
import type { ActiveRule } from './rule.ts'

/**
 * Decides by the interface identifier, the last 64 bits (RFC 4291 2.5.4). Each /64 of a `subnet` block has anycast addresses, and so has
 * the /64 of an address of this machine. Other prefixes of rules are only ranges of ordinary addresses. The address of a /128 rule is
 * always ordinary.
 * @param rules the rules that cover the address
 * @returns whether the address is subnet-router anycast (RFC 4291 2.6.1) or reserved anycast (RFC 2526)
 */
export function isAnycast(
  rules: readonly ActiveRule[], links: Pick<Links, 'values'>, t0: number, t1: number, t2: number, t3: number): boolean {
  if ((t2 | t3) !== 0 && !(t2 === (0xfdffffff | 0) && t3 >>> 7 === 0xffffff80 >>> 7)) return false
  if (rules.some(({ length }) => length === 128)) return false
  const wide = rules.filter(({ length }) => length <= 64)
  return wide.some(({ subnet }) => subnet !== undefined) || (wide.length > 0 && hasSubnet(links, t0, t1))
}

/** @returns whether an address of this machine has this /64 as its on-link prefix */
function hasSubnet(links: Pick<Links, 'values'>, t0: number, t1: number): boolean {
  return [...links.values()].some(({ addresses }) => addresses
    .some(({ address: { w0, w1 }, prefixLength }) => prefixLength === 64 && w0 === t0 && w1 === t1))
}
