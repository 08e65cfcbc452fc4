/** Packets for a forgotten host: the kernel's own solicitation upstream starts a probe inside. */
import t from 'tap'
import { CALM, ETH0, everySeed, GUSTY, ROUTER, STORM, type Story, story, vmAddress, type Weather, type World } from './kit/story.ts'

const VM = vmAddress(2)

/** The VM is off until it is forgotten. Then it is back, silent, and packets for it arrive. */
function play(world: World, weather: Weather): Story & { forward: () => void } {
  const stage = story(world)
  const { proxy, inside, addVm } = stage
  const vm = addVm(2)
  world.run(1000)
  vm.unplug()
  world.run(62_000)
  if (proxy.owners.length !== 1) throw new Error(`still known: ${proxy.owners}`)
  vm.move(inside)
  world.weather = weather
  const forward = (): void => {
    proxy.forward(VM, ETH0)
    world.after(1000, forward)
  }
  forward()
  return { ...stage, forward }
}

t.test('the host is routed after the first packet, and the next packets arrive', async (t) => {
  everySeed(t, [`${ROUTER} eth0`, `${VM} eth1 routed`, 'delivered'], (world) => {
    const { proxy } = play(world, CALM)
    world.run(10)
    if (proxy.owners.length !== 2) throw new Error('not found by the first packet')
    world.run(1100)
    return [...proxy.owners, proxy.reaches(VM, ETH0) === '02:00:00:00:00:02' ? 'delivered' : 'not delivered']
  })
})

t.test('in bad weather they arrive in the end', async (t) => {
  everySeed(t, [`${ROUTER} eth0`, `${VM} eth1 routed`, 'delivered'], (world) => {
    const { proxy } = play(world, STORM)
    world.run(10_000)
    world.weather = GUSTY
    world.run(60_000)
    return [...proxy.owners, proxy.reaches(VM, ETH0) === '02:00:00:00:00:02' ? 'delivered' : 'not delivered']
  })
})
