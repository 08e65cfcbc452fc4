import t from 'tap'
import { osError } from '../../src/linux/errors.ts'
import { PrefixWatcher, REPORT_LIMIT } from '../../src/linux/prefixes.ts'
import { Rtnetlink } from '../../src/linux/rtnetlink.ts'
import { acknowledgement, answering, done, fakeKernel, hex } from '../fixtures/fake-kernel.ts'
import { ownNamespace, sh } from '../kit/namespace.ts'
import { until } from '../kit/until.ts'
import { ifindex } from './kit/links.ts'

await ownNamespace()

/** A watcher that notes its reports. */
function watch(kernel: Rtnetlink, open?: ConstructorParameters<typeof PrefixWatcher>[2]) {
  const events: string[] = []
  const watcher = new PrefixWatcher((ifindex, prefixes) => events.push([ifindex, ...prefixes].join(' ')), kernel, open)
  return { watcher, events, take: () => events.splice(0) }
}

t.test('with a real kernel', async (t) => {
  // The kernel removes expired routes every 30 s, or sooner if root says so.
  sh(`echo 1 >/proc/sys/net/ipv6/route/gc_interval || :; ip link add e0 type veth peer name e1; ip link set e0 up; ip link set e1 up
      ip -6 addr add 2001:db8:2::1/64 dev e0 nodad; ip -6 addr add 2001:db8:2::2/64 dev e0 nodad metric 5
      ip -6 addr add 2001:db8:5::1/128 dev e0 nodad; ip -6 route add 2001:db8:6::/48 via fe80::1 dev e0
      ip -6 route add default via fe80::1 dev e0; ip -6 route add 2001:db8:7::/64 dev e0 proto 186
      ip -6 route add 2001:db8:8::/64 dev e0 table 88; ip -6 route add unreachable 2001:db8:9::/64
      ip -6 route add 2001:db8:1::/64 dev e0 proto ra; ip -6 route add 2001:db8::/40 dev e0`)
  const kernel = new Rtnetlink()
  const { watcher, events, take } = watch(kernel)
  t.teardown(() => [watcher, kernel].forEach((each) => each.close()))
    const e0 = ifindex('e0')
  const e1 = ifindex('e1')
  watcher.follow([e0])
  t.strictSame(take(), [`${e0} 2001:db8::/40 2001:db8:1::/64 2001:db8:2::/64`], 'in order, each once')
  watcher.follow([e0, e1])
  t.strictSame(take(), [`${e1}`], 'no prefixes; the other link is unchanged')

  const after = async (command: string): Promise<string[]> => {
    sh(command)
    await until(() => events.length > 0, 35_000)
    return take()
  }
  t.strictSame(await after('ip -6 route del 2001:db8::/40; ip -6 route del 2001:db8:1::/64'), [`${e0} 2001:db8:2::/64`], 'both at once')
  t.strictSame(await after('ip -6 addr add 2001:db8:3::1/64 dev e1 nodad'), [`${e1} 2001:db8:3::/64`], 'an address')
  t.strictSame(await after('ip -6 addr del 2001:db8:3::1/64 dev e1'), [`${e1}`])
  t.strictSame(await after('ip -6 route add 2001:db8:1::/64 dev e0 proto ra expires 2'), [`${e0} 2001:db8:1::/64 2001:db8:2::/64`])
  t.strictSame(await after('true'), [`${e0} 2001:db8:2::/64`], 'what a router advertised expires')
  t.strictSame(await after('ip -6 route add 2001:db8:4::/64 dev e0 metric 5'), [`${e0} 2001:db8:2::/64 2001:db8:4::/64`])
  t.strictSame((await after('ip -6 route replace 2001:db8:4::/64 dev e1 metric 5')).sort(),
    [`${e0} 2001:db8:2::/64`, `${e1} 2001:db8:4::/64`].sort(), 'replaced on another link')
  t.strictSame(await after('ip -6 route replace 2001:db8:4::/64 via fe80::1 dev e1 metric 5'), [`${e1}`], 'by one with a gateway')

  sh(`ip -6 route add 2001:db8:a::/64 dev e0 proto 186; ip -6 route add 2001:db8:b::/64 via fe80::1 dev e0
      ip -6 route add 2001:db8:2::/64 dev e0 metric 77; ip -6 route add 2001:db8:2::77 dev e0`)
  await new Promise((resolve) => setTimeout(resolve, 100))
  t.strictSame(take(), [], 'no change, no report')

  watcher.follow([e1])
  sh('ip -6 addr add 2001:db8:c::1/64 dev e0 nodad')
  t.strictSame(await after('ip -6 addr add 2001:db8:d::1/64 dev e1 nodad'), [`${e1} 2001:db8:d::/64`], 'the other link is not followed')
  watcher.follow([e1, e0])
  t.strictSame(take(), [`${e0} 2001:db8:2::/64 2001:db8:c::/64`], 'followed again')
  t.strictSame(await after('ip link set e1 down'), [`${e1}`])
  t.strictSame(await after('ip link del e0'), [`${e0}`], 'a link that is gone has none')
  watcher.follow([e0, e1, 99])
  t.strictSame(take(), ['99'], 'nor has one that never existed')
})

const ROUTE = (index: string, subnet: string, flags = '0006', type = '1800'): Uint8Array => hex(`38000000 ${type} ${flags} 00000000
  00000000 0a400000 fe020001 00000000 14000100 20010db800${subnet}00000000000000000000 08000400 ${index}000000`)

/** A kernel with routes that the test fills. */
function routes() {
  const now = { rows: [] as Uint8Array[], cost: 0, error: undefined as Error | undefined, dumped: [] as number[], opened: 0, closed: 0 }
  const kernel = fakeKernel((request) => {
    now.dumped.push(request.bytes[request.end - 4])
    if (now.error !== undefined) return [now.error]
    for (const end = performance.now() + now.cost; performance.now() < end;);
    return [...now.rows.map((message) => answering(request, message)), done(request)]
  })
  const open: typeof kernel.open = (protocol, groups, ...more) => {
    const socket = kernel.open(protocol, groups, ...more)
    if (groups.length === 0) return socket
    now.opened++
    return { ...socket, close: () => { now.closed++ } }
  }
  return { now, emit: kernel.emit, ...watch(new Rtnetlink(kernel.open), open) }
}

t.test('one dump for many events; the contents of events do not count', async (t) => {
  const { now, emit, watcher, take } = routes()
  watcher.follow([])
  t.equal(now.opened, 0, 'no links, no socket')
  now.rows = [ROUTE('02', '02'), ROUTE('02', '01'), ROUTE('03', '03'), ROUTE('02', '02')]
  watcher.follow(new Set([2, 3]))
  t.strictSame(take(), ['2 2001:db8:1::/64 2001:db8:2::/64', '3 2001:db8:3::/64'], 'a kernel that does not filter dumps')
  t.equal(now.opened, 1)
  now.dumped = []
  emit(ROUTE('02', '07'), ROUTE('02', '08'), ROUTE('09', '09'), ROUTE('02', '07', '0000', '1900'))
  t.strictSame(now.dumped, [2])
  t.strictSame(take(), [])
  now.rows = [ROUTE('03', '04')]
  emit(ROUTE('09', '09', '0001'))
  t.strictSame(now.dumped, [2, 2, 3], 'a replacement: all')
  t.strictSame(take(), ['2', '3 2001:db8:4::/64'])
  now.rows = [ROUTE('02', '01')]
  emit(osError(105, 'recv'))
  t.strictSame(take(), ['2 2001:db8:1::/64', '3'], 'after a loss')
  watcher.follow([])
  t.equal(now.closed, 1)
  watcher.follow([2])
  t.strictSame(take(), ['2 2001:db8:1::/64'], 'reported again')
  t.equal(now.opened, 2)
  watcher.close()
  t.equal(now.closed, 2)
})

t.test('beyond the limit, the first prefixes stay, and further ones cause no dump', async (t) => {
  const { now, emit, watcher, take } = routes()
  const wide = (n: number): Uint8Array => {
    const bytes = Uint8Array.from(ROUTE('02', '00'))
    // The 48 bits after 2001:db8.
    new DataView(bytes.buffer).setUint32(36, n)
    return bytes
  }
  now.rows = [wide(0x1000), wide(0x1001)]
  watcher.follow([2])
  take()
  now.rows = [...Array.from({ length: 2000 }, (_, n) => wide(n)), wide(0x1000), wide(0x1001)]
  emit(wide(0))
  const [first, ...more] = take()
  t.strictSame(more, [])
  const reported = first.split(' ').slice(1)
  t.equal(reported.length, REPORT_LIMIT)
  for (const prefix of ['2001:db8:0:1000::/64', '2001:db8:0:1001::/64']) t.ok(reported.includes(prefix), prefix)
  now.dumped = []
  for (let n = 2000; n < 4000; n++) emit(wide(n))
  t.strictSame(now.dumped, [], 'new ones')
  emit(Uint8Array.from(wide(1999)).fill(25, 4, 5))
  t.strictSame(now.dumped, [], 'the end of one that is not reported')
  now.rows.splice(-2, 1)
  emit(Uint8Array.from(wide(0x1000)).fill(25, 4, 5))
  await until(() => now.dumped.length > 0, 10_000)
  t.notOk(take()[0].split(' ').includes('2001:db8:0:1000::/64'), 'the end of a reported one makes place')
  watcher.close()
})

t.test('dumps that cost much are paused', async (t) => {
  const { now, emit, watcher } = routes()
  now.rows = Array.from({ length: 100 }, () => ROUTE('02', '01'))
  now.cost = 60
  watcher.follow([2])
  now.dumped = []
  for (let n = 2; n < 99; n++) emit(ROUTE('02', String(n).padStart(2, '0')))
  t.ok(now.dumped.length <= 1, `${now.dumped.length} dumps for 97 changes`)
  watcher.close()
})

t.test('an error while dumping', async (t) => {
  const { now, watcher, events, take } = routes()
  now.rows = [ROUTE('02', '01'), ROUTE('03', '02')]
  now.error = osError(105, 'recv')
  watcher.follow([2, 3])
  t.strictSame(take(), [])
  now.error = undefined
  await until(() => events.length > 0)
  t.strictSame(take(), ['2 2001:db8:1::/64', '3 2001:db8:2::/64'], 'it is tried again later')
  now.error = osError(1, 'recv')
  t.throws(() => watcher.resync(), { code: 'EPERM' })
  now.error = osError(105, 'recv')
  watcher.resync()
  now.dumped = []
  watcher.close()
  await new Promise((resolve) => setTimeout(resolve, 150))
  t.strictSame(now.dumped, [], 'closed is closed')
})

t.test('a kernel that refuses', async (t) => {
  const kernel = fakeKernel((request) => [acknowledgement(request, 19)])
  const { watcher, take } = watch(new Rtnetlink(kernel.open), kernel.open)
  watcher.follow([7])
  t.strictSame(take(), ['7'], 'ENODEV')
  watcher.close()
})
