import t from 'tap'
import { Frames } from '../../src/linux/frames.ts'
import { fakeSocket } from './kit/links.ts'

/** Frames of 8 bytes, described by length, packet type, tp_status and VLAN TCI. */
function receive(...rows: number[][]): Frames {
  const frames = new Frames(8, rows.length)
  const socket = fakeSocket({
    receive: (_slab, _slot, meta) => {
      meta.set(rows.flat())
      return rows.length
    },
  })
  t.equal(frames.receive(socket, (error) => t.fail(error.message)), rows.length)
  return frames
}

t.test('the numbers of each frame, and of no other', async (t) => {
  const frames = receive([86, 4, 0, 0], [7, 0, 1 << 3 | 1 << 4, 0x2005], [86, 3, 1 << 4, 0x6000], [86, 0, 0, 5])
  const all = [0, 1, 2, 3]
  t.same(all.map((i) => frames.length(i)), [8, 7, 8, 8], 'longer frames are cut')
  t.same(all.map((i) => frames.type(i)), [4, 0, 3, 0])
  t.same(all.map((i) => frames.hasPartialChecksum(i)), [false, true, false, false])
  t.same(all.map((i) => frames.isTagged(i)), [false, true, false, false],
    'a priority tag is no VLAN, nor a number without TP_STATUS_VLAN_VALID')
  t.same(all.map((i) => frames.isForLink(i)), [false, false, false, true], 'neither outgoing, of a VLAN, nor of another host')
})

t.test('an error of receiving is reported, and the batch is empty', async (t) => {
  const errors: string[] = []
  const socket = fakeSocket({ receive: () => { throw new Error('ENETDOWN') } })
  t.equal(new Frames(8, 1).receive(socket, ({ message }) => { errors.push(message) }), 0)
  t.same(errors, ['ENETDOWN'])
})
