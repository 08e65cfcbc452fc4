/** Decides whether a solicited Neighbor Advertisement proves an owner (RFC 4861 7.2.5, 7.2.8; RFC 3756 4.1.1). */
import type { Mac } from '../../address.ts'
import { RETRANS_TIMER } from '../../wire/constants.ts'
import type { Instant } from '../../engine-types.ts'
import type { Neighbor } from './neighbor.ts'

export interface Claim {
  readonly ifindex: number
  /** Undefined on links without link-layer addresses. */
  readonly mac: Mac | undefined
  /** The NA counts as the host's own: the NA has O=1, its link has no neighbor resolution, or its sender is a proxy behind this machine. */
  readonly override: boolean
  /** The link is the upstream of the entry's subnet. */
  readonly isUpstream: boolean
}

/** @returns `proof`: the sender is the owner; `proxied`: the sender is another proxy; `unsolicited`: the NA does not count as an answer */
export function proof(neighbor: Neighbor, claim: Claim, now: Instant): 'proof' | 'proxied' | 'unsolicited' {
  const { state, rule: { subnet }, verified, isOverridable, isVouched, isBehindProxy, work: { probed, probes, isMissing } } = neighbor
  const { ifindex, mac, override, isUpstream } = claim
  const isHome = ifindex === neighbor.ifindex
  const isOwner = isHome && mac === neighbor.mac
  // A known owner on Linux answers a unicast probe with O=0. Any other advertisement with O=0 on a downstream link is from another proxy.
  if (!override && !(isOwner && state === 'PROBE') && subnet !== undefined && !isUpstream) return 'proxied'
  switch (state) {
    case 'FAILED': return 'unsolicited'
    case 'INCOMPLETE': return probed.includes(ifindex) ? 'proof' : 'unsolicited'
    case 'PROBE': {
      // Another link-layer address counts only after unicast probes to the known one were not answered.
      const isGroupSolicited = neighbor.mac === undefined || isMissing || probes > neighbor.unicastProbes
      if (isHome) return isOwner || isGroupSolicited ? 'proof' : 'unsolicited'
      const isMoved = mac === neighbor.mac || (isOverridable && override && !isVouched)
      return isMoved && probed.includes(ifindex) ? 'proof' : 'unsolicited'
    }
    case 'REACHABLE':
      // Only a second answer to the last probe counts, and only from another host on another link.
      if (isHome || mac === neighbor.mac || !probed.includes(ifindex) || now - verified >= RETRANS_TIMER) return 'unsolicited'
      // If a proxy downstream answers for the owner, an upstream answer with O=0 is from a second proxy for the same host: it proves nothing.
      if (isUpstream && (override || !isBehindProxy)) return 'proof'
      if (!override) return 'proxied'
      return isOverridable && !isVouched ? 'proof' : 'unsolicited'
  }
}
