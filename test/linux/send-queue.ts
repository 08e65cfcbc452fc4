/** Messages that wait for the kernel, because the link is slow. */
import t from 'tap'
import { Address, parseMac } from '../../src/address.ts'
import { PacketSocket } from '../../src/linux/packet-socket.ts'
import type { NeighborAdvertisement } from '../../src/wire/ndisc-decode.ts'
import { ownNamespace, sh } from '../kit/namespace.ts'
import { until } from '../kit/until.ts'
import { fakeSocket, ifindex, makePair, readPackets } from './kit/links.ts'

await ownNamespace()

const MAC = parseMac('02:00:00:00:00:ff')!
const ANSWER: NeighborAdvertisement = {
  source: Address.parse('2001:db8::ff')!, d0: 0x20010db8, d1: 0, d2: 0, d3: 1, t0: 0x20010db8, t1: 0, t2: 0, t3: 2,
  to: parseMac('02:00:00:00:00:01')!, router: false, solicited: true, override: false,
}
const reader = readPackets(() => {})

t.test('a burst on a slow link: sent as the kernel takes it, or dropped after a second', async (t) => {
  makePair()
  for (const [rate, isSlow] of [['2mbit', false], ['64kbit', true]] as const) {
    sh(`tc qdisc replace dev v0 root tbf rate ${rate} burst 2kb limit 1mb`)
    const socket = new PacketSocket({ ifindex: ifindex('v0'), mac: MAC, promiscuous: false, ring: false }, reader)
    for (let i = 0; i < 1000; i++) socket.advertise(ANSWER)
    socket.flush()
    t.ok(socket.counters.sent < 1000 && socket.queued > 0, `${rate}: ${socket.counters.sent} at first`)
    await until(() => socket.queued === 0)
    const { sent, unsent } = socket.counters
    t.equal(sent + unsent, 1000)
    t.equal(unsent > 0, isSlow, `${rate}: ${unsent} unsent`)
    socket.close()
    sh('tc qdisc del dev v0 root')
  }
})

t.test('messages that the kernel does not take for a second are dropped; later ones are not', async (t) => {
  let [now, room] = [0, 0]
  let writable = (): void => {}
  const packets = new PacketSocket({ ifindex: 1, mac: MAC, promiscuous: false, ring: false }, reader, () => fakeSocket({
    send: (_slab, _slot, _lengths, count) => {
      const taken = Math.min(room, count)
      room -= taken
      return taken
    },
    drain: (call) => { writable = call },
  }), undefined, () => now)
  t.teardown(() => packets.close())
  const queue = (count: number) => {
    for (let i = 0; i < count; i++) packets.advertise(ANSWER)
    packets.flush()
  }
  const counts = () => [packets.queued, packets.counters.sent, packets.counters.unsent]
  queue(600)
  now = 500
  queue(300)
  t.same(counts(), [900, 0, 0])
  now = 999
  room = 100
  writable()
  t.same(counts(), [800, 100, 0])
  now = 1000
  writable()
  t.same(counts(), [300, 100, 500], 'those that waited for a second')
  queue(10)
  now = 1500
  packets.flush()
  t.same(counts(), [10, 100, 800], 'at the next flush, too')
  room = 1000
  writable()
  t.same(counts(), [0, 110, 800])
})
