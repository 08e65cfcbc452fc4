/** The receive ring of a packet socket; native-packet.ts and packet-socket.ts test that it works like a receive buffer. */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { bytes, FRAMES } from '../fixtures/frames.ts'
import { ownNamespace } from '../kit/namespace.ts'
import { makePair, openPacket } from './kit/links.ts'

await ownNamespace()

makePair()
const NS = bytes(FRAMES.find(({ id }) => id === 'NS multicast')!.hex)
const open = (ring: number) => openPacket('v0', { ring })

t.test('full, emptied, round and round', async (t) => {
  const [a, b] = [open(128), openPacket('v1')]
  const slab = new Uint8Array(86 * 200)
  for (let i = 0; i < 200; i++) slab.set([...NS.subarray(0, 85), i], 86 * i)
  const lengths = new Int32Array(200).fill(86)
  const into = new Uint8Array(86 * 200)
  const last = (count: number): number[] => Array.from({ length: count }, (_, i) => into[86 * i + 85])
  const upTo = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i)
  b.send(slab, 86, lengths, 200)
  t.equal(a.drops(), 72)
  t.equal(a.receive(into, 86, new Int32Array(4 * 50)), 50)
  t.strictSame(last(50), upTo(0, 50))
  b.send(slab, 86, lengths, 30)
  t.equal(a.receive(into, 86, new Int32Array(4 * 200)), 108)
  t.strictSame(last(108), [...upTo(50, 78), ...upTo(0, 30)])
  t.equal(a.receive(into, 86, new Int32Array(4 * 200)), 0)
  t.equal(a.drops(), 0)
  for (const frames of [100, 200]) t.throws(() => open(frames), { code: 'EINVAL' })
  t.throws(() => open(-1), { code: 'ERR_OUT_OF_RANGE' })
  const maps = (): number => readFileSync('/proc/self/maps', 'latin1').split('\n').filter((line) => line.includes('socket:')).length
  t.equal(maps(), 1)
  a.close()
  t.equal(maps(), 0, 'unmapped')
  b.close()
})
