/** Decides whether to answer for an address that this machine has on another link: the kernel does not answer there. */
import type { OwnAddress } from '../links/links.ts'
import { type ActiveRule, allows } from '../rules/rule.ts'

/**
 * @param own all links where this machine has the address
 * @param solicitedOn the link of the solicitor
 * @returns whether the address is usable, is not on the solicitor's link, and is on loopback or on a link that one of the rules covers
 */
export function answersForOwn(own: readonly OwnAddress[], rules: readonly ActiveRule[], solicitedOn: number): boolean {
  return own.every(({ ifindex, tentative }) => ifindex !== solicitedOn && !tentative)
    && own.some(({ ifindex, loopback }) => loopback || allows(rules, ifindex))
}
