import t from 'tap'
import { readdirSync, readlinkSync } from 'node:fs'
import { Address, type Mac, parseMac } from '../../src/address.ts'
import type { Link, PacketBatch, Subscription } from '../../src/engine-types.ts'
import type { RouterMessage } from '../../src/wire/router-messages.ts'
import { LinkSockets, type LinkReader } from '../../src/linux/link-sockets.ts'
import { ns } from '../kit/frames.ts'
import { ownNamespace, sh } from '../kit/namespace.ts'
import { until } from '../kit/until.ts'
import { codeOf, Wire } from './kit/links.ts'

await ownNamespace()

const PLAIN: Subscription = { promiscuous: false, ring: true, ownSolicitations: false, reports: false, routerSolicitations: false,
  prefixes: false, routerMessages: false, grants: false }
const LINK: Link = { ifindex: 77, name: 'h0', mac: parseMac('02:00:00:00:00:01'), up: true, addresses: [] }
const ADDRESS = Address.parse('2001:db8::12:3456')!
const ADVERTISEMENT = { source: ADDRESS, d0: 0xff020000, d1: 0, d2: 0, d3: 1, t0: 0x20010db8, t1: 0, t2: 0, t3: 1, to: 0x333300000001 as Mac,
  router: false, solicited: false, override: true }
const FRAME = ns({ target: '2001:db8::12:3456', source: 'fe80::2', from: '02:00:00:00:00:02' })

class Reader implements LinkReader {
  readonly events: string[] = []
  readonly drops: number[] = []
  packets(batch: PacketBatch): void { for (let i = 0; i < batch.size; i++) if (batch.read(i) !== undefined) this.events.push('packet') }
  invalid(): void {}
  echo(): void { this.events.push('echo') }
  report(joined: readonly Address[]): void { this.events.push(...joined.map((group) => `report ${group}`)) }
  query(): void { this.events.push('query') }
  routerSolicitation(): void { this.events.push('router solicitation') }
  routerMessage({ kind }: RouterMessage): void { this.events.push(`router ${kind}`) }
  opened(): void { this.events.push('opened') }
  dropped(count: number): void { this.drops.push(count) }
  failed(error: Error): void { this.events.push(codeOf(error)) }
}

/** @returns the open sockets of this process, each by its inode */
function openSockets(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)]
    } catch {
      return [] // closed meanwhile
    }
  }).filter((name) => name.startsWith('socket:'))
}

t.test('a link that comes later', async (t) => {
  const reader = new Reader()
  const sockets = new LinkSockets(LINK, PLAIN, reader)
  t.teardown(() => sockets.close())
  t.same(reader.events, ['ENODEV'])
  sockets.flush()
  sh(`ip link add h0 index 77 address 02:00:00:00:00:01 type veth peer name h1 index 78 address 02:00:00:00:00:02
      ip link set h0 up; ip link set h1 up`)
  const wire = new Wire('h1')
  t.teardown(() => wire.close())
  await until(() => {
    wire.send(FRAME)
    return reader.events.includes('packet')
  })
  t.equal(reader.events.filter((word) => word === 'opened').length, 1)

  const { received } = sockets.usage
  sockets.advertise(ADVERTISEMENT)
  sockets.flush()
  sockets.update(LINK, { ...PLAIN, promiscuous: true })
  reader.events.length = 0
  wire.send(FRAME)
  await until(() => reader.events.length > 0)
  t.same(reader.events, ['packet'], 'once')
  t.match(sockets.figures, { received: received + 1, sent: 1, advertisements: 1, probes: 0, isServing: true },
    'another socket goes on with the counters')

  sockets.update(LINK, { ...PLAIN, reports: true })
  sh('ip -6 addr add 2001:db8::77/64 dev h0 nodad; ip -6 addr add 2001:db8::78/64 dev h1 nodad')
  await until(() => reader.events.includes('report ff02::1:ff00:78'))
  sockets.update(LINK, PLAIN)
  reader.events.length = 0
  sh('ip -6 addr add 2001:db8::79/64 dev h1 nodad')
  t.notMatch(reader.events, ['report ff02::1:ff00:79'])
  sockets.close()
  sockets.close()
})

t.test('1000 packets wait for a busy program; drops of more are counted and reported', async (t) => {
  const reader = new Reader()
  const sockets = new LinkSockets(LINK, PLAIN, reader)
  const wire = new Wire('h1')
  const received = (): number => reader.events.filter((word) => word === 'packet').length
  wire.send(FRAME, 1000)
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
  await until(() => received() === 1000)
  sockets.checkDrops(0)
  t.same(reader.drops, [])

  wire.send(FRAME, 20_000)
  sockets.checkDrops(1)
  const [lost] = reader.drops
  t.ok(lost > 0, `${20_000 - lost} wait in the ring`)
  await until(() => received() === 21_000 - sockets.usage.drops)
  wire.send(FRAME, 20_000)
  sockets.checkDrops(9_000)
  t.equal(reader.drops.length, 1, 'the next report comes later')
  await until(() => received() === 41_000 - sockets.usage.drops)
  sockets.checkDrops(10_001)
  t.equal(reader.drops.length, 2)
  t.match(sockets.usage, { iface: 'h0', received: 41_000 - sockets.usage.drops, drops: lost + reader.drops[1], queued: 0 })
  t.equal(sockets.usage.queued, 0)
  wire.close()
  sockets.close()
})

t.test('solicitations that cannot be sent are counted', async (t) => {
  const reader = new Reader()
  const sockets = new LinkSockets(LINK, PLAIN, reader)
  sh('ip link set h0 down')
  const [source, target] = ['fe80::1', '2001:db8::1'].map((text) => Address.parse(text)!)
  sockets.solicit({ source, destination: target.solicitedNode, target, to: parseMac('33:33:ff:00:00:01')! })
  sockets.flush()
  t.ok(reader.events.includes('ENETDOWN'))
  t.equal(sockets.usage.unsent, 1)
  sockets.close()
})

t.test('the program goes on while the kernel closes the sockets of many links', async (t) => {
  sh('ip link add h4 index 80 type veth peer name h5')
  const before = openSockets()
  const links = Array.from({ length: 40 }, () => new LinkSockets({ ...LINK, ifindex: 80, name: 'h4' }, { ...PLAIN, ring: false, reports: true }, new Reader()))
  const opened = openSockets().filter((socket) => !before.includes(socket))
  t.equal(opened.length, 3 * links.length)
  const present = (): number => openSockets().filter((socket) => opened.includes(socket)).length
  // On a busy machine, the kernel may be done with some before the test goes on.
  const early = links.filter((sockets) => {
    const before = present()
    sockets.close()
    return present() > before - 3
  })
  t.ok(early.length > 0, 'calls return before the descriptors are closed')
  await until(() => present() === 0)
})
