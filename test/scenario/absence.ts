/** Hosts that are switched off and on again: the route goes and comes back with the host. */
import t from 'tap'
import { everySeed, GUSTY, numbers, ROUTER, STORM, type Story, story, textOf, vmAddress, type World } from './kit/story.ts'

const VMS = numbers(2, 6)
const END = [`${ROUTER} eth0`, ...VMS.map((n) => `${vmAddress(n)} eth1 routed`), 'reached']

/** Hosts 2 to 4 go and come back. @param comeBack what they send then */
function play(world: World, comeBack: (stage: Story, vms: readonly ReturnType<Story['addVm']>[]) => void): string[] {
  const stage = story(world)
  const { proxy, router, inside, mac0 } = stage
  world.weather = STORM
  const vms = VMS.map(stage.addVm)
  for (const n of VMS) router.talk(vmAddress(n), 2000)
  world.run(20_000)
  const gone = vms.slice(0, 3)
  for (const vm of gone) vm.unplug()
  // The ttl, which includes the retries, and frames under way.
  world.run(30_000 + 100)
  const left = proxy.routed.filter((route) => /^2001:db8::[234] /.test(route))
  if (left.length > 0) throw new Error(`routed after ttl: ${left}`)
  const saved = [...proxy.engine.savedHosts].filter(({ target }) => gone.some((vm) => vm.addresses.has(textOf(target))))
  if (saved.length > 0) throw new Error('saved')
  world.run(world.random() * 60_000)
  for (const vm of gone) vm.move(inside)
  comeBack(stage, gone)
  world.run(20_000)
  world.weather = GUSTY
  world.run(100_000)
  return [...proxy.owners, VMS.every((n) => router.reaches(vmAddress(n)) === mac0) ? 'reached' : 'not reached']
}

t.test('a host is known again by its first packet', async (t) => {
  everySeed(t, END, (world) => play(world, (_stage, vms) => { for (const vm of vms) vm.talk(ROUTER, 1000) }))
})

t.test('a silent host is known again by the next solicitation of the router', async (t) => {
  everySeed(t, END, (world) => play(world, () => {}))
})

t.test('in calm weather the first packet is enough, and ends the negative entry', async (t) => {
  everySeed(t, [`${ROUTER} eth0`, `${vmAddress(2)} eth1 routed`], (world) => {
    const stage = story(world)
    const { proxy, router, inside } = stage
    const vm = stage.addVm(2)
    world.run(1000)
    vm.unplug()
    world.run(31_000)
    router.use(vmAddress(2))
    world.run(1000)
    if (proxy.owners.length !== 1) throw new Error('still known')
    vm.move(inside)
    vm.use(ROUTER)
    // The router's solicitation still waits: the next probe finds the host.
    world.run(600)
    return proxy.owners
  })
})
