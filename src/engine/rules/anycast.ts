/** Anycast addresses, which belong to no host. */
import { wordMask } from '../../address.ts'
import type { ActiveRule } from './rule.ts'

/** @returns whether the address is subnet-router anycast (RFC 4291 2.6.1) or reserved anycast (RFC 2526) in the prefix of a rule */
export function isAnycast(rules: readonly ActiveRule[], t0: number, t1: number, t2: number, t3: number): boolean {
  let found = (t2 | t3) === 0
  for (const { length } of rules) {
    if (length === 128) return false
    found ||= (length < 127 && isFirst(length, t0, t1, t2, t3))
      || (length <= 64 && t2 === (0xfdffffff | 0) && t3 >>> 7 === 0xffffff80 >>> 7)
  }
  return found
}

/** @returns whether the address is the first one of a prefix of this length */
function isFirst(length: number, t0: number, t1: number, t2: number, t3: number): boolean {
  return (t3 & ~wordMask(length, 3) | t2 & ~wordMask(length, 2) | t1 & ~wordMask(length, 1) | t0 & ~wordMask(length, 0)) === 0
}
