import t from 'tap'
import { formatMac } from '../../src/address.ts'
import { osError } from '../../src/linux/errors.ts'
import { NeighborWatcher } from '../../src/linux/neighbors.ts'
import { Rtnetlink } from '../../src/linux/rtnetlink.ts'
import { answering, done, fakeKernel, hex, type Reply } from '../fixtures/fake-kernel.ts'
import { ownNamespace, sh } from '../kit/namespace.ts'
import { until } from '../kit/until.ts'
import { ifindex, reports, Wire } from './kit/links.ts'

await ownNamespace()

/** A watcher that notes its reports. */
function watch(kernel: Rtnetlink, open?: ConstructorParameters<typeof NeighborWatcher>[2]) {
  const noted = reports()
  const { events } = noted
  const watcher = new NeighborWatcher({
    neighbor: ({ target, ifindex, mac, state, router }) => events.push(
      `${target} ${ifindex} ${state}${mac === undefined ? '' : ` ${formatMac(mac)}`}${router ? ' router' : ''}`),
    station: (bridge, mac, port) => events.push(port === undefined ? `${bridge} lost ${formatMac(mac)}`
      : `${bridge} has ${formatMac(mac)} ${port}`),
    full: () => events.push('full'),
  }, kernel, open)
  return { watcher, ...noted }
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 50))

t.test('neighbors of a real kernel', async (t) => {
  sh(`ip link add n0 type veth peer name n1; sysctl -qw net.ipv6.conf.n1.disable_ipv6=1; ip link set n0 up; ip link set n1 up
      ip -6 addr add 2001:db8::ff/64 dev n0 nodad`)
  const add = (target: string, more: string) => sh(`ip -6 neigh add ${target} dev n0 ${more}`)
  add('2001:db8::1', 'lladdr 52:54:00:00:00:01 nud reachable')
  add('2001:db8::2', 'lladdr 52:54:00:00:00:02 nud stale')
  add('2001:db8::3', 'lladdr 52:54:00:00:00:03 nud permanent router')
  add('2001:db8::4', 'lladdr 52:54:00:00:00:04 nud noarp')
  add('2001:db8::5', 'nud failed')
  add('2001:db8::6', 'nud none')
  add('fe80::1', 'lladdr 52:54:00:00:00:01 nud reachable router')
  add('fe80::2', 'lladdr 52:54:00:00:00:02 nud reachable')
  sh('ip -6 neigh add proxy 2001:db8::7 dev n0')
  const kernel = new Rtnetlink()
  const { watcher, take, next } = watch(kernel)
  t.teardown(() => [watcher, kernel].forEach((each) => each.close()))
  watcher.start()
  const n0 = ifindex('n0')
  t.strictSame(take().sort(), [
    `2001:db8::1 ${n0} reachable 52:54:00:00:00:01`,
    `2001:db8::2 ${n0} known 52:54:00:00:00:02`,
    `2001:db8::3 ${n0} known 52:54:00:00:00:03 router`,
    `2001:db8::5 ${n0} deleted`,
    `fe80::1 ${n0} reachable 52:54:00:00:00:01 router`,
  ], 'at the start')

  const after = async (command: string): Promise<string[]> => {
    await settle()
    take()
    sh(command)
    await settle()
    return take()
  }
  t.strictSame(await after('ip -6 neigh change 2001:db8::1 dev n0 nud stale'), [`2001:db8::1 ${n0} known 52:54:00:00:00:01`])
  t.strictSame(await after('ip -6 neigh change 2001:db8::1 dev n0 nud probe'), [`2001:db8::1 ${n0} probing 52:54:00:00:00:01`])
  t.strictSame(await after('ip -6 neigh change 2001:db8::1 dev n0 lladdr 52:54:00:00:00:11 nud reachable'),
    [`2001:db8::1 ${n0} reachable 52:54:00:00:00:11`])
  t.strictSame(await after('ip -6 neigh change 2001:db8::1 dev n0 nud failed'), [`2001:db8::1 ${n0} deleted`],
    'by another program')
  t.strictSame(await after('ip -6 neigh del 2001:db8::2 dev n0'), [`2001:db8::2 ${n0} deleted`])
  t.strictSame(await after('ip -6 neigh change fe80::1 dev n0 lladdr 52:54:00:00:00:01 nud stale'),
    [`fe80::1 ${n0} known 52:54:00:00:00:01`], 'not a router any more')
  t.strictSame(await after('ip -6 neigh change fe80::2 dev n0 nud stale; ip -6 neigh del fe80::2 dev n0'), [], 'was never a router')
  t.strictSame(await after('ip -6 neigh add proxy 2001:db8::8 dev n0; ip -6 neigh del proxy 2001:db8::8 dev n0'), [])
  t.strictSame(await after('ip -4 addr add 192.0.2.1/24 dev n0; ip -4 neigh add 192.0.2.2 lladdr 52:54:00:00:00:02 dev n0'), [], 'ARP')

  sh('sysctl -qw net.ipv6.neigh.n0.mcast_solicit=1 net.ipv6.neigh.n0.retrans_time_ms=20; ping -c1 -W1 2001:db8::9 || true')
  t.strictSame(await next(), [`2001:db8::9 ${n0} failed`], 'unanswered solicitations: only the end is reported')
  t.strictSame((await after('ip link set n0 down')).sort(),
    [`2001:db8::3 ${n0} deleted 52:54:00:00:00:03 router`, `fe80::1 ${n0} deleted 52:54:00:00:00:01`],
    'all go with the link; failed ones are not reported again')
})

t.test('stations of a real bridge', async (t) => {
  sh(`ip link add b0 type bridge; ip link add b1 type bridge; ip link set b0 up; ip link set b1 up
      for i in 0 1; do ip link add p$i type veth peer name h$i; sysctl -qw net.ipv6.conf.h$i.disable_ipv6=1
      ip link set h$i up; ip link set p$i master b0; ip link set p$i up; done`)
  const kernel = new Rtnetlink()
  const { watcher, take, next } = watch(kernel)
  /** Sends a broadcast frame with an ethertype for local experiments. */
  const broadcast = (name: string, mac: string): void => {
    const frame = hex(`ffffffffffff ${mac} 88b5 ${'00'.repeat(46)}`)
    const wire = new Wire(name)
    wire.send(frame)
    wire.close()
  }
  const b0 = ifindex('b0')
  const b1 = ifindex('b1')
  const [p0, p1] = [ifindex('p0'), ifindex('p1')]
  await until(() => /state forwarding/.test(sh('bridge link show dev p0')) && /state forwarding/.test(sh('bridge link show dev p1')))
  broadcast('h0', '525400000001')
  watcher.start()
  t.teardown(() => [watcher, kernel].forEach((each) => each.close()))
  t.strictSame(take(), [`${b0} has 52:54:00:00:00:01 ${p0}`], 'at the start, without the bridges\' own addresses')
  broadcast('h0', '525400000002')
  t.strictSame(await next(), [`${b0} has 52:54:00:00:00:02 ${p0}`])
  broadcast('h1', '525400000002')
  t.strictSame(await next(), [`${b0} has 52:54:00:00:00:02 ${p1}`], 'at another port')
  sh('ip link set p0 down')
  t.strictSame(await next(), [`${b0} lost 52:54:00:00:00:01`], 'a port goes down; the other station moved before')
  sh('ip link set p1 master b1')
  t.strictSame(await next(), [`${b0} lost 52:54:00:00:00:02`], 'the port is of another bridge now')
  await until(() => /state forwarding/.test(sh('bridge link show dev p1')))
  broadcast('h1', '525400000002')
  t.strictSame(await next(), [`${b1} has 52:54:00:00:00:02 ${p1}`])
  sh('ip link del p1')
  t.strictSame(await next(), [`${b1} lost 52:54:00:00:00:02`], 'the port is deleted')
  sh('ip link set p0 up')
  await until(() => /state forwarding/.test(sh('bridge link show dev p0')))
  broadcast('h0', '525400000003')
  t.strictSame(await next(), [`${b0} has 52:54:00:00:00:03 ${p0}`])
  sh('ip link set h0 down')
  t.strictSame(await next(), [`${b0} lost 52:54:00:00:00:03`], 'the other end of the port goes down')
  sh('bridge fdb add 52:54:00:00:00:04 dev p0 self permanent')
  await settle()
  t.strictSame(take(), [], 'an entry of the device itself')
})

const NEIGHBOR = (last: string, state: string, flags = '00'): Uint8Array => hex(`3c000000 1c00 0200 00000000 00000000
  0a000000 02000000 ${state}00 ${flags} 01 14000100 20010db80000000000000000000000${last} 0a000200 5254000000${last} 0000`)
const STATION = (bridge: string, mac: string, vlan = '0000', state = '02', port = '05'): Uint8Array =>
  hex(`38000000 1c00 0200 00000000 00000000 07000000 ${port}000000 ${state}00 00 00
    0a000200 ${mac} 0000 08000900 ${bridge}000000 06000500 ${vlan} 0000`)
const DELETED = (message: Uint8Array): Uint8Array => {
  const copy = message.slice()
  copy[4] = 29
  return copy
}
const STALE = '04'
const REACHABLE = '02'

/** A kernel with tables that the test fills. */
function tables() {
  const now = { neighbors: [] as Uint8Array[], stations: [] as Uint8Array[], error: undefined as Reply | undefined, dumps: 0 }
  const kernel = fakeKernel((request) => {
    now.dumps++
    if (now.error !== undefined) return [now.error]
    const rows = request.bytes[request.start] === 7 ? now.stations : now.neighbors
    const parts: Uint8Array[] = []
    for (let i = 0; i < rows.length; i += 500) {
      parts.push(Buffer.concat(rows.slice(i, i + 500).map((message) => answering(request, message))))
    }
    return [...parts, done(request)]
  })
  return { now, kernel, ...watch(new Rtnetlink(kernel.open), kernel.open) }
}

t.test('lost messages: a new dump, and only the differences are reported', async (t) => {
  const { now, kernel, watcher, events, take, next } = tables()
  const A = '525400000001'
  const B = '525400000002'
  now.neighbors = [NEIGHBOR('01', REACHABLE), NEIGHBOR('02', STALE, '80'), NEIGHBOR('03', REACHABLE), NEIGHBOR('05', REACHABLE)]
  now.stations = [STATION('08', A), STATION('08', A, '6400'), STATION('09', B), STATION('09', '525400000003')]
  watcher.start()
  t.strictSame(take(), ['2001:db8::1 2 reachable 52:54:00:00:00:01', '2001:db8::2 2 known 52:54:00:00:00:02 router',
    '2001:db8::3 2 reachable 52:54:00:00:00:03', '2001:db8::5 2 reachable 52:54:00:00:00:05',
    '8 has 52:54:00:00:00:01 5', '9 has 52:54:00:00:00:02 5', '9 has 52:54:00:00:00:03 5'])
  kernel.emit(NEIGHBOR('01', REACHABLE), STATION('08', A), STATION('08', A, '0000', STALE))
  t.strictSame(take(), [], 'the same again')
  kernel.emit(STATION('08', A, '0000', STALE, '06'), STATION('08', A, '0000', STALE, '06'))
  t.strictSame(take(), ['8 has 52:54:00:00:00:01 6'], 'another port')
  const multicast = NEIGHBOR('06', '80')
  multicast[32] = 0xff
  kernel.emit(NEIGHBOR('06', REACHABLE, '08'), multicast)
  t.strictSame(take(), [], 'a proxy entry, a multicast one')

  now.neighbors = [NEIGHBOR('01', REACHABLE), NEIGHBOR('02', REACHABLE, '80'), NEIGHBOR('04', STALE), NEIGHBOR('05', '01')]
  now.stations = [STATION('08', A, '6400'), STATION('08', B), STATION('09', '525400000003', '0000', '80')]
  now.dumps = 0
  kernel.emit(osError(105, 'recv'), osError(105, 'recv'))
  t.equal(now.dumps, 0, 'not at once')
  await until(() => events.length > 0)
  t.equal(now.dumps, 2)
  t.strictSame(take(), ['2001:db8::3 2 deleted 52:54:00:00:00:03', '2001:db8::5 2 deleted 52:54:00:00:00:05',
    '9 lost 52:54:00:00:00:02', '9 lost 52:54:00:00:00:03',
    '2001:db8::2 2 reachable 52:54:00:00:00:02 router', '2001:db8::4 2 known 52:54:00:00:00:04', '8 has 52:54:00:00:00:02 5'])
  kernel.emit(DELETED(STATION('08', A, '6400')), DELETED(STATION('08', A)))
  t.strictSame(take(), ['8 lost 52:54:00:00:00:01'], 'the entry of the other VLAN was gone')
  kernel.emit(DELETED(NEIGHBOR('04', '40')))
  t.strictSame(take(), ['2001:db8::4 2 deleted 52:54:00:00:00:04'], 'deleted, whatever state it shows')

  now.error = osError(105, 'recv')
  kernel.emit(osError(105, 'recv'))
  now.dumps = 0
  await until(() => now.dumps > 1)
  t.strictSame(take(), [], 'an error while dumping')
  now.error = undefined
  now.neighbors = []
  now.stations = [STATION('08', B)]
  t.strictSame(await next(), ['2001:db8::1 2 deleted 52:54:00:00:00:01', '2001:db8::2 2 deleted 52:54:00:00:00:02 router'],
    'it is tried again later')
  now.error = osError(1, 'recv')
  t.throws(() => watcher.resync(), { code: 'EPERM' })
  kernel.emit(osError(105, 'recv'))
  now.dumps = 0
  watcher.close()
  await new Promise((resolve) => setTimeout(resolve, 1100))
  t.equal(now.dumps, 0, 'closed is closed')
})

t.test('an address that becomes the bridge\'s own is not a station any more', async (t) => {
  const { kernel, watcher, take } = tables()
  watcher.start()
  kernel.emit(STATION('08', '525400000001'), STATION('08', '525400000001', '0000', '80'), DELETED(STATION('08', '525400000001')))
  t.strictSame(take(), ['8 has 52:54:00:00:00:01 5', '8 lost 52:54:00:00:00:01'])
  kernel.emit(DELETED(STATION('08', '525400000002', '0000', '80')))
  t.strictSame(take(), [])
  watcher.close()
})

t.test('a flood: entries up to the limit are kept', async (t) => {
  const { now, kernel, watcher, events, take } = tables()
  const mac = (i: number): string => `5255${i.toString(16).padStart(8, '0')}`
  now.stations = Array.from({ length: 65537 }, (_, i) => STATION('08', mac(i)))
  now.neighbors = Array.from({ length: 65537 }, (_, i) => {
    const row = NEIGHBOR('01', REACHABLE)
    row.set([i >> 16, i >> 8, i], 40)
    return row
  })
  watcher.start()
  t.equal(events.filter((line) => line === 'full').length, 1, 'reported once')
  t.match(watcher.limits, [{ used: 65536, size: 65536 }, { used: 65536, size: 65536 }])
  t.equal(events.filter((line) => line.includes('has')).length, 65536)
  t.equal(take().filter((line) => line.includes('reachable')).length, 65537, 'each is reported')
  kernel.emit(DELETED(STATION('08', mac(65536))))
  t.strictSame(take(), [], 'a station beyond the limit was not reported')
  kernel.emit(DELETED(STATION('08', mac(0))), STATION('08', mac(65536)))
  t.strictSame(take(), ['8 lost 52:55:00:00:00:00', '8 has 52:55:00:01:00:00 5'], 'below the limit again')
  now.stations = []
  now.neighbors = []
  watcher.resync()
  t.equal(events.filter((line) => line.includes('deleted')).length, 65536)
  t.equal(events.filter((line) => line.includes('lost')).length, 65536)
  watcher.close()
})
