import t from 'tap'
import fc from 'fast-check'
import { Links } from '../../src/engine/links.ts'
import type { Neighbor } from '../../src/engine/neighbor.ts'
import { NeighborTable } from '../../src/engine/neighbor-table.ts'
import { desiredRoute, plan, sameRoute } from '../../src/engine/routes.ts'
import { Rules } from '../../src/engine/rules.ts'
import type { HostRoute } from '../../src/engine/types.ts'
import { ip } from './kit/frames.ts'
import { chance, configOf, ETH0, ETH1, linkOf, neighborOf, own, SUBNET, twoLinks } from './kit/stage.ts'

function world(config = SUBNET): { links: Links; neighbor: Neighbor } {
  const links = new Links(chance(1))
  const rules = new Rules(configOf(config), chance(1))
  for (const link of twoLinks()) {
    links.set(link)
    rules.link(link)
  }
  const target = ip('2001:db8::2')
  const [rule] = rules.match(ETH0, target.w0, target.w1, target.w2, target.w3)
  const neighbor = neighborOf(target, rule, { state: 'REACHABLE', ifindex: ETH1 })
  return { links, neighbor }
}

t.test('every owner behind a downstream link has a route, and nobody else', async (t) => {
  const { links, neighbor } = world()
  const route = { target: ip('2001:db8::2'), ifindex: ETH1 }
  t.same(desiredRoute(neighbor, links), route)
  neighbor.state = 'PROBE'
  t.same(desiredRoute(neighbor, links), route, 'while it is verified again')
  for (const state of ['INCOMPLETE', 'FAILED'] as const) {
    neighbor.state = state
    t.equal(desiredRoute(neighbor, links), undefined, state)
  }
  neighbor.state = 'REACHABLE'
  neighbor.ifindex = ETH0
  t.equal(desiredRoute(neighbor, links), undefined, 'upstream')
  neighbor.ifindex = 0
  t.equal(desiredRoute(neighbor, links), undefined, 'nowhere')
  neighbor.ifindex = ETH1
  links.set(linkOf(ETH1, { up: false }))
  t.equal(desiredRoute(neighbor, links), undefined, 'link down')
  links.set(linkOf(ETH1, { addresses: [own('2001:db8::fe', 96)] }))
  t.equal(desiredRoute(neighbor, links), undefined, 'covered by the link\'s own prefix')
})

t.test('what the configuration says about routes', async (t) => {
  for (const [config, expected] of [
    [SUBNET.replace('host', 'routes no\n host'), false],
    ['proxy eth0 { rule 2001:db8::/64 { iface eth1 } }', false],
    ['proxy eth0 { autowire yes\n rule 2001:db8::/64 { iface eth1 } }', true],
    ['proxy eth0 { autowire yes\n rule 2001:db8::/64 { auto } }', false],
  ] as const) {
    const { links, neighbor } = world(config)
    t.equal(desiredRoute(neighbor, links) !== undefined, expected, config)
  }
})

t.test('a router that answered for the target is the route\'s gateway', async (t) => {
  const { links, neighbor } = world()
  neighbor.via = ip('fe80::7')
  t.same(desiredRoute(neighbor, links), { target: ip('2001:db8::2'), ifindex: ETH1, via: ip('fe80::7') })
})

const route = fc.record({ target: fc.integer({ min: 3, max: 9 }), ifindex: fc.constantFrom(ETH0, ETH1), via: fc.boolean() })
  .map(({ target, ifindex, via }): HostRoute => ({ target: ip(`2001:db8::${target}`), ifindex,
    ...(via ? { via: ip('fe80::7') } : {}) }))
const routes = fc.uniqueArray(route, { selector: ({ target }) => target.toString() })

t.test('a plan, carried out, gives the desired routes, and touches only what differs', async () => {
  const { neighbor: { rule } } = world()
  fc.assert(fc.property(routes, routes, (desired, present) => {
    const kernel = new Map(present.map((route) => [route.target.toString(), route]))
    const table = new NeighborTable(chance(1))
    for (const route of desired) neighborOf(route.target, rule, { route }, table)
    neighborOf(ip('2001:db8::2'), rule, {}, table)
    const changes = plan(table.values(), ({ w0, w1, w2, w3 }) => table.get(w0, w1, w2, w3), present)
    for (const { op, route } of changes) {
      if (op === 'add') kernel.set(route.target.toString(), route)
      else kernel.delete(route.target.toString())
    }
    const same = desired.filter((one) => present.some((other) => sameRoute(one, other)))
    const union = new Set([...desired, ...present].map(({ target }) => target.toString()))
    return kernel.size === desired.length && desired.every((route) => sameRoute(kernel.get(route.target.toString()), route))
      && changes.length === union.size - same.length
  }))
})

t.test('routes are the same by value', async (t) => {
  const a = { target: ip('2001:db8::2'), ifindex: ETH1 }
  t.ok(sameRoute(undefined, undefined))
  t.notOk(sameRoute(a, undefined))
  t.ok(sameRoute(a, { ...a, target: ip('2001:db8::2') }))
  t.notOk(sameRoute(a, { ...a, ifindex: ETH0 }))
  t.notOk(sameRoute(a, { ...a, via: ip('fe80::1') }))
  t.ok(sameRoute({ ...a, via: ip('fe80::1') }, { ...a, via: ip('fe80::1') }))
})
