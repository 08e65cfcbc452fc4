import t from 'tap'
import type { Mac } from '../src/address.ts'
import { Counters } from '../src/metrics.ts'

t.test('the last invalid frame of each reason: a copy of its first 128 bytes', async (t) => {
  const counters = new Counters()
  const slab = Uint8Array.from({ length: 512 }, (_, i) => i)
  const packet = { ifindex: 2, type: 0, t0: 0, t1: 0, t2: 0, t3: 0, s0: 0, s1: 0, s2: 0, s3: 0, mac: -1 as Mac, isUnicast: false }
  for (const outcome of ['checksum', 'length', 'no-rule'] as const) counters.remember({ ...packet, outcome }, 1000)
  counters.keep({ reason: 'checksum', slab, at: 256, size: 200, length: 1400, wrongAt: 56 })
  counters.keep({ reason: 'length', slab, at: 0, size: 86, length: 86, wrongAt: 18 })
  counters.keep({ reason: 'length', slab, at: 3, size: 2, length: 2, wrongAt: 1 })
  slab.fill(0xee)
  const { checksum, length, 'no-rule': valid } = counters.lastPackets(1500)
  t.strictSame(checksum, { ifindex: 2, mac: -1, t0: 0, t1: 0, t2: 0, t3: 0, age: 500,
    frame: { bytes: Uint8Array.from({ length: 128 }, (_, i) => i), length: 1400, wrongAt: 56 } })
  t.strictSame(length?.frame, { bytes: Uint8Array.of(3, 4), length: 2, wrongAt: 1 }, 'the last one, without bytes of the one before')
  t.equal(valid?.frame, undefined)
})
