import t from 'tap'
import { osError } from '../../src/linux/errors.ts'
import { native } from '../../src/linux/native.ts'
import { HostRoutes, QUEUE_LIMIT, RouteWatcher } from '../../src/linux/host-routes.ts'
import { NETLINK_ROUTE, Rtnetlink } from '../../src/linux/rtnetlink.ts'
import { RTNLGRP_IPV6_ROUTE } from '../../src/wire/rtroute.ts'
import { acknowledgement, fakeKernel } from '../fixtures/fake-kernel.ts'
import { ip } from '../kit/frames.ts'
import { ownNamespace, sh } from '../kit/namespace.ts'
import { add, del, indexOf, to } from './kit/routes.ts'
import { until } from '../kit/until.ts'

await ownNamespace()

sh('ip link add up0 type veth peer name down0; ip link set up0 up; ip link set down0 up; ip -6 addr add 2001:db8::ff/64 dev up0 nodad')
const kernel = new Rtnetlink()
const up0 = indexOf(kernel, 'up0')
const down0 = indexOf(kernel, 'down0')
const failures: string[] = []
/** Changes reported as done. */
let done = 0
const routes = new HostRoutes(kernel, {
  done: (changes) => { done += changes.length },
  failed: ({ change, error }) => { failures.push(`${change.op} ${change.route.target} ${error.code}`) },
  overrun: () => { failures.push('overrun') },
})
const way = (target: string): number | undefined => kernel.lookup(to(target)).ifindex
const show = (): string[] => sh('ip -6 route show proto 136').trim().split('\n').filter(Boolean)
t.beforeEach(() => {
  failures.length = 0
  done = 0
})

t.test('few changes take effect at once', async (t) => {
  routes.apply([add('2001:db8::2', down0), add('2001:db8::3', down0)])
  t.equal(way('2001:db8::2'), down0)
  t.equal(done, 2, 'reported within apply()')
  routes.apply([del('2001:db8::3', down0)])
  t.equal(way('2001:db8::3'), up0)
  t.equal(routes.pending, 0)
  t.strictSame(routes.present(), [{ target: ip('2001:db8::2'), ifindex: down0 }])
})

t.test('an existing route is no failure; one elsewhere is moved', async (t) => {
  routes.apply([add('2001:db8::2', down0)])
  t.equal(show().length, 1)
  routes.apply([add('2001:db8::2', up0)])
  t.match(show(), [/^2001:db8::2 dev up0 metric 16/])
  t.equal(show().length, 1)
  routes.apply([{ op: 'add', route: { target: ip('2001:db8::2'), ifindex: down0, via: ip('fe80::1') } }])
  t.match(show(), [/^2001:db8::2 via fe80::1 dev down0 metric 16 onlink|^2001:db8::2 via fe80::1 dev down0 metric 16/])
  routes.apply([add('2001:db8::2', down0)])
  t.match(show(), [/^2001:db8::2 dev down0 metric 16/])
  t.equal(show().length, 1)
  t.strictSame(failures, [])
})

t.test('a foreign route is never touched', async (t) => {
  sh(`ip -6 route add 2001:db8::7 dev up0 metric 16 proto static; ip -6 route add 2001:db8::8 dev up0 metric 20 proto static
      ip -6 route add 2001:db8::9 dev up0 metric 10 proto static`)
  routes.apply([add('2001:db8::7', down0), add('2001:db8::8', down0), add('2001:db8::9', down0)])
  t.strictSame(failures.splice(0), ['add 2001:db8::7 EEXIST'], 'of the same metric: it stays, and the failure is reported')
  t.equal(way('2001:db8::7'), up0)
  t.equal(way('2001:db8::8'), down0, 'ours is better than one of a worse metric')
  t.equal(sh('ip -6 route show 2001:db8::8').trim().split('\n').length, 2)
  await routes.leave(5000)
  await routes.adopt(routes.present())
  await routes.leave(0)
  t.strictSame(show(), [])
  t.equal(sh('ip -6 route show proto static').trim().split('\n').length, 3)
  sh('ip -6 route flush proto static')
  t.strictSame(failures, [])
})

t.test('failures are reported: the link is down, or gone', async (t) => {
  sh('ip link set down0 down')
  routes.apply([add('2001:db8::2', down0), add('2001:db8::3', 999)])
  t.strictSame(failures, ['add 2001:db8::2 ENETDOWN', 'add 2001:db8::3 ENODEV'])
  t.equal(done, 2, 'refused is done as well')
  sh('ip link set down0 up')
})

t.test('leaving: the kernel expires our routes after the grace, unless the next run adopts them', async (t) => {
  const via = { target: ip('2001:db8::4'), ifindex: down0, via: ip('fe80::1') }
  routes.apply([add('2001:db8::2', down0), { op: 'add', route: via }])
  await routes.leave(4200)
  t.match(show(), [/2001:db8::2 dev down0 metric 16 expires [45]sec/, /2001:db8::4 via fe80::1 dev down0 metric 16.* expires [45]sec/])
  t.equal(way('2001:db8::2'), down0, 'until then they carry traffic')
  t.equal(routes.present().length, 2)

  const successor = new HostRoutes(kernel, { done: () => {}, failed: () => t.fail('a failure'), overrun: () => t.fail('overrun') })
  const inherited = successor.present()
  t.equal(inherited.length, 2)
  await successor.adopt(inherited)
  t.notMatch(sh('ip -6 route show proto 136'), /expires/)
  await successor.leave(1)
  t.match(show(), [/expires [01]sec/, /expires [01]sec/], 'rounded up to seconds')
  await until(() => way('2001:db8::2') === up0)
  successor.apply([add('2001:db8::2', down0)])
  t.equal(way('2001:db8::2'), down0, 'one that has expired can be added again')
  t.notMatch(sh('ip -6 route show 2001:db8::2'), /expires/)
  // At its end, and up to 10 ms before and after, it looks like any other.
  await until(() => successor.present().length < 2)
  t.strictSame(successor.present().map((route) => String(route.target)), ['2001:db8::2'],
    'an expired route that was not collected yet counts as gone')
  successor.apply([add('2001:db8::4', down0)])
  t.equal(way('2001:db8::4'), down0)
})

t.test('leaving at once', async (t) => {
  await routes.leave(0)
  t.strictSame(show(), [])
})

t.test('many are paced', async (t) => {
  const many = Array.from({ length: 1000 }, (_, i) => add(`2001:db8::1:${(i + 1).toString(16)}`, down0))
  // A routing daemon with a receive buffer of the default size, for some 160 changes, that reads every millisecond.
  const slow = native.openNetlink(NETLINK_ROUTE, Uint32Array.of(RTNLGRP_IPV6_ROUTE), new Uint8Array(0), 212_992 / 2)
  const messages = new Uint8Array(100 * 512)
  let received = 0
  const reading = setInterval(() => {
    const count = slow.receive(messages, 512, new Int32Array(100 * 4))
    // rtm_protocol: other routes come meanwhile, such as the kernel's after DAD.
    for (let i = 0; i < count; i++) if (messages[i * 512 + 21] === 136) received++
  }, 1)
  t.teardown(() => {
    clearInterval(reading)
    slow.close()
  })
  routes.apply(many)
  t.equal(routes.pending, 950, 'the first 50 at once')
  t.equal(way('2001:db8::1:32'), down0)
  t.equal(way('2001:db8::1:33'), up0)
  routes.apply([del('2001:db8::1:3e8', down0)])
  t.equal(routes.pending, 951, 'the order is kept')
  sh('ip -6 route add 2001:db8::21 dev up0; ip -6 route del 2001:db8::21')
  await until(() => routes.pending === 0)
  await until(() => received === 1001)
  t.equal(done, 1001, 'all are reported')
  clearInterval(reading)
  t.equal(routes.present().length, 999)
  routes.apply(many)
  await routes.leave(0)
  t.equal(routes.pending, 0, 'waiting changes are dropped')
  t.strictSame(show(), [], 'a routing daemon that does not read delays nothing')
  t.strictSame(failures, [])
})

t.test('the time that the kernel takes for changes does not count for their pace', async (t) => {
  const { now } = performance
  const change = kernel.changeRoutes.bind(kernel)
  const restore = (): void => {
    performance.now = now
    kernel.changeRoutes = change
  }
  t.teardown(restore)
  let time = performance.now()
  performance.now = () => time
  const parts: number[] = []
  kernel.changeRoutes = (changes) => {
    if (changes.length === 0) return []
    parts.push(changes.length)
    time += 10
    return change(changes)
  }
  // Its clock runs ahead.
  const paced = new HostRoutes(kernel, { done: () => {}, failed: ({ error }) => { failures.push(error.code) }, overrun: () => {} })
  paced.apply(Array.from({ length: 150 }, (_, i) => add(`2001:db8::4:${(i + 1).toString(16)}`, down0)))
  // A millisecond passes after each part.
  let waiting = Infinity
  await until(() => {
    if (paced.pending < waiting) time++
    waiting = paced.pending
    return waiting === 0
  })
  restore()
  t.strictSame(parts, [50, 25, 25, 25, 25])
  t.strictSame(failures, [])
  await routes.leave(0)
})

t.test('changes that wait come before adopted routes', async (t) => {
  const many = Array.from({ length: 1000 }, (_, i) => add(`2001:db8::4:${(i + 1).toString(16)}`, down0))
  routes.apply(many)
  await until(() => routes.pending === 0)
  const replace = kernel.replaceRoutes.bind(kernel)
  t.teardown(() => { kernel.replaceRoutes = replace })
  /** For each part of the adopted routes: how many changes wait. */
  const waiting: number[] = []
  kernel.replaceRoutes = (...part) => {
    waiting.push(routes.pending)
    return replace(...part)
  }
  const adopting = routes.adopt(many.map(({ route }) => route))
  routes.apply(Array.from({ length: 200 }, (_, i) => add(`2001:db8::5:${(i + 1).toString(16)}`, down0)))
  t.ok(routes.pending > 0)
  await adopting
  t.ok(waiting.length > 1 && waiting.every((count) => count === 0))
  t.strictSame(failures, [])
  await routes.leave(0)
})

t.test('many existing routes cost one dump, and later changes count', async (t) => {
  const many = Array.from({ length: 500 }, (_, i) => `2001:db8::5:${i.toString(16)}`)
  const drained = () => until(() => routes.pending === 0)
  routes.apply(many.map((target) => add(target, down0)))
  await drained()
  sh('ip -6 route add 2001:db8::7 dev up0 metric 16 proto static')
  let dumps = 0
  const dump = kernel.hostRoutes.bind(kernel)
  kernel.hostRoutes = () => { dumps++; return dump() }
  // A new one, a foreign one, and the new one elsewhere, all after the dump.
  routes.apply([...many.map((target) => add(target, down0)), add('2001:db8::6', down0), add('2001:db8::7', down0),
    ...many.slice(0, 60).map((target) => del(target, down0)), add('2001:db8::6', up0), add('2001:db8::7', down0)])
  await drained()
  t.equal(dumps, 1)
  kernel.hostRoutes = dump
  t.strictSame(failures.splice(0), Array(2).fill('add 2001:db8::7 EEXIST'))
  t.equal(way('2001:db8::6'), up0)
  routes.apply([...many.slice(-100).map((target) => add(target, down0)), add('2001:db8::8', down0), add('2001:db8::8', up0)])
  await drained()
  t.strictSame(failures, [], 'one that was added with the same request is ours')
  routes.apply([del('2001:db8::8', up0)])
  t.equal(show().length, 500 - 60 + 1)
  sh('ip -6 route del 2001:db8::7 proto static')
  await routes.leave(0)
})

t.test('changes by others are reported, ours are not', async (t) => {
  let changes = 0
  const watcher = new RouteWatcher(kernel, () => { changes++ })
  const settle = async (): Promise<number> => {
    await new Promise((resolve) => setTimeout(resolve, 100))
    const result = changes
    changes = 0
    return result
  }
  routes.apply([add('2001:db8::2', down0), add('2001:db8::3', down0), del('2001:db8::3', down0)])
  sh('ip -6 route add 2001:db8::21 dev down0; ip -6 route del 2001:db8::21')
  t.equal(await settle(), 0)
  sh('ip -6 route del 2001:db8::2')
  t.equal(await settle(), 1)
  routes.apply(['2', '3', '4', '5'].map((host) => add(`2001:db8::${host}`, down0)))
  t.equal(await settle(), 0)
  sh('ip link set down0 down; ip link set down0 up')
  t.ok(await settle() > 0, 'the link went down')
  t.strictSame(routes.present(), [])
  watcher.close()
  const fake = fakeKernel(() => [])
  new RouteWatcher(kernel, () => { changes++ }, fake.open)
  fake.emit(osError(105, 'recv'))
  t.equal(changes, 1, 'notifications were lost')
})

/** Routes of a fake kernel, and the calls of their reader. */
function scene(...kernel: Parameters<typeof fakeKernel>) {
  const fake = fakeKernel(...kernel)
  const events: string[] = []
  const routes = new HostRoutes(new Rtnetlink(fake.open), {
    done: (changes) => { events.push(`done ${changes.length}`) },
    failed: ({ error }) => { events.push(error.code) },
    overrun: () => { events.push('overrun') },
  })
  return { routes, sent: fake.sent, events }
}

t.test('changes are tried again when the kernel is out of memory; other refusals are reported', async (t) => {
  let attempts = 0
  const retrying = scene((request) => ++attempts === 1 ? [osError(105, 'recv')] : [acknowledgement(request)])
  retrying.routes.apply([add('2001:db8::2', 2)])
  t.equal(retrying.routes.pending, 1)
  t.strictSame(retrying.events, [])
  await until(() => retrying.routes.pending === 0)
  t.equal(retrying.sent.length, 2)
  t.strictSame(retrying.events, ['done 1'])
  const refused = scene(() => [osError(1, 'recv')])
  refused.routes.apply([add('2001:db8::2', 2)])
  t.strictSame(refused.events, ['EPERM', 'done 1'])
})

t.test('changes beyond the limit are dropped and reported', async (t) => {
  const { routes, events } = scene(() => [osError(105, 'recv')])
  routes.apply(Array(QUEUE_LIMIT + 1).fill(add('2001:db8::2', 2)))
  t.equal(routes.pending, QUEUE_LIMIT + 1, 'one call may exceed it')
  t.strictSame(events, [])
  routes.apply([add('2001:db8::3', 2)])
  t.equal(routes.pending, 0)
  t.strictSame(events, ['overrun'])
  t.match(routes.limits, [{ used: 0, size: QUEUE_LIMIT }])
  routes.close()
})

t.test('close', async () => { kernel.close() })
