/** Frames to send on one link: a slab of slots that encoders fill in place, so that a message allocates nothing. */
import { MAX_ENCODED } from '../wire/ndisc-encode.ts'
import type { NativeSocket } from './native.ts'

const SLOT = Math.ceil(MAX_ENCODED / 8) * 8
const SLOTS = 256
/** Largest number of queued frames: answers that waited for their routes may be queued all at once. */
export const SEND_LIMIT = 4096
/** Milliseconds for which a frame may wait for the kernel. After that its solicitor has retransmitted (RFC 4861 10, RETRANS_TIMER). */
export const MAX_WAIT = 1000

export class SendQueue {
  #slab = new Uint8Array(SLOT * SLOTS)
  #lengths = new Int32Array(SLOTS)
  #size = 0
  /** Times when the first `#dated` frames began to wait for the kernel. The other frames were queued after the last attempt to send. */
  #since = new Float64Array(SLOTS)
  #dated = 0

  get size(): number { return this.#size }
  get isFull(): boolean { return this.#size === SEND_LIMIT }

  /** Where the next frame is written, unless the queue is full: at offset `end` of `slab`. */
  get slab(): Uint8Array { return this.#slab }
  get end(): number { return this.#size * SLOT }

  /** Appends the frame of `length` bytes that was written at `end`. */
  add(length: number): void {
    this.#lengths[this.#size++] = length
    if (this.#size === this.#lengths.length && !this.isFull) this.#grow()
  }

  /**
   * Sends the first frames, which stay in the queue until `remove`.
   * @returns how many the kernel took
   * @throws OsError if the kernel refused the first frame
   */
  send(socket: NativeSocket): number { return socket.send(this.#slab, SLOT, this.#lengths, this.#size) }

  /** Registers that all frames wait for the kernel. For frames that did not wait before, the wait begins at `now` (milliseconds). */
  wait(now: number): void {
    this.#since.fill(now, this.#dated, this.#size)
    this.#dated = this.#size
  }

  /** @param now the time in milliseconds. @returns how many frames at the start of the queue have waited for MAX_WAIT */
  overdue(now: number): number {
    let count = 0
    while (count < this.#dated && this.#since[count] <= now - MAX_WAIT) count++
    return count
  }

  remove(count: number): void {
    if (this.#dated > 0) this.#since.copyWithin(0, count, this.#dated)
    this.#dated = Math.max(0, this.#dated - count)
    this.#slab.copyWithin(0, count * SLOT, this.#size * SLOT)
    this.#lengths.copyWithin(0, count, this.#size)
    this.#size -= count
  }

  #grow(): void {
    const [slab, lengths, since] = [this.#slab, this.#lengths, this.#since]
    this.#slab = new Uint8Array(2 * slab.length)
    this.#slab.set(slab)
    this.#lengths = new Int32Array(2 * lengths.length)
    this.#lengths.set(lengths)
    this.#since = new Float64Array(2 * since.length)
    this.#since.set(since)
  }
}
