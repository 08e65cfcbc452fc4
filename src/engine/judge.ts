/** What a solicited Neighbor Advertisement means for an entry of the neighbor cache (RFC 4861 7.2.5, 7.2.8; RFC 3756 4.1.1). */
import type { Mac } from '../address.ts'
import { RETRANS_TIMER } from '../wire/constants.ts'
import type { Neighbor } from './neighbor.ts'
import type { Instant } from './types.ts'

export interface Claim {
  readonly ifindex: number
  /** Undefined on links without such addresses. */
  readonly mac: Mac | undefined
  readonly override: boolean
  /** The link is the upstream of the neighbor's subnet. */
  readonly isUpstream: boolean
}

/** `proof`: the claimant is the owner. `proxied`: another proxy's word. `unsolicited`: it answers no question of ours. */
export function judge(neighbor: Neighbor, claim: Claim, now: Instant): 'proof' | 'proxied' | 'unsolicited' {
  const { state, rule: { subnet }, asking, verified, absent, proxied } = neighbor
  const { ifindex, mac, override, isUpstream } = claim
  const isHome = ifindex === neighbor.ifindex
  const isOwner = isHome && mac === neighbor.mac
  // Linux answers a unicast probe with O=0; from anybody but the owner that is another proxy's word.
  if (!override && !(isOwner && state === 'PROBE') && subnet !== undefined && !isUpstream) return 'proxied'
  switch (state) {
    case 'FAILED': return 'unsolicited'
    case 'INCOMPLETE': return asking.includes(ifindex) ? 'proof' : 'unsolicited'
    case 'PROBE': {
      // Another lladdr is believed only when the owner did not answer at its own.
      const asksGroup = neighbor.mac === undefined || absent || neighbor.probes > neighbor.unicastProbes
      if (isHome) return isOwner || asksGroup ? 'proof' : 'unsolicited'
      const isMoved = mac === neighbor.mac || (proxied && override)
      return isMoved && asking.includes(ifindex) ? 'proof' : 'unsolicited'
    }
    case 'REACHABLE':
      // A second answer to the same question?
      if (isHome || mac === neighbor.mac || !asking.includes(ifindex) || now - verified >= RETRANS_TIMER) return 'unsolicited'
      if (!override) return 'proxied'
      return proxied || isUpstream ? 'proof' : 'unsolicited'
  }
}
