/**
 * Packet sockets of the addon, with Ethernet header; `packet-socket.ts` has those without one. Other sockets, and the lifecycle of all, are
 * tested in native.ts.
 */
import t from 'tap'
import type { NativeSocket, PacketOptions } from '../../src/linux/native.ts'
import { ndiscFilter } from '../../src/wire/filter.ts'
import { bytes, FRAMES } from '../fixtures/frames.ts'
import { ownNamespace, sh } from '../kit/namespace.ts'
import { until } from '../kit/until.ts'
import { makePair, openPacket } from './kit/links.ts'

await ownNamespace()

const NONE = new Uint8Array(0)
const frame = (id: string) => bytes(FRAMES.find((fixture) => fixture.id === id)!.hex)

makePair()
const open = (name: string, options: Partial<PacketOptions> = {}): NativeSocket =>
  openPacket(name, { filter: ndiscFilter(options.cooked ? 0 : 14, [135, 136]), ...options })

t.test('a batch in both directions, with packet types', async (t) => {
  const [a, b] = [open('v0'), open('v1')]
  const ns = frame('NS multicast')
  const slab = new Uint8Array(3 * 128)
  for (let i = 0; i < 3; i++) slab.set(ns, i * 128)
  slab.set(frame('NS unicast'), 128)
  slab.set(frame("other host's MAC"), 256)
  t.equal(b.send(slab, 128, new Int32Array(3).fill(ns.length), 3), 3)

  const into = new Uint8Array(4 * 80)
  const meta = new Int32Array(16).fill(-1)
  t.equal(a.receive(into, 80, meta), 3)
  t.strictSame([...meta].filter((_, i) => i % 4 !== 2), [86, 2, 0, 86, 0, 0, 86, 3, 0, -1, -1, -1],
    'true length; multicast, to us, to another')
  t.strictSame(into.subarray(0, 80), ns.subarray(0, 80), 'cut')
  t.equal(a.receive(into, 80, meta), 0)
  t.equal(b.receive(into, 80, meta), 0, 'no own frames')
  t.equal(a.send(slab, 128, Int32Array.of(86), 1), 1)
  t.equal(b.receive(into, 80, meta), 1)
  t.equal(a.drops(), 0)
  a.close()
  b.close()
})

t.test('all protocols include outgoing packets; promiscuous', async (t) => {
  const [b, own] = [open('v1'), open('v1', { protocol: 3 })]
  const a = open('v0', { promiscuous: true })
  const meta = new Int32Array(4)
  b.send(frame("other host's MAC"), 86, Int32Array.of(86), 1)
  t.equal(own.receive(new Uint8Array(86), 86, meta), 1)
  t.equal(meta[1], 4)
  t.equal(a.receive(new Uint8Array(86), 86, meta), 1)
  t.equal(meta[1], 3)
  t.match(sh('ip -d link show v0'), /promiscuity 1 .*allmulti 1/)
  for (const socket of [a, b, own]) socket.close()
  t.match(sh('ip -d link show v0'), /promiscuity 0 .*allmulti 0/)

  const tap = open('v0', { allMulticast: false })
  t.match(sh('ip -d link show v0'), /promiscuity 0 .*allmulti 0/)
  tap.close()
})

for (const [ring, how] of [[0, ''], [256, ', in a ring']] as const) {
  t.test(`VLAN tag and partial checksum are reported${how}`, async (t) => {
    const [a, b, all] = [open('v0', { ring }), open('v1'), open('v0', { ring, protocol: 3, filter: NONE })]
    b.send(frame('VLAN tag 5'), 90, Int32Array.of(90), 1)
    const meta = new Int32Array(4)
    t.equal(all.receive(new Uint8Array(86), 86, meta), 1)
    t.strictSame([meta[0], meta[2] & 16, meta[3] & 0xfff], [86, 16, 5], 'the tag is beside the frame')
    t.equal(a.receive(new Uint8Array(86), 86, meta), 1)
    t.strictSame([meta[0], meta[1], meta[2] & 16], [86, 3, 0], 'an IPv6 socket only gets the packet type')
    all.close()

    sh('ip link add link v0 name m0 address 02:00:00:00:00:aa type macvlan mode bridge; ip link set m0 up')
    const above = open('m0', { ring })
    const ns = frame('NS unicast')
    ns[5] = 0xaa
    b.send(ns, 86, Int32Array.of(86), 1)
    t.equal(above.receive(new Uint8Array(86), 86, meta), 1)
    t.equal(meta[1], 0)
    t.equal(a.receive(new Uint8Array(86), 86, meta), 1)
    t.equal(meta[1], 3, 'a device on top took it')
    for (const socket of [a, b, above]) socket.close()
    sh('ip link del m0')

    // On a veth the kernel leaves the checksum of UDP to the receiver.
    sh('ip link add p0 type veth peer name p1; ip link set p0 up; ip link set p1 up; ip -6 addr add fe80::5/64 dev p1 nodad')
    const veth = open('p0', { ring, filter: NONE })
    sh(`${process.execPath} -e "
      const s = require('dgram').createSocket('udp6'); s.bind(0, 'fe80::5%p1', () => s.send('x', 9, 'ff02::1%p1', () => s.close()))"`)
    const slab = new Uint8Array(64 * 128)
    const metas = new Int32Array(4 * 64)
    const udp = Array.from({ length: veth.receive(slab, 128, metas) }, (_, i) => i).filter((i) => slab[i * 128 + 20] === 17)
    t.equal(udp.length, 1)
    t.equal(metas[4 * udp[0] + 2] & 8, 8)
    veth.close()
    sh('ip link del p0')
  })
}

t.test('a full receive buffer: drops are counted once', async (t) => {
  const a = open('v0', { receiveBuffer: 4096 })
  const b = open('v1')
  const slab = new Uint8Array(86 * 500)
  for (let i = 0; i < 500; i++) slab.set(frame('NS multicast'), 86 * i)
  t.equal(b.send(slab, 86, new Int32Array(500).fill(86), 500), 500, 'more than fit one system call')
  const meta = new Int32Array(4 * 500)
  const received = a.receive(new Uint8Array(500 * 86), 86, meta)
  t.equal(a.drops(), 500 - received)
  t.ok(received > 0 && received < 256)
  t.equal(a.drops(), 0)
  a.close()
  b.close()
})

for (const [ring, how] of [[0, ''], [256, ', in a ring']] as const) {
  t.test(`a link that goes down is reported, each time once${how}`, async (t) => {
    const a = open('v0', { ring })
    let reports = 0
    a.start(() => {
      reports++
      t.throws(() => a.receive(new Uint8Array(128), 128, new Int32Array(4)), { code: 'ENETDOWN', errno: -100, syscall: /^recvmmsg$/ })
    })
    sh('ip link set v0 down')
    await until(() => reports === 1)
    t.throws(() => a.send(frame('NS multicast'), 86, Int32Array.of(86), 1), { code: 'ENETDOWN', syscall: 'sendmmsg' })
    await new Promise((resolve) => setTimeout(resolve, 50))
    t.equal(reports, 1)
    sh('ip link set v0 up; ip link set v0 down')
    await until(() => reports === 2)
    a.close()
    sh('ip link set v0 up')
    await until(() => sh('ip link show v0').includes('LOWER_UP'))
  })
}

t.test('drain: calls once, when the kernel takes messages again', async (t) => {
  makePair('w0', 'w1')
  sh('tc qdisc add dev w0 root tbf rate 2mbit burst 2kb limit 1mb')
  const socket = open('w0')
  const slab = new Uint8Array(86 * 1000)
  for (let i = 0; i < 1000; i++) slab.set(frame('NS multicast'), 86 * i)
  const lengths = new Int32Array(1000).fill(86)
  const sent = socket.send(slab, 86, lengths, 1000)
  t.ok(sent > 0 && sent < 1000, `${sent} at first`)
  let calls = 0
  socket.drain(() => t.fail('the replaced callback'))
  socket.drain(() => { calls++ })
  await until(() => calls > 0)
  t.ok(socket.send(slab, 86, lengths, 1000) > 0)
  await new Promise((resolve) => setTimeout(resolve, 1000))
  t.equal(calls, 1, 'once')
  socket.send(slab, 86, lengths, 1000)
  socket.drain(() => t.fail('a closed socket'))
  socket.close()
  const other = open('w0')
  other.send(slab, 86, lengths, 1000)
  let closed = false
  other.drain(() => {
    other.close()
    closed = true
  })
  await until(() => closed)
  sh('ip link del w0')
})
