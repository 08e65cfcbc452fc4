import t from 'tap'
import { Address } from '../../src/address.ts'
import type { RouteChange } from '../../src/engine/types.ts'
import { osError } from '../../src/linux/errors.ts'
import { native } from '../../src/linux/native.ts'
import { QUEUE_LIMIT, Routes, RouteWatcher } from '../../src/linux/routes.ts'
import { NETLINK_ROUTE, Rtnetlink } from '../../src/linux/rtnetlink.ts'
import { RTNLGRP_IPV6_ROUTE } from '../../src/wire/rtnetlink.ts'
import { acknowledgement, fakeKernel } from '../fixtures/fake-kernel.ts'
import { ownNamespace, sh, veth } from '../kit/namespace.ts'
import { until } from '../kit/until.ts'

await ownNamespace()

const address = (text: string): Address => Address.parse(text)!
veth('up0', 'down0')
sh('ip -6 addr add 2001:db8::ff/64 dev up0 nodad')
const kernel = new Rtnetlink()
const index = (name: string): number => kernel.links().find((link) => link.name === name)!.ifindex
const up0 = index('up0')
const down0 = index('down0')
const failures: string[] = []
const routes = new Routes(kernel, ({ change, error }) => failures.push(`${change.op} ${change.route.target} ${error.code}`))
const add = (target: string, ifindex: number): RouteChange => ({ op: 'add', route: { target: address(target), ifindex } })
const del = (target: string, ifindex: number): RouteChange => ({ op: 'delete', route: { target: address(target), ifindex } })
const way = (target: string): number | undefined => kernel.lookup(address(target)).ifindex
const show = (): string[] => sh('ip -6 route show proto 136').trim().split('\n').filter(Boolean)
t.afterEach(() => { failures.length = 0 })

t.test('few changes are made at once', async (t) => {
  routes.apply([add('2001:db8::2', down0), add('2001:db8::3', down0)])
  t.equal(way('2001:db8::2'), down0)
  routes.apply([del('2001:db8::3', down0)])
  t.equal(way('2001:db8::3'), up0)
  t.equal(routes.pending, 0)
  t.strictSame(routes.present(), [{ target: address('2001:db8::2'), ifindex: down0 }])
})

t.test('what is there already is no failure; what is elsewhere is moved', async (t) => {
  routes.apply([add('2001:db8::2', down0)])
  t.equal(show().length, 1)
  routes.apply([add('2001:db8::2', up0)])
  t.match(show(), [/^2001:db8::2 dev up0 metric 16/])
  t.equal(show().length, 1)
  routes.apply([{ op: 'add', route: { target: address('2001:db8::2'), ifindex: down0, via: address('fe80::1') } }])
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
  t.strictSame(failures.splice(0), ['add 2001:db8::7 EEXIST'], 'of the same metric: it stays, and we are told')
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

t.test('a failure is told: the link is down, or gone', async (t) => {
  sh('ip link set down0 down')
  routes.apply([add('2001:db8::2', down0), add('2001:db8::3', 999)])
  t.strictSame(failures, ['add 2001:db8::2 ENETDOWN', 'add 2001:db8::3 ENODEV'])
  sh('ip link set down0 up')
})

t.test('leaving: the kernel ends our routes after the grace, unless a successor takes them over', async (t) => {
  routes.apply([add('2001:db8::2', down0), { op: 'add', route: { target: address('2001:db8::4'), ifindex: down0, via: address('fe80::1') } }])
  await routes.leave(4200)
  t.match(show(), [/2001:db8::2 dev down0 metric 16 expires [45]sec/, /2001:db8::4 via fe80::1 dev down0 metric 16.* expires [45]sec/])
  t.equal(way('2001:db8::2'), down0, 'until then they carry traffic')
  t.equal(routes.present().length, 2)

  const successor = new Routes(kernel, () => t.fail('a failure'))
  const inherited = successor.present()
  t.equal(inherited.length, 2)
  await successor.adopt(inherited)
  t.notMatch(sh('ip -6 route show proto 136'), /expires/)
  await successor.leave(1)
  t.match(show(), [/expires [01]sec/, /expires [01]sec/], 'a part of a second is a whole one')
  await until(() => way('2001:db8::2') === up0)
  successor.apply([add('2001:db8::2', down0)])
  t.equal(way('2001:db8::2'), down0, 'one that has expired can be added again')
  t.notMatch(sh('ip -6 route show 2001:db8::2'), /expires/)
  // At its end, and up to 10 ms before and after, it looks like any other.
  await until(() => successor.present().length < 2)
  t.strictSame(successor.present().map((route) => String(route.target)), ['2001:db8::2'],
    'another that has expired, and was not collected yet, counts as gone')
  successor.apply([add('2001:db8::4', down0)])
  t.equal(way('2001:db8::4'), down0)
})

t.test('leaving at once', async (t) => {
  await routes.leave(0)
  t.strictSame(show(), [])
})

t.test('many are paced', async (t) => {
  const many = Array.from({ length: 1000 }, (_, i) => add(`2001:db8::1:${(i + 1).toString(16)}`, down0))
  // Who listens with a buffer of the default size, for some 160 changes, and takes in 40 in a millisecond at most.
  const slow = native.openNetlink(NETLINK_ROUTE, Uint32Array.of(RTNLGRP_IPV6_ROUTE), new Uint8Array(0), 212_992 / 2)
  const messages = new Uint8Array(40 * 512)
  let heard = 0
  const reading = setInterval(() => {
    const count = slow.receive(messages, 512, new Int32Array(40 * 4))
    // rtm_protocol: others make routes meanwhile, as the kernel does when it is done with DAD.
    for (let i = 0; i < count; i++) if (messages[i * 512 + 21] === 136) heard++
  }, 1)
  t.teardown(() => {
    clearInterval(reading)
    slow.close()
  })
  routes.apply(many)
  t.equal(routes.pending, 950, 'the first fifty at once')
  t.equal(way('2001:db8::1:32'), down0)
  t.equal(way('2001:db8::1:33'), up0)
  routes.apply([del('2001:db8::1:3e8', down0)])
  t.equal(routes.pending, 951, 'the order is kept')
  sh('ip -6 route add 2001:db8::21 dev up0; ip -6 route del 2001:db8::21')
  await until(() => routes.pending === 0)
  await until(() => heard === 1001)
  clearInterval(reading)
  t.equal(routes.present().length, 999)
  routes.apply(many)
  await routes.leave(0)
  t.equal(routes.pending, 0, 'what waits is dropped')
  t.strictSame(show(), [], 'who does not read any more holds nobody up')
  t.strictSame(failures, [])
})

t.test('many that are there already cost one look at all of them, and what comes meanwhile counts', async (t) => {
  const many = Array.from({ length: 500 }, (_, i) => `2001:db8::5:${i.toString(16)}`)
  const done = () => until(() => routes.pending === 0)
  routes.apply(many.map((target) => add(target, down0)))
  await done()
  sh('ip -6 route add 2001:db8::7 dev up0 metric 16 proto static')
  let dumps = 0
  const dump = kernel.hostRoutes.bind(kernel)
  kernel.hostRoutes = () => { dumps++; return dump() }
  // A new one, a foreign one, and the new one elsewhere, all after the dump.
  routes.apply([...many.map((target) => add(target, down0)), add('2001:db8::6', down0), add('2001:db8::7', down0),
    ...many.slice(0, 60).map((target) => del(target, down0)), add('2001:db8::6', up0), add('2001:db8::7', down0)])
  await done()
  t.equal(dumps, 1)
  kernel.hostRoutes = dump
  t.strictSame(failures.splice(0), Array(2).fill('add 2001:db8::7 EEXIST'))
  t.equal(way('2001:db8::6'), up0)
  t.equal(show().length, 500 - 60 + 1)
  sh('ip -6 route del 2001:db8::7 proto static')
  await routes.leave(0)
})

t.test('changes by others are noticed, ours are not', async (t) => {
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
  t.equal(changes, 1, 'notice was lost')
})

t.test('a kernel without memory is asked again; other refusals are told', async (t) => {
  let attempts = 0
  const fake = fakeKernel((request) => ++attempts === 1 ? [osError(105, 'recv')] : [acknowledgement(request)])
  const told: string[] = []
  const retrying = new Routes(new Rtnetlink(fake.open), ({ error }) => told.push(error.code))
  retrying.apply([add('2001:db8::2', 2)])
  t.equal(retrying.pending, 1)
  await until(() => retrying.pending === 0)
  t.equal(fake.sent.length, 2)
  t.strictSame(told, [])
  const refused = new Routes(new Rtnetlink(fakeKernel(() => [osError(1, 'recv')]).open), ({ error }) => told.push(error.code))
  refused.apply([add('2001:db8::2', 2)])
  t.strictSame(told, ['EPERM'])
  retrying.apply([add('2001:db8::2', 2)])
  retrying.close()
})

t.test('more than can wait are dropped, and said', async (t) => {
  const fake = fakeKernel(() => [osError(105, 'recv')])
  let overruns = 0
  const stuck = new Routes(new Rtnetlink(fake.open), () => {}, () => {}, () => { overruns++ })
  stuck.apply(Array(QUEUE_LIMIT + 1).fill(add('2001:db8::2', 2)))
  t.equal(stuck.pending, QUEUE_LIMIT + 1, 'all that there is to do at a time')
  t.equal(overruns, 0)
  stuck.apply([add('2001:db8::3', 2)])
  t.equal(stuck.pending, 0)
  t.equal(overruns, 1)
  t.same(stuck.limits, [{ name: 'route changes that wait', used: 0, size: QUEUE_LIMIT }])
  stuck.close()
})

t.test('close', async () => { kernel.close() })
