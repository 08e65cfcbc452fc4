/**
 * The questions of a load as bytes: one solicitation (RFC 4861 4.3) as a stamp, of which others are made by changing the
 * words that depend on their target. Hundreds of thousands in a second, at no cost that could be measured in others.
 */
import { readWord, writeWord } from '../../src/address.ts'
import { read16, write16 } from '../../src/wire/bytes.ts'
import { NEIGHBOR_ADVERTISEMENT } from '../../src/wire/constants.ts'
import { ns } from '../kit/frames.ts'

/** Bytes of a slot in the slabs of frames. */
export const SLOT = 128
/** Offsets in a frame with an Ethernet header. */
const GROUP_MAC = 3
const GROUP = 51
const TYPE = 54
const CHECKSUM = 56
const TARGET = 62
const MESSAGE_END = 78
const PACKET_HOST = 0
/** The third word of the addresses that are asked for by number. */
const NUMBERED = 1

/** Target `n`, below 2^32, which is its last word. */
export function target(n: number): string {
  return `2001:db8::1:${(n >>> 16).toString(16)}:${(n & 0xffff).toString(16)}`
}

export class Questions {
  readonly #stamp: Uint8Array
  /** The checksum's one's complement sum without what depends on the target. */
  readonly #sum: number

  /** @param mac @param source the asker's own addresses */
  constructor(mac: string, source: string) {
    this.#stamp = ns({ from: mac, source, target: '2001:db8::' })
    this.#sum = ~read16(this.#stamp, CHECKSUM) & 0xffff
  }

  /** Bytes of a question. */
  get length(): number { return this.#stamp.length }

  /** Writes the question for target `n` at `at`. */
  write(slab: Uint8Array, at: number, n: number): void {
    slab.set(this.#stamp, at)
    this.change(slab, at, NUMBERED, n)
  }

  /** Makes a question that was written at `at` one for another target of the /64. @param w2 @param w3 its last words */
  change(slab: Uint8Array, at: number, w2: number, w3: number): void {
    const high = w3 >>> 16
    const low = w3 & 0xffff
    slab[at + GROUP_MAC] = slab[at + GROUP] = high
    slab[at + GROUP_MAC + 1] = slab[at + GROUP + 1] = low >>> 8
    slab[at + GROUP_MAC + 2] = slab[at + GROUP + 2] = low
    writeWord(slab, at + TARGET + 8, w2)
    writeWord(slab, at + TARGET + 12, w3)
    // Target and destination are part of what is summed.
    const sum = this.#sum + (w2 >>> 16) + (w2 & 0xffff) + high + low + (high & 0xff) + low
    const folded = (sum >>> 16) + (sum & 0xffff)
    write16(slab, at + CHECKSUM, ~((folded >>> 16) + folded))
  }

  /** Whether a received frame is for the asker alone: others are announcements. @param meta as of `receive` */
  isForUs(meta: Int32Array, i: number): boolean {
    return meta[4 * i + 1] === PACKET_HOST
  }

  /** The number of the target that a received frame is the answer for; -1 for none of ours. @param meta as of `receive` */
  answered(slab: Uint8Array, meta: Int32Array, i: number): number {
    if (meta[4 * i] < MESSAGE_END || slab[i * SLOT + TYPE] !== NEIGHBOR_ADVERTISEMENT) return -1
    return this.numberOf(slab, i)
  }

  /** The number of the target of a received solicitation or advertisement; -1 for none of ours. */
  numberOf(slab: Uint8Array, i: number): number {
    const at = i * SLOT
    if (readWord(slab, at + TARGET) !== readWord(this.#stamp, TARGET)) return -1
    if (readWord(slab, at + TARGET + 4) !== 0 || readWord(slab, at + TARGET + 8) !== NUMBERED) return -1
    return readWord(slab, at + TARGET + 12) >>> 0
  }
}
