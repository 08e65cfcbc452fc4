/** New hosts with stable and temporary addresses: routed by their DAD alone (RFC 4862 5.4, RFC 8981 3). */
import t from 'tap'
import { ETH0, everySeed, GUSTY, Host, numbers, ROUTER, STORM, story } from './kit/story.ts'

const VMS = numbers(1, 8)
/** The stable address and the temporary one. */
const ADDRESSES = VMS.flatMap((n) => [`2001:db8::200:ff:fe00:a${n}`, `2001:db8::b5c3:${n}:91d0:77b${n}`])
const END = [`${ROUTER} eth0`, ...ADDRESSES.filter((_, i) => i % 2 === 0).map((address) => `${address} eth1 routed`),
  ...ADDRESSES.filter((_, i) => i % 2 === 1).map((address) => `${address} eth1 routed`)]

t.test('both addresses of a host are routed once their DAD is over, without another packet', async (t) => {
  everySeed(t, [...END, '16 groups'], (world) => {
    const { inside, proxy } = story(world)
    world.run(5000)
    world.weather = GUSTY
    for (const [i, n] of VMS.entries()) {
      const vm = new Host(inside, n + 1)
      for (const address of ADDRESSES.slice(2 * i, 2 * i + 2)) vm.claim(address)
    }
    // DAD begins within a second and ends 1.1 s later; a probe and its answer follow. The weather delays all three.
    world.run(1000 + 1100 + 3 * GUSTY.delay + 1)
    const early = proxy.owners.length
    if (early !== 17) throw new Error(`${early} known`)
    world.run(60_000)
    return [...proxy.owners, `${proxy.groups(ETH0).length} groups`]
  })
})

t.test('in bad weather, where DAD may be lost, the first packet of the host or solicitation of the router is enough', async (t) => {
  everySeed(t, [...END, 'reached'], (world) => {
    const { inside, proxy, router, mac0, mac1 } = story(world)
    world.weather = STORM
    const vms = VMS.map((n, i) => {
      const vm = new Host(inside, n + 1)
      world.after(world.random() * 10_000, () => {
        for (const address of ADDRESSES.slice(2 * i, 2 * i + 2)) vm.claim(address)
      })
      world.after(13_000, () => vm.talk(ROUTER, 5000))
      return vm
    })
    for (const address of ADDRESSES) world.after(20_000 + 5000 * world.random(), () => router.talk(address, 5000))
    world.run(40_000)
    world.weather = GUSTY
    world.run(100_000)
    const isReached = ADDRESSES.every((address) => router.reaches(address) === mac0) && vms.every((vm) => vm.reaches(ROUTER) === mac1)
    return [...proxy.owners, isReached ? 'reached' : 'not reached']
  })
})
