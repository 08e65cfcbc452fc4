/** Lookups and changes of routes. The tests of the watchers read links, addresses, neighbors, stations and prefixes. */
import t from 'tap'
import type { Mac } from '../../src/address.ts'
import { Rtnetlink } from '../../src/linux/rtnetlink.ts'
import { ip } from '../kit/frames.ts'
import { ownNamespace, sh, veth } from '../kit/namespace.ts'
import { add, del, indexOf, to } from './kit/routes.ts'

await ownNamespace()

veth('up0 address 52:54:00:12:34:56', 'down0')
sh(`ip -6 addr add 2001:db8::ff/64 dev up0 nodad; ip -6 route add default via 2001:db8::1 dev up0`)
const kernel = new Rtnetlink()
const up0 = indexOf(kernel, 'up0')
const down0 = indexOf(kernel, 'down0')
const show = (): string[] => kernel.hostRoutes().map((route) => `${route.target} ${route.ifindex}${route.via ? ` ${route.via}` : ''}`)

t.test('lookup', async (t) => {
  t.match(kernel.lookup(to('2001:db8::2')), { ifindex: up0, local: false, via: undefined })
  t.match(kernel.lookup(to('2620::1')), { ifindex: up0, local: false, via: ip('2001:db8::1') }, 'the default route')
  t.equal(kernel.lookup(to('2001:db8::ff')).local, true)
  t.equal(kernel.lookup(to('::1')).local, true)
  sh('ip -6 route add unreachable 2001:db9::/64; ip -6 route add blackhole 2001:dba::/64; ip -6 route add prohibit 2001:dbb::/64')
  for (const target of ['2001:db9::1', '2001:dba::1', '2001:dbb::1']) {
    t.match(kernel.lookup(to(target)), { ifindex: undefined, local: false }, target)
  }
  sh('ip -6 route add 2001:db8:5::/64 dev down0 table 55; ip -6 rule add to 2001:db8:5::/64 table 55')
  t.equal(kernel.lookup(to('2001:db8:5::1')).ifindex, down0, 'policy routing')
  sh('ip -6 route add 2001:db8:6::/64 dev down0 table 56; ip -6 rule add iif up0 lookup 56; ip -6 rule add from 2001:db8:7::/64 lookup 56')
  const [target, source] = [ip('2001:db8:6::1'), ip('2001:db8:7::1')]
  t.equal(kernel.lookup({ target, from: up0, source: undefined }).ifindex, down0, 'policy routing by incoming link')
  t.equal(kernel.lookup({ target, from: down0, source }).ifindex, down0, 'and by source')
  t.equal(kernel.lookup({ target, from: down0, source: undefined }).ifindex, up0)
  t.equal(kernel.lookup({ target, from: 999, source: undefined }).ifindex, undefined, 'no such link')
  sh('ip -6 route del default')
  t.equal(kernel.lookup(to('2620::1')).ifindex, undefined, 'no route at all')
})

t.test('the ways to owners, as if our routes did not exist', async (t) => {
  sh(`ip -6 addr add 2001:db8::fe/64 dev down0 nodad; ip -6 route add 2001:db8::d:0/112 dev down0; ip -6 route add unreachable 2001:db8::e:0/112
    ip -6 route add blackhole 2001:db8::e:7 table 55; ip -6 route add prohibit 2001:db8::e:8; ip -6 route add blackhole 2001:db8::/32
    ip -6 rule add to 2001:db8::e:7 table 55`)
  const ours = add('2001:db8::2', down0).route
  kernel.changeRoutes([{ op: 'add', route: ours }])
  const ask = (target: string, from: number[], hidden?: typeof ours) => ({ target: ip(target), ifindex: down0, from, hidden })
  const replies = kernel.paths([ask('2001:db8::2', [up0]), ask('2001:db8::2', [up0, down0], ours), ask('2001:db8::d:5', [up0]),
    ask('2001:db8::e:5', [up0]), ask('2001:db8::9', []), ask('2001:db8::ff', [0]), ask('2001:db8::e:7', [up0]), ask('2001:db8::e:8', [up0]),
    ask('2001:db8:99::1', [up0]), ask('2a00::1', [up0])])
  t.match(replies, [
    [{ ifindex: down0, length: 128 }],
    [{ ifindex: up0, length: 64 }, { ifindex: down0, length: 64 }],
    [{ ifindex: down0, length: 112 }],
    [{ ifindex: undefined, length: 112 }],
    [],
    [{ local: true }],
    [{ ifindex: undefined, length: 128 }],
    [{ ifindex: undefined, length: 128 }],
    [{ ifindex: undefined, length: 32 }],
    [{ ifindex: undefined, length: 0 }],
  ], 'a packet stays on its link if it can')
  t.equal(replies[1].length, 2)
  t.match(sh('ip -6 route show 2001:db8::2'), /^2001:db8::2 dev down0 proto 136 metric 16 pref medium/, 'ours is there again')
  sh('ip -6 route add 2001:db8::c:0/112 nexthop via fe80::5 dev up0 nexthop via fe80::6 dev down0')
  t.same(kernel.paths([ask('2001:db8::c:5', [up0])])[0].map(({ ifindex }) => ifindex).sort(), [up0, down0].sort(), 'all next hops')
  const many = Array.from({ length: 700 }, () => ask('2001:db8::2', [up0], ours))
  t.ok(kernel.paths(many).every(([decision]) => decision.ifindex === up0 && decision.length === 64), 'in several datagrams')
  sh(`ip -6 addr del 2001:db8::fe/64 dev down0; ip -6 route del 2001:db8::d:0/112; ip -6 route del unreachable 2001:db8::e:0/112
    ip -6 route del prohibit 2001:db8::e:8; ip -6 route del blackhole 2001:db8::/32; ip -6 rule del to 2001:db8::e:7 table 55`)
  kernel.changeRoutes([{ op: 'delete', route: ours }])
})

t.test('changes take effect before the call returns', async (t) => {
  t.strictSame(kernel.changeRoutes([add('2001:db8::2', down0)]), [])
  t.equal(kernel.lookup(to('2001:db8::2')).ifindex, down0)
  t.match(sh('ip -6 route show 2001:db8::2'), /^2001:db8::2 dev down0 proto 136 metric 16 pref medium/)
  t.strictSame(kernel.changeRoutes([add('2001:db8::3', down0), del('2001:db8::2', down0), del('2001:db8::2', down0)]), [],
    'in order; deleting a missing route is no failure')
  t.strictSame(show(), [`2001:db8::3 ${down0}`])
  t.strictSame(kernel.changeRoutes([]), [])
})

t.test('each refusal is returned with its change', async (t) => {
  const failures = kernel.changeRoutes([add('2001:db8::3', up0), add('2001:db8::4', 999), add('2001:db8::5', down0)])
  t.strictSame(failures.map(({ change, error }) => [String(change.route.target), error.code]),
    [['2001:db8::3', 'EEXIST'], ['2001:db8::4', 'ENODEV']])
  t.strictSame(show(), [`2001:db8::3 ${down0}`, `2001:db8::5 ${down0}`], 'the others take effect')
  sh('ip link set down0 down')
  t.equal(kernel.changeRoutes([add('2001:db8::6', down0)])[0].error.code, 'ENETDOWN')
  sh('ip link set down0 up')
})

t.test('replacing', async (t) => {
  kernel.changeRoutes([add('2001:db8::3', down0)])
  const route = { target: ip('2001:db8::3'), ifindex: up0 }
  t.strictSame(kernel.replaceRoutes([route], 100), [])
  t.match(sh('ip -6 route show 2001:db8::3'), /^2001:db8::3 dev up0 proto 136 metric 16 expires (100|99)sec/)
  t.strictSame(kernel.replaceRoutes([route]), [])
  t.notMatch(sh('ip -6 route show 2001:db8::3'), /expires/)
  t.equal(kernel.replaceRoutes([{ target: ip('2001:db8::6'), ifindex: up0 }])[0].error.code, 'ENOENT', 'creates nothing')
  kernel.changeRoutes(kernel.hostRoutes().map((route) => ({ op: 'delete', route })))
  t.strictSame(show(), [])
})

t.test('a gateway', async (t) => {
  t.strictSame(kernel.changeRoutes([{ op: 'add', route: { target: ip('2001:db8::7'), ifindex: down0, via: ip('fe80::7') } }]), [])
  t.strictSame(show(), [`2001:db8::7 ${down0} fe80::7`])
  t.strictSame(kernel.changeRoutes([{ op: 'delete', route: { target: ip('2001:db8::7'), ifindex: down0, via: ip('fe80::8') } }]),
    [], 'another gateway')
  t.equal(show().length, 1)
  kernel.changeRoutes([{ op: 'delete', route: kernel.hostRoutes()[0] }])
  t.strictSame(show(), [])
})

t.test('only what carries all of our marks is ours', async (t) => {
  sh(`ip -6 route add 2001:db8::21 dev down0 proto static metric 16; ip -6 route add 2001:db8::22 dev down0 proto 136 metric 17
      ip -6 route add 2001:db8:1::/64 dev down0 proto 136 metric 16; ip -6 route add 2001:db8::24 dev down0 proto 136 metric 16 table 55
      ip -6 route add unreachable 2001:db8::25 proto 136 metric 16; ip -6 route add 2001:db8::26 dev down0 proto 136 metric 16`)
  t.strictSame(show(), [`2001:db8::26 ${down0}`])
  kernel.changeRoutes(['21', '22', '24', '26'].map((host) => del(`2001:db8::${host}`, down0)))
  t.match(sh('ip -6 route show'), /2001:db8::21 dev down0 proto static metric 16/, 'of another program')
  t.match(sh('ip -6 route show'), /2001:db8::22 dev down0 proto 136 metric 17/, 'of another metric')
  t.match(sh('ip -6 route show table 55'), /2001:db8::24 /, 'of another table')
  t.strictSame(show(), [])
})

t.test('a neighbor entry is set back, and none is created', async (t) => {
  sh('ip -6 neigh replace 2001:db8::9 dev down0 lladdr 02:00:00:00:00:03 nud stale')
  const repair = { target: ip('2001:db8::9'), ifindex: down0, mac: 0x020000000002 as Mac, router: false }
  t.equal(kernel.repairNeighbor(repair), true)
  t.match(sh('ip -6 neigh show dev down0'), /2001:db8::9 lladdr 02:00:00:00:00:02 REACHABLE/)
  t.equal(kernel.repairNeighbor({ ...repair, router: true }), true)
  t.match(sh('ip -6 neigh show dev down0'), /2001:db8::9 lladdr 02:00:00:00:00:02 router REACHABLE/)
  t.equal(kernel.repairNeighbor({ ...repair, target: ip('2001:db8::a') }), false)
  t.equal(kernel.repairNeighbor({ ...repair, ifindex: 999 }), false)
})

t.test('closed is closed', async (t) => {
  kernel.close()
  kernel.close()
  t.throws(() => kernel.links(), { code: 'EBADF' })
})
