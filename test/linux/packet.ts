import t from 'tap'
import { setImmediate } from 'node:timers/promises'
import { Address, parseMac } from '../../src/address.ts'
import type { Mac } from '../../src/address.ts'
import { osError } from '../../src/linux/errors.ts'
import { native } from '../../src/linux/native.ts'
import type { NativeSocket } from '../../src/linux/native.ts'
import { PacketSocket } from '../../src/linux/packet.ts'
import type { NeighborAdvertisement, NeighborSolicitation } from '../../src/wire/ndisc.ts'
import { bytes, FRAMES } from '../fixtures/frames.ts'
import { ownNamespace, sh, veth } from '../kit/namespace.ts'
import { until } from '../kit/until.ts'

await ownNamespace()

const OURS = parseMac('02:00:00:00:00:ff')!
const ASKER = parseMac('02:00:00:00:00:01')!
const OTHER = parseMac('02:00:00:00:00:77')!
const TARGET = Address.parse('2001:db8::2')!
const SOURCE = Address.parse('2001:db8::ff')!

veth('v0 address 02:00:00:00:00:ff', 'v1 address 02:00:00:00:00:01', 'v0', 'v1')
const ifindex = (name: string) => Number.parseInt(sh(`ip -o link show ${name}`))

function reader() {
  const told: string[] = []
  return {
    told,
    begin: () => { told.push('begin') },
    packet: (view: { type: number; t3: number }, drop: string | undefined) => {
      told.push(drop ?? (view.t3 === TARGET.w3 ? 'valid' : `${view.type} ${view.t3}`))
    },
    end: () => { told.push('end') },
    query: () => { told.push('query') },
    failed: (error: Error) => { told.push((error as { code?: string }).code ?? error.message) },
    /** Drop reasons and 'valid' so far, without the bounds of turns. */
    verdicts: () => told.splice(0).filter((word) => word !== 'begin' && word !== 'end'),
  }
}

function open(name: string, mac: Mac | undefined, options: { ring?: boolean; promiscuous?: boolean; cooked?: boolean } = {}) {
  const to = reader()
  const socket = new PacketSocket({ ifindex: ifindex(name), mac, promiscuous: false, ring: false, cooked: false, ...options }, to)
  t.teardown(() => socket.close())
  return { socket, ...to }
}

/** A socket that sends raw frames out of v1. */
const wire = native.openPacket({
  ifindex: ifindex('v1'), protocol: 0x86dd, filter: Uint8Array.of(6, 0, 0, 0, 0, 0, 0, 0),
  promiscuous: false, receiveBuffer: 0, cooked: false,
})
const inject = (frame: Uint8Array) => wire.send(frame, frame.length, Int32Array.of(frame.length), 1)
const hex = (id: string) => bytes(FRAMES.find((fixture) => fixture.id === id)!.hex)

const words = ({ w0, w1, w2, w3 }: Address) => ({ t0: w0, t1: w1, t2: w2, t3: w3 })
const advertisement = (to: Mac, target = TARGET): NeighborAdvertisement => ({
  source: SOURCE, d0: 0x20010db8, d1: 0, d2: 0, d3: 1, ...words(target), to, router: false, solicited: true, override: false,
})

for (const ring of [false, true]) {
  const how = ring ? 'ring' : 'buffer'

  t.test(`${how}: every fixture gets its verdict on the wire`, async (t) => {
    const { socket, verdicts, told } = open('v0', OURS, { ring, promiscuous: true })
    for (const { id, hex, expect, filtered } of FRAMES) {
      const frame = bytes(hex)
      // The kernel sends no frame without a whole Ethernet header.
      if (frame.length < 14) continue
      inject(frame)
      if (filtered) inject(bytes(FRAMES[0].hex))
      await until(() => told.includes('end'))
      t.strictSame(verdicts(), [filtered ? 'valid' : expect], id)
    }
    socket.close()
  })

  t.test(`${how}: our own address may change`, async (t) => {
    const { socket, verdicts, told } = open('v0', OTHER, { ring })
    inject(hex('from our own MAC'))
    await until(() => told.includes('end'))
    socket.mac = OURS
    inject(hex('from our own MAC'))
    await until(() => told.filter((word) => word === 'end').length === 2)
    socket.mac = undefined
    inject(hex('from our own MAC'))
    await until(() => told.filter((word) => word === 'end').length === 3)
    t.strictSame(verdicts(), ['valid', 'own-frame', 'valid'])
    socket.close()
  })

  t.test(`${how}: a longer frame is cut, and so truncated`, async (t) => {
    const { socket, verdicts, told } = open('v0', OURS, { ring })
    const long = new Uint8Array(14 + 40 + 400)
    long.set(hex('NS multicast'))
    long[14 + 4] = 400 >> 8
    long[14 + 5] = 400 & 255
    inject(long)
    await until(() => told.includes('end'))
    t.strictSame(verdicts(), ['truncated'])
    socket.close()
  })

  for (const cooked of [false, true]) {
    t.test(`${how}: messages reach the other side${cooked ? ', without Ethernet header' : ''}`, async (t) => {
      const a = open('v0', cooked ? undefined : OURS, { ring, cooked })
      const b = open('v1', cooked ? undefined : ASKER, { ring, cooked })
      const message = { ...advertisement(ASKER) }
      const solicitation: NeighborSolicitation = { source: SOURCE, destination: TARGET, target: TARGET, to: ASKER }
      a.socket.advertise(message)
      message.t3 = 7
      a.socket.advertise(message)
      a.socket.solicit(solicitation)
      t.equal(a.socket.counters.sent, 0)
      a.socket.flush()
      a.socket.flush()
      await until(() => b.told.length === 5)
      t.strictSame(b.told, ['begin', 'valid', '136 7', 'valid', 'end'], 'in order, as they were when queued')
      t.strictSame(a.socket.counters, { received: 0, drops: 0, sent: 3, unsent: 0 })
      t.equal(b.socket.counters.received, 3)
      t.strictSame(a.told, [])
      a.socket.close()
      b.socket.close()
    })
  }

  t.test(`${how}: many, in batches`, async (t) => {
    const a = open('v0', OURS, { ring })
    const b = open('v1', ASKER, { ring })
    for (let i = 0; i < 1000; i++) a.socket.advertise(advertisement(ASKER))
    a.socket.flush()
    t.equal(a.socket.counters.sent, 1000)
    await until(() => b.socket.counters.received === 1000)
    t.equal(b.told.filter((word) => word === 'begin').length, Math.ceil(1000 / 128))
    t.equal(b.verdicts().filter((word) => word === 'valid').length, 1000)
    t.equal(b.socket.drops(), 0)
    a.socket.close()
    b.socket.close()
  })

  /** One packet after the other for half a second. @returns how many were read at once, and milliseconds until other work had its turn: the most */
  const chase = async (answers: boolean): Promise<{ stay: number; time: number }> => {
    const frame = hex('NS multicast')
    const end = performance.now() + 500
    let turns = 0
    const socket = new PacketSocket({ ifindex: ifindex('v0'), mac: OURS, promiscuous: false, ring, cooked: false }, { ...reader(),
      packet: () => { if (answers) socket.advertise(advertisement(ASKER)) },
      end: () => {
        socket.flush()
        turns++
        if (performance.now() < end) inject(frame)
      } })
    let [stay, time] = [0, 0]
    inject(frame)
    for (let [before, since] = [0, performance.now()]; since < end;) {
      await setImmediate()
      stay = Math.max(stay, turns - before)
      time = Math.max(time, performance.now() - since)
      ;[before, since] = [turns, performance.now()]
    }
    socket.close()
    return { stay, time }
  }

  t.test(`${how}: who follows closely is waited for, but not for so long that other work waits`, async (t) => {
    const { stay, time } = await chase(true)
    t.ok(stay > 20, `${stay} at once`)
    t.ok(time < 300, `other work after ${time} ms at the latest`)
  })

  t.test(`${how}: not in a flood`, async (t) => {
    const { stay } = await chase(false)
    t.ok(stay <= 16, `${stay} at once`)
  })

  t.test(`${how}: what the kernel could not keep is counted`, async (t) => {
    const { socket } = open('v0', OURS, { ring })
    const frame = hex('NS multicast')
    const slab = new Uint8Array(250 * 86)
    for (let i = 0; i < 250; i++) slab.set(frame, i * 86)
    const lengths = new Int32Array(250).fill(86)
    let sent = 0
    while (sent < 20_000) sent += wire.send(slab, 86, lengths, 250)
    let drops = socket.drops()
    t.ok(drops > 0)
    t.equal(socket.drops(), 0)
    // The ring makes room for others when it is read.
    await until(() => {
      drops += socket.drops()
      return socket.counters.received + drops === sent
    })
    t.equal(socket.counters.drops, drops)
    socket.close()
    t.equal(socket.drops(), 0)
  })

  t.test(`${how}: a link that goes down, comes back, and goes away`, async (t) => {
    veth('w0', 'w1', 'w0', 'w1')
    const { socket, told } = open('w0', OURS, { ring })
    told.length = 0
    sh('ip link set w0 down')
    await until(() => told.length > 0)
    t.strictSame(told.splice(0), ['ENETDOWN'])
    socket.advertise(advertisement(ASKER))
    socket.advertise(advertisement(ASKER))
    socket.flush()
    t.strictSame(told.splice(0), ['ENETDOWN'])
    t.equal(socket.counters.unsent, 2)
    sh('ip link set w0 up')
    socket.advertise(advertisement(ASKER))
    socket.flush()
    t.equal(socket.counters.sent, 1)
    sh('ip link del w0')
    await until(() => told.length > 0)
    t.strictSame(told.splice(0), ['ENETDOWN'])
    socket.advertise(advertisement(ASKER))
    socket.flush()
    t.strictSame(told.splice(0), ['ENXIO'])
    socket.close()
    t.throws(() => new PacketSocket({ ifindex: 9999, mac: OURS, promiscuous: false, ring, cooked: false }, reader()), { code: 'ENODEV' })
  })

  t.test(`${how}: closed inside a turn: the turn ends, and nothing follows`, async (t) => {
    const told: string[] = []
    const socket: PacketSocket = new PacketSocket({ ifindex: ifindex('v0'), mac: OURS, promiscuous: false, ring, cooked: false }, {
      begin: () => told.push('begin'),
      query: () => told.push('query'),
      packet: () => {
        told.push('packet')
        socket.close()
      },
      end: () => told.push('end'),
      failed: (error) => told.push(String(error)),
    })
    for (let i = 0; i < 3; i++) inject(hex('NS multicast'))
    await until(() => told.includes('end'))
    inject(hex('NS multicast'))
    await new Promise((resolve) => setTimeout(resolve, 20))
    t.strictSame(told, ['begin', 'packet', 'end'])
    socket.advertise(advertisement(ASKER))
    socket.flush()
    socket.close()
    t.equal(socket.counters.unsent, 1)
  })
}

t.test('a kernel that has no room, or refuses', async (t) => {
  const results: (number | string)[] = []
  let asked: number[] = []
  const sent: number[] = []
  const socket: NativeSocket = {
    receive: () => 0,
    send: (slab, slot, lengths, count) => {
      const result = results.shift() ?? count
      asked.push(count)
      if (typeof result === 'string') throw osError(result === 'ENOBUFS' ? 105 : 6, 'sendmmsg')
      for (let i = 0; i < result; i++) {
        const target = slab[i * slot + 14 + 40 + 22] * 256 + slab[i * slot + 14 + 40 + 23]
        sent.push(lengths[i] === (target % 2 === 1 ? 86 : 78) ? target : -1)
      }
      return result
    },
    start: () => {}, stop: () => {}, drops: () => 0, close: () => {},
  }
  const to = reader()
  const packets = new PacketSocket({ ifindex: 1, mac: OURS, promiscuous: false, ring: false, cooked: false }, to, () => socket)
  const queue = (from: number, count: number) => {
    for (let i = from; i < from + count; i++) {
      // Two lengths: with and without our address.
      packets.mac = i % 2 === 1 ? OURS : undefined
      packets.advertise(advertisement(ASKER, new Address(0, 0, 0, i)))
    }
  }
  const take = () => [asked.splice(0), sent.splice(0), to.told.splice(0)]

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
  asked = []
  t.strictSame(sent.splice(0), [], 'no more than the queue may hold')
  packets.flush()
  t.strictSame(take(), [[4096], Array.from({ length: 4096 }, (_, i) => i), []])
})

t.teardown(() => wire.close())

t.test('in a flood it rests', (t) => {
  let readable = (): void => {}
  let waiting: number[] = []
  let answers = false
  const native: NativeSocket = { receive: () => waiting.shift() ?? 0, send: (_slab, _slot, _lengths, count) => count,
    start: (call) => { readable = call }, stop: () => {}, drops: () => 0, close: () => {} }
  const options = { ifindex: 1, mac: OURS, promiscuous: false, ring: false, cooked: false }
  const socket = new PacketSocket(options, { ...reader(),
    packet: () => { if (answers) socket.advertise(advertisement(ASKER)) }, end: () => socket.flush() }, () => native)
  // Milliseconds, the least of some.
  const time = (...batches: readonly number[]): number => Math.min(...Array.from({ length: 100 }, () => {
    waiting = [...batches]
    const start = performance.now()
    readable()
    return performance.now() - start
  }))
  t.ok(time(16) > 0.05, 'after 16 packets that nobody answered')
  t.ok(time(15) < 0.05, 'not after fewer')
  t.ok(time(128) < 0.05, 'nor when more may wait')
  answers = true
  t.ok(time(16) < 0.05, 'nor after those that were answered')
  t.end()
})
