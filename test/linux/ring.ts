/** The receive ring of a packet socket: whether packets go through it as through a buffer is tested in native.ts and packet.ts. */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { native } from '../../src/linux/native.ts'
import type { NativeSocket } from '../../src/linux/native.ts'
import { ndiscFilter } from '../../src/wire/filter.ts'
import { bytes, FRAMES } from '../fixtures/frames.ts'
import { ownNamespace, sh } from '../fixtures/own-namespace.ts'

await ownNamespace()

sh(`ip link add v0 address 02:00:00:00:00:ff type veth peer name v1 address 02:00:00:00:00:01
    sysctl -qw net.ipv6.conf.v0.disable_ipv6=1 net.ipv6.conf.v1.disable_ipv6=1; ip link set v0 up; ip link set v1 up`)

const NS = bytes(FRAMES.find(({ id }) => id === 'NS multicast')!.hex)

function open(name: string, ring = 0): NativeSocket {
  return native.openPacket({
    ifindex: Number.parseInt(sh(`ip -o link show ${name}`)), protocol: 0x86dd, filter: ndiscFilter(14, [135]), ring,
    promiscuous: false, receiveBuffer: 1 << 20, cooked: false,
  })
}

t.test('full, emptied, round and round', async (t) => {
  const [a, b] = [open('v0', 128), open('v1')]
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
  t.throws(() => open('v0', 100), { code: 'EINVAL' })
  t.throws(() => open('v0', -1), { code: 'ERR_OUT_OF_RANGE' })
  const maps = (): number => readFileSync('/proc/self/maps', 'latin1').split('\n').filter((line) => line.includes('socket:')).length
  t.equal(maps(), 1)
  a.close()
  t.equal(maps(), 0, 'unmapped')
  b.close()
})
