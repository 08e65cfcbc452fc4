/** Multicast messages with Linux at the other end: a host that reports, a bridge that snoops, a querier. */
import t from 'tap'
import { Address, formatMac, parseMac, writeMac, type Mac } from '../../src/address.ts'
import { osError } from '../../src/linux/errors.ts'
import { MulticastSocket } from '../../src/linux/multicast-socket.ts'
import { PacketSocket } from '../../src/linux/packet-socket.ts'
import { bytes } from '../fixtures/frames.ts'
import { LISTENER_FRAMES } from '../fixtures/listener-frames.ts'
import { sumOf } from '../kit/frames.ts'
import { ownNamespace, sh } from '../kit/namespace.ts'
import { until } from '../kit/until.ts'
import { codeOf, fakeSocket, ifindex, makePair, readPackets, Wire } from './kit/links.ts'

await ownNamespace()

const OURS = parseMac('02:00:00:00:00:ff')!
const SOURCE = Address.parse('fe80::ff')!
const NOTHING = { reports: false, routerSolicitations: false, routerMessages: false }
const ALL = { reports: true, routerSolicitations: true, routerMessages: false }

/** v0 is ours and has no addresses; v1 is the peer's. */
makePair()

function open(name: string, mac: Mac | undefined, subscription: Partial<typeof ALL>, noarp = false) {
  const events: string[] = []
  const last = (sign: string) => (group: Address) => `${sign}${`${group}`.replace('ff02::1:ff00:', '')}`
  const socket = new MulticastSocket({ ifindex: ifindex(name), mac, ...noarp && { noarp }, ...NOTHING, ...subscription }, {
    report: (joined, left) => { events.push([...joined.map(last('+')), ...left.map(last('-'))].join(' ')) },
    routerSolicitation: () => { events.push('solicitation') },
    routerMessage: ({ kind, source, mac: from }) => { events.push(`${kind} ${source} ${from === undefined ? '-' : formatMac(from)}`) },
    failed: (error) => { events.push(codeOf(error)) },
  })
  t.teardown(() => socket.close())
  return { socket, events }
}

/** The socket for ND, which receives queries and sends all messages. */
function openPackets(name: string, mac: Mac | undefined) {
  const events: string[] = []
  const socket = new PacketSocket({ ifindex: ifindex(name), mac, promiscuous: false, ring: false }, {
    ...readPackets(() => {}),
    query: ({ source, version, groups, delay, toAll }) => {
      events.push(`query ${source} v${version} ${groups?.join() ?? 'all'} ${delay}${toAll ? '' : ' aside'}`)
    },
    failed: (error) => { events.push(codeOf(error)) },
  })
  t.teardown(() => socket.close())
  return { socket, events }
}

const wire = new Wire('v1')
t.teardown(() => wire.close())
const inject = (frame: Uint8Array) => wire.send(frame)
const received = () => wire.take().map((frame) => frame.toString('hex'))
const fixture = (id: string) => bytes(LISTENER_FRAMES.find((each) => each.id === id)!.hex)

t.test('valid fixtures are reported from the wire, and no others', async (t) => {
  const { socket, events } = open('v0', OURS, ALL)
  const effects = LISTENER_FRAMES.map(({ hex, expect }) => ({ frame: bytes(hex), expect }))
    // The kernel sends no frame without a whole IPv6 header.
    .filter(({ frame }) => frame.length >= 54)
  const packets = openPackets('v0', OURS)
  for (const { frame } of effects) inject(frame)
  inject(fixture('done'))
  const valid = effects.map(({ expect }) => expect).filter((word) => /^[+-]|^solicitation/.test(word))
  t.equal(valid.length, 9)
  await until(() => events.length > valid.length)
  t.strictSame(events, [...valid, '-2'])
  const queries = effects.map(({ expect }) => expect
    .replace(/\b2\b(?= 1000| 3)/, 'ff02::1:ff00:2')).filter((word) => word.startsWith('query'))
  t.equal(queries.length, 6)
  await until(() => packets.events.length === queries.length)
  t.strictSame(packets.events, queries)
  socket.close()
  packets.socket.close()
})

t.test('only what is subscribed to', async (t) => {
  const reports = open('v0', OURS, { reports: true, routerSolicitations: false })
  const routers = open('v0', OURS, { reports: false, routerSolicitations: true })
  const neither = open('v0', OURS, { reports: false, routerSolicitations: false })
  for (const id of ['done', 'solicitation', 'query', 'solicitation', 'report of version 1']) inject(fixture(id))
  await until(() => reports.events.length === 2 && routers.events.length === 2)
  t.strictSame(reports.events, ['-2', '+2'])
  t.strictSame(routers.events, ['solicitation', 'solicitation'])
  t.strictSame(neither.events, [])
  for (const { socket } of [reports, routers, neither]) socket.close()
})

t.test('no own frames, and none of a VLAN', async (t) => {
  const { socket, events } = open('v0', OURS, ALL)
  const own = fixture('report of version 1')
  own.set(bytes('0200000000ff'), 6)
  inject(own)
  const tagged = fixture('report of version 1')
  inject(Uint8Array.from([...tagged.subarray(0, 12), 0x81, 0, 0, 5, ...tagged.subarray(12)]))
  inject(fixture('done'))
  await until(() => events.length > 0)
  t.strictSame(events, ['-2'])
  socket.mac = parseMac('02:00:00:00:00:77')!
  inject(own)
  await until(() => events.length > 1)
  t.strictSame(events, ['-2', '+2'], 'after a change of our address')
  socket.close()
  const noarp = open('v0', OURS, ALL, true)
  const near = new Wire('v0')
  near.send(own)
  near.close()
  for (const source of ['0200000000ff', '000000000000', '020000000009']) {
    own.set(bytes(source), 6)
    inject(own)
  }
  inject(fixture('done'))
  await until(() => noarp.events.includes('-2'))
  t.strictSame(noarp.events, ['+2', '+2', '+2', '-2'], 'without resolution the other end may use our address, or none')
  noarp.socket.noarp = false
  own.set(bytes('0200000000ff'), 6)
  inject(own)
  inject(fixture('done'))
  await until(() => noarp.events.length > 4)
  t.strictSame(noarp.events.slice(4), ['-2'], 'after a change of the link')
  noarp.socket.close()

  const packets = openPackets('v0', OURS)
  const query = fixture('query')
  writeMac(query, 0, OURS)
  inject(query)
  inject(Uint8Array.from([...query.subarray(0, 12), 0x81, 0, 0, 5, ...query.subarray(12)]))
  writeMac(query, 6, OURS)
  inject(query)
  inject(Uint8Array.from([...query.subarray(0, 12), 0x81, 0, 0, 5, ...query.subarray(12)]))
  inject(fixture('query of version 1'))
  await until(() => packets.events.length > 2)
  t.strictSame(packets.events, ['query fe80::1 v2 all 10000 aside', 'query fe80::1 v2 all 10000 aside', 'query fe80::1 v1 all 10000'],
    'a query from our address is the bridge\'s')
  packets.socket.close()
})

t.test('messages, byte by byte', async (t) => {
  const { socket, events } = openPackets('v0', OURS)
  received()
  socket.multicast({ kind: 'query', source: SOURCE })
  socket.multicast({ kind: 'router-advertisement', source: SOURCE, interval: 20 })
  socket.multicast({ kind: 'router-termination', source: SOURCE })
  const source = 'fe8000000000000000000000000000ff'
  const frame = (group: string, length: string, message: string) => `3333000000${group}0200000000ff86dd60000000${length}0001`
    + `${source}ff0200000000000000000000000000${group}3a00050200000100${message}`
  t.strictSame(received(), [
    frame('01', '0024', `8200559827100000${'00'.repeat(16)}027d0000`),
    frame('6a', '0010', '971469bc00000000'),
    frame('6a', '000c', '990067d4'),
  ])
  socket.close()
  socket.close()
  socket.multicast({ kind: 'router-termination', source: SOURCE })
  inject(fixture('query'))
  await new Promise((resolve) => setTimeout(resolve, 50))
  t.strictSame([received(), events], [[], []])
})

t.test('without Ethernet header', async (t) => {
  const cooked = open('v0', undefined, ALL)
  const packets = openPackets('v0', undefined)
  received()
  inject(fixture('every type of record'))
  await until(() => cooked.events.length > 0)
  t.strictSame(cooked.events, ['+2 +3 +5 +6 +7 +b +c -1 -4'])
  packets.socket.multicast({ kind: 'router-termination', source: SOURCE })
  t.match(received(), [/^.{28}60000000000c0001fe80.*990067d4$/])
  inject(fixture('query'))
  await until(() => packets.events.length > 0)
  t.strictSame(packets.events, ['query fe80::1 v2 all 10000'])
  cooked.socket.close()
  packets.socket.close()
})

t.test('a report as long as the MTU', async (t) => {
  const { socket, events } = open('v0', OURS, ALL)
  const message = Buffer.alloc(8 + 70 * 20)
  message.set([143, 0, 0, 0, 0, 0, 0, 70])
  for (let i = 0; i < 70; i++) message.set(bytes(`04000000 ff0200000000000000000001ff0000${10 + i}`), 8 + 20 * i)
  const addresses = 'fe800000000000000000000000000001 ff020000000000000000000000000016'
  message.writeUInt16BE(0xffff - sumOf([...bytes(`${addresses} 00000580 0000003a`), ...message]), 2)
  inject(Buffer.concat([bytes(`333300000016 020000000001 86dd 60000000 05880001 ${addresses} 3a00050200000100`), message]))
  await until(() => events.length > 0)
  t.equal(events[0].split(' ').length, 70)
  socket.close()
})

t.test('a Linux host: joins and leaves are reported, and our query makes it report all', async (t) => {
  sh('sysctl -qw net.ipv6.conf.v1.accept_dad=0 net.ipv6.conf.v1.router_solicitations=0 net.ipv6.conf.v1.disable_ipv6=0')
  const { socket, events } = open('v0', OURS, ALL)
  sh('ip -6 addr add 2001:db8::9/64 dev v1; ip -6 addr add 2001:db8::7/64 dev v1')
  await until(() => events.some((line) => line.includes('+9')) && events.some((line) => line.includes('+7')))
  sh('ip -6 addr del 2001:db8::9/64 dev v1')
  await until(() => events.some((line) => line.includes('-9')))
  // Its own repetitions first (RFC 3810 6.1).
  await new Promise((resolve) => setTimeout(resolve, 2500))
  events.length = 0
  const packets = openPackets('v0', OURS)
  packets.socket.multicast({ kind: 'query', source: SOURCE })
  packets.socket.close()
  await until(() => events.length > 0, 11_000)
  t.strictSame(events, ['+7 +1'], 'current state: the host\'s own link-local address, too')
  sh('sysctl -qw net.ipv6.conf.v1.force_mld_version=1')
  sh('ip -6 addr add 2001:db8::5/64 dev v1')
  await until(() => events.includes('+5'))
  sh('ip -6 addr del 2001:db8::5/64 dev v1')
  await until(() => events.includes('-5'))
  t.pass('with version 1 as well')
  sh('sysctl -qw net.ipv6.conf.v1.disable_ipv6=1')
  socket.close()
})

for (const [name, message] of [
  ['an advertisement', { kind: 'router-advertisement', source: SOURCE, interval: 20 }],
  ['a query', { kind: 'query', source: SOURCE }],
] as const) {
  t.test(`${name} makes our port of a snooping bridge a router port`, async (t) => {
    sh('ip link add br0 type bridge mcast_snooping 1; ip link set v1 master br0; ip link set br0 up')
    const { socket } = openPackets('v0', OURS)
    const isRouterPort = () => /^router ports on br0:.*\bv1\b/m.test(sh('bridge -d mdb show dev br0'))
    await new Promise((resolve) => setTimeout(resolve, 200))
    t.notOk(isRouterPort())
    // The bridge ignores messages until its port forwards.
    await until(() => {
      socket.multicast(message)
      return isRouterPort()
    })
    socket.close()
    sh('ip link del br0')
  })
}

t.test('each error is reported once', async (t) => {
  const { socket, events } = open('v0', OURS, ALL)
  sh('ip link set v0 down')
  await until(() => events.length > 0)
  t.strictSame(events, ['ENETDOWN'])
  const packets = openPackets('v0', OURS)
  packets.socket.multicast({ kind: 'query', source: SOURCE })
  t.strictSame(packets.events, ['ENETDOWN'], 'sending, too')
  packets.socket.close()
  sh('ip link set v0 up; ip link set v1 up')
  await until(() => {
    inject(fixture('done'))
    return events.includes('-2')
  })
  t.pass('received again')
  socket.close()
  t.throws(() => open('v0', OURS, ALL).socket && new MulticastSocket({ ifindex: 99_999, mac: OURS, ...ALL }, {
    report: () => {}, routerSolicitation: () => {}, routerMessage: () => {}, failed: () => {},
  }), { code: 'ENODEV' })
})

t.test('a full queue of the kernel is no error', async (t) => {
  const events: Error[] = []
  const errors = [osError(105, 'sendmmsg'), osError(1, 'sendmmsg')]
  const fake = fakeSocket({ send: () => { throw errors.shift()! } })
  const socket = new PacketSocket({ ifindex: 1, mac: OURS, promiscuous: false, ring: false }, {
    ...readPackets(() => {}), failed: (error) => events.push(error),
  }, () => fake)
  socket.multicast({ kind: 'query', source: SOURCE })
  t.strictSame(events, [])
  socket.multicast({ kind: 'query', source: SOURCE })
  t.match(events, [{ code: 'EPERM' }])
})
