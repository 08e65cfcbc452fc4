/**
 * A host claims the address of a router or of another VM, again and again, by DAD, as the source of solicitations, by unsolicited
 * advertisements and by answers to everyone (RFC 3756 4.1.1, RFC 6620).
 */
import t from 'tap'
import { na, ns } from '../kit/frames.ts'
import { inBoth, type Node } from './kit/testbed.ts'
import {
  addressOf, CONFIG, ETH0, ETH1, ETH2, everySeed, GUSTY, Host, macOf, ROUTER, Segment, SERVER, steal, STORM, type Story, story, UNPINNED,
  vmAddress, type World,
} from './kit/story.ts'

/** The thief on its link, and the proxy there. */
interface Ends { readonly from: string; readonly to: string; readonly toMac: string }

const SECONDS = 4
/** For three seconds, 10 ms apart. */
const flood = (thief: Node, frame: Uint8Array) => thief.inject(Array<Uint8Array>(300).fill(frame), 10)

/** Ways to claim an address. */
const METHODS: Readonly<Record<string, (thief: Node, address: string, ends: Ends) => Promise<unknown>>> = {
  async DAD(thief, address) {
    for (let i = 0; i < 3; i++) if (await thief.claim(address) !== 'duplicate') throw new Error(`${address} is not defended`)
  },
  solicitations: (thief, source, { from }) => flood(thief, ns({ from, source, target: vmAddress(0xee) })),
  advertisements: (thief, target, { from }) => flood(thief, na({ from, target })),
  'solicited advertisements': (thief, target, ends) => flood(thief, na({ ...ends, target, flags: 'RSO' })),
}

// What hosts of one link do to one another passes no proxy: thief and victims are on different links.
for (const [how, isPinned] of [['pinned', true], ['learned', false]] as const) {
  inBoth(t, `neither the address of a VM nor that of its router, which is ${how}, can be taken`, async (t, world) => {
    const bed = await world.create(t, { hasEth2: true })
    const { server, router } = bed
    // A victim for each method, with a router address of its own, which is claimed as well.
    const victims = await Promise.all(Object.entries(METHODS).map(async ([name, claim], i) => {
      const [address, gateway] = [vmAddress(0x20 + i), `2001:db8::${i + 1}:1`]
      router.assign(gateway)
      return { name, claim, address, gateway, vm: await bed.addVm(0x20 + i, { gateway }) }
    }))
    const thief = await bed.addVm(3, { link: 'eth2' })
    const neighbor = await bed.addVm(4, { link: 'eth2', gateway: victims[2].gateway })
    const hosts = isPinned ? victims.map(({ gateway }) => `host ${gateway} eth0`).join('\n') : 'learn yes'
    await bed.start(`subnet 2001:db8::/64 {\nupstream eth0\ndownstream eth1 eth2\n${hosts}\n}`)
    for (const vm of [...victims.map(({ vm }) => vm), neighbor, thief]) t.equal(await vm.reaches(SERVER), true, `${vm.name} works`)
    const routes = bed.routes()
    const echoed = await neighbor.echoed()
    const ofVictims = Promise.all(victims.map(({ vm, address }) =>
      Promise.all([server.traffic(address, SECONDS), vm.traffic(SERVER, SECONDS)])))
    const ofNeighbor = server.traffic(vmAddress(4), SECONDS)
    await bed.wait(300)
    const { mac: toMac, linkLocal: to } = bed.proxyOn('eth2')
    await Promise.all(victims.flatMap(({ claim, address: own, gateway }) =>
      [own, gateway].map((address) => claim(thief, address, { from: thief.mac, to, toMac }))))
    for (const [i, reports] of (await ofVictims).entries()) {
      const { name, address, gateway } = victims[i]
      t.match(reports, [{ lost: 0 }, { lost: 0 }], `${name}: the VM and the server lose nothing`)
      for (const target of [address, gateway]) {
        t.same(bed.conflicts(target), [{ lladdr: thief.mac, iface: 'eth2' }], `${name}: the claim of ${target} is reported once`)
      }
    }
    const { sent, lost } = await ofNeighbor
    t.comment(`on the thief's own link ${lost} of ${sent} echoes are lost`)
    t.equal(await neighbor.echoed() - echoed, sent, 'every datagram of the server reaches a host on the thief\'s own link')
    t.same(bed.routes(), routes)
    for (const { address } of victims) t.ok(routes.includes(`${address} eth1`), `${address} is routed`)
    bed.goodManners(t)
  })
}

const VM = vmAddress(2)
const PEER = vmAddress(3)

/** Checks every event. @throws Error when the owner of `target` is not `owner`, or the target is routed to another link */
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

for (const [which, config] of [['pinned', CONFIG], ['a default gateway of the proxy', UNPINNED]] as const) {
  t.test(`the router's address, ${which}, is never given away in any weather`, async (t) => {
    everySeed(t, [`${ROUTER} eth0`, `${PEER} eth1 routed`, 'the peer reaches the proxy'], (world) => {
      const stage = story(world, config)
      const { proxy, inside, addVm, mac1 } = stage
      if (config === UNPINNED) proxy.tell({ kind: 'gateways', gateways: [{ address: addressOf(ROUTER), ifindex: ETH0 }] })
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
      steal(world, thief, ROUTER, proxy.kernel(ETH1))
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
function stageOf(world: World, place: (typeof PLACES)[number]): Story & { readonly vm: Host; readonly thief: Host; readonly ours: Host } {
  const stage = story(world, CONFIG.replace('eth1', 'eth1 eth2'))
  const { proxy, router, outside, inside, addVm } = stage
  const there = new Segment(world)
  proxy.attach(ETH2, 'eth2', there)
  const vm = addVm(2)
  router.talk(VM)
  vm.talk(ROUTER)
  world.run(3000)
  const thief = new Host(place === 'upstream' ? outside : place === 'near' ? inside : there, 8)
  const ours = proxy.kernel(place === 'upstream' ? ETH0 : place === 'near' ? ETH1 : ETH2)
  return { ...stage, vm, thief, ours }
}

/** Each of the places for a third of the seeds. */
function placeOf(seed: number): (typeof PLACES)[number] { return PLACES[seed % PLACES.length] }

t.test('the address of a VM, on any segment: never given away while no frame is lost', async (t) => {
  everySeed(t, [`${ROUTER} eth0`, `${VM} eth1 routed`], (world, seed) => {
    const stage = stageOf(world, placeOf(seed))
    const { vm, thief, proxy, ours } = stage
    watch(stage, VM, vm, ETH1)
    world.weather = GUSTY
    steal(world, thief, VM, ours)
    world.run(60_000)
    return proxy.owners
  })
})

t.test('in bad weather, where the owner\'s answers may be lost, the owner has its address in the end', async (t) => {
  everySeed(t, [`${ROUTER} eth0`, `${VM} eth1 routed`, 'the router reaches the proxy'], (world, seed) => {
    const { thief, proxy, router, mac0, ours } = stageOf(world, placeOf(seed))
    world.weather = STORM
    steal(world, thief, VM, ours)
    world.run(30_000)
    thief.unplug()
    world.run(10_000)
    world.weather = GUSTY
    world.run(110_000)
    return [...proxy.owners, router.reaches(VM) === mac0 ? 'the router reaches the proxy' : 'the router is led astray']
  })
})
