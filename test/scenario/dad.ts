/** Duplicate address detection across the proxy (RFC 4862 5.4). */
import t from 'tap'
import { chance } from '../engine/kit/stage.ts'
import { framesOf } from '../kit/manners.ts'
import { inBoth } from './kit/testbed.ts'
import { ETH1, everySeed, GUSTY, Host, ROUTER, STORM, story, vmAddress, World } from './kit/story.ts'

const VM = vmAddress(2)

inBoth(t, 'addresses of VMs and of the router are defended on the other side; free ones are free on both', async (t, world) => {
  const bed = await world.create(t)
  const [vm2] = await Promise.all([2, 3].map((n) => bed.addVm(n)))
  await bed.start()
  t.equal(await bed.server.reaches(VM), true)
  const newcomer = await bed.addHost(8, 'eth0')
  t.equal(await newcomer.claim(VM), 'duplicate', 'outside, the address of a VM that was solicited')
  t.equal(await newcomer.claim(vmAddress(3)), 'duplicate', 'and of one that was not')
  t.equal(await newcomer.claim(vmAddress(0x70)), 'valid', 'outside, a free address')
  t.equal(await vm2.claim(vmAddress(0x71)), 'valid', 'inside, a free address')
  t.equal(await vm2.claim(ROUTER), 'duplicate', 'inside, the address of the router')
  t.same(await Promise.all([VM, vmAddress(0x71)].map((address) => bed.server.reaches(address))), [true, true])
  t.same(bed.routes(), [2, 3, 0x71].map((n) => `${vmAddress(n)} eth1`))
  const defences = framesOf(bed.frames('eth0'), 'NA', VM).filter((na) => na.outgoing && na.destination === 'ff02::1')
  t.match(defences, [{ flags: /^R?$/, to: '33:33:00:00:00:01' }], 'one defence, to all nodes, with S and O clear')
  bed.goodManners(t)
})

inBoth(t, 'a static rule does not keep a newcomer on its link from a free address', async (t, world) => {
  const bed = await world.create(t)
  await bed.start('proxy eth0 { rule 2001:db8::/64 { static } }')
  t.equal(await (await bed.addHost(8, 'eth0')).claim(vmAddress(0x80)), 'valid')
  bed.goodManners(t)
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
  t.equal(heir.addresses.get(VM), 'valid', 'an address without an owner is free')
  t.same(proxy.routed, [`${vmAddress(9)} ${ETH1}`])
  t.equal(proxy.engine.snapshot().neighbors.find(({ target }) => target === VM)?.iface, 'eth0', 'the new owner is known')
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
