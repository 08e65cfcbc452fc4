/**
 * The solicitations of a load as bytes (RFC 4861 4.3). All are copies of one template in which the words that depend on
 * the target are changed: hundreds of thousands a second, at a cost too low to show in a measurement.
 */
import { readWord, writeWord } from '../../src/address.ts'
import { read16, write16 } from '../../src/wire/bytes.ts'
import { NEIGHBOR_ADVERTISEMENT } from '../../src/wire/constants.ts'
import { ns } from '../kit/frames.ts'

/** Bytes of a slot in a slab of frames. */
export const SLOT = 128
/** Offsets in a frame with an Ethernet header. */
const GROUP_MAC = 3
const GROUP = 51
const TYPE = 54
const CHECKSUM = 56
const TARGET = 62
const MESSAGE_END = 78
/** Packet type of a frame that was sent to the link-layer address of this host (packet(7)). */
const PACKET_HOST = 0
/** The third word of the addresses of numbered targets. */
const NUMBERED = 1

/** The address of target `n`, whose last word is `n`. @param n below 2^32 */
export function target(n: number): string { return `2001:db8::1:${(n >>> 16).toString(16)}:${(n & 0xffff).toString(16)}` }

export class Solicitations {
  readonly #template: Uint8Array
  /** The one's complement sum of the checksum, without the words that depend on the target. */
  readonly #sum: number

  /** @param mac @param source addresses of the solicitor */
  constructor(mac: string, source: string) {
    this.#template = ns({ from: mac, source, target: '2001:db8::' })
    this.#sum = ~read16(this.#template, CHECKSUM) & 0xffff
  }

  /** Bytes of a solicitation. */
  get length(): number { return this.#template.length }

  /** Writes the solicitation for target `n` at `at`. */
  write(slab: Uint8Array, at: number, n: number): void {
    slab.set(this.#template, at)
    this.retarget(slab, at, NUMBERED, n)
  }

  /** Changes the target of the solicitation at `at`. @param w2 @param w3 the last two words of an address in the /64 */
  retarget(slab: Uint8Array, at: number, w2: number, w3: number): void {
    const high = w3 >>> 16
    const low = w3 & 0xffff
    slab[at + GROUP_MAC] = slab[at + GROUP] = high
    slab[at + GROUP_MAC + 1] = slab[at + GROUP + 1] = low >>> 8
    slab[at + GROUP_MAC + 2] = slab[at + GROUP + 2] = low
    writeWord(slab, at + TARGET + 8, w2)
    writeWord(slab, at + TARGET + 12, w3)
    // The checksum covers the target and, in the pseudo-header, the destination (RFC 8200 8.1).
    const sum = this.#sum + (w2 >>> 16) + (w2 & 0xffff) + high + low + (high & 0xff) + low
    const folded = (sum >>> 16) + (sum & 0xffff)
    write16(slab, at + CHECKSUM, ~((folded >>> 16) + folded))
  }

  /** Whether received frame `i` was sent to this host alone, so not an announcement. @param meta as of `receive` */
  isUnicast(meta: Int32Array, i: number): boolean { return meta[4 * i + 1] === PACKET_HOST }

  /** @returns the number of the target that received frame `i` advertises; -1 for any other frame */
  advertised(slab: Uint8Array, meta: Int32Array, i: number): number {
    if (meta[4 * i] < MESSAGE_END || slab[i * SLOT + TYPE] !== NEIGHBOR_ADVERTISEMENT) return -1
    return this.numberOf(slab, i)
  }

  /** @returns the number of the target of received solicitation or advertisement `i`; -1 for another address */
  numberOf(slab: Uint8Array, i: number): number {
    const at = i * SLOT
    if (readWord(slab, at + TARGET) !== readWord(this.#template, TARGET)) return -1
    if (readWord(slab, at + TARGET + 4) !== 0 || readWord(slab, at + TARGET + 8) !== NUMBERED) return -1
    return readWord(slab, at + TARGET + 12) >>> 0
  }
}
