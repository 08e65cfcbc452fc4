/** Hosts that send nothing by themselves: found by echo requests when the proxy starts, without a solicitation of the router. */
import t from 'tap'
import { ETH0, everySeed, GUSTY, numbers, ROUTER, STORM, story, vmAddress } from './kit/story.ts'

const VMS = numbers(0x12, 0x25)
const END = [`${ROUTER} eth0`, ...VMS.map((n) => `${vmAddress(n)} eth1 routed`)]
const GROUPS = VMS.map((n) => `ff02::1:ff00:${n.toString(16)}`)

t.test('twenty silent hosts are routed before they are solicited', async (t) => {
  everySeed(t, [...END, ...GROUPS], (world) => {
    const stage = story(world)
    const { proxy } = stage
    // Two of the three rounds of echo requests.
    world.weather = STORM
    VMS.forEach(stage.addVm)
    world.run(1000)
    world.weather = GUSTY
    world.run(70_000)
    return [...proxy.owners, ...proxy.groups(ETH0)]
  })
})

t.test('the router finds them behind a switch that passes multicast to members only', async (t) => {
  everySeed(t, [...END, 'the router reaches 20 of 20'], (world) => {
    const stage = story(world, undefined, true)
    const { proxy, router, mac0 } = stage
    world.weather = GUSTY
    VMS.forEach(stage.addVm)
    world.run(8000)
    world.weather = STORM
    for (const n of VMS) router.talk(vmAddress(n), 2000)
    world.run(20_000)
    world.weather = GUSTY
    world.run(100_000)
    return [...proxy.owners, `the router reaches ${VMS.filter((n) => router.reaches(vmAddress(n)) === mac0).length} of 20`]
  })
})
