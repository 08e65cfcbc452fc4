/** Whether an address is answered for, by ndp6d or by the kernel, and why. */
import type { Address } from '../address.ts'
import type { Introspection } from '../introspection.ts'
import type { Outcome } from '../events.ts'

export type Verdict = 'answered' | 'silent' | 'kernel-answers'

/** Reasons for silence that are outcomes of solicitations. If the links have different outcomes, the reason is the first one in this list. */
const SILENT = ['foreign', 'failed', 'excluded', 'anycast', 'unknown-host', 'no-source', 'no-candidate', 'same-link'] as const

export type Reason =
  | 'pinned' | 'learned' | 'verifying' | 'static' | 'own-address-elsewhere'   // answered
  | 'own-address' | 'proxy-entry' | 'anycast'                                 // kernel-answers
  | 'unknown' | 'probing' | 'route-pending' | 'link-local' | 'target-multicast' | 'no-rule' | (typeof SILENT)[number]

export function verdictOf(address: Address, { links, own, neighbor, kernel }: ReturnType<Introspection['explain']>):
{ verdict: Verdict; reason: Reason } {
  const has = (outcome: Outcome): boolean => links.some((link) => link.outcome === outcome)
  const isOwned = neighbor?.state === 'REACHABLE' || neighbor?.state === 'PROBE'
  // The kernel does not answer for an address on loopback, because no solicitation comes in there.
  if (own.some(({ iface, tentative }) => iface !== 'lo' && !tentative)) return { verdict: 'kernel-answers', reason: 'own-address' }
  if (address.isMulticast) return { verdict: 'silent', reason: 'target-multicast' }
  if (has('answered')) {
    const reason = own.length > 0 ? 'own-address-elsewhere' : !isOwned ? 'static'
      : neighbor.pinned ? 'pinned' : neighbor.state === 'PROBE' ? 'verifying' : 'learned'
    return { verdict: 'answered', reason }
  }
  if (kernel?.proxies.some(({ isUsed }) => isUsed)) return { verdict: 'kernel-answers', reason: 'proxy-entry' }
  if (kernel?.route?.type === 'anycast') return { verdict: 'kernel-answers', reason: 'anycast' }
  if (address.isLinkLocal) return { verdict: 'silent', reason: 'link-local' }
  if (own.length > 0) return { verdict: 'silent', reason: 'own-address' }
  // `failed` on one link takes precedence: `probing` on another link only means that a solicitation there would probe further links.
  if (has('probing') && !has('failed')) {
    return { verdict: 'silent', reason: neighbor?.state === 'INCOMPLETE' ? 'probing' : isOwned ? 'route-pending' : 'unknown' }
  }
  return { verdict: 'silent', reason: SILENT.find(has) ?? 'no-rule' }
}
