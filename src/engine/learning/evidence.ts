/** Decides whether a sign of life starts a probe for a target, contests its owner, or has no effect. */
import type { Mac } from '../../address.ts'
import type { Neighbor } from '../cache/neighbor.ts'
import type { KernelNeighbor } from '../../engine-types.ts'
import type { ActiveRule } from '../rules/rule.ts'

/**
 * @param rule the rule by which the target may be learned on the host's link
 * @param mac link-layer address of the host that gave the sign of life; undefined on links without such addresses
 * @returns `probe`: no owner is known; `contest`: the owner is another host or on another link; `known`: the host is the owner; else `none`
 */
export function evidence(neighbor: Neighbor | undefined, rule: ActiveRule | undefined, ifindex: number, mac: Mac | undefined):
'probe' | 'contest' | 'known' | 'none' {
  if (rule === undefined) return 'none'
  if (neighbor?.isOwned) {
    const isOther = neighbor.ifindex !== ifindex || (mac !== undefined && neighbor.mac !== undefined && mac !== neighbor.mac)
    return isOther ? 'contest' : 'known'
  }
  if (!rule.settings.learn) return 'none'
  // Without `autowire`, a `proxy` block probes solicited targets only: a sign of life adds no entry, but ends `deadtime` early.
  return neighbor === undefined && rule.subnet === undefined && !rule.settings.routes ? 'none' : 'probe'
}

/**
 * @returns whether an entry of the kernel's neighbor table with a link-layer address is a sign of life. For a FAILED target, only a
 * REACHABLE entry counts, because entries in other states may be old. The caller handles `failed` and `deleted`
 */
export function isSignOfLife(state: KernelNeighbor['state'], neighbor: Neighbor | undefined): boolean {
  return state === 'reachable' || neighbor?.state !== 'FAILED'
}
