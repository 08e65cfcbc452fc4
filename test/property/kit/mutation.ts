/** Frames with errors: valid ones with changed bytes or lengths, most of which pass the first checks of a decoder. */
import fc from 'fast-check'
import { bytes } from '../../fixtures/frames.ts'

/** @param byte values of changed bytes */
export function mutations(frames: readonly { readonly hex: string }[], byte: fc.Arbitrary<number>): fc.Arbitrary<Uint8Array> {
  return fc.record({
    from: fc.constantFrom(...frames.map(({ hex }) => bytes(hex))),
    changes: fc.array(fc.tuple(fc.nat(120), byte), { maxLength: 3 }),
    length: fc.option(fc.nat(140)),
  }).map(({ from, changes, length }) => {
    const frame = new Uint8Array(length ?? from.length)
    frame.set(from.subarray(0, frame.length))
    for (const [at, byte] of changes) if (at < frame.length) frame[at] = byte
    return frame
  })
}
