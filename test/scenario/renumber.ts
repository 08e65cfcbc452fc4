/** `subnet auto`: the provider gives another prefix, and the hosts make new addresses. */
import t from 'tap'
import { Host } from './kit/host.ts'
import { everySeed } from './kit/seeds.ts'
import { ETH0, numbers, story } from './kit/story.ts'
import { GUSTY, STORM } from './kit/world.ts'

const CONFIG = `subnet auto {
  upstream eth0
  downstream eth1
}`
const OLD = '2001:db8:0:1::'
const NEW = '2001:db8:0:2::'
const VMS = numbers(2, 9)
const END = [`${NEW}1 eth0`, ...VMS.map((n) => `${NEW}${n} eth1 routed`), ...VMS.map((n) => `ff02::1:ff00:${n}`),
  'reached']

t.test('only the new addresses are known, routed and joined in the end', async (t) => {
  everySeed(t, END, (world) => {
    const { inside, proxy, router, mac0, mac1 } = story(world, CONFIG)
    proxy.renumber(ETH0, `${OLD}ff`)
    router.assign(`${OLD}1`)
    world.weather = STORM
    const vms = VMS.map((n) => {
      const vm = new Host(inside, n, `${OLD}${n}`)
      vm.talk(`${OLD}1`)
      return vm
    })
    world.run(20_000)
    proxy.renumber(ETH0, `${NEW}ff`)
    router.release(`${OLD}1`)
    router.assign(`${NEW}1`)
    const [stray] = proxy.owners.filter((owner) => owner.startsWith(OLD))
    if (stray !== undefined) throw new Error(`still known: ${stray}`)
    proxy.onRoute = ({ route: { target } }) => {
      if (!target.toString().startsWith(NEW)) throw new Error(`a route for ${target}`)
    }
    for (const [i, vm] of vms.entries()) {
      const n = VMS[i]
      // Some take long to give up what they had.
      world.after(world.random() * 10_000, () => {
        vm.claim(`${NEW}${n}`)
        vm.talk(`${NEW}1`, 2000)
        world.after(world.random() * 10_000, () => vm.release(`${OLD}${n}`))
      })
      world.after(15_000, () => router.talk(`${NEW}${n}`, 2000))
    }
    world.run(25_000)
    world.weather = GUSTY
    world.run(100_000)
    const isReached = VMS.every((n) => router.reaches(`${NEW}${n}`) === mac0)
      && vms.every((vm) => vm.reaches(`${NEW}1`) === mac1)
    return [...proxy.owners, ...proxy.groups(ETH0), isReached ? 'reached' : 'not reached']
  })
})
