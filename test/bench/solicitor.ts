/** The packet socket of a load: sends solicitations on one link and receives the advertisements for their targets. */
import { native } from '../../src/linux/native.ts'
import { NEIGHBOR_ADVERTISEMENT } from '../../src/wire/constants.ts'
import { ETHERTYPE_IPV6 } from '../../src/wire/frame.ts'
import { ndiscFilter } from '../../src/wire/filter.ts'
import { SLOT, Solicitations } from './solicitations.ts'

/** The targets `first`, `first` + `stride`, ... */
export interface Targets {
  readonly targets: number
  readonly first: number
  readonly stride: number
}

/** A link of the solicitor's namespace, its addresses there, and the targets of its solicitations. */
export interface Solicited {
  readonly iface: string
  readonly ifindex: number
  readonly mac: string
  readonly source: string
  readonly solicited: Targets
}

/** Frames in a batch, received or sent. */
export const BATCH = 64
/** Frames of the mapped ring to receive through. */
const RING = 4096

export class Solicitor {
  readonly solicitations: Solicitations
  readonly #socket
  /** BATCH slots to send from, then the solicitation for each target. */
  readonly #slab: Uint8Array
  readonly #targets: Targets
  readonly #lengths: Int32Array
  readonly #received = new Uint8Array(BATCH * SLOT)
  readonly #meta = new Int32Array(BATCH * 4)

  constructor({ ifindex, mac, source, solicited }: Solicited) {
    this.#socket = native.openPacket({ ifindex, protocol: ETHERTYPE_IPV6, promiscuous: false,
      filter: ndiscFilter(14, [NEIGHBOR_ADVERTISEMENT]), receiveBuffer: 4 << 20, ring: RING, cooked: false })
    this.#targets = solicited
    this.solicitations = new Solicitations(mac, source)
    this.#slab = new Uint8Array((BATCH + solicited.targets) * SLOT)
    for (let i = 0; i < solicited.targets; i++) {
      this.solicitations.write(this.#slab, (BATCH + i) * SLOT, solicited.first + i * solicited.stride)
    }
    this.#lengths = new Int32Array(BATCH).fill(this.solicitations.length)
  }

  /** Puts the solicitation for the target in `place` into slot `i` of the next batch. */
  put(i: number, place: number): void {
    const from = (BATCH + place) * SLOT
    this.#slab.copyWithin(i * SLOT, from, from + this.#lengths[0])
  }

  /** Sends the first `count` slots of the next batch, or of `slab`. @returns how many were sent before the link's queue was full */
  send(count: number, slab = this.#slab): number {
    try {
      return this.#socket.send(slab, SLOT, this.#lengths, count)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOBUFS') return 0
      throw error
    }
  }

  /**
   * Receives one batch without blocking.
   * @param accept called for each frame to this host, with the place of its target (-1 for any other address) and the time
   * @returns frames received
   */
  receive(accept: (place: number, now: number) => void): number {
    const count = this.#socket.receive(this.#received, SLOT, this.#meta)
    if (count === 0) return 0
    const now = performance.now()
    const { targets, first, stride } = this.#targets
    for (let i = 0; i < count; i++) {
      if (!this.solicitations.isUnicast(this.#meta, i)) continue
      const place = (this.solicitations.advertised(this.#received, this.#meta, i) - first) / stride
      accept(Number.isInteger(place) && place >= 0 && place < targets ? place : -1, now)
    }
    return count
  }
}
