/** One solicitation on request, and the reply to it, for `ndp6d explain --probe`. */
import { type Address, formatMac } from '../address.ts'
import type { Introspection } from '../introspection.ts'

/** Milliseconds until a link counts as silent: the time between retransmissions of hosts (RETRANS_TIMER of RFC 4861 10). */
const PATIENCE = 1000
/** Longest wait for an owner after the first reply or after PATIENCE, milliseconds: a reply may make the engine probe, which takes time. */
const SETTLING = 200
/** NEIGHBOR_ADVERTISEMENT of RFC 4861 4.4. */
const ADVERTISEMENT = 136

export interface ProbeReply {
  readonly interface: string
  /** Link-layer address of the sender; null: no reply, or the link has no such addresses. */
  readonly lladdr: string | null
  /** Time from the solicitation to the reply; null: no reply. */
  readonly roundTripMs: number | null
}

export type ProbeSource = Pick<Introspection, 'explain' | 'probe' | 'nameOf'> & { readonly observers: Pick<Introspection['observers'], 'add'> }

/**
 * Solicits the address where its owner is, else on all links where the owner may be.
 * @param closed the signal that ends the wait
 * @returns a result for each link; empty: there is no link to solicit on
 */
export async function probe(address: Address, daemon: ProbeSource, closed: AbortSignal): Promise<ProbeReply[]> {
  const { neighbor, targets } = targetsOf(address, daemon)
  const replies = new Map<number, ProbeReply>(targets.map((ifindex) =>
    [ifindex, { interface: daemon.nameOf(ifindex), lladdr: null, roundTripMs: null }]))
  let sent = 0
  let wake = (): void => {}
  const stop = daemon.observers.add({
    packet: ({ type, ifindex, t0, t1, t2, t3, mac }) => {
      const reply = replies.get(ifindex)
      if (type !== ADVERTISEMENT || reply === undefined || reply.roundTripMs !== null) return
      if (t3 !== address.w3 || t2 !== address.w2 || t1 !== address.w1 || t0 !== address.w0) return
      replies.set(ifindex, { ...reply, lladdr: mac < 0 ? null : formatMac(mac), roundTripMs: round(performance.now() - sent) })
      wake()
    },
    event: () => wake(),
  })
  try {
    const waits = async (ms: number, isOver: () => boolean): Promise<void> => {
      const end = AbortSignal.any([AbortSignal.timeout(ms), closed])
      while (!isOver() && !end.aborted) {
        await new Promise<void>((resolve) => {
          wake = resolve
          end.addEventListener('abort', () => resolve(), { once: true })
        })
      }
    }
    daemon.probe(address, targets)
    sent = performance.now()
    if (targets.length > 0) await waits(PATIENCE, () => [...replies.values()].some(({ roundTripMs }) => roundTripMs !== null))
    // A reply of an unknown host is a sign of life, so the engine sends probes of its own.
    if (neighbor === undefined || neighbor.state === 'FAILED') await waits(SETTLING, () => isSettled(address, daemon))
  } finally {
    stop()
  }
  return [...replies.values()]
}

function targetsOf(address: Address, daemon: Pick<Introspection, 'explain'>) {
  const { links, neighbor } = daemon.explain(address)
  const isOwned = neighbor?.state === 'REACHABLE' || neighbor?.state === 'PROBE'
  const targets = isOwned ? [neighbor.ifindex] : [...new Set(links.flatMap(({ candidates }) => candidates))]
  return { neighbor, targets: targets.filter((ifindex) => ifindex !== 0) }
}

function isSettled(address: Address, daemon: Pick<Introspection, 'explain'>): boolean {
  const state = daemon.explain(address).neighbor?.state
  return state === 'REACHABLE' || state === 'PROBE'
}

/** Rounds milliseconds to microseconds. */
export function round(ms: number): number { return Math.round(ms * 1000) / 1000 }
