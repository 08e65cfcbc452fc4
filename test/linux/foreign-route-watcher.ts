/** Changes of routes by others that concern the configured prefixes, and no others. */
import t from 'tap'
import { ForeignRouteWatcher } from '../../src/linux/foreign-route-watcher.ts'
import { Rtnetlink } from '../../src/linux/rtnetlink.ts'
import { prefix } from '../kit/frames.ts'
import { ownNamespace, sh, veth } from '../kit/namespace.ts'
import { until } from '../kit/until.ts'

await ownNamespace()
veth('up0', 'down0')

const seen: string[] = []
const kernel = new Rtnetlink()
const watcher = new ForeignRouteWatcher((changed) => seen.push(String(changed)), kernel)
t.teardown(() => {
  watcher.close()
  kernel.close()
})

/** @returns what is reported about the changes that `script` makes: the mark at the end is reported last */
async function after(script: string): Promise<string[]> {
  seen.length = 0
  sh(script)
  sh('ip -6 route add 2001:db8::ffff/128 dev down0; ip -6 route del 2001:db8::ffff/128 dev down0')
  await until(() => seen.includes('2001:db8::ffff/128') || seen.includes('undefined'))
  return seen.filter((text) => text !== '2001:db8::ffff/128').sort()
}

t.test('routes within a prefix, and those that cover it', async (t) => {
  watcher.follow([[prefix('2001:db8::/64')], [prefix('2001:db8::/64'), prefix('2001:db8:0:5::/64')]])
  t.same(await after('ip -6 route add 2001:db8::3/128 dev down0 metric 1024'), ['2001:db8::3/128'])
  t.same(await after('ip -6 route del 2001:db8::3/128 dev down0'), ['2001:db8::3/128'])
  t.same(await after('ip -6 route add 2001:db8:0:5::/96 dev up0; ip -6 route add 2001:db8::/48 dev up0; ip -6 route add default dev up0'),
    ['2001:db8:0:5::/96', '2001:db8::/48', '::/0'])
  t.same(await after('ip -6 route add 2001:db8:0:6::/64 dev up0; ip -6 route add 2001:db9::/64 dev up0'), [], 'others')
  t.same(await after('ip -6 route add 2001:db8::4/128 dev up0 proto 136 metric 16'), [], 'our own')
  t.same(await after('ip -6 addr add 2001:db8::5/128 dev up0 nodad'), ['2001:db8::5/128'], 'the connected route of an address')
})

t.test('a rule of policy routing may change any route, and so may many changes at once', async (t) => {
  t.same(await after('ip -6 rule add iif up0 lookup 100'), ['undefined'])
  const many = Array.from({ length: 100 }, (_, i) => `route add 2001:db8::1:${i.toString(16)}/128 dev up0`)
  t.same(await after(`echo '${many.join('\n')}' | ip -6 -batch -`), ['undefined'])
})

t.test('other prefixes after a reload', async (t) => {
  watcher.follow([[prefix('2001:db9::/64'), prefix('2001:db8::ffff/128')]])
  t.same(await after('ip -6 route add 2001:db8::6/128 dev up0; ip -6 route add 2001:db9::6/128 dev up0'), ['2001:db9::6/128'])
  watcher.follow([[prefix('2000::/3')]])
  t.same(await after('ip -6 route add 2001:dba::6/128 dev up0'), ['2001:dba::6/128'], 'a short prefix')
})

t.test('routes that exist: those to parts of a prefix', async (t) => {
  watcher.follow([[prefix('2001:db8:0:7::/64'), prefix('2001:db8:8::/48')]])
  sh(`ip -6 addr add 2001:db8:0:7::1/64 dev up0 nodad
    ip -6 route add 2001:db8:0:7::/80 dev down0; ip -6 route add blackhole 2001:db8:0:7::8/128 table 77
    ip -6 route add 2001:db8:8:1::/56 dev down0; ip -6 route add 2001:db8:9::/56 dev down0
    ip -6 route add 2001:db8:0:7::9/128 dev down0 proto 136 metric 16`)
  await until(() => seen.includes('2001:db8:8::/56'))
  seen.length = 0
  watcher.reportPresent()
  await until(() => seen.length > 0)
  t.same([...seen].sort(), ['2001:db8:0:7::/80', '2001:db8:0:7::8/128', '2001:db8:8::/56'])
})

t.test('routes that discard packets are read once for each report of changes', async (t) => {
  watcher.follow([[prefix('2001:db8:0:7::/64')]])
  const discarding = (): string[] => watcher.discarding.map((route) => String(route.prefix))
  t.same(discarding(), ['2001:db8:0:7::8/128'])
  sh('ip -6 route add prohibit 2001:db8:0:7:0:a::/96')
  t.same(discarding(), ['2001:db8:0:7::8/128'], 'not yet reported')
  await until(() => discarding().length === 2)
  t.same(discarding().sort(), ['2001:db8:0:7:0:a::/96', '2001:db8:0:7::8/128'])
})

t.test('a change that has not been read when other prefixes are followed', async (t) => {
  seen.length = 0
  sh('ip -6 route del prohibit 2001:db8:0:7:0:a::/96')
  watcher.follow([[prefix('2001:db8:0:7::/64'), prefix('2001:db9::/64')]])
  await until(() => seen.length > 0)
  t.same(seen, ['2001:db8:0:7:0:a::/96'])
})

t.test('a kernel that is too busy: all routes count as changed', async (t) => {
  const reported: string[] = []
  let calls = 0
  const busy = { routesWithin: () => {
    calls++
    throw Object.assign(new Error('busy'), { code: 'ENOBUFS' })
  } } as unknown as Rtnetlink
  const starved = new ForeignRouteWatcher((changed) => reported.push(String(changed)), busy)
  t.teardown(() => starved.close())
  starved.follow([[prefix('2001:db8:0:7::/64')]])
  t.same([starved.discarding, starved.discarding], [[], []])
  t.equal(calls, 1)
  starved.reportPresent()
  await until(() => reported.length > 0)
  t.same(reported, ['undefined'])
})
