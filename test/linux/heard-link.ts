/** All sockets of one link: opened when the link is there, changed with the manner of hearing, gone with close. */
import t from 'tap'
import type { Address } from '../../src/address.ts'
import { parseMac } from '../../src/address.ts'
import type { Hearing, Link } from '../../src/engine/types.ts'
import { HeardLink, linkLimits } from '../../src/linux/heard-link.ts'
import type { LinkReader } from '../../src/linux/heard-link.ts'
import { native } from '../../src/linux/native.ts'
import { ns } from '../kit/frames.ts'
import { ownNamespace, sh, veth } from '../kit/namespace.ts'
import { until } from '../kit/until.ts'

await ownNamespace()

const PLAIN: Hearing = { promiscuous: false, ring: true, ownSolicitations: false, reports: false, routerSolicitations: false, prefixes: false }
const LINK: Link = { ifindex: 77, name: 'h0', mac: parseMac('02:00:00:00:00:01'), up: true, addresses: [] }
const FRAME = ns({ target: '2001:db8::12:3456', source: 'fe80::2', from: '02:00:00:00:00:02' })

class Reader implements LinkReader {
  readonly said: string[] = []
  readonly drops: number[] = []
  begin(): void {}
  end(): void {}
  packet(): void { this.said.push('packet') }
  echo(): void { this.said.push('echo') }
  report(joined: readonly Address[]): void { this.said.push(...joined.map((group) => `report ${group}`)) }
  query(): void { this.said.push('query') }
  solicitation(): void { this.said.push('router solicitation') }
  opened(): void { this.said.push('opened') }
  dropped(count: number): void { this.drops.push(count) }
  failed(error: Error): void { this.said.push(String((error as NodeJS.ErrnoException).code)) }
}

function make(): void {
  veth('h0 index 77 address 02:00:00:00:00:01', 'h1 index 78 address 02:00:00:00:00:02')
}

/** Puts the solicitation on the other end of the link. */
function solicit(): void {
  const socket = native.openPacket({ ifindex: 78, protocol: 0, filter: new Uint8Array(0), promiscuous: false, receiveBuffer: 4096, cooked: false })
  socket.send(FRAME, FRAME.length, Int32Array.of(FRAME.length), 1)
  socket.close()
}

t.test('a link that is late is heard when it comes', async (t) => {
  const reader = new Reader()
  const heard = new HeardLink(LINK, PLAIN, reader)
  t.teardown(() => heard.close())
  t.same(reader.said, ['ENODEV'])
  heard.flush()
  make()
  await until(() => {
    solicit()
    return reader.said.includes('packet')
  })
  t.equal(reader.said.filter((word) => word === 'opened').length, 1)

  heard.follow(LINK, { ...PLAIN, promiscuous: true })
  reader.said.length = 0
  solicit()
  await until(() => reader.said.length > 0)
  t.same(reader.said, ['packet'], 'once')

  heard.follow(LINK, { ...PLAIN, reports: true })
  sh('ip -6 addr add 2001:db8::77/64 dev h0 nodad; ip -6 addr add 2001:db8::78/64 dev h1 nodad')
  await until(() => reader.said.includes('report ff02::1:ff00:78'))
  heard.follow(LINK, PLAIN)
  reader.said.length = 0
  sh('ip -6 addr add 2001:db8::79/64 dev h1 nodad')
  t.notMatch(reader.said, ['report ff02::1:ff00:79'])
  heard.close()
  heard.close()
})

t.test('a burst of 1000 waits for a program that is busy; what is too much for the kernel is counted and told (M8)', async (t) => {
  const reader = new Reader()
  const heard = new HeardLink(LINK, PLAIN, reader)
  const socket = native.openPacket({ ifindex: 78, protocol: 0, filter: new Uint8Array(0), promiscuous: false, receiveBuffer: 4096, cooked: false })
  const burst = (count: number): void => {
    for (let sent = 0; sent < count;) sent += socket.send(FRAME, FRAME.length, Int32Array.of(FRAME.length), 1)
  }
  burst(1000)
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
  await until(() => reader.said.length === 1000)
  heard.look(0)
  t.same(reader.drops, [])

  reader.said.length = 0
  burst(20_000)
  heard.look(1)
  const [lost] = reader.drops
  t.ok(lost > 0, `${20_000 - lost} wait in the receive buffer`)
  // The ring makes room for others when it is read.
  await until(() => reader.said.length === 20_000 - heard.usage.drops)
  burst(20_000)
  heard.look(9_000)
  t.equal(reader.drops.length, 1, 'not again so soon')
  await until(() => reader.said.length === 40_000 - heard.usage.drops)
  heard.look(10_001)
  t.equal(reader.drops.length, 2)
  t.match(heard.usage, { iface: 'h0', received: 41_000 - heard.usage.drops, drops: lost + reader.drops[1] })
  t.match(linkLimits([heard.usage]), [{ used: 0, size: 4096 }, { used: 0, size: 8192 }])
  socket.close()
  heard.close()
})
