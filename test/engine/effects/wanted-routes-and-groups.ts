/** Routes that should follow from an owner. `reconciler.ts` tests groups, and which routes differ. */
import t from 'tap'
import { wants } from '../../../src/engine/effects/wanted-routes-and-groups.ts'
import type { Neighbor } from '../../../src/engine/cache/neighbor.ts'
import type { HostRoute, Link } from '../../../src/engine-types.ts'
import { ETH0, ETH1, ip, linkOf, neighborOf, SUBNET, type World, worldOf } from '../kit/neighbor.ts'

const TARGET = ip('2001:db8::2')

interface Scene extends World {
  readonly neighbor: Neighbor
  readonly route: () => HostRoute | undefined
}

/** An owner on eth1. */
function scene(config = SUBNET, present?: readonly Link[]): Scene {
  const world = worldOf(config, present)
  const { rule } = world
  const neighbor = neighborOf(TARGET, rule, { state: 'REACHABLE', ifindex: ETH1, path: 'detour' })
  return { ...world, neighbor, route: () => wants(neighbor, world).route }
}

t.test('every owner behind a downstream link has a route, and no other entry', async (t) => {
  const { links, neighbor, route } = scene()
  const expected = { target: TARGET, ifindex: ETH1 }
  t.same(route(), expected)
  neighbor.state = 'PROBE'
  t.same(route(), expected, 'while it is verified again')
  for (const state of ['INCOMPLETE', 'FAILED'] as const) {
    neighbor.state = state
    t.equal(route(), undefined, state)
  }
  neighbor.state = 'REACHABLE'
  neighbor.ifindex = ETH0
  t.same(route(), { target: TARGET, ifindex: ETH0 }, 'upstream as well')
  neighbor.ifindex = 0
  t.equal(route(), undefined, 'on no link')
  neighbor.ifindex = ETH1
  links.set(linkOf(ETH1, { up: false }))
  t.equal(route(), undefined, 'link down')
  links.set(linkOf(ETH1))
  neighbor.path = 'right'
  t.equal(route(), undefined, 'the kernel has another route to it')
})

t.test('settings that decide about routes', async (t) => {
  for (const [config, expected] of [
    [SUBNET.replace('host', 'routes no\n host'), false],
    ['proxy eth0 { rule 2001:db8::/64 { iface eth1 } }', false],
    ['proxy eth0 { autowire yes\n rule 2001:db8::/64 { iface eth1 } }', true],
    ['proxy eth0 { autowire yes\n rule 2001:db8::/64 { auto } }', false],
  ] as const) t.equal(scene(config).route() !== undefined, expected, config)
})

t.test('a router that answered for the target is the route\'s gateway', async (t) => {
  const { neighbor, route } = scene()
  neighbor.set({ via: ip('fe80::7') })
  t.same(route(), { target: TARGET, ifindex: ETH1, via: ip('fe80::7') })
})
