/** Counts packets by outcome. Remembers the last packet of each outcome, and the first bytes of that packet if it is invalid. */
import type { PacketOutcome } from './engine-types.ts'
import type { Outcome } from './events.ts'
import { ACTIONS, SILENT_REASONS } from './events.ts'
import { DROP_REASONS, type InvalidFrame } from './wire/ndisc-decode.ts'

type Place = 'ifindex' | 'mac' | 't0' | 't1' | 't2' | 't3'

/** The first bytes of an invalid frame. `length` and `wrongAt` as in {@link InvalidFrame}. */
export type KeptFrame = { readonly bytes: Uint8Array } & Pick<InvalidFrame, 'length' | 'wrongAt'>

/** The most bytes that are kept of a frame. */
const KEPT = 128

/**
 * The last packet of each outcome: its age in milliseconds, its link, its sender, and the words of its target. Without a target, the words
 * are all zero. `frame` is set for an invalid packet.
 */
export type LastPackets = Readonly<Partial<Record<Outcome, Pick<PacketOutcome, Place> & { readonly age: number
  readonly frame: KeptFrame | undefined }>>>

type Last = { -readonly [K in Place]: PacketOutcome[K] } & { at: number }

export class Counters {
  readonly #counts = Object.fromEntries([...ACTIONS, ...SILENT_REASONS, ...DROP_REASONS].map((name) => [name, 0])) as
    Record<Outcome, number>
  readonly #lasts: Partial<Record<Outcome, Last>> = {}
  readonly #frames: Partial<Record<Outcome, { readonly bytes: Uint8Array; size: number; length: number; wrongAt: number }>> = {}
  /** The last outcome. Packets in a row often share an outcome, so a whole run is added to `#counts` at once. */
  #last: Outcome = 'answered'
  /** Packets with the outcome `#last` that are not yet in `#counts`. */
  #run = 0

  count(outcome: Outcome): void {
    if (outcome !== this.#last) this.#addRun(outcome)
    this.#run++
  }

  /** Packets since the start, by outcome; every outcome has an entry. */
  get values(): Readonly<Record<Outcome, number>> {
    this.#addRun(this.#last)
    return { ...this.#counts }
  }

  /** Remembers a packet as the last one of its outcome. @param now the time in milliseconds on a monotonic clock */
  remember({ outcome, ifindex, mac, t0, t1, t2, t3 }: PacketOutcome, now: number): void {
    const last = this.#lasts[outcome]
    if (last === undefined) {
      this.#lasts[outcome] = { at: now, ifindex, mac, t0, t1, t2, t3 }
      return
    }
    last.at = now
    last.ifindex = ifindex
    last.mac = mac
    last.t0 = t0
    last.t1 = t1
    last.t2 = t2
    last.t3 = t3
  }

  /** Copies the first bytes of an invalid frame, in place of the former frame with the same reason. */
  keep({ reason, slab, at, size, length, wrongAt }: InvalidFrame): void {
    const kept = this.#frames[reason] ??= { bytes: new Uint8Array(KEPT), size: 0, length: 0, wrongAt: -1 }
    kept.size = Math.min(size, KEPT)
    kept.length = length
    kept.wrongAt = wrongAt
    // For so few bytes, a loop is faster than `set`, which needs a view of the slab.
    for (let i = 0; i < kept.size; i++) kept.bytes[i] = slab[at + i]
  }

  /** @returns the last packet that was remembered for each outcome, with its age at `now` */
  lastPackets(now: number): LastPackets {
    return Object.fromEntries(Object.entries(this.#lasts).map(([outcome, { at, ...packet }]) =>
      [outcome, { ...packet, age: now - at, frame: this.#frame(outcome as Outcome) }]))
  }

  #frame(outcome: Outcome): KeptFrame | undefined {
    const kept = this.#frames[outcome]
    return kept && { bytes: kept.bytes.slice(0, kept.size), length: kept.length, wrongAt: kept.wrongAt }
  }

  #addRun(next: Outcome): void {
    this.#counts[this.#last] += this.#run
    this.#run = 0
    this.#last = next
  }
}
