/** The solicitors that wait for one target. */
import type { Address, Mac } from '../../address.ts'

export interface Solicitor {
  readonly ifindex: number
  /** `::` for DAD. */
  readonly source: Address
  readonly mac: Mac
}

/** The most solicitors that may wait for one target. */
export const SOLICITOR_LIMIT = 16

/** Adds a solicitor, unless it is waiting already. @returns the solicitors; undefined: the limit is reached */
export function withSolicitor(waiting: readonly Solicitor[], solicitor: Solicitor): readonly Solicitor[] | undefined {
  const { ifindex, source, mac } = solicitor
  if (waiting.some((other) => ifindex === other.ifindex && mac === other.mac && source.equals(other.source))) return waiting
  return waiting.length < SOLICITOR_LIMIT ? [...waiting, solicitor] : undefined
}
