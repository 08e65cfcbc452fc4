/** Duplicate address detection across the proxy in virtual time (RFC 4862 5.4; checklist G, L5). */
import t from 'tap'
import { chance } from '../engine/kit/stage.ts'
import { Host } from './kit/host.ts'
import { everySeed } from './kit/seeds.ts'
import { ETH1, ROUTER, story, vmAddress } from './kit/story.ts'
import { GUSTY, STORM, World } from './kit/world.ts'

const VM = vmAddress(2)

t.test('a newcomer upstream does not get the address of a VM that lives, whether it is known or not', async (t) => {
  for (const known of [true, false]) {
    const stage = story(new World(chance(1)))
    const { world, outside, proxy, router } = stage
    stage.addVm(2)
    if (known) router.talk(VM)
    world.run(1000)
    const thief = new Host(outside, 8)
    thief.claim(VM)
    world.run(3000)
    t.equal(thief.addresses.get(VM), 'duplicate', known ? 'known' : 'not known')
    t.same(proxy.routed, [`${VM} ${ETH1}`])
  }
})

t.test('nor does one inside get the router\'s', async (t) => {
  const { world, inside, proxy, router } = story(new World(chance(2)))
  const thief = new Host(inside, 8)
  thief.claim(ROUTER)
  world.run(3000)
  t.equal(thief.addresses.get(ROUTER), 'duplicate')
  t.same(proxy.routed, [])
  t.equal(router.addresses.get(ROUTER), 'valid')
})

t.test('a newcomer gets a free address, on either side, and the address of a VM that is gone', async (t) => {
  const stage = story(new World(chance(3)))
  const { world, outside, inside, proxy, router } = stage
  const vm = stage.addVm(2)
  router.use(VM)
  world.run(1000)
  vm.unplug()
  const [up, down, heir] = [new Host(outside, 8), new Host(inside, 9), new Host(outside, 10)]
  up.claim(vmAddress(8))
  down.claim(vmAddress(9))
  heir.claim(VM)
  world.run(10_000)
  t.equal(up.addresses.get(vmAddress(8)), 'valid')
  t.equal(down.addresses.get(vmAddress(9)), 'valid')
  t.equal(heir.addresses.get(VM), 'valid', 'an address is not kept for the dead')
  t.same(proxy.routed, [`${vmAddress(9)} ${ETH1}`])
  t.equal(proxy.engine.snapshot().neighbors.find(({ target }) => target === VM)?.iface, 'eth0', 'and is known where it is now')
})

t.test('who takes an address without asking does not get it while its owner answers', async (t) => {
  const { world, inside, outside, proxy, router, addVm } = story(new World(chance(4)))
  addVm(2)
  router.talk(VM)
  world.run(1000)
  const thief = new Host(outside, 8, VM)
  thief.talk(ROUTER)
  world.run(30_000)
  t.same(proxy.routed, [`${VM} ${ETH1}`])
  const rude = new Host(inside, 9, ROUTER)
  rude.talk(VM)
  world.run(30_000)
  t.equal(proxy.engine.snapshot().neighbors.find(({ target }) => target === ROUTER)?.iface, 'eth0', 'a pinned one never gives way')
})

t.test('DAD and theft in bad weather: the VM keeps its route in the end', async (t) => {
  everySeed(t, [`${ROUTER} eth0`, `${VM} eth1 routed`, 'answered'], (world) => {
    const stage = story(world)
    const { outside, proxy, router, mac0 } = stage
    world.weather = STORM
    const vm = stage.addVm(2)
    vm.talk(ROUTER)
    router.talk(VM)
    world.run(10_000)
    const thief = new Host(outside, 8)
    thief.claim(VM)
    world.run(3000)
    if (thief.addresses.get(VM) === 'valid') thief.unplug()
    world.weather = GUSTY
    world.run(80_000)
    return [...proxy.owners, router.reaches(VM) === mac0 ? 'answered' : 'not answered']
  })
})
