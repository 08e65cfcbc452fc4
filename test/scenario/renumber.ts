/** `subnet auto`: the provider gives another prefix, and the hosts make new addresses (RFC 4861 4.2, RFC 4862 5.5.3). */
import t from 'tap'
import { framesOf } from '../kit/manners.ts'
import { inBoth } from './kit/testbed.ts'
import { ETH0, everySeed, GUSTY, Host, numbers, STORM, story } from './kit/story.ts'

const CONFIG = `subnet auto {
  upstream eth0
  downstream eth1
}`
const FORMER = '2001:db8:1::'
const LATER = '2001:db8:2::'
/** Interface identifiers of the hosts. */
const IDS = ['ff:fe00:2', 'ff:fe00:3']

t.jobs = 2      // the real ones wait, most of the time

for (const how of ['at once, by a lifetime of 0', 'at the end of its lifetime'] as const) {
  inBoth(t, `another prefix; the old one goes ${how}`, async (t, world) => {
    const isLate = how.startsWith('at the end')
    const bed = await world.create(t)
    await bed.start(CONFIG)
    const [vm2] = await Promise.all([2, 3].map((n) => bed.addHost(n, 'eth1')))
    bed.advertise({ [FORMER]: isLate ? 15 : 3600 })
    for (const id of IDS) await untilReached(FORMER + id)
    vm2.assign(`${FORMER}aa:2`)
    await untilReached(`${FORMER}aa:2`)
    const routes = (prefix: string, ids: readonly string[]) => ids.map((id) => `${prefix}${id} eth1`)
    t.same(bed.routes(), routes(FORMER, ['aa:2', ...IDS]))
    t.ok(bed.stateOf(FORMER).length > 3, 'the prefix is in use')

    bed.advertise(isLate ? { [LATER]: 3600 } : { [LATER]: 3600, [FORMER]: 0 })
    for (const id of IDS) await untilReached(LATER + id)
    bed.goodManners(t)
    await bed.until(() => bed.stateOf(FORMER).length === 0)
    t.same(bed.routes(), routes(LATER, IDS))
    const before = bed.frames('eth0').length
    bed.router.forget()
    for (const id of [...IDS, 'aa:2']) await bed.router.reaches(FORMER + id, 200)
    const since = bed.frames('eth0').slice(before).filter(({ target }) => target.startsWith(FORMER))
    t.equal(new Set(framesOf(since, 'NS').filter(({ outgoing }) => !outgoing).map(({ target }) => target)).size, 3)
    t.same(framesOf(since, 'NA'), [], 'old addresses are not answered for')
    t.equal(await bed.server.reaches(LATER + IDS[0]), true, 'the new ones are')

    async function untilReached(address: string): Promise<void> {
      for (let tries = 0; !await bed.server.reaches(address, 500); tries++) if (tries === 100) throw new Error(`${address} is not reached`)
    }
  })
}

const OLD = '2001:db8:0:1::'
const NEW = '2001:db8:0:2::'
const VMS = numbers(2, 9)
const END = [`${NEW}1 eth0`, ...VMS.map((n) => `${NEW}${n} eth1 routed`), ...VMS.map((n) => `ff02::1:ff00:${n}`), 'reached']

t.test('in bad weather only the new addresses are known, routed and joined in the end', async (t) => {
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
      // Some hosts keep the old address for long.
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
    const isReached = VMS.every((n) => router.reaches(`${NEW}${n}`) === mac0) && vms.every((vm) => vm.reaches(`${NEW}1`) === mac1)
    return [...proxy.owners, ...proxy.groups(ETH0), isReached ? 'reached' : 'not reached']
  })
})
