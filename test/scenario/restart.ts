/** The daemon ends and starts again, with what it knew, while the router goes on asking. No host answers pings. */
import t from 'tap'
import type { Outcome } from '../../src/engine/types.ts'
import { everySeed } from './kit/seeds.ts'
import { ETH0, numbers, ROUTER, story, vmAddress } from './kit/story.ts'
import { CALM, GUSTY, STORM } from './kit/world.ts'

const VMS = numbers(0x10, 0x41)
const END = [`${ROUTER} eth0`, ...VMS.map((n) => `${vmAddress(n)} eth1 routed`), '50 groups', '50 reached']

/** Answers, and what is said about other addresses than theirs. */
const HARMLESS: readonly Outcome[] = ['answered', 'proof', 'unsolicited', 'link-local', 'other-host']

t.test('in calm weather no question stays unanswered, and no route ever goes', async (t) => {
  everySeed(t, END, (world, seed) => {
    const stage = story(world)
    const { proxy, router, mac0 } = stage
    world.weather = CALM
    for (const n of VMS) stage.addVm(n).isShy = true
    for (const n of VMS) router.use(vmAddress(n))
    world.run(1000 + 20_000 * world.random())
    if ([...proxy.engine.memory].length !== VMS.length) throw new Error(`${[...proxy.engine.memory].length} remembered`)
    proxy.onRoute = ({ op, route: { target } }) => { if (op === 'delete') throw new Error(`${target} lost its route`) }
    // What is remembered is enough when the routes have expired.
    proxy.restart(300 * world.random(), seed % 3 === 0)
    proxy.outcomes.clear()
    for (const n of VMS) router.talk(vmAddress(n), 3000)
    world.run(36_000)
    const silent = [...proxy.outcomes.keys()].filter((outcome) => !HARMLESS.includes(outcome))
    if (silent.length > 0) throw new Error(`not answered at once: ${silent}`)
    const reached = VMS.filter((n) => router.reaches(vmAddress(n)) === mac0)
    return [...proxy.owners, `${proxy.groups(ETH0).length} groups`, `${reached.length} reached`]
  })
})

t.test('in bad weather all are known and reached in the end', async (t) => {
  everySeed(t, END, (world) => {
    const stage = story(world)
    const { proxy, router, mac0 } = stage
    for (const n of VMS) stage.addVm(n).isShy = true
    for (const n of VMS) router.talk(vmAddress(n), 5000)
    world.run(4000)
    world.weather = STORM
    proxy.restart(1000 * world.random())
    world.run(20_000)
    proxy.restart(1000 * world.random(), true)
    world.run(10_000)
    world.weather = GUSTY
    world.run(50_000)
    const reached = VMS.filter((n) => router.reaches(vmAddress(n)) === mac0)
    return [...proxy.owners, `${proxy.groups(ETH0).length} groups`, `${reached.length} reached`]
  })
})
