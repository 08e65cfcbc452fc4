import t from 'tap'
import type { NativeSocket } from '../../src/linux/native.ts'
import { hasPartialChecksum, isTagged, packetType, receiveBatch } from '../../src/linux/packet-meta.ts'

/** Length, packet type, tp_status, VLAN TCI of three messages. */
const META = Int32Array.of(86, 4, 0, 0, 86, 0, 1 << 3 | 1 << 4, 0x2005, 86, 3, 1 << 4, 0x6000)

t.test('the numbers of each message, and of no other', async (t) => {
  t.same([0, 1, 2].map((i) => packetType(META, i)), [4, 0, 3])
  t.same([0, 1, 2].map((i) => hasPartialChecksum(META, i)), [false, true, false])
  t.same([0, 1, 2].map((i) => isTagged(META, i)), [false, true, false], 'a priority tag is no VLAN')
})

t.test('a VLAN number without TP_STATUS_VLAN_VALID is ignored', async (t) => {
  t.equal(isTagged(Int32Array.of(86, 0, 0, 5), 0), false)
})

t.test('an error of receiving is reported, and the batch is empty', async (t) => {
  const errors: string[] = []
  const receive = (work: () => number): number => receiveBatch({ receive: work } as unknown as NativeSocket, new Uint8Array(8), 8,
    new Int32Array(4), ({ message }) => { errors.push(message) })
  t.equal(receive(() => 1), 1)
  t.same(errors, [])
  t.equal(receive(() => { throw new Error('ENETDOWN') }), 0)
  t.same(errors, ['ENETDOWN'])
})
