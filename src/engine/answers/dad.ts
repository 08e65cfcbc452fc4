/** Answers to DAD (RFC 4862 5.4.3). An answer denies the new host its address, so it needs evidence of another owner (RFC 3756 4.1.4). */
import type { Address, Mac } from '../../address.ts'
import type { Conflicts } from '../cache/conflicts.ts'
import type { Neighbor } from '../cache/neighbor.ts'
import type { Reachability } from '../cache/reachability.ts'
import { type Solicitor, SOLICITOR_LIMIT, withSolicitor } from '../cache/waiting-solicitors.ts'
import { type Context, Part } from '../rules/context.ts'
import type { ActiveRule } from '../rules/rule.ts'
import type { Instant } from '../../engine-types.ts'
import type { Limit, Outcome } from '../../events.ts'

/** The most targets that may wait for the kernel's reply to a route lookup. */
const LOOKUP_LIMIT = 1024

interface Pending {
  readonly rule: ActiveRule
  solicitors: readonly Solicitor[]
}

export type DadParts = Pick<Context, 'effects'> & { readonly reachability: Reachability; readonly conflicts: Conflicts }

export class Dad extends Part<DadParts> {
  readonly #pending = new Map<string, Pending>()

  get limits(): Limit[] { return [{ name: 'addresses in DAD that wait for a route lookup', used: this.#pending.size, size: LOOKUP_LIMIT }] }

  /** Handles DAD for the address of an owner. @returns undefined: the address is to be defended, since the owner is pinned */
  owned(neighbor: Neighbor, solicitor: Solicitor, now: Instant): Outcome | undefined {
    if (neighbor.mac === solicitor.mac) return 'dad-own-mac'
    // The answer of another proxy does not prove that the host is there.
    if (neighbor.isOverridable) return 'dad-unproven'
    return neighbor.isPinned ? undefined : this.parts.reachability.confirm(neighbor, solicitor, now)
  }

  conflict(neighbor: Neighbor, ifindex: number, mac: Mac, now: Instant): void {
    this.parts.conflicts.report(neighbor.target, ifindex, mac, neighbor.isPinned ? 'pinned' : 'answered', now)
  }

  /** Handles DAD for a target of a static rule: requests the kernel's route. The target is defended if that route is local. */
  lookUp(target: Address, rule: ActiveRule, solicitor: Solicitor): 'dad-unproven' | 'limit' {
    const { effects: { events, lookups } } = this.parts
    const key = target.toString()
    const pending = this.#pending.get(key)
    if (pending === undefined) {
      if (this.#pending.size >= LOOKUP_LIMIT) {
        events.push({ kind: 'limit', limit: 'lookups', size: LOOKUP_LIMIT })
        return 'limit'
      }
      this.#pending.set(key, { rule, solicitors: [solicitor] })
      lookups.push({ target, from: 0, source: undefined })
      return 'dad-unproven'
    }
    const solicitors = withSolicitor(pending.solicitors, solicitor)
    if (solicitors === undefined) {
      events.push({ kind: 'limit', limit: 'solicitors', size: SOLICITOR_LIMIT })
      return 'limit'
    }
    pending.solicitors = solicitors
    return 'dad-unproven'
  }

  /** Removes the solicitors that wait for the kernel's reply about a target. @returns the solicitors, and the rule */
  take(target: Address): Pending | undefined {
    if (this.#pending.size === 0) return undefined
    const key = target.toString()
    const pending = this.#pending.get(key)
    this.#pending.delete(key)
    return pending
  }
}
