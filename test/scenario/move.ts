/** A host that moves between two downstream segments, with an announcement (RFC 4861 7.2.6) and without one. */
import t from 'tap'
import {
  ETH0, ETH1, ETH2, everySeed, GUSTY, Host, macOf, ROUTER, Segment, STORM, type Story, story, UNPINNED, vmAddress, type World,
} from './kit/story.ts'

const CONFIG = UNPINNED.replace('eth1', 'eth1 eth2')
const [VM, NEAR, FAR] = [2, 5, 6].map(vmAddress)
const ROUTED = [`${ROUTER} eth0`, `${VM} eth2 routed`, `${NEAR} eth1 routed`, `${FAR} eth2 routed`]
const END = [...ROUTED, 'router -> mac0', 'near -> mac1', 'far -> vm', 'vm -> mac2']

interface Stage extends Story {
  readonly vm: Host
  readonly near: Host
  readonly far: Host
  readonly there: Segment
  readonly mac2: string
}

/** A VM on eth1 that moves to eth2. All hosts send to it, and it sends to the router. */
function stageOf(world: World): Stage {
  const stage = story(world, CONFIG)
  const { proxy, router, inside, addVm } = stage
  const there = new Segment(world)
  const mac2 = proxy.attach(ETH2, 'eth2', there)
  const [vm, near, far] = [addVm(2), addVm(5), new Host(there, 6, FAR)]
  for (const peer of [router, near, far]) peer.talk(VM, 1000)
  for (const peer of [vm, near, far]) peer.talk(ROUTER, 2000)
  proxy.onRoute = ({ op, route: { target, ifindex } }) => {
    if (ifindex === ETH0) throw new Error(`a route for ${target} upstream`)
    const routes = proxy.routed.filter((route) => route.startsWith(`${target} `))
    if (routes.length !== (op === 'add' ? 1 : 0)) throw new Error(`routes: ${routes}`)
  }
  return { ...stage, inside, vm, near, far, there, mac2 }
}

function end({ proxy, router, near, far, vm, mac0, mac1, mac2 }: Stage): string[] {
  const names = new Map([[mac0, 'mac0'], [mac1, 'mac1'], [mac2, 'mac2'], [vm.mac, 'vm'], [router.mac, 'router']])
  const reached = (host: Host, target: string): string => names.get(host.reaches(target) ?? '') ?? 'none'
  return [...proxy.owners, `router -> ${reached(router, VM)}`, `near -> ${reached(near, VM)}`, `far -> ${reached(far, VM)}`,
    `vm -> ${reached(vm, ROUTER)}`]
}

for (const [how, arrive] of Object.entries<(stage: Stage, ifindex: number) => void>({
  'with an announcement': ({ vm }) => vm.announce(VM),
  'without one': () => {},
  'without one, but the bridge reports it': ({ proxy, vm }, ifindex) => {
    proxy.tell({ kind: 'station', ifindex: ETH1 + ETH2 - ifindex, mac: macOf(vm.mac), port: undefined })
    proxy.tell({ kind: 'station', ifindex, mac: macOf(vm.mac), port: 21 })
  },
})) {
  t.test(`there and back again in bad weather, ${how}`, async (t) => {
    everySeed(t, END, (world) => {
      const stage = stageOf(world)
      const { vm, there, inside } = stage
      world.run(3000)
      world.weather = STORM
      for (const [segment, ifindex] of [[there, ETH2], [inside, ETH1], [there, ETH2]] as const) {
        world.run(world.random() * 15_000)
        vm.move(segment)
        arrive(stage, ifindex)
      }
      world.run(10_000)
      world.weather = GUSTY
      world.run(130_000)
      return end(stage)
    })
  })
}

t.test('in calm weather the route follows the announcement, or the bridge\'s report, within the time of two probes', async (t) => {
  everySeed(t, [], (world, seed) => {
    const { vm, there, proxy } = stageOf(world)
    world.run(5000 + 20_000 * world.random())
    vm.move(there)
    if (seed % 4 < 2) vm.announce(VM)
    else {
      proxy.tell({ kind: 'station', ifindex: ETH1, mac: macOf(vm.mac), port: undefined })
      proxy.tell({ kind: 'station', ifindex: ETH2, mac: macOf(vm.mac), port: 21 })
    }
    // One timeout: the former owner may still answer.
    world.run(1100)
    return proxy.routed.includes(`${VM} ${ETH2}`) ? [] : ['not moved yet']
  })
})
