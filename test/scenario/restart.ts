/** The daemon ends and starts again, with what it saved, while the router goes on soliciting. */
import t from 'tap'
import type { Outcome } from '../../src/events.ts'
import { allAnswered, framesOf } from '../kit/manners.ts'
import { inBoth } from './kit/testbed.ts'
import { CALM, ETH0, everySeed, GUSTY, numbers, ROUTER, SERVER, STORM, story, vmAddress } from './kit/story.ts'

/**
 * By VM, twenty more addresses each: hosts of their own for everyone else. All namespaces share the kernel's 1024 neighbor entries
 * (gc_thresh3), and one host takes five.
 */
const ADDRESSES = numbers(2, 6).map((n) => numbers(1, 20).map((i) => `2001:db8::${n}:${i.toString(16)}`))
const HOSTS = ADDRESSES.flat()

inBoth(t, 'a restart with 100 hosts loses no datagram, whether the daemon was stopped or killed', async (t, world) => {
  const bed = await world.create(t, { isImpatient: true })
  await Promise.all(ADDRESSES.map(async (addresses, i) => (await bed.addVm(i + 2)).assign(...addresses)))
  await bed.start()
  t.same(await Promise.all(HOSTS.map((address) => bed.server.reaches(address))), HOSTS.map(() => true), 'one datagram each')
  const unrouted = () => HOSTS.filter((address) => !bed.routes().includes(`${address} eth1`))
  t.same(unrouted(), [])
  for (const how of ['stopped', 'killed'] as const) {
    bed.router.forget()
    const begin = bed.now
    const solicitations = () => framesOf(bed.frames('eth0'), 'NS').filter(({ at, outgoing }) => !outgoing && at >= begin)
    // One after the other, so that the router solicits one after the other.
    const traffic = Promise.all(HOSTS.map(async (address, i) => {
      await bed.wait(10 * i)
      return bed.server.traffic(address, 4, 5)
    }))
    await bed.until(() => solicitations().length > HOSTS.length / 4)
    const { from, to } = await bed.restart(how)
    t.same((await traffic).filter(({ lost }) => lost > 0), [], `${how}: nothing lost`)
    t.ok(solicitations().some(({ at }) => at > from && at < to), 'some come while it is down')
    // Outside of the simulator, a busy machine records late what came before the start, and takes its time.
    const isVirtual = world.name === 'simulated'
    // The old daemon may have no time to answer what comes just before its end.
    const others = solicitations().filter(({ at }) => at < from - 200 || at > to + (isVirtual ? 0 : 200))
    await allAnswered(t, () => bed.frames('eth0'), others, (ms) => bed.wait(ms), isVirtual ? 1000 : undefined)
    t.same(unrouted(), [])
  }
})

inBoth(t, 'after a crash traffic goes on, and the routes are those of the hosts that live', async (t, world) => {
  const bed = await world.create(t)
  const [vm2, vm3] = await Promise.all([2, 3, 4].map((n) => bed.addVm(n)))
  await bed.start()
  for (const n of [2, 3, 4]) t.equal(await bed.server.reaches(vmAddress(n)), true)
  await bed.until(() => bed.routes().length === 3)
  const traffic = Promise.all([bed.server.traffic(vmAddress(2), 5), vm2.traffic(SERVER, 5)])
  await bed.restart('killed', () => {
    t.same(bed.routes(), [2, 3, 4].map((n) => `${vmAddress(n)} eth1`), 'the routes stay')
    vm3.release(vmAddress(3))
    bed.leaveRoute(vmAddress(0x99), 'eth1')
  })
  await bed.until(() => `${bed.routes()}` === `${vmAddress(2)} eth1,${vmAddress(4)} eth1`)
  t.match(await traffic, [{ sent: 500, lost: 0 }, { sent: 500, lost: 0 }])
})

const VMS = numbers(0x10, 0x41)
const END = [`${ROUTER} eth0`, ...VMS.map((n) => `${vmAddress(n)} eth1 routed`), '50 groups', '50 reached']

/** Outcomes besides answers that are none of an unanswered solicitation. */
const HARMLESS: readonly Outcome[] = ['answered', 'proof', 'unsolicited', 'link-local', 'other-host']

t.test('in calm weather each solicitation is answered, and no route is ever deleted', async (t) => {
  everySeed(t, END, (world, seed) => {
    const stage = story(world)
    const { proxy, router, mac0 } = stage
    world.weather = CALM
    for (const n of VMS) stage.addVm(n).isShy = true
    for (const n of VMS) router.use(vmAddress(n))
    world.run(1000 + 20_000 * world.random())
    if ([...proxy.engine.savedHosts].length !== VMS.length) throw new Error(`${[...proxy.engine.savedHosts].length} saved`)
    proxy.onRoute = ({ op, route: { target } }) => { if (op === 'delete') throw new Error(`${target} lost its route`) }
    // The saved hosts are enough when the routes have expired.
    proxy.restart(300 * world.random(), { isLate: seed % 3 === 0 })
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
    proxy.restart(1000 * world.random(), { isLate: true })
    world.run(10_000)
    world.weather = GUSTY
    world.run(50_000)
    const reached = VMS.filter((n) => router.reaches(vmAddress(n)) === mac0)
    return [...proxy.owners, `${proxy.groups(ETH0).length} groups`, `${reached.length} reached`]
  })
})
