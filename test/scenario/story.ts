/** The story of the rented server: one /64 on both sides of the proxy. */
import t from 'tap'
import { chance } from '../engine/kit/stage.ts'
import { inBoth } from './kit/testbed.ts'
import { ETH1, everySeed, GUSTY, Host, ROUTER, SERVER, STORM, story, vmAddress, World } from './kit/story.ts'

inBoth(t, 'VMs and the server reach each other, and so does a later VM', async (t, world) => {
  const bed = await world.create(t)
  const [vm2, vm3] = await Promise.all([2, 3].map((n) => bed.addVm(n)))
  await bed.start()
  const reached = await Promise.all([bed.server.reaches(vmAddress(2)), bed.server.reaches(vmAddress(3)), vm2.reaches(SERVER),
    vm3.reaches(SERVER), vm2.reaches(ROUTER)])
  t.same(reached, [true, true, true, true, true])
  t.same(bed.routes(), [2, 3].map((n) => `${vmAddress(n)} eth1`), 'routes of exactly the VMs')

  const vm4 = await bed.addVm(4, { dad: true })
  await bed.until(() => bed.routes().length === 3)
  t.same(bed.routes(), [2, 3, 4].map((n) => `${vmAddress(n)} eth1`), 'DAD alone makes the route of a newcomer')
  const reports = await Promise.all([bed.server.traffic(vmAddress(4), 1), vm4.traffic(SERVER, 1), vm4.traffic(vmAddress(2), 0.2)])
  t.match(reports, [{ sent: 100, lost: 0 }, { sent: 100, lost: 0 }, { sent: 20, lost: 0 }], 'to the server, from it, to another VM')
  t.same(bed.routes(), [2, 3, 4].map((n) => `${vmAddress(n)} eth1`))
  bed.goodManners(t)
  t.equal(await bed.stop(), 0, 'a stop ends with status 0')
})

t.test('resolved in a few milliseconds, and for ten minutes', async (t) => {
  const stage = story(new World(chance(1)))
  const { world, router, proxy, mac0, mac1 } = stage
  const vms = [2, 3].map(stage.addVm)
  for (const n of [2, 3]) router.talk(vmAddress(n))
  for (const vm of vms) vm.talk(ROUTER)
  world.run(10)
  t.same([2, 3].map((n) => router.reaches(vmAddress(n))), [mac0, mac0])
  t.same(vms.map((vm) => vm.reaches(ROUTER)), [mac1, mac1])

  const vm4 = new Host(stage.inside, 4)
  vm4.claim(vmAddress(4))
  world.run(3000)
  t.equal(vm4.addresses.get(vmAddress(4)), 'valid', 'DAD finds no other owner')
  router.talk(vmAddress(4))
  world.run(1)
  t.equal(router.reaches(vmAddress(4)), mac0, 'the first solicitation for a newcomer is answered at once')
  vms[0].use(vmAddress(3))
  world.run(10)
  t.equal(vms[0].reaches(vmAddress(3)), vms[1].mac, 'VMs reach each other directly')

  for (let minute = 0; minute < 10; minute++) {
    world.run(60_000)
    t.same([2, 3, 4].map((n) => router.reaches(vmAddress(n))), [mac0, mac0, mac0], `after ${minute + 1} min`)
  }
  t.same([...proxy.events].filter(({ kind }) => kind === 'conflict'), [])
  t.equal(proxy.outcomes.get('failed'), undefined, 'no solicitation was refused')
})

t.test('bad weather: a fifth of the frames lost, a fifth doubled, all out of order', async (t) => {
  const NUMBERS = [2, 3, 4, 5]
  const end = [`${ROUTER} eth0`, ...NUMBERS.map((n) => `${vmAddress(n)} eth1 routed`), `${vmAddress(9)} eth0`, 'answered']
  everySeed(t, end, (world) => {
    const stage = story(world)
    const { outside, router, proxy, mac0, mac1 } = stage
    world.weather = STORM
    proxy.onRoute = ({ route: { ifindex, target } }) => {
      if (ifindex !== ETH1) throw new Error(`a route for ${target} on link ${ifindex}`)
    }
    proxy.onEvent = ({ kind }) => { if (kind === 'conflict' || kind === 'limit') throw new Error(kind) }
    const vms = NUMBERS.map((n) => {
      const vm = stage.addVm(n)
      world.after(world.random() * 20_000, () => vm.talk(ROUTER, 5000))
      world.after(world.random() * 20_000, () => router.talk(vmAddress(n), 3000))
      return vm
    })
    const second = new Host(outside, 9, vmAddress(9))
    for (const n of NUMBERS) second.talk(vmAddress(n), 4000)
    world.run(60_000)
    world.weather = GUSTY
    world.run(70_000)
    const isAnswered = [router, second].every((solicitor) => NUMBERS.every((n) => solicitor.reaches(vmAddress(n)) === mac0))
      && vms.every((vm) => vm.reaches(ROUTER) === mac1)
    return [...proxy.owners, isAnswered ? 'answered' : 'not answered']
  })
})
