import t from 'tap'
import { Address, formatMac, parseMac, type Mac } from '../../src/address.ts'
import { osError } from '../../src/linux/errors.ts'
import type { NativeSocket } from '../../src/linux/native.ts'
import { PacketSocket, type PacketReader } from '../../src/linux/packet-socket.ts'
import type { NeighborAdvertisement, NeighborSolicitation } from '../../src/wire/ndisc-decode.ts'
import { bytes, FRAMES } from '../fixtures/frames.ts'
import { ownNamespace, sh } from '../kit/namespace.ts'
import { until } from '../kit/until.ts'
import { codeOf, fakeSocket, ifindex, makePair, readPackets, Wire } from './kit/links.ts'

await ownNamespace()

const OURS = parseMac('02:00:00:00:00:ff')!
const SOLICITOR = parseMac('02:00:00:00:00:01')!
const OTHER = parseMac('02:00:00:00:00:77')!
const TARGET = Address.parse('2001:db8::2')!
const SOURCE = Address.parse('2001:db8::ff')!
const OPTIONS = { ifindex: 1, mac: OURS, promiscuous: false, ring: false }

makePair()
const wire = new Wire('v1')
t.teardown(() => wire.close())
const frame = (id: string) => bytes(FRAMES.find((fixture) => fixture.id === id)!.hex)

/** A reader that notes drop reasons, `valid`, other targets and errors, and `end` after each batch. */
function reader() {
  const events: string[] = []
  const perPacket = readPackets((view) => {
    events.push(view.drop ?? (view.t3 === TARGET.w3 ? 'valid' : `${view.type} ${view.t3}`))
  })
  const all: PacketReader = {
    packets: (batch) => {
      perPacket.packets(batch)
      events.push('end')
    },
    invalid: () => {},
    query: () => { events.push('query') },
    failed: (error) => { events.push(codeOf(error)) },
  }
  return { ...all, events, batches: () => events.filter((word) => word === 'end').length,
    verdicts: () => events.splice(0).filter((word) => word !== 'end') }
}

function open(name: string, mac: Mac | undefined, options: { ring?: boolean; promiscuous?: boolean } = {}) {
  const to = reader()
  const socket = new PacketSocket({ ...OPTIONS, ifindex: ifindex(name), mac, ...options }, to)
  t.teardown(() => socket.close())
  return { socket, ...to }
}

const words = ({ w0, w1, w2, w3 }: Address) => ({ t0: w0, t1: w1, t2: w2, t3: w3 })
const advertisement = (to: Mac, target = TARGET): NeighborAdvertisement => ({
  source: SOURCE, d0: 0x20010db8, d1: 0, d2: 0, d3: 1, ...words(target), to, router: false, solicited: true, override: false,
})

for (const ring of [false, true]) {
  const how = ring ? 'ring' : 'buffer'

  t.test(`${how}: every fixture gets its verdict on the wire`, async (t) => {
    const { socket, verdicts, batches } = open('v0', OURS, { ring, promiscuous: true })
    for (const { id, hex, expect, filtered } of FRAMES) {
      const frame = bytes(hex)
      // The kernel sends no frame without a whole Ethernet header.
      if (frame.length < 14) continue
      wire.send(frame)
      if (filtered) wire.send(bytes(FRAMES[0].hex))
      await until(() => batches() > 0)
      t.strictSame(verdicts(), [filtered ? 'valid' : expect], id)
    }
    socket.close()
  })

  t.test(`${how}: each bad frame has its sender`, async (t) => {
    const senders = new Map<string, Mac>()
    const socket = new PacketSocket({ ...OPTIONS, ifindex: ifindex('v0'), ring },
      { ...readPackets((view) => { if (view.drop !== undefined) senders.set(view.drop, view.sourceMac) }), query: () => {}, failed: () => {} })
    t.teardown(() => socket.close())
    const ndisc = frame('NS multicast')
    const bad: Readonly<Record<string, (copy: Uint8Array) => Uint8Array>> = {
      'truncated': (copy) => copy.subarray(0, copy.length - 8),
      'hop-limit': (copy) => (copy[14 + 7] = 64, copy),
      'checksum': (copy) => (copy[14 + 42] ^= 1, copy),
      'length': (copy) => (copy[14 + 5] = 8, copy),
    }
    for (const [i, [drop, make]] of Object.entries(bad).entries()) {
      const copy = make(Uint8Array.from(ndisc))
      copy[11] = 0x40 + i
      wire.send(copy)
      await until(() => senders.has(drop))
      t.equal(formatMac(senders.get(drop)!), `${[...copy.subarray(6, 12)].map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`, drop)
    }
  })

  t.test(`${how}: the address of the link changes`, async (t) => {
    const { socket, verdicts, batches } = open('v0', OTHER, { ring })
    // Without ARP, the other end may use our address.
    for (const [i, [mac, noarp]] of ([[OTHER, false], [OURS, false], [undefined, false], [OURS, true]] as const).entries()) {
      Object.assign(socket, { mac, noarp })
      wire.send(frame('from our own MAC'))
      await until(() => batches() === i + 1)
    }
    t.strictSame(verdicts(), ['valid', 'own-frame', 'valid', 'valid'])
    socket.close()
  })

  t.test(`${how}: a longer frame is cut, and so truncated`, async (t) => {
    const { socket, verdicts, batches } = open('v0', OURS, { ring })
    const long = new Uint8Array(14 + 40 + 400)
    long.set(frame('NS multicast'))
    long[14 + 4] = 400 >> 8
    long[14 + 5] = 400 & 255
    wire.send(long)
    await until(() => batches() > 0)
    t.strictSame(verdicts(), ['truncated'])
    socket.close()
  })

  for (const cooked of [false, true]) {
    t.test(`${how}: messages reach the other end${cooked ? ', without Ethernet header' : ''}`, async (t) => {
      const a = open('v0', cooked ? undefined : OURS, { ring })
      const b = open('v1', cooked ? undefined : SOLICITOR, { ring })
      const message = { ...advertisement(SOLICITOR) }
      const solicitation: NeighborSolicitation = { source: SOURCE, destination: TARGET, target: TARGET, to: SOLICITOR }
      a.socket.advertise(message)
      message.t3 = 7
      a.socket.advertise(message)
      a.socket.solicit(solicitation)
      t.equal(a.socket.counters.sent, 0)
      a.socket.flush()
      a.socket.flush()
      await until(() => b.events.length === 4)
      t.strictSame(b.events, ['valid', '136 7', 'valid', 'end'], 'in order, as they were when queued')
      t.strictSame(a.socket.counters, { received: 0, drops: 0, sent: 3, unsent: 0 })
      t.equal(b.socket.counters.received, 3)
      t.strictSame(a.events, [])
      a.socket.close()
      b.socket.close()
    })
  }

  t.test(`${how}: many, in batches`, async (t) => {
    const a = open('v0', OURS, { ring })
    const b = open('v1', SOLICITOR, { ring })
    for (let i = 0; i < 1000; i++) a.socket.advertise(advertisement(SOLICITOR))
    a.socket.flush()
    t.equal(a.socket.counters.sent, 1000)
    await until(() => b.socket.counters.received === 1000)
    t.equal(b.batches(), Math.ceil(1000 / 128))
    t.equal(b.verdicts().filter((word) => word === 'valid').length, 1000)
    t.equal(b.socket.drops(), 0)
    a.socket.close()
    b.socket.close()
  })

  t.test(`${how}: packets that the kernel dropped are counted`, async (t) => {
    const { socket } = open('v0', OURS, { ring })
    wire.send(frame('NS multicast'), 20_000)
    const drops = socket.drops()
    t.ok(drops > 0)
    t.equal(socket.drops(), 0)
    await until(() => socket.counters.received + drops === 20_000)
    t.equal(socket.counters.drops, drops)
    socket.close()
    t.equal(socket.drops(), 0)
  })

  t.test(`${how}: a link that goes down, comes back, and goes away`, async (t) => {
    makePair('w0', 'w1')
    const { socket, events } = open('w0', OURS, { ring })
    events.length = 0
    sh('ip link set w0 down')
    await until(() => events.length > 0)
    t.strictSame(events.splice(0), ['ENETDOWN'])
    socket.advertise(advertisement(SOLICITOR))
    socket.advertise(advertisement(SOLICITOR))
    socket.flush()
    t.strictSame(events.splice(0), ['ENETDOWN'])
    t.equal(socket.counters.unsent, 2)
    sh('ip link set w0 up')
    socket.advertise(advertisement(SOLICITOR))
    socket.flush()
    t.equal(socket.counters.sent, 1)
    sh('ip link del w0')
    await until(() => events.length > 0)
    t.strictSame(events.splice(0), ['ENETDOWN'])
    socket.advertise(advertisement(SOLICITOR))
    socket.flush()
    t.strictSame(events.splice(0), ['ENXIO'])
    socket.close()
    t.throws(() => new PacketSocket({ ...OPTIONS, ifindex: 9999, ring }, reader()), { code: 'ENODEV' })
  })

  t.test(`${how}: closed during a batch: the rest cannot be read, and no batch follows`, async (t) => {
    const reads: boolean[] = []
    let batches = 0
    const socket: PacketSocket = new PacketSocket({ ...OPTIONS, ifindex: ifindex('v0'), ring }, {
      packets: (batch) => {
        batches++
        const { size } = batch
        for (let i = 0; i < size; i++) {
          reads.push(batch.read(i) !== undefined)
          socket.close()
        }
      },
      invalid: () => {},
      query: () => t.fail('a query'),
      failed: (error) => t.fail(error.message),
    })
    wire.send(frame('NS multicast'), 3)
    await until(() => batches > 0)
    wire.send(frame('NS multicast'))
    await new Promise((resolve) => setTimeout(resolve, 20))
    t.strictSame(reads, [true, false, false])
    t.equal(batches, 1)
    socket.advertise(advertisement(SOLICITOR))
    socket.flush()
    socket.close()
    t.equal(socket.counters.unsent, 1)
  })
}

t.test('a kernel whose queue is full, or that refuses', async (t) => {
  const results: (number | string)[] = []
  let tried: number[] = []
  const sent: number[] = []
  const to = reader()
  const packets = new PacketSocket(OPTIONS, to, () => fakeSocket({
    send: (slab, slot, lengths, count) => {
      const result = results.shift() ?? count
      tried.push(count)
      if (typeof result === 'string') throw osError(result === 'ENOBUFS' ? 105 : 6, 'sendmmsg')
      for (let i = 0; i < result; i++) {
        const target = slab[i * slot + 14 + 40 + 22] * 256 + slab[i * slot + 14 + 40 + 23]
        sent.push(lengths[i] === (target % 2 === 1 ? 86 : 78) ? target : -1)
      }
      return result
    },
  }))
  const queue = (from: number, count: number) => {
    for (let i = from; i < from + count; i++) {
      // Two lengths: with and without link-layer address.
      packets.mac = i % 2 === 1 ? OURS : undefined
      packets.advertise(advertisement(SOLICITOR, new Address(0, 0, 0, i)))
    }
  }
  const take = () => [tried.splice(0), sent.splice(0), to.events.splice(0)]

  results.push(2, 0)
  queue(0, 5)
  packets.flush()
  t.strictSame(take(), [[5, 3], [0, 1], []], 'the rest waits')
  queue(5, 1)
  packets.flush()
  t.strictSame(take(), [[4], [2, 3, 4, 5], []], 'in order')
  t.strictSame(packets.counters, { received: 0, drops: 0, sent: 6, unsent: 0 })

  results.push('ENOBUFS', 1, 'ENOBUFS')
  queue(0, 4)
  packets.flush()
  t.strictSame(take(), [[4, 3, 2, 1], [1, 3], []], 'one is lost for each refusal')
  t.equal(packets.counters.unsent, 2)

  results.push(1, 'ENXIO')
  queue(0, 4)
  packets.flush()
  t.strictSame(take(), [[4, 3], [0], ['ENXIO']], 'all are lost')
  t.equal(packets.counters.unsent, 5)

  results.push(...new Array<number>(45).fill(0))
  queue(0, 4096 + 44)
  t.equal(packets.counters.unsent, 5 + 44)
  packets.flush()
  tried = []
  t.strictSame(sent.splice(0), [], 'the limit of the queue')
  packets.flush()
  t.strictSame(take(), [[4096], Array.from({ length: 4096 }, (_, i) => i), []])
})

t.test('sleeps in a flood: after a batch that is mostly unanswered', async (t) => {
  let readable = (): void => {}
  let waiting = 0
  let answers = false
  let slept = 0
  const fake: NativeSocket = fakeSocket({ receive: () => waiting, start: (call) => { readable = call } })
  const socket = new PacketSocket(OPTIONS, readPackets(() => {
    if (answers) socket.advertise(advertisement(SOLICITOR))
    socket.flush()
  }), () => fake, () => { slept++ })
  const sleeps = (packets: number): number => {
    slept = 0
    waiting = packets
    readable()
    return slept
  }
  t.strictSame([16, 15, 128].map(sleeps), [1, 0, 0])
  answers = true
  t.equal(sleeps(16), 0)
})
