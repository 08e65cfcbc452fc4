/**
 * Somebody inside wants the address of the router, or of a neighbor, and tries everything again and again: DAD, the source
 * of a solicitation, an unsolicited NA with O=1, and answers to all who ask (RFC 3756 4.1.1, RFC 6620).
 */
import t from 'tap'
import { addressOf, macOf } from './kit/frame.ts'
import { Host } from './kit/host.ts'
import { everySeed } from './kit/seeds.ts'
import { CONFIG, ETH1, ETH2, ROUTER, story, UNPINNED, vmAddress } from './kit/story.ts'
import type { Story } from './kit/story.ts'
import { GUSTY, Segment, STORM } from './kit/world.ts'
import type { World } from './kit/world.ts'

const VM = vmAddress(2)
const PEER = vmAddress(3)

/** Goes on until it is unplugged. */
function steal(world: World, thief: Host, target: string): void {
  thief.assign(target)
  const again = (ms: number, work: () => void): void => world.after(ms * (0.5 + world.random()), () => {
    work()
    again(ms, work)
  })
  again(700, () => thief.probe(target))
  again(800, () => thief.announce(target))
  // A packet for a host that nobody has: a solicitation of its own.
  again(900, () => thief.use(vmAddress(0x40 + Math.floor(8 * world.random()))))
}

/** @throws at once when the engine takes another than `owner` for the owner of `target`, or routes the target elsewhere */
function watch({ proxy }: Story, target: string, owner: Host, route: number | undefined): void {
  const wanted = addressOf(target)
  proxy.onEvent = (event) => {
    if (event.kind !== 'neighbor' || !event.target.equals(wanted)) return
    const { state, mac: found } = event
    if (state === 'FAILED' || state === 'GONE') throw new Error(`${state}: ${event.reason}`)
    if (state === 'REACHABLE' && found !== macOf(owner.mac)) throw new Error(`${found} has it: ${event.reason}`)
  }
  proxy.onRoute = ({ route: { ifindex, target: routed } }) => {
    if (routed.equals(wanted) && ifindex !== route) throw new Error(`a route for it on link ${ifindex}`)
  }
}

for (const [which, config] of [['pinned', CONFIG], ['known to be one', UNPINNED]]) {
  t.test(`the router's address, ${which}: never given away, in any weather`, async (t) => {
    everySeed(t, [`${ROUTER} eth0`, `${PEER} eth1 routed`, 'the peer reaches the proxy'], (world) => {
      const stage = story(world, config)
      const { proxy, inside, addVm, mac1 } = stage
      const peer = addVm(3)
      peer.use(ROUTER)
      world.run(100)
      proxy.onRoute = ({ op, route: { target } }) => { if (target.equals(addressOf(ROUTER))) throw new Error(`route ${op}`) }
      proxy.onEvent = (event) => {
        if (event.kind !== 'neighbor' || !event.target.equals(addressOf(ROUTER)) || event.state !== 'REACHABLE') return
        if (event.ifindex === ETH1) throw new Error('an owner inside')
      }
      const thief = new Host(inside, 8)
      world.weather = STORM
      steal(world, thief, ROUTER)
      world.run(40_000)
      thief.unplug()
      peer.talk(ROUTER, 3000)
      world.weather = GUSTY
      world.run(120_000)
      return [...proxy.owners, peer.reaches(ROUTER) === mac1 ? 'the peer reaches the proxy' : 'the peer is led astray']
    })
  })
}

const PLACES = ['near', 'far', 'upstream'] as const

/** A VM on eth1, and a thief of its address: beside it, on another segment inside, or beside the router. */
function stageOf(world: World, place: (typeof PLACES)[number]): Story & { vm: Host; thief: Host } {
  const stage = story(world, CONFIG.replace('eth1', 'eth1 eth2'))
  const { proxy, router, outside, inside, addVm } = stage
  const there = new Segment(world)
  proxy.attach(ETH2, 'eth2', there)
  const vm = addVm(2)
  router.talk(VM)
  vm.talk(ROUTER)
  world.run(3000)
  const thief = new Host(place === 'upstream' ? outside : place === 'near' ? inside : there, 8)
  return { ...stage, vm, thief }
}

/** Each of the places for a third of the seeds. */
function placeOf(seed: number): (typeof PLACES)[number] { return PLACES[seed % PLACES.length] }

t.test('a neighbor\'s address, on any segment: not given away at any time while the owner can be heard', async (t) => {
  everySeed(t, [`${ROUTER} eth0`, `${VM} eth1 routed`], (world, seed) => {
    const stage = stageOf(world, placeOf(seed))
    const { vm, thief, proxy } = stage
    watch(stage, VM, vm, ETH1)
    world.weather = GUSTY
    steal(world, thief, VM)
    world.run(60_000)
    return proxy.owners
  })
})

t.test('in bad weather, which an owner may not be heard in: it has its address in the end', async (t) => {
  everySeed(t, [`${ROUTER} eth0`, `${VM} eth1 routed`, 'the router reaches the proxy'], (world, seed) => {
    const { thief, proxy, router, mac0 } = stageOf(world, placeOf(seed))
    world.weather = STORM
    steal(world, thief, VM)
    world.run(30_000)
    thief.unplug()
    world.run(10_000)
    world.weather = GUSTY
    world.run(110_000)
    return [...proxy.owners, router.reaches(VM) === mac0 ? 'the router reaches the proxy' : 'the router is led astray']
  })
})
