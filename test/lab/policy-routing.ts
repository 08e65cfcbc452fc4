/** Routing rules: the route of a packet depends on the link that it comes in on, or on its source (ip-rule(8)). */
import t, { type Test } from 'tap'
import { cutOff, decisions, type Party } from './kit/pairs.ts'
import { goodManners, PROXY, ROUTER, type Scene, scene, SERVER, until, vmAddress } from './kit/scene.ts'

const NEIGHBOR = '2001:db8::7:7'
/** Addresses of the guests: neither the router's nor the neighbor's is among them. */
const GUESTS = '2001:db8::2/127'

async function partiesOf(stage: Scene): Promise<Record<'guest' | 'guest2' | 'router' | 'neighbor', Party>> {
  const { router, vms: [vm2, vm3] } = stage
  const neighbor = await stage.addNeighbor('neighbor')
  neighbor.ip(`addr add ${NEIGHBOR}/64 dev eth0 nodad`, `route add default via ${ROUTER}`)
  return { guest: [vm2, vmAddress(2), 'eth1'], guest2: [vm3, vmAddress(3), 'eth1'], router: [router, ROUTER, 'eth0'],
    neighbor: [neighbor, NEIGHBOR, 'eth0'] }
}

/** Asserts that every pair of hosts on different links reaches each other, and that the kernel's decisions are right. */
async function allReach(t: Test, stage: Scene, parties: Readonly<Record<string, Party>>): Promise<void> {
  t.same(await cutOff(parties), [])
  const found = decisions(t, stage.proxy, parties)
  for (const [pair, link] of Object.entries(found)) {
    const [from, to] = pair.split(' > ')
    if (parties[from][2] !== parties[to][2]) t.equal(link, parties[to][2], pair)
  }
}

const CONFIGS = {
  'proxy blocks': 'proxy eth0 { rule 2001:db8::2/127 { auto } }\nproxy eth1 { rule 2001:db8::/64 { auto } }',
  subnet: 'subnet 2001:db8::/64 { upstream eth0\n downstream eth1\n host 2001:db8::1 eth0 }',
}

for (const [name, config] of Object.entries(CONFIGS)) {
  t.test(`${name}: the guests' prefix is only in the table of the upstream link`, async (t) => {
    const stage = await scene(t, [2, 3])
    const { proxy } = stage
    const parties = await partiesOf(stage)
    proxy.ip(`route add ${GUESTS} dev eth1 table 200`, 'rule add iif eth0 lookup 200')
    await stage.start(config)
    await allReach(t, stage, parties)
    t.ok(await stage.server.reaches(vmAddress(2)), 'from beyond the router')
    if (name === 'proxy blocks') t.same(proxy.ourRoutes(), [])
    goodManners(t, stage)
  })

  t.test(`${name}: the way back is only in a table for packets from the guests`, async (t) => {
    const stage = await scene(t, [2, 3])
    const { proxy, vms: [vm2] } = stage
    const parties = await partiesOf(stage)
    proxy.ip('route del default', `addr del ${PROXY}/64 dev eth0`, `addr add ${PROXY}/64 dev eth0 nodad noprefixroute`,
      `route add ${GUESTS} dev eth1 table 200`, 'rule add iif eth0 lookup 200',
      `route add 2001:db8::/64 dev eth0 table 201`, `route add default via ${ROUTER} dev eth0 onlink table 201`, `rule add from ${GUESTS} iif eth1 lookup 201`)
    await stage.start(config)
    await allReach(t, stage, parties)
    await until(() => vm2.reaches(SERVER))
    t.equal(await stage.server.reaches(vmAddress(2)), true, 'from beyond the router')
    if (name === 'proxy blocks') t.same(proxy.ourRoutes(), [])
    goodManners(t, stage)
  })
}
