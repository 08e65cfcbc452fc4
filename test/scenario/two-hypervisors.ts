/**
 * A host that moves between two machines with ndp6d on one upstream /64, each with a segment of its own, while both its neighbors there
 * and the router send to it. And a host on one of them that claims the address of a host on the other.
 */
import t from 'tap'
import {
  CONFIG, ETH0, ETH1, everySeed, GUSTY, Host, macOf, ProxyHost, ROUTER, Segment, steal, type Story, story, vmAddress, type World,
} from './kit/story.ts'

const [VM, NEAR, FAR] = [2, 3, 4].map(vmAddress)
/** Milliseconds of an outage, and between two looks. */
const LIMIT = 5000
const LOOK = 50

interface Place {
  readonly proxy: ProxyHost
  readonly segment: Segment
}

interface Stage extends Story {
  readonly vm: Host
  readonly near: Host
  readonly far: Host
  readonly here: Place
  readonly there: Place
}

/** A VM at the first machine, one more host at each, and the router, all of which talk. */
function stageOf(world: World): Stage {
  const stage = story(world, CONFIG)
  const { proxy, outside, inside, router, addVm } = stage
  const there = { proxy: new ProxyHost(world, CONFIG, 0xfe00), segment: new Segment(world) }
  there.proxy.attach(ETH0, 'eth0', outside, vmAddress(0xfe))
  there.proxy.attach(ETH1, 'eth1', there.segment)
  const [vm, near, far] = [addVm(2), addVm(3), new Host(there.segment, 4, FAR)]
  for (const target of [VM, NEAR, FAR]) router.talk(target, 200)
  for (const host of [vm, near, far]) host.talk(ROUTER, 200)
  for (const host of [near, far]) host.talk(VM, 200)
  for (const target of [NEAR, FAR]) vm.talk(target, 200)
  world.run(5000 + 20_000 * world.random())
  return { ...stage, vm, near, far, here: { proxy, segment: inside }, there }
}

/** @returns whether a datagram of `from` reaches `to`, hop by hop, in this moment */
function arrives({ outside, here, there }: Stage, from: Host, start: Segment, target: string, to: Host, end: Segment): boolean {
  let segment = start
  let mac = from.reaches(target)
  for (let hops = 0; hops < 4 && mac !== undefined; hops++) {
    if (mac === to.mac) return segment === end
    const place = [here, there].find(({ proxy }) => [ETH0, ETH1].some((ifindex) => proxy.kernel(ifindex).mac === mac))
    if (place === undefined) return false
    const { proxy, segment: inside } = place
    if (segment !== (mac === proxy.kernel(ETH0).mac ? outside : inside)) return false
    proxy.forward(target, ETH0)
    mac = proxy.reaches(target, ETH0)
    segment = (proxy.routes.get(target)?.ifindex ?? ETH0) === ETH0 ? outside : inside
  }
  return false
}

/** Lets `ms` pass. @returns the ways of the VM's datagrams whose outage is longer than the limit */
function outages(stage: Stage, place: Place, ms: number, hasNear = true): string[] {
  const { world, outside, router, here, there, vm, near, far } = stage
  const ways: [string, () => boolean][] = [
    ['router to VM', () => arrives(stage, router, outside, VM, vm, place.segment)],
    ['VM to router', () => arrives(stage, vm, place.segment, ROUTER, router, outside)],
    ['far to VM', () => arrives(stage, far, there.segment, VM, vm, place.segment)],
  ]
  if (hasNear) ways.push(['near to VM', () => arrives(stage, near, here.segment, VM, vm, place.segment)])
  const begin = world.now
  const last = new Map<string, number>()
  while (world.now < begin + ms) {
    world.run(LOOK)
    for (const [name, works] of ways) if (!works()) last.set(name, world.now - begin)
  }
  return [...last].filter(([, until]) => until > LIMIT).map(([name, until]) => `${name}: ${Math.round(until)} ms`)
}

const ARRIVALS: Readonly<Record<string, (stage: Stage, from: Place) => void>> = {
  'with an announcement': ({ vm }) => vm.announce(VM),
  'with DAD': ({ vm }) => vm.probe(VM),
  'without one; the former bridge reports it, and all hosts solicit': ({ vm, router, near, far }, { proxy }) => {
    proxy.tell({ kind: 'station', ifindex: ETH1, mac: macOf(vm.mac), port: undefined })
    for (const host of [vm, router, near, far]) host.forget()
    for (const target of [ROUTER, NEAR, FAR]) vm.use(target)
  },
}

for (const [how, arrive] of Object.entries(ARRIVALS)) {
  t.test(`there and back again, ${how}: an outage of seconds`, async (t) => {
    everySeed(t, [], (world) => {
      if (world.isMuted) return []
      const stage = stageOf(world)
      const { vm, here, there } = stage
      const ends: string[] = []
      for (const [from, to] of [[here, there], [there, here], [here, there]] as const) {
        vm.move(to.segment)
        arrive(stage, from)
        ends.push(...outages(stage, to, 20_000 + 20_000 * world.random()))
      }
      return ends
    })
  })

  t.test(`the first machine is switched off at the same time; ${how}`, async (t) => {
    everySeed(t, [], (world) => {
      if (world.isMuted) return []
      const stage = stageOf(world)
      const { vm, here, there } = stage
      vm.move(there.segment)
      for (const ifindex of [ETH0, ETH1]) here.proxy.kernel(ifindex).unplug()
      arrive(stage, here)
      return outages(stage, there, 20_000, false)
    })
  })
}

t.test('a host beside the other machine does not get the address of a VM that answers', async (t) => {
  everySeed(t, ['reported'], (world) => {
    const stage = stageOf(world)
    const { vm, router, here, there } = stage
    there.proxy.onRoute = ({ route: { target } }) => { if (`${target}` === VM) throw new Error('the other machine routes it') }
    here.proxy.onRoute = ({ op, route: { target } }) => { if (`${target}` === VM && op === 'delete') throw new Error('its route is gone') }
    world.weather = GUSTY
    const works = (): boolean => arrives(stage, router, stage.outside, VM, vm, here.segment)
    works()
    world.run(1000)
    steal(world, new Host(there.segment, 8), VM, there.proxy.kernel(ETH1))
    for (let i = 0; i < 300; i++) {
      world.run(60)
      if (!works()) throw new Error(`not reached; the router sends to ${router.reaches(VM)}`)
    }
    const mac = macOf(there.proxy.kernel(ETH0).mac)
    const isReported = here.proxy.events.some((event) => (event.kind === 'conflict' || event.kind === 'proxy') && event.mac === mac)
    return [isReported ? 'reported' : 'not reported']
  })
})

t.test('a machine that is new, and does not know the VM yet, gives its address back', async (t) => {
  everySeed(t, [`${VM} eth0`, 'reached'], (world) => {
    const { outside, router, proxy, addVm } = story(world, CONFIG)
    const vm = addVm(2)
    router.talk(VM, 200)
    vm.talk(ROUTER, 200)
    world.run(10_000)
    const there = { proxy: new ProxyHost(world, CONFIG, 0xfe00), segment: new Segment(world) }
    there.proxy.attach(ETH0, 'eth0', outside, vmAddress(0xfe))
    there.proxy.attach(ETH1, 'eth1', there.segment)
    world.weather = GUSTY
    const thief = new Host(there.segment, 8, VM)
    thief.announce(VM)
    thief.talk(ROUTER, 1000)
    world.run(60_000)
    const isReached = router.reaches(VM) === proxy.kernel(ETH0).mac && proxy.routes.get(VM)?.ifindex === ETH1
    return [...there.proxy.owners.filter((owner) => owner.startsWith(`${VM} `)), isReached ? 'reached' : 'not reached']
  })
})
