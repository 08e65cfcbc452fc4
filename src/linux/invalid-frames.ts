/**
 * Notes the last invalid frame of a batch for each drop reason. Only the position of a frame is noted while the batch is read: in a flood
 * of invalid frames, copying each frame would cost too much.
 */
import { DROP_REASONS, type DropReason, type InvalidFrame } from '../wire/ndisc-decode.ts'
import type { Frames } from './frames.ts'

type Last = { -readonly [K in keyof InvalidFrame]: InvalidFrame[K] } & { index: number }

export class InvalidFrames {
  readonly #frames: Frames
  readonly #lasts: ReadonlyMap<DropReason, Last>
  /** Noted frames of this batch. */
  readonly #present: Last[] = []

  constructor(frames: Frames) {
    this.#frames = frames
    const none = { index: -1, slab: frames.slab, at: 0, size: 0, length: 0, wrongAt: -1 }
    this.#lasts = new Map(DROP_REASONS.map((reason) => [reason, { ...none, reason }]))
  }

  /** Notes frame `index` of the batch as the last one with this reason. @param wrongAt as in `NdiscView` */
  add(reason: DropReason, index: number, wrongAt: number): void {
    const last = this.#lasts.get(reason)!
    if (last.index < 0) this.#present.push(last)
    last.index = index
    last.wrongAt = wrongAt
  }

  /** Calls `each` with each noted frame, and forgets all of them. The argument of `each` is valid only during the call. */
  take(each: (frame: InvalidFrame) => void): void {
    for (let last = this.#present.pop(); last !== undefined; last = this.#present.pop()) {
      const { index } = last
      last.at = index * this.#frames.slot
      last.size = this.#frames.length(index)
      last.length = this.#frames.wireLength(index)
      // If a frame was cut to its slot, the decoder may need a byte beyond the copy: then `wrongAt` is the end of the copy. The frame on the
      // wire has this byte, so no byte is wrong.
      if (last.size < last.length && last.wrongAt === last.size) last.wrongAt = -1
      last.index = -1
      each(last)
    }
  }
}
